"""What the report on models says, as plain values; how it looks is the templates' business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchdesign.highlights import Piece
from benchdesign.modelgaps import HeldOut
from benchdesign.modelstudy import PowerRow
from benchdesign.scoring import ScoreRow

__all__ = [
    "AreaLine",
    "Dot",
    "ItemLine",
    "ItemsPart",
    "ModelPart",
    "ModelsReport",
    "NestedRow",
    "PairLine",
    "PairPart",
    "RegionPart",
    "Spot",
    "StudyPart",
    "SuspectLine",
]


@dataclass(frozen=True, slots=True)
class ItemLine:
    """An item that drove a score."""

    item_id: str
    pieces: tuple[Piece, ...]
    """Its text, with what shows the concept marked."""

    strength: float
    """Saliency of the concept, or share of the area in the item."""

    score: float


@dataclass(frozen=True, slots=True)
class NestedRow:
    """A narrower concept inside a spot, with the items that show it most."""

    row: ScoreRow
    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a model is weak or strong: an area or a group of concepts, with what is inside."""

    row: ScoreRow
    is_area: bool
    nested: tuple[NestedRow, ...]
    """Narrower concepts, broad to narrow."""

    n_more: int
    """Nested concepts that are not listed."""

    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class RegionPart:
    """A group of alike items a model is weak at."""

    name: str
    score: float
    n_passed: int
    n_items: int
    gap: float
    p_value: float
    shows: tuple[str, ...]
    """What the items show more than the others."""

    parts: tuple[RegionPart, ...]
    """Narrower groups inside it, weakest first."""

    missed: tuple[ItemLine, ...]
    solved: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One model."""

    name: str
    place: int
    """1 and up: its colour and mark in every chart."""

    metric: str
    overall: float
    low: float
    high: float
    n_items: int
    controls: tuple[str, ...]
    n_weak_areas: int
    n_strong_areas: int
    regions: tuple[RegionPart, ...]
    weak: tuple[Spot, ...]
    strong: tuple[Spot, ...]
    """Areas, then concepts."""

    held_out: tuple[HeldOut, ...]
    found: float
    """Mean gap of what was found on one half; NaN if nothing was."""

    held: float
    """Mean gap of the same on the other half."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One model's score in one area, on a line of `_LINE`."""

    place: int
    x: float
    low: float
    high: float
    y: float


@dataclass(frozen=True, slots=True)
class AreaLine:
    """One area over all models."""

    name: str
    n_items: int
    rows: tuple[ScoreRow | None, ...]
    """By model; None where it has no result there."""

    dots: tuple[Dot, ...]
    height: int
    worst: float
    """Lowest gap of any model with enough items."""

    is_telling: bool
    """Whether it has enough items for a share, or a finding, and is no area of most items."""


@dataclass(frozen=True, slots=True)
class PairLine:
    """One area or concept in which two models differ otherwise than overall."""

    row: ScoreRow
    kind: str
    better: str
    """The model that does better here than its lead overall."""

    bar: tuple[float, float]
    """Start and length of the bar around the middle, in thousandths."""


@dataclass(frozen=True, slots=True)
class PairPart:
    """Two models compared."""

    model_a: str
    model_b: str
    n_items: int
    overall: float
    lines: tuple[PairLine, ...]


@dataclass(frozen=True, slots=True)
class SuspectLine:
    """An item whose key is worth checking."""

    item_id: str
    text: str
    key: str
    n_passed: int
    n_models: int
    surprise: float
    agreed: str
    """The other answer that the better models give, where the results hold answers."""


@dataclass(frozen=True, slots=True)
class ItemsPart:
    """What several models' results say about the items."""

    n_models: int
    n_items: int
    n_all_miss: int
    n_all_pass: int
    share_uninformative: float
    solved_by: tuple[tuple[int, int, float], ...]
    """(models, items, bar in hundredths): how many items so many models solve."""

    n_negative: int
    """Items that better models solve less; -1 where discrimination was not measured."""

    n_suspects: int
    n_expected: float
    """Suspects that would be seen if every key were right and misses independent."""

    suspects: tuple[SuspectLine, ...]
    knows_answers: bool


@dataclass(frozen=True, slots=True)
class StudyPart:
    """One benchmark."""

    key: str
    """For links."""

    name: str
    path: str
    n_items: int
    facts: Mapping[str, Any]
    models: tuple[ModelPart, ...]
    areas: tuple[AreaLine, ...]
    small_areas: tuple[AreaLine, ...]
    """The rest: areas that differ less, of few items, or that most items are about."""

    pairs: tuple[PairPart, ...]
    items: ItemsPart | None
    power: tuple[PowerRow, ...]
    power_unit: str
    n_see_10: int
    """Areas whose items can show 10 points today."""

    n_power: int


@dataclass(frozen=True, slots=True)
class ModelsReport:
    """Everything the page says."""

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
