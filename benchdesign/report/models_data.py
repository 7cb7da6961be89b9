"""Data of the report on models; the templates decide how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchdesign.concepts.maps.highlights import Piece
from benchdesign.model_gaps.scores import ScoreRow
from benchdesign.model_gaps.study import PowerRow
from benchdesign.model_gaps.weak_regions import HeldOut

__all__ = [
    "Dot",
    "ItemLine",
    "ItemsPart",
    "ModelAreaLine",
    "ModelPairLine",
    "ModelPart",
    "ModelsReport",
    "NestedRow",
    "PairPart",
    "RegionPart",
    "StudyPart",
    "SuspectLine",
    "WeakSpot",
]


@dataclass(frozen=True, slots=True)
class ItemLine:
    """An item that contributed to a score."""

    item_id: str
    pieces: tuple[Piece, ...]
    """The text, marked where it shows the concept."""

    strength: float
    """Saliency of the concept, or the area's share of the item."""

    score: float


@dataclass(frozen=True, slots=True)
class NestedRow:
    """A narrower concept within a spot, with the items that show it most."""

    row: ScoreRow
    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class WeakSpot:
    """An area or group of concepts where a model is weak or strong, with its nested concepts."""

    row: ScoreRow
    is_area: bool
    nested: tuple[NestedRow, ...]
    """Narrower concepts, broad to narrow."""

    n_more: int
    """Number of nested concepts that are not listed."""

    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class RegionPart:
    """A group of similar items at which a model is weak."""

    name: str
    score: float
    n_passed: int
    n_items: int
    gap: float
    p_value: float
    shows: tuple[str, ...]
    """Concepts that these items show more than the others."""

    parts: tuple[RegionPart, ...]
    """Narrower groups within the group, weakest first."""

    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class ModelPart:
    """The part of the report on one model."""

    name: str
    place: int
    """1-based; selects the model's colour and mark in every chart."""

    metric: str
    overall: float
    low: float
    high: float
    n_items: int
    controls: tuple[str, ...]
    n_weak_areas: int
    n_strong_areas: int
    regions: tuple[RegionPart, ...]
    weak: tuple[WeakSpot, ...]
    strong: tuple[WeakSpot, ...]
    """Areas, then concepts."""

    held_out: tuple[HeldOut, ...]
    found: float
    """Mean gap of the weaknesses found on one half of the items; NaN if there are none."""

    held: float
    """Mean gap of the same weaknesses on the other half."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One model's score in one area, in the coordinates of the chart."""

    place: int
    x: float
    low: float
    high: float
    y: float


@dataclass(frozen=True, slots=True)
class ModelAreaLine:
    """One area across all models."""

    name: str
    n_items: int
    rows: tuple[ScoreRow | None, ...]
    """One row per model; None if the model has no result in the area."""

    dots: tuple[Dot, ...]
    height: int
    worst: float
    """Lowest gap of any model with enough items."""

    is_telling: bool
    """Whether the area has a finding, or enough items without covering most of them."""


@dataclass(frozen=True, slots=True)
class ModelPairLine:
    """One area or concept where the difference of two models departs from the overall one."""

    row: ScoreRow
    kind: str
    better: str
    """The model that does better in this area or concept than overall."""

    bar: tuple[float, float]
    """Start and length of the bar on a scale of 0 to 1000, centred at 500."""


@dataclass(frozen=True, slots=True)
class PairPart:
    """The comparison of two models."""

    model_a: str
    model_b: str
    n_items: int
    overall: float
    lines: tuple[ModelPairLine, ...]


@dataclass(frozen=True, slots=True)
class SuspectLine:
    """An item whose answer key should be checked."""

    item_id: str
    text: str
    key: str
    n_passed: int
    n_models: int
    surprise: float
    agreed: str
    """The other answer that the better models give, if the results contain answers."""


@dataclass(frozen=True, slots=True)
class ItemsPart:
    """Properties of the items, computed from the results of several models."""

    n_models: int
    n_items: int
    n_all_miss: int
    n_all_pass: int
    share_uninformative: float
    solved_by: tuple[tuple[int, int, float], ...]
    """(number of models, items solved by that many, width of the bar in percent)."""

    n_negative: int
    """Items that better models solve less often; -1 if discrimination was not measured."""

    n_suspects: int
    n_expected: float
    """Suspects expected if every key were right and errors were independent."""

    suspects: tuple[SuspectLine, ...]
    knows_answers: bool


@dataclass(frozen=True, slots=True)
class StudyPart:
    """The part of the report on one benchmark."""

    key: str
    """Anchor for links within the page."""

    name: str
    path: str
    n_items: int
    facts: Mapping[str, Any]
    models: tuple[ModelPart, ...]
    areas: tuple[ModelAreaLine, ...]
    small_areas: tuple[ModelAreaLine, ...]
    """Remaining areas: smaller differences, few items, or most of the items."""

    pairs: tuple[PairPart, ...]
    items: ItemsPart | None
    power: tuple[PowerRow, ...]
    power_unit: str
    n_see_10: int
    """Areas with enough items to detect a gap of 10 points."""

    n_power: int


@dataclass(frozen=True, slots=True)
class ModelsReport:
    """Complete data of the report."""

    title: str
    parts: tuple[StudyPart, ...]
    across: Mapping[str, Any]
    dictionary: str
    seed: int
    version: str
    fdr: float
    poor: float
    very_poor: float
    level: float
    min_items: float
    n_bootstrap: int
    few: int
