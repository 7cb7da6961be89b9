"""What the designer said of single items: meant, or not meant."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ItemJudgements"]


@dataclass(frozen=True, slots=True)
class ItemJudgements:
    """Pool rows that the designer judged, ascending."""

    meant: tuple[int, ...] = ()
    not_meant: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was judged."""
        return bool(self.meant or self.not_meant)
