"""The results of analysing one benchmark, as one immutable value.

Only the pipeline creates it; the report, the interface and the revision read it. `Summary` needs
neither items nor maps, so it is available long before a large set has been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Finding, Item
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.concepts.maps.token_evidence import TokenEvidence
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.areas import Areas
    from benchdesign.coverage.coverage import Coverage
    from benchdesign.coverage.gaps import Gaps
    from benchdesign.coverage.groups.gap_group import GapGroups
    from benchdesign.coverage.relevance import Relevance
    from benchdesign.coverage.share_interval import ShareInterval
    from benchdesign.selection.contamination import ContaminationMatch
    from benchdesign.selection.duplicates import DuplicatePair
    from benchdesign.selection.model_emphasis import ModelWeighting
    from benchdesign.selection.proposal import Proposal

__all__ = ["Analysis", "Summary"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """The results that need neither the items nor their concept maps."""

    dictionary: Dictionary
    coverage_before: Coverage
    gaps: Gaps
    areas: Areas
    relevance: Relevance | None
    """None without a scope: every concept is then in scope."""

    groups: GapGroups | None = None
    """Groups of similar items that are lacking; None if they were not searched for yet."""

    share_interval: ShareInterval | None = None
    """Measured together with the gaps and possibly out of date; display `current_share_interval`
    instead."""

    proposals: tuple[Proposal, ...] = ()
    """Proposed additions, in rank order; empty before the propose stage."""

    removals: tuple[Proposal, ...] = ()
    duplicates: tuple[DuplicatePair, ...] = ()
    """Near-duplicates inside the benchmark."""

    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of pool items rejected during selection, by reason; unexamined items do not count."""

    required: tuple[str, ...] = ()
    """Parts that a candidate must have."""

    near_duplicate: float | None = None
    """Cosine similarity from which a candidate is a near-duplicate; None without candidates."""

    contamination: tuple[ContaminationMatch, ...] = ()
    """Pool items that match an item of a keep-out list, with the evidence."""

    weighting: ModelWeighting | None = None
    """Weaknesses of models; None unless they influenced the proposals."""

    settings: Settings = field(default_factory=Settings)
    typed_paths: Mapping[str, str] = field(default_factory=dict)
    """`benchmark` and `pool` as the user typed them; a path that was not typed is absent."""

    @property
    def current_share_interval(self) -> ShareInterval | None:
        """Interval of the covered share; None once concepts are judged differently."""
        interval = self.share_interval
        return interval if interval is not None and interval.matches_gaps(self.gaps) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis(Summary):
    """A benchmark's items, their concepts, the gaps and the proposals that close them."""

    benchmark: Benchmark
    pool: Benchmark | None
    benchmark_map: ConceptMap
    pool_map: ConceptMap | None
    findings: tuple[Finding, ...] = ()
    """Findings in the benchmark's file, then in the pool's."""

    evidence: Mapping[str, Mapping[int, tuple[TokenEvidence, ...]]] = field(default_factory=dict)
    """By `Item.digest`, then concept id: the characters that show the concept, and how strongly."""

    @cached_property
    def area_gaps(self) -> AreaGaps:
        """Status of every area, judged from all its concepts together."""
        return find_area_gaps(
            self.areas, self.gaps, concept_map=self.benchmark_map, reference_map=self.pool_map
        )

    def evidence_of(self, item: Item) -> Mapping[int, tuple[TokenEvidence, ...]]:
        """Return the token evidence of an item; empty if none was computed."""
        return self.evidence.get(item.digest, {})
