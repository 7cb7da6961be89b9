"""Batches of training rows, in an order that a resumed run repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchdesign.concepts.training.activation_bank import ActivationBank

if TYPE_CHECKING:
    import torch

__all__ = ["TrainingBatches"]


class TrainingBatches:
    """Shuffled training batches; the rows of a batch depend on seed and position only."""

    def __init__(
        self,
        bank: ActivationBank,
        rows: torch.Tensor,
        *,
        size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._bank, self._rows, self._size, self._seed = bank, rows, size, seed
        self._device = device
        self._epoch = -1
        self._order = rows
        self.position = 0
        self.per_epoch = len(rows) // size

    def __iter__(self) -> TrainingBatches:
        return self

    def __next__(self) -> torch.Tensor:
        import torch

        epoch, index = divmod(self.position, self.per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            order = torch.randperm(len(self._rows), generator=generator)
            self._order = self._rows[order.to(self._rows.device)]
            self._epoch = epoch
        self.position += 1
        chosen = self._order[index * self._size : (index + 1) * self._size]
        return self._bank.rows[chosen].to(self._device).float()
