"""Checkpoints of a training run, which resumes exactly where it stopped.

Tensors are stored as safetensors and numbers as JSON, never as pickle.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.dictionaries.output_folder import latest_folder, replace_folder
from benchdesign.errors import UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(trainer: Any, folder: Path, label: str) -> None:
    """Write the full state of a trainer atomically."""
    from safetensors.torch import save_file

    optimizer = trainer.optimizer.state_dict()
    tensors = {f"sae.{name}": value for name, value in trainer.sae.state_dict().items()}
    for number, slots in optimizer["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in slots.items()}
    tensors["passes_since_fired"] = trainer.n_forward_passes_since_fired
    tensors["act_freq_scores"] = trainer.act_freq_scores
    numbers = {
        "label": label,
        "groups": optimizer["param_groups"],
        "schedule": trainer.lr_scheduler.state_dict(),
        "coefficients": {
            name: scheduler.state_dict()
            for name, scheduler in trainer.coefficient_schedulers.items()
        },
        "scale": trainer.activation_scaler.scaling_factor,
        "n_samples": trainer.n_training_samples,
        "n_steps": trainer.n_training_steps,
        "n_active_samples": trainer.n_frac_active_samples,
    }
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        fresh / "state.safetensors",
    )
    (fresh / "state.json").write_text(json.dumps(numbers), encoding="utf-8")
    replace_folder(fresh, folder)


def load_checkpoint(trainer: Any, folder: Path, label: str) -> None:
    """Restore a trainer from a checkpoint, if there is one."""
    from safetensors import SafetensorError

    checkpoint = latest_folder(folder)
    if not (checkpoint / "state.json").is_file():
        return
    try:
        _restore(trainer, checkpoint, label)
    except (
        *(AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
        SafetensorError,
    ) as problem:
        message = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise UsageError(
            f"{checkpoint}: damaged checkpoint ({message}); delete it, or run without --resume."
        ) from None


def _restore(trainer: Any, folder: Path, label: str) -> None:
    from safetensors.torch import load_file

    numbers = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if numbers["label"] != label:
        raise UsageError(
            f"{folder}: from other settings or another corpus; delete it, or run without --resume."
        )
    tensors = load_file(folder / "state.safetensors", device=trainer.cfg.device)
    trainer.sae.load_state_dict(
        {name[4:]: value for name, value in tensors.items() if name.startswith("sae.")}
    )
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, slot = name.split(".", 2)
            slots.setdefault(int(number), {})[slot] = value
    trainer.optimizer.load_state_dict({"state": slots, "param_groups": numbers["groups"]})
    trainer.lr_scheduler.load_state_dict(numbers["schedule"])
    for name, state in numbers["coefficients"].items():
        trainer.coefficient_schedulers[name].load_state_dict(state)
    trainer.activation_scaler.scaling_factor = float(numbers["scale"])
    trainer.n_forward_passes_since_fired = tensors["passes_since_fired"]
    trainer.act_freq_scores = tensors["act_freq_scores"]
    trainer.n_training_samples = int(numbers["n_samples"])
    trainer.n_training_steps = int(numbers["n_steps"])
    trainer.n_frac_active_samples = int(numbers["n_active_samples"])
