"""Stage results stored in a workspace, in addition to coverage, areas and relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.gaps import Gaps
from benchdesign.selection.contamination import ContaminationMatch
from benchdesign.selection.duplicates import DuplicatePair
from benchdesign.selection.proposal import Proposal

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.coverage.coverage import Coverage

__all__ = ["ItemEvidence", "ProposeResult", "StoredGaps"]


@dataclass(frozen=True, slots=True)
class ProposeResult:
    """Result of the propose stage."""

    additions: tuple[Proposal, ...]
    removals: tuple[Proposal, ...]
    duplicates: tuple[DuplicatePair, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    near_duplicate: float | None = None
    contamination: tuple[ContaminationMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredGaps:
    """Fields of `Gaps` without coverage and dictionary; loading them recomputes nothing."""

    arrays: Mapping[str, Any]
    reasons: tuple[str, ...]
    settings: GapSettings

    @classmethod
    def of_gaps(cls, gaps: Gaps) -> StoredGaps:
        """Extract the stored fields from gaps."""
        names = [item.name for item in fields(Gaps) if item.name not in _EXCLUDED_FIELDS]
        return cls({name: getattr(gaps, name) for name in names}, gaps.reasons, gaps.settings)

    def to_gaps(self, coverage: Coverage, dictionary: Dictionary) -> Gaps:
        """Rebuild the gaps with their coverage and dictionary."""
        shared = {name: getattr(coverage, name) for name in _COVERAGE_FIELDS}
        return Gaps(
            **self.arrays,
            **shared,
            reasons=self.reasons,
            coverage=coverage,
            settings=self.settings,
            dictionary=dictionary,
        )


_COVERAGE_FIELDS = ("count", "expected", "rate", "base_rate")
_EXCLUDED_FIELDS = (*_COVERAGE_FIELDS, "reasons", "coverage", "settings", "dictionary")


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """Evidence for the items shown to the user: which characters show a concept."""

    items: Mapping[str, Mapping[int, tuple[TokenEvidence, ...]]] = field(default_factory=dict)
    """Token evidence by `Item.digest`, then by concept ID."""
