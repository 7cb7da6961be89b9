"""Settings and results of training an SAE; does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchdesign.concepts.training.activation_bank import BankKey
from benchdesign.errors import UsageError

__all__ = ["ARCHITECTURES", "LevelReport", "LevelSpec", "TrainSettings"]

ARCHITECTURES = ("batchtopk", "matryoshka_batchtopk")


@dataclass(frozen=True, slots=True)
class LevelSpec:
    """One SAE to train."""

    name: str
    hook_point: str
    unit: str
    """token or passage."""

    width: int
    k: float
    architecture: str = "batchtopk"
    widths: tuple[int, ...] = ()
    """Inner widths of a Matryoshka SAE; by default a sixteenth and a quarter of the width."""

    passes: float = 1.0
    lr: float = 3e-3
    batch_size: int = 4096
    dead_window: int = 50
    """Batches without firing after which the auxiliary loss applies to a latent."""

    init: str = "data"
    """data (initialise decoder rows with centred samples) or random."""

    @classmethod
    def parse(cls, text: str, **defaults: Any) -> LevelSpec:
        """Parse `name:hook=...,unit=token,width=4096,k=32,...`."""
        name, colon, rest = text.partition(":")
        if not colon or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(
                f"--level {text!r}: use name:hook=HOOK,unit=token|passage,width=N,k=K."
            )
        values: dict[str, Any] = {"unit": "passage" if name == "themes" else "token"} | defaults
        for part in rest.split(","):
            key, equals, value = part.partition("=")
            if not equals or key not in _LEVEL_KEYS:
                raise UsageError(
                    f"--level {name}: {part!r} is not KEY=VALUE with a KEY of "
                    f"{', '.join(sorted(_LEVEL_KEYS))}."
                )
            field, convert = _LEVEL_KEYS[key]
            try:
                values[field] = convert(value)
            except ValueError:
                raise UsageError(f"--level {name}: {key}={value!r} is not a number.") from None
        missing = [field for field in ("hook_point", "width", "k") if field not in values]
        if missing:
            keys = ", ".join(missing).replace("_point", "")
            raise UsageError(f"--level {name}: missing {keys}.")
        spec = cls(name=name, **values)
        spec.check()
        return spec

    @property
    def key(self) -> BankKey:
        """Key of the activations to train on."""
        return BankKey(self.hook_point, self.unit)

    def check(self) -> None:
        """Raise if a value is invalid."""
        if self.unit not in ("token", "passage"):
            raise UsageError(
                f"--level {self.name}: unit must be token or passage, not {self.unit!r}."
            )
        if self.architecture not in ARCHITECTURES:
            raise UsageError(
                f"--level {self.name}: architecture must be one of {', '.join(ARCHITECTURES)}."
            )
        if self.init not in ("data", "random"):
            raise UsageError(f"--level {self.name}: init must be data or random.")
        if not 0 < self.k < self.width:
            raise UsageError(f"--level {self.name}: k must be between 0 and the width.")
        if min(self.batch_size, self.passes, self.lr, self.dead_window) <= 0:
            raise UsageError(f"--level {self.name}: batch, passes, lr and window must be above 0.")
        if any(b <= a for a, b in zip((0, *self.widths), (*self.widths, self.width), strict=True)):
            raise UsageError(f"--level {self.name}: widths must ascend and stay below the width.")


_LEVEL_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "hook": ("hook_point", str),
    "unit": ("unit", str),
    "width": ("width", int),
    "k": ("k", float),
    "architecture": ("architecture", str),
    "widths": ("widths", lambda text: tuple(int(part) for part in text.split("/"))),
    "passes": ("passes", float),
    "lr": ("lr", float),
    "batch": ("batch_size", int),
    "window": ("dead_window", int),
    "init": ("init", str),
}


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Settings shared by all levels of a run."""

    seed: int = 0
    device: str | None = None
    precision: str = "float16"
    """Precision of the saved weights: float16 or float32."""

    checkpoint_every: int = 0
    """Steps between checkpoints; 0 disables them."""

    resume: bool = False

    def __post_init__(self) -> None:
        """Raise if the weights cannot be saved at this precision."""
        if self.precision not in ("float16", "float32"):
            raise UsageError(f"--precision must be float16 or float32, not {self.precision!r}.")


@dataclass(frozen=True, slots=True)
class LevelReport:
    """Quality of a trained SAE on held-out text."""

    level: str
    hook_point: str
    unit: str
    architecture: str
    width: int
    k: float
    n_train: int
    """Number of rows (tokens or passages) to train on."""

    n_held_out: int
    n_steps: int
    explained_variance: float
    """On held-out rows, with the weights as saved."""

    l0: float
    dead_share: float
    """Share of latents that fire neither on held-out rows nor on up to 2M training rows."""

    dense_share: float
    """Share of latents that fire on more than 10% of held-out rows."""

    threshold: float
    seconds: float
