"""Everything computed about one benchmark, in one value.

A report, the interface and the revision read it; only the pipeline makes it. It never changes. What
needs neither items nor maps is a value of its own: it is there long before a large set is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from benchdesign.config import Settings

if TYPE_CHECKING:
    from benchdesign.areas import AreaGaps, Areas
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.coverage import Coverage
    from benchdesign.dictionary import Dictionary
    from benchdesign.duplicates import ContaminationMatch, DuplicatePair
    from benchdesign.gaps import Gaps
    from benchdesign.items import Benchmark, Finding, Item
    from benchdesign.mapping import TokenEvidence
    from benchdesign.proposals import Proposal
    from benchdesign.resampling import ShareInterval
    from benchdesign.scope import Relevance
    from benchdesign.weighting import ModelWeighting

__all__ = ["Analysis", "Summary"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """What was found, without the items it was found in."""

    dictionary: Dictionary
    coverage_before: Coverage
    gaps: Gaps
    areas: Areas
    relevance: Relevance | None
    """None where no scope was given: then every concept is in scope."""

    share_interval: ShareInterval | None = None
    """As it was measured when the gaps were found; `how_sure` is what may be shown."""

    proposals: tuple[Proposal, ...] = ()
    """To add, in rank order; empty until the propose stage ran."""

    removals: tuple[Proposal, ...] = ()
    duplicates: tuple[DuplicatePair, ...] = ()
    """Near-duplicates inside the benchmark."""

    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pool items passed over while choosing, by reason; those never looked at are not counted."""

    required: tuple[str, ...] = ()
    """What candidates had to have."""

    near_duplicate: float | None = None
    """Cosine similarity from which a candidate repeated another item; None without candidates."""

    contamination: tuple[ContaminationMatch, ...] = ()
    """Pool items found on a list to keep out, with what they share with it."""

    weighting: ModelWeighting | None = None
    """What models are weak at, where that decided what was proposed."""

    settings: Settings = field(default_factory=Settings)
    given_paths: Mapping[str, str] = field(default_factory=dict)
    """`benchmark` and `pool` as they were typed; empty where nobody typed them."""

    @property
    def how_sure(self) -> ShareInterval | None:
        """Interval of the covered share; None where concepts are judged otherwise by now."""
        found = self.share_interval
        return found if found is not None and found.is_of(self.gaps) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis(Summary):
    """What is known of a benchmark: items, their concepts, the gaps and what would close them."""

    benchmark: Benchmark
    pool: Benchmark | None
    benchmark_map: ConceptMap
    pool_map: ConceptMap | None
    findings: tuple[Finding, ...] = ()
    """What was noticed in the benchmark's file, then in the pool's."""

    evidence: Mapping[str, Mapping[int, tuple[TokenEvidence, ...]]] = field(default_factory=dict)
    """By `Item.digest`, then concept id: which characters show the concept, and how strongly."""

    @cached_property
    def area_gaps(self) -> AreaGaps:
        """Status of every area, from all its concepts together."""
        from benchdesign.areas import find_area_gaps

        return find_area_gaps(
            self.areas, self.gaps, concept_map=self.benchmark_map, reference_map=self.pool_map
        )

    def evidence_of(self, item: Item) -> Mapping[int, tuple[TokenEvidence, ...]]:
        """Return the token evidence computed for an item; empty where none was."""
        return self.evidence.get(item.digest, {})
