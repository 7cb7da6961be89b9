"""What the coverage report says, as plain values; how it looks is the templates' business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchdesign.charts import PairedHistogram, StackedBar
from benchdesign.gaps import GapSettings, Status
from benchdesign.highlights import Piece
from benchdesign.report_limits import Limits

if TYPE_CHECKING:
    from benchdesign.resampling import ShareInterval
    from benchdesign.revision import CoverageFigures
    from benchdesign.weighting import WeighedModel

__all__ = [
    "AddedLine",
    "AreaSection",
    "ConceptChange",
    "Fill",
    "GapLine",
    "LengthShift",
    "ListedLine",
    "Noted",
    "RemovedLine",
    "ReportData",
    "SetFacts",
    "Snippet",
    "Tally",
    "Worse",
]


_FEW = 0.1
"""Share of the concepts in scope."""


@dataclass(frozen=True, slots=True)
class SetFacts:
    """Where one set came from."""

    role: str
    """benchmark or pool."""

    name: str
    path: str
    format: str
    n_items: int
    sha256: str
    fields: tuple[tuple[str, str, str], ...]
    """What is read from where: role of the field, its path, and `detected` or `set`."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """An item as evidence, with the telling words marked."""

    where: str
    """benchmark or pool."""

    item_id: str
    category: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class GapLine:
    """One concept that was a gap before."""

    concept_id: int
    label: str
    label_source: str | None
    label_score: float | None
    """AUC of the label on held-out contexts; None where not measured."""

    level: str
    status: Status
    status_after: Status
    count: int
    count_after: int
    expected: float
    expected_after: float
    ratio: float
    """Rate over the reference's; with the prior, so never quite 0."""

    ratio_low: float
    ratio_high: float
    q_value: float
    relevance: float | None
    evidence: tuple[Snippet, ...]

    @property
    def lapsed(self) -> bool:
        """Whether it is no gap any more although no more items show it."""
        gap = (Status.MISSING, Status.UNDER)
        return self.status_after not in gap and self.count_after <= self.count


@dataclass(frozen=True, slots=True)
class AreaSection:
    """One area, before and after, with its gaps."""

    name: str
    status: Status | None
    """None for the concepts that are in no area."""

    status_after: Status | None
    ratio: float
    ratio_after: float
    n_concepts: int
    n_gaps: int
    n_gaps_after: int
    bar: float
    """Gaps before, in hundredths of the largest area's."""

    bar_after: float
    gaps: tuple[GapLine, ...]

    @property
    def n_more(self) -> int:
        """Gaps that are not listed."""
        return self.n_gaps - len(self.gaps)


@dataclass(frozen=True, slots=True)
class Fill:
    """What an added item does for one concept."""

    label: str
    before: int
    after: int
    target: int
    is_gap: bool
    """Whether it was called a gap; else it was only rarer than expected."""


@dataclass(frozen=True, slots=True)
class AddedLine:
    """One added item and why."""

    revised_id: str
    pool_id: str
    pool_row: int
    """1-based, as an editor counts."""

    rank: int | None
    gain: float | None
    category: str | None
    licence: str | None
    pieces: tuple[Piece, ...]
    answer: str | None
    fills: tuple[Fill, ...]
    n_more_fills: int
    nearest_id: str | None
    nearest_similarity: float | None
    failed_checks: tuple[str, ...]
    edited: tuple[str, ...]
    """Fields the designer rewrote."""

    is_unread: bool
    """Whether what it fills was found in the text it had before."""

    note: str | None


@dataclass(frozen=True, slots=True)
class RemovedLine:
    """One removed item and why."""

    item_id: str
    pieces: tuple[Piece, ...]
    duplicate_of: str | None
    similarity: float | None
    note: str | None
    lost: tuple[str, ...] = ()
    """Concepts that it shows and nothing that stays does."""


@dataclass(frozen=True, slots=True)
class ListedLine:
    """One pool item that was kept out because a known list has it."""

    pool_id: str
    pool_row: int
    """1-based."""

    list_name: str
    list_row: int
    n_words: int
    """Words in common, one after the other; 0 where only the embeddings are alike."""

    similarity: float
    text: str
    """What the two share, or the listed text where it is alike."""


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
    """Content tokens of an item."""

    before: tuple[float, float, float]
    """First quartile, median, third quartile."""

    after: tuple[float, float, float]
    added: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Tally:
    """A count before and after, with shares."""

    name: str
    before: int
    after: int
    share_before: float
    share_after: float


@dataclass(frozen=True, slots=True)
class Worse:
    """What the revision costs."""

    diluted: tuple[ConceptChange, ...]
    """No gap before, a gap after; worst first, cut to what can be read."""

    n_diluted: int
    over: tuple[ConceptChange, ...]
    """Not over-covered before, over-covered after."""

    n_over: int
    length: LengthShift | None
    keys: tuple[Tally, ...]
    """Items by position of the key; empty without multiple choice."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What was noticed in the files, of one kind."""

    kind: str
    n_rows: int
    messages: tuple[str, ...]
    n_more: int
    """Messages that are not listed."""


@dataclass(frozen=True, slots=True)
class WeightingFacts:
    """Whose weaknesses decided what was proposed."""

    files: tuple[str, ...]
    models: tuple[WeighedModel, ...]
    concepts: tuple[str, ...]
    """Those that weighed most."""

    n_probing: int
    """Added items that show one of the concepts models are clearly weak at."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything the report says."""

    title: str
    sets: tuple[SetFacts, ...]
    revised_name: str | None
    choice: str
    """`all proposals` or `decisions`."""

    reference: str
    """What the benchmark was compared with: pool, dictionary, none."""

    before: CoverageFigures
    after: CoverageFigures
    n_gaps: int
    n_gaps_closed: int
    """Gaps shown by more items than before, and no gaps any more."""

    n_gaps_lapsed: int
    """No gaps any more although no more items show them: with fewer findings the bar is higher."""

    n_untestable: int
    """In scope and too rare for a lack to show."""

    n_over_untestable: int
    """Those of them that are over-covered all the same."""

    kept_out: Mapping[str, int]
    levels: tuple[tuple[str, int], ...]
    scope: str
    settings: GapSettings
    bars: tuple[StackedBar, StackedBar]
    lift_chart: PairedHistogram | None
    length_chart: PairedHistogram | None
    areas: tuple[AreaSection, ...]
    """With gaps, or lacking as a whole, before or after; largest deficit first."""

    n_areas_first: int
    """How many of them lack something as a whole, before or after; the others come after those."""

    n_areas: int
    n_areas_under: int
    n_areas_under_after: int
    added: tuple[AddedLine, ...]
    n_added: int
    left_out: Mapping[str, int]
    """Pool items passed over while choosing, by reason."""

    required: tuple[str, ...]
    """What candidates had to have."""

    limits_set: tuple[str, ...]
    """What the designer asked of candidates, in words."""

    near_duplicate: float | None
    """Similarity from which a candidate repeated another item."""

    listed: tuple[ListedLine, ...]
    n_listed: int
    """Pool items on a list to keep out."""

    removed: tuple[RemovedLine, ...]
    n_removed: int
    n_lost: int
    """Concepts that only removed items showed."""

    categories: tuple[Tally, ...]
    empty_fields: Mapping[str, int]
    worse: Worse
    limits: Limits
    findings: tuple[Noted, ...]

    n_duplicates: int
    provenance: tuple[tuple[str, str], ...]
    weighting: WeightingFacts | None = None
    """What models are weak at, where that decided what was proposed."""

    how_sure: ShareInterval | None = None
    """Of the covered share before; None where it was not measured."""

    @property
    def judges_few(self) -> bool:
        """Whether so few concepts could be judged that covered shares say little."""
        return self.before.n_tested < _FEW * self.before.n_in_scope

    @property
    def has_pool(self) -> bool:
        """Whether there was a pool."""
        return len(self.sets) > 1
