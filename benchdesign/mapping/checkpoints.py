"""The whole state of a training run on disk, so that it can go on exactly where it stopped.

Tensors are safetensors and numbers are JSON, never pickle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.errors import UsageError
from benchdesign.mapping.folders import last_in_place, put_in_place

if TYPE_CHECKING:
    import torch

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(trainer: Any, folder: Path, label: str) -> None:
    """Write everything needed to continue, all or nothing."""
    import shutil

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
        "coefficients": {n: s.state_dict() for n, s in trainer.coefficient_schedulers.items()},
        "scale": trainer.activation_scaler.scaling_factor,
        "n_samples": trainer.n_training_samples,
        "n_steps": trainer.n_training_steps,
        "n_active_samples": trainer.n_frac_active_samples,
    }
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(
        {n: t.detach().cpu().contiguous() for n, t in tensors.items()}, fresh / "state.safetensors"
    )
    (fresh / "state.json").write_text(json.dumps(numbers), encoding="utf-8")
    put_in_place(fresh, folder)


def load_checkpoint(trainer: Any, folder: Path, label: str) -> None:
    """Put a trainer where a checkpoint left it; no checkpoint is no error."""
    from safetensors import SafetensorError

    place = last_in_place(folder)
    if not (place / "state.json").is_file():
        return
    try:
        _restore(trainer, place, label)
    except (
        *(AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
        SafetensorError,
    ) as problem:
        message = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise UsageError(
            f"{place}: damaged checkpoint ({message}); remove it or drop --resume."
        ) from None


def _restore(trainer: Any, folder: Path, label: str) -> None:
    from safetensors.torch import load_file

    numbers = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if numbers["label"] != label:
        raise UsageError(
            f"{folder}: made with other settings or another corpus; remove it or drop --resume."
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
