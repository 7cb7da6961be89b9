"""Train SAEs on a corpus with the classes of sae-lens and save them as JumpReLU folders.

This module steps sae-lens' `SAETrainer` itself, so that a run can report progress, stop, and resume
exactly: batches depend on the seed and the step only, and checkpoints (safetensors and JSON, never
pickle) include the whole state of the optimiser.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.reference_model.loading import choose_device
from benchdesign.concepts.training.activation_bank import ActivationBank
from benchdesign.concepts.training.checkpoints import load_checkpoint, save_checkpoint
from benchdesign.concepts.training.recipe import LevelReport, LevelSpec, TrainSettings
from benchdesign.concepts.training.sparse_batchtopk import sparse_batchtopk
from benchdesign.concepts.training.training_batches import TrainingBatches
from benchdesign.errors import Interrupted, ModelError, UsageError
from benchdesign.foundation.progress import ProgressCallback, StopCheck, Ticker

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = [
    "encode",
    "measure_sae",
    "train_sae",
]

L0_MARGIN = 0.985
"""Factor of k for the L0 at the saved threshold on training text, so that L0 is k elsewhere."""


def train_sae(
    bank: ActivationBank,
    spec: LevelSpec,
    *,
    held_out: NDArray[np.bool_],
    folder: Path,
    model: str,
    settings: TrainSettings | None = None,
    checkpoints: Path | None = None,
    identity: str = "",
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> LevelReport:
    """Train one SAE, save it as a sae-lens folder and measure it on held-out rows.

    `held_out` is per text. `checkpoints` is the folder for the state of an interrupted run, which
    resumes only if `identity` (of the data) is unchanged.
    """
    import torch

    start = time.monotonic()
    chosen = settings or TrainSettings()
    device = choose_device(chosen.device)
    train_rows, test_rows = _split_rows(bank, held_out)
    if len(train_rows) < spec.width:
        raise UsageError(
            f"--level {spec.name}: {len(train_rows):,} {spec.unit}s are too few to train "
            f"{spec.width:,} concepts; use more text or a smaller width."
        )
    size = min(spec.batch_size, len(train_rows))
    batches = TrainingBatches(bank, train_rows, size=size, seed=chosen.seed, device=device)
    n_steps = max(1, round(batches.per_epoch * spec.passes))
    trainer = _make_trainer(bank, spec, batches, n_steps, size, device, chosen.seed)
    label = json.dumps([asdict(spec), chosen.seed, n_steps, identity], sort_keys=True)
    if chosen.resume and checkpoints is not None:
        load_checkpoint(trainer, checkpoints, label)
    _run(trainer, batches, n_steps, spec, chosen, checkpoints, label, progress, stop)
    sae = trainer.sae
    sae.fold_activation_norm_scaling_factor(trainer.activation_scaler.scaling_factor)
    generator = torch.Generator().manual_seed(chosen.seed)
    pick = torch.randperm(len(train_rows), generator=generator)
    sample = bank.rows[train_rows[pick[: 8192 if device.type == "cpu" else 32_768]]]
    weights = _finish(sae, sample.to(device).float(), spec, chosen.precision)
    _save(weights, spec, folder, model=model, precision=chosen.precision)
    more = train_rows[pick[:2_000_000].sort().values]
    return measure_sae(
        bank,
        weights,
        spec,
        test_rows=test_rows,
        more_rows=more,
        n_train=len(train_rows),
        n_steps=n_steps,
        seconds=time.monotonic() - start,
    )


def encode(weights: dict[str, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """Return JumpReLU activations (n, width) in float32."""
    pre = rows.float() @ weights["W_enc"] + weights["b_enc"]
    return pre * (pre > weights["threshold"])


def measure_sae(
    bank: ActivationBank,
    weights: dict[str, torch.Tensor],
    spec: LevelSpec,
    *,
    test_rows: torch.Tensor,
    more_rows: torch.Tensor,
    n_train: int,
    n_steps: int,
    seconds: float,
) -> LevelReport:
    """Measure saved weights on held-out rows."""
    import torch

    device = weights["W_enc"].device
    fired = torch.zeros(spec.width, dtype=torch.float64, device=device)
    total = torch.zeros(bank.rows.shape[1], dtype=torch.float64, device=device)
    squares = error = 0.0
    step = 16_384 if device.type == "cuda" else 2048
    for low in range(0, len(test_rows), step):
        rows = bank.rows[test_rows[low : low + step]].to(device).float()
        acts = encode(weights, rows)
        fired += (acts > 0).sum(0)
        total += rows.sum(0, dtype=torch.float64)
        squares += float(rows.double().pow(2).sum())
        error += float((rows - acts @ weights["W_dec"] - weights["b_dec"]).double().pow(2).sum())
    variance = squares - float(total.pow(2).sum()) / len(test_rows)
    alive = fired > 0
    for low in range(0, len(more_rows), step):
        if bool(alive.all()):
            break
        rows = bank.rows[more_rows[low : low + step]].to(device)
        alive |= (encode(weights, rows) > 0).any(0)
    return LevelReport(
        level=spec.name,
        hook_point=spec.hook_point,
        unit=spec.unit,
        architecture=spec.architecture,
        width=spec.width,
        k=spec.k,
        n_train=n_train,
        n_held_out=len(test_rows),
        n_steps=n_steps,
        explained_variance=1 - error / variance if variance else 0.0,
        l0=float(fired.sum()) / len(test_rows),
        dead_share=float((~alive).double().mean()),
        dense_share=float((fired > 0.1 * len(test_rows)).double().mean()),
        threshold=float(weights["threshold"][0]),
        seconds=round(seconds, 1),
    )


def _split_rows(
    bank: ActivationBank, held_out: NDArray[np.bool_]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of training rows and of test rows."""
    import numpy as np
    import torch

    is_test = held_out[bank.text_of]
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if not len(test):
        # A small corpus may have no held-out texts: use the last rows as a fallback.
        cut = max(1, len(train) // 50)
        train, test = train[:-cut], train[-cut:]
    if not len(train):
        raise UsageError("The corpus is too small to train on; use more texts.")
    device = bank.rows.device
    return torch.from_numpy(train).to(device), torch.from_numpy(test).to(device)


def _make_trainer(
    bank: ActivationBank,
    spec: LevelSpec,
    batches: TrainingBatches,
    n_steps: int,
    size: int,
    device: torch.device,
    seed: int,
) -> Any:
    """Build sae-lens' trainer around a fresh SAE."""
    import torch
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.matryoshka_batchtopk_sae import (
        MatryoshkaBatchTopKTrainingSAE,
        MatryoshkaBatchTopKTrainingSAEConfig,
    )
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(seed)
    common: dict[str, Any] = {
        "d_in": bank.rows.shape[1],
        "d_sae": spec.width,
        "k": float(spec.k),
        "apply_b_dec_to_input": False,
        "normalize_activations": "expected_average_only_in",
        "rescale_acts_by_decoder_norm": False,
        "decoder_init_norm": 1.0,
        "aux_loss_coefficient": 1.0,
        "device": str(device),
        "dtype": "float32",
    }
    sae: Any
    if spec.architecture == "batchtopk":
        # The dense step is faster on a GPU, the sparse one on a CPU.
        kind = sparse_batchtopk() if device.type == "cpu" else BatchTopKTrainingSAE
        sae = kind(BatchTopKTrainingSAEConfig(**common))
    else:
        inner = spec.widths or tuple(
            width for width in (spec.width // 16, spec.width // 4) if width
        )
        sae = MatryoshkaBatchTopKTrainingSAE(
            MatryoshkaBatchTopKTrainingSAEConfig(**common, matryoshka_widths=[*inner, spec.width])
        )
    sae.to(device)
    warm_up = min(100, n_steps // 10)
    trainer = SAETrainer(
        cfg=SAETrainerConfig(
            total_training_samples=n_steps * size,
            train_batch_size_samples=size,
            lr=spec.lr,
            lr_end=spec.lr / 10,
            lr_warm_up_steps=warm_up if warm_up > 1 else 0,
            lr_decay_steps=n_steps // 3,
            device=str(device),
            dead_feature_window=spec.dead_window,
            # Only wandb logs need this window: set it beyond the last step.
            feature_sampling_window=n_steps + 1,
        ),
        sae=sae,
        data_provider=batches,
    )
    sample = torch.cat([next(batches) for _ in range(min(8, batches.per_epoch))])
    batches.position = 0
    norm = float(sample.norm(dim=-1).mean())
    if not norm > 0:
        raise ModelError(f"Activations at {spec.hook_point} are all zero; choose another hook.")
    trainer.activation_scaler.scaling_factor = sample.shape[1] ** 0.5 / norm
    if spec.init == "data":
        _init_from_data(sae, trainer.activation_scaler(sample), spec.k, seed)
    return trainer


def _init_from_data(sae: Any, rows: torch.Tensor, k: float, seed: int) -> None:
    """Initialise the decoder with centred samples and scale the encoder by least squares."""
    import torch

    with torch.no_grad():
        mean = rows.mean(0)
        generator = torch.Generator().manual_seed(seed)
        pick = torch.randperm(len(rows), generator=generator)
        pick = pick.repeat(-(-sae.cfg.d_sae // len(rows)))[: sae.cfg.d_sae]
        noise = torch.randn((len(pick), rows.shape[1]), generator=generator).to(rows)
        centred = rows[pick.to(rows.device)] - mean
        centred = centred + 0.05 * centred.norm(dim=-1, keepdim=True).clamp(min=1e-6) * (
            noise / noise.norm(dim=-1, keepdim=True)
        )
        directions = torch.nn.functional.normalize(centred, dim=-1)
        sae.W_dec.copy_(directions)
        sae.b_dec.copy_(mean)
        probe = rows[:2048] - mean
        acts = (probe @ directions.T).relu()
        cut = acts.flatten().topk(max(1, int(k * len(probe)))).values[-1]
        rebuilt = (acts * (acts >= cut)) @ directions
        # Without this factor the first reconstructions are far too long.
        scale = (probe * rebuilt).sum() / rebuilt.pow(2).sum().clamp(min=1e-12)
        sae.W_enc.copy_(directions.T * scale)
        sae.b_enc.copy_(-(mean @ directions.T) * scale)


def _run(
    trainer: Any,
    batches: TrainingBatches,
    n_steps: int,
    spec: LevelSpec,
    settings: TrainSettings,
    checkpoints: Path | None,
    label: str,
    progress: ProgressCallback | None,
    stop: StopCheck | None,
) -> None:
    """Step the trainer until `n_steps` or until `stop` returns true."""
    import torch

    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    ticker = Ticker(f"training {spec.name}", n_steps, progress=progress)
    ticker.skip(trainer.n_training_steps)
    batches.position = trainer.n_training_steps
    try:
        while trainer.n_training_steps < n_steps:
            if stop is not None and stop():
                if checkpoints is not None:
                    save_checkpoint(trainer, checkpoints, label)
                raise Interrupted(f"Stopped while training {spec.name}; continue with --resume.")
            output = trainer.step(next(batches))
            trainer.n_training_steps += 1
            if trainer.n_training_steps % 100 == 0 and not bool(torch.isfinite(output.loss)):
                raise ModelError(
                    f"Training {spec.name} diverged at step {trainer.n_training_steps} (loss is "
                    "not finite); lower --lr."
                )
            every = settings.checkpoint_every
            if checkpoints is not None and every and trainer.n_training_steps % every == 0:
                save_checkpoint(trainer, checkpoints, label)
            ticker.advance(1)
    finally:
        torch.set_float32_matmul_precision(precision)


def _finish(
    sae: Any, sample: torch.Tensor, spec: LevelSpec, precision: str
) -> dict[str, torch.Tensor]:
    """Return the weights at the saved precision, with the threshold at which L0 is k."""
    import torch

    dtype = torch.float16 if precision == "float16" else torch.float32
    state = sae.state_dict()
    sae.process_state_dict_for_saving_inference(state)
    weights = {
        name: state[name].detach().to(dtype).float().contiguous()
        for name in ("W_enc", "W_dec", "b_enc", "b_dec")
    }
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelError(f"Training {spec.name} ended with non-finite weights; lower --lr.")
    pre = (sample @ weights["W_enc"] + weights["b_enc"]).relu()
    n_active = max(1, int(spec.k * L0_MARGIN * len(sample)))
    cut = float(pre.flatten().topk(n_active).values[-1])
    stored = torch.tensor(cut, dtype=dtype)
    weights["threshold"] = torch.full_like(weights["b_enc"], float(stored))
    return weights


def _save(
    weights: dict[str, torch.Tensor], spec: LevelSpec, folder: Path, *, model: str, precision: str
) -> None:
    """Write a JumpReLU folder that `SAE.load_from_disk` reads."""
    import torch
    from sae_lens.saes.jumprelu_sae import JumpReLUSAEConfig
    from sae_lens.saes.sae import SAEMetadata
    from safetensors.torch import save_file

    dtype = torch.float16 if precision == "float16" else torch.float32
    config = JumpReLUSAEConfig(
        d_in=weights["W_enc"].shape[0],
        d_sae=spec.width,
        dtype=precision,
        device="cpu",
        apply_b_dec_to_input=False,
        normalize_activations="none",
        metadata=SAEMetadata(
            model_name=model,
            hook_name=spec.hook_point,
            unit=spec.unit,
            trained_as=spec.architecture,
            k=spec.k,
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(
        json.dumps(config.to_dict(), indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    save_file(
        {name: tensor.to("cpu", dtype).contiguous() for name, tensor in weights.items()},
        folder / "sae_weights.safetensors",
    )
