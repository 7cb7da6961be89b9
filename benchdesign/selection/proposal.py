"""A proposal: an item to add or remove, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GapFilled", "Proposal", "ProposalCheck"]


@dataclass(frozen=True, slots=True)
class GapFilled:
    """The effect of one proposal on one concept."""

    concept_id: int
    gain: float
    """The concept's part of the proposal's gain; 0 for removals."""

    before: int
    """Items that show the concept: in the benchmark and in the proposals ranked above."""

    after: int
    target: int
    """Items that should show the concept in the extended set."""


@dataclass(frozen=True, slots=True)
class ProposalCheck:
    """The result of one check of a candidate."""

    name: str
    """`duplicate`, `length`, `answer`, `contamination`, ..."""

    passed: bool
    message: str
    """One line that explains the result."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An item proposed for addition or removal, with the reasons."""

    id: str
    """The item's id in the pool (add) or in the benchmark (remove)."""

    row: int
    """Position of the item in its set's items."""

    kind: str
    """`add` or `remove`."""

    rank: int
    """From 1."""

    gain: float
    """Coverage added after the proposals ranked above, as a share of the best proposal's; for
    removals, redundancy from 0 to 1."""

    gaps: tuple[GapFilled, ...]
    """The listed part of the gaps it fills, largest gain first; for removals, the concepts lost
    (ideally none)."""

    nearest_id: str | None
    """Id of the closest benchmark item; None without embeddings."""

    nearest_row: int | None
    nearest_similarity: float | None
    """Cosine similarity to the closest benchmark item."""

    checks: tuple[ProposalCheck, ...] = ()
    category: str | None = None
    source: str | None = None
    n_similar: int = 0
    """Other candidates rejected because they repeat this one."""

    pinned: bool = False
    n_gaps: int | None = None
    """Number of gaps it fills; None if `gaps` lists all, or if not counted yet."""

    @property
    def n_filled(self) -> int:
        """Number of gaps it fills, including unlisted ones if they were counted."""
        return len(self.gaps) if self.n_gaps is None else self.n_gaps
