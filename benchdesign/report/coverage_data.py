"""Data of the coverage report; the templates decide how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchdesign.concepts.maps.highlights import Piece
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.status import Status
from benchdesign.report.charts import PairedHistogram, StackedBar
from benchdesign.report.item_lines import AddedLine, Snippet
from benchdesign.report.robustness import Robustness

if TYPE_CHECKING:
    from benchdesign.coverage.figures import CoverageFigures
    from benchdesign.coverage.share_interval import ShareInterval
    from benchdesign.report.groups_data import GroupsSection
    from benchdesign.selection.model_emphasis import WeightingModel

__all__ = [
    "AreaSection",
    "ConceptChange",
    "CountShift",
    "Drawbacks",
    "FindingGroup",
    "GapLine",
    "LengthShift",
    "ListedLine",
    "RemovedLine",
    "ReportData",
    "SetFacts",
]


_MIN_JUDGED_SHARE = 0.1
"""Below this share of the concepts in scope, too few concepts were judged."""


@dataclass(frozen=True, slots=True)
class SetFacts:
    """Source of one set of items."""

    role: str
    """benchmark or pool."""

    name: str
    path: str
    format: str
    n_items: int
    sha256: str
    fields: tuple[tuple[str, str, str], ...]
    """Role of each field, its path in the record, and `detected` or `set`."""


@dataclass(frozen=True, slots=True)
class GapLine:
    """One concept that was a gap before the revision."""

    concept_id: int
    label: str
    label_source: str | None
    label_score: float | None
    """AUC of the label on held-out contexts; None if not measured."""

    level: str
    status: Status
    status_after: Status
    count: int
    count_after: int
    expected: float
    expected_after: float
    ratio: float
    """Rate divided by the reference rate; the prior keeps it above 0."""

    ratio_low: float
    ratio_high: float
    q_value: float
    relevance: float | None
    evidence: tuple[Snippet, ...]

    @property
    def lapsed(self) -> bool:
        """Whether it is no longer a gap although no more items show it."""
        gap = (Status.MISSING, Status.UNDER)
        return self.status_after not in gap and self.count_after <= self.count


@dataclass(frozen=True, slots=True)
class AreaSection:
    """One area, before and after, with its gaps."""

    name: str
    status: Status | None
    """None for the group of concepts outside every area."""

    status_after: Status | None
    ratio: float
    ratio_after: float
    n_concepts: int
    n_gaps: int
    n_gaps_after: int
    bar: float
    """Gaps before, as a percentage of the largest area's count."""

    bar_after: float
    gaps: tuple[GapLine, ...]

    @property
    def n_more(self) -> int:
        """Number of gaps that are not listed."""
        return self.n_gaps - len(self.gaps)


@dataclass(frozen=True, slots=True)
class RemovedLine:
    """One removed item, with the reasons."""

    item_id: str
    pieces: tuple[Piece, ...]
    duplicate_of: str | None
    similarity: float | None
    note: str | None
    lost: tuple[str, ...] = ()
    """Concepts shown by this item and by no remaining item."""


@dataclass(frozen=True, slots=True)
class ListedLine:
    """One pool item that was excluded because it matches a list to keep out."""

    pool_id: str
    pool_row: int
    """1-based."""

    list_name: str
    list_row: int
    n_words: int
    """Longest run of shared words; 0 if only the embeddings are similar."""

    similarity: float
    text: str
    """The shared words, or the listed text if only the embeddings are similar."""


@dataclass(frozen=True, slots=True)
class ConceptChange:
    """A concept whose status got worse."""

    concept_id: int
    label: str
    status: Status
    status_after: Status
    count: int
    count_after: int
    expected_after: float


@dataclass(frozen=True, slots=True)
class LengthShift:
    """Quartiles of content tokens per item."""

    before: tuple[float, float, float]
    """First quartile, median and third quartile."""

    after: tuple[float, float, float]
    added: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class CountShift:
    """A count before and after, with shares."""

    name: str
    before: int
    after: int
    share_before: float
    share_after: float


@dataclass(frozen=True, slots=True)
class Drawbacks:
    """What the revision makes worse."""

    diluted: tuple[ConceptChange, ...]
    """No gap before and a gap after; worst first, limited to a readable number."""

    n_diluted: int
    over: tuple[ConceptChange, ...]
    """Not over-covered before and over-covered after."""

    n_over: int
    length: LengthShift | None
    keys: tuple[CountShift, ...]
    """Items by position of the key; empty unless multiple choice."""


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one kind in the files."""

    kind: str
    n_rows: int
    messages: tuple[str, ...]
    n_more: int
    """Number of messages that are not listed."""


@dataclass(frozen=True, slots=True)
class WeightingFacts:
    """The models whose weaknesses decided the proposals."""

    files: tuple[str, ...]
    models: tuple[WeightingModel, ...]
    concepts: tuple[str, ...]
    """Concepts with the largest weights."""

    n_probing: int
    """Added items that show a concept at which models are clearly weak."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Complete data of the report."""

    title: str
    sets: tuple[SetFacts, ...]
    revised_name: str | None
    choice: str
    """`all proposals` or `decisions`."""

    reference: str
    """What the benchmark was compared with: pool, dictionary or none."""

    before: CoverageFigures
    after: CoverageFigures
    n_gaps: int
    n_gaps_closed: int
    """Gaps that more items show now and that are no longer gaps."""

    n_gaps_lapsed: int
    """No longer gaps although no more items show them: fewer findings make the test stricter."""

    n_untestable: int
    """In scope, but too rare for an absence to be significant."""

    n_over_untestable: int
    """Untestable concepts that are over-covered nevertheless."""

    kept_out: Mapping[str, int]
    levels: tuple[tuple[str, int], ...]
    scope: str
    settings: GapSettings
    bars: tuple[StackedBar, StackedBar]
    lift_chart: PairedHistogram | None
    length_chart: PairedHistogram | None
    areas: tuple[AreaSection, ...]
    """Areas with gaps, or under-covered as a whole, before or after; largest deficit first."""

    n_areas_first: int
    """How many of `areas` are under-covered as a whole, before or after; they come first."""

    n_areas: int
    n_areas_under: int
    n_areas_under_after: int
    added: tuple[AddedLine, ...]
    n_added: int
    left_out: Mapping[str, int]
    """Pool items that were not chosen, by reason."""

    required: tuple[str, ...]
    """Properties required of candidates."""

    limits_set: tuple[str, ...]
    """Constraints that the designer set on candidates, as text."""

    near_duplicate: float | None
    """Similarity threshold from which a candidate counted as a duplicate."""

    listed: tuple[ListedLine, ...]
    n_listed: int
    """Pool items that match a list to keep out."""

    removed: tuple[RemovedLine, ...]
    n_removed: int
    n_lost: int
    """Concepts shown only by removed items."""

    categories: tuple[CountShift, ...]
    empty_fields: Mapping[str, int]
    worse: Drawbacks
    limits: Robustness
    findings: tuple[FindingGroup, ...]

    n_duplicates: int
    provenance: tuple[tuple[str, str], ...]
    weighting: WeightingFacts | None = None
    """Where models are weak, if that decided the proposals."""

    how_sure: ShareInterval | None = None
    """Interval of the covered share before; None if not measured."""

    groups: GroupsSection | None = None
    """Groups of similar items; None if they were not searched for."""

    @property
    def judges_few(self) -> bool:
        """Whether too few concepts could be judged for the covered share to be meaningful."""
        return self.before.n_judged < _MIN_JUDGED_SHARE * self.before.n_in_scope

    @property
    def has_pool(self) -> bool:
        """Whether there was a pool."""
        return len(self.sets) > 1
