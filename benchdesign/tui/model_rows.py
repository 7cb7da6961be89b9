"""What the Models screen lists: scores, weak spots, two models side by side, items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.scoring import FEW, ScoreRow, Scores, Standing
from benchdesign.text import display
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.bars import signed_bar
from benchdesign.tui.widgets.line_table import Cell, Column

if TYPE_CHECKING:
    from benchdesign.items import Item
    from benchdesign.modelgaps import PairedComparison, WeakRegion
    from benchdesign.modelstudy import ModelStudy

__all__ = ["ItemRows", "PairRows", "ScoreRows", "Spot", "SpotRows"]

MOST_MODELS = 4
"""Models that have a column."""

_WEAK = (Standing.VERY_POOR, Standing.POOR)
_STRONG = (Standing.VERY_GOOD, Standing.GOOD)


def style_of(standing: Standing) -> str:
    """Return the table's style for a standing."""
    return "warn" if standing in _WEAK else "good" if standing in _STRONG else ""


def score_text(row: ScoreRow) -> str:
    """Return a score, as a count where there are few items."""
    if row.n_items < FEW:
        return f"{row.n_passed} of {row.n_items}"
    return f"{100 * row.chi_model:.0f} %"


def region_score(region: WeakRegion) -> str:
    """Return the score of a group of alike items, as a count where there are few."""
    if region.n_items < FEW:
        return f"{region.n_passed} of {region.n_items}"
    return f"{100 * region.score:.0f} %"


class ScoreRows:
    """Areas or concepts with one score a model; where some model is weakest comes first."""

    def __init__(
        self, study: ModelStudy, *, use_areas: bool, baseline: bool, marks: Marks, narrow: bool
    ) -> None:
        self.study = study
        self.use_areas = use_areas
        self.tables: list[Scores] = [
            one.areas if use_areas and one.areas is not None else one.concepts
            for one in study.models
        ]
        self._marks, self._baseline, self._narrow = marks, baseline, narrow
        self.support: NDArray[np.int64] = np.max([one.n_items for one in self.tables], axis=0)
        tested = np.stack([~np.isnan(one.p_value) for one in self.tables])
        gaps = np.stack([np.nan_to_num(one.gap) for one in self.tables])
        worst = np.where(tested, gaps, 9.0).min(axis=0)
        units = np.flatnonzero(self.support > 0)
        self.units = units[np.lexsort((-self.support[units], worst[units]))]
        self.names = self.tables[0].names

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return name, support, one column a model, spread."""
        names = [display(one.model, width=12) for one in self.study.models[:MOST_MODELS]]
        return (
            Column("name", "AREA" if self.use_areas else "CONCEPT", 0),
            Column("n", "N", 6, "right"),
            *(
                Column(f"model{place}", name, 8 if self._narrow else 13, "right")
                for place, name in enumerate(names)
            ),
            Column("spread", "SPREAD", 7, "right", narrow=False),
        )

    def __len__(self) -> int:
        return len(self.units)

    def row_id(self, row: int) -> str:
        """Return the unit's number."""
        return str(int(self.units[row]))

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return self.names[int(self.units[row])]

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        unit = int(self.units[row])
        if key == "name":
            return Cell(self.names[unit])
        if key == "n":
            return Cell(f"{int(self.support[unit]):,}")
        if key == "spread":
            spread = self.sort_value(row, key)
            return Cell("" if spread < 0 else f"{100 * spread:.0f} pt")
        place = int(key.removeprefix("model"))
        found = self.tables[place].row(unit)
        if not found.n_items:
            return Cell("", "muted")
        if found.n_items < FEW:
            return Cell(score_text(found), "muted")
        style = style_of(found.standing)
        if self._baseline:
            return Cell(f"{100 * found.gap:+.0f} pt", style)
        mark = "!" if found.standing in _WEAK else "+" if found.standing in _STRONG else " "
        bar = "" if self._narrow else f"{self._marks.bar(found.chi_model, 5)} "
        return Cell(f"{bar}{100 * found.chi_model:>3.0f} %{mark}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        unit = int(self.units[row])
        if key == "name":
            return self.names[unit].lower()
        if key == "n":
            return int(self.support[unit])
        if key == "spread":
            values = [float(one.chi_model[unit]) for one in self.tables if one.n_items[unit] >= FEW]
            return max(values) - min(values) if len(values) > 1 else -1.0
        place = int(key.removeprefix("model")) if key.startswith("model") else 0
        value = float(self.tables[place].chi_model[unit]) if place < len(self.tables) else -1.0
        return -1.0 if np.isnan(value) else value


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one model is weak: an area, a concept with others, or alike items."""

    model: str
    key: str
    kind: str
    """area, concept, or alike items."""

    name: str
    n_items: int
    score: str
    value: float
    gap: float
    chance: float
    """q-value, or p-value for alike items."""

    row: ScoreRow | None
    nested: tuple[ScoreRow, ...] = ()
    region: WeakRegion | None = None

    @classmethod
    def of_row(cls, model: str, kind: str, row: ScoreRow, nested: tuple[ScoreRow, ...]) -> Spot:
        """Return an area or a concept."""
        text, key = score_text(row), f"{kind[0]}{row.unit}:{model}"
        figures = (row.n_items, text, row.chi_model, row.gap, row.q_value)
        return cls(model, key, kind, row.name, *figures, row, nested)

    @classmethod
    def of_region(cls, model: str, region: WeakRegion) -> Spot:
        """Return a group of alike items."""
        figures = (region.n_items, region_score(region), region.score, region.gap, region.p_value)
        key = f"r{region.rows[0]}:{model}"
        return cls(model, key, "alike items", region.name, *figures, None, (), region)


class SpotRows:
    """Every weak area and group of concepts of every model, weakest first for each."""

    columns = (
        Column("where", "WEAK IN", 0),
        Column("model", "MODEL", 16),
        Column("n", "N", 6, "right"),
        Column("score", "SCORE", 9, "right"),
        Column("points", "POINTS", 7, "right"),
        Column("q", "Q", 8, "right", narrow=False),
        Column("kind", "WHAT", 11, narrow=False),
    )

    def __init__(self, study: ModelStudy) -> None:
        self.study = study
        self.spots: list[Spot] = []
        for one in study.models:
            for row, inside in one.profile():
                self.spots.append(Spot.of_row(one.model, "area", row, inside))
            self.spots += [Spot.of_region(one.model, region) for region in one.regions]
            for head, *rest in one.other_groups():
                self.spots.append(Spot.of_row(one.model, "concept", head, tuple(rest)))

    def __len__(self) -> int:
        return len(self.spots)

    def row_id(self, row: int) -> str:
        """Return what tells the spot from others."""
        return self.spots[row].key

    def spot_of(self, row_id: str) -> Spot | None:
        """Return a row by its id."""
        return next((one for at, one in enumerate(self.spots) if self.row_id(at) == row_id), None)

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        spot = self.spots[row]
        return " ".join((spot.model, spot.name, *(one.name for one in spot.nested)))

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        spot = self.spots[row]
        if key == "where":
            return Cell(spot.name)
        if key == "model":
            return Cell(spot.model)
        if key == "n":
            return Cell(f"{spot.n_items:,}")
        if key == "score":
            return Cell(spot.score)
        if key == "points":
            return Cell(f"{100 * spot.gap:+.0f}", "warn")
        if key == "q":
            return Cell(f"{spot.chance:.2g}")
        return Cell(spot.kind, "muted")

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        spot = self.spots[row]
        values: dict[str, Any] = {
            "where": spot.name.lower(),
            "model": spot.model,
            "n": spot.n_items,
            "score": spot.value,
            "points": spot.gap,
            "q": spot.chance,
            "kind": spot.kind,
        }
        return values.get(key, 0)


class PairRows:
    """Two models side by side, where they differ most first."""

    def __init__(self, study: ModelStudy, pair: PairedComparison, *, marks: Marks) -> None:
        self.study, self.pair, self._marks = study, pair, marks
        self.rows: list[tuple[str, ScoreRow]] = []
        for kind, table in (("area", pair.areas), ("concept", pair.concepts)):
            if table is not None:
                tested = list(table.rows())
                # Concepts are many; only where something is significant do they tell.
                kept = (one for one in tested if kind == "area" or style_of(one.standing))
                self.rows += [(kind, one) for one in kept]
        self.rows.sort(key=lambda one: (one[0] != "area", -abs(one[1].gap)))
        self._top = max((abs(one.chi_model) for _, one in self.rows), default=0.0)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return name, support, a bar and the numbers."""
        names = [display(one, width=11) for one in (self.pair.model_b, self.pair.model_a)]
        return (
            Column("name", "AREA / CONCEPT", 0),
            Column("n", "N", 6, "right"),
            Column("bar", f"{names[0]} | {names[1]}", 25, narrow=False, sortable=False),
            Column("points", "POINTS", 7, "right"),
            Column("against", "VS OVERALL", 11, "right"),
            Column("q", "Q", 8, "right"),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def row_id(self, row: int) -> str:
        """Return kind and unit."""
        kind, found = self.rows[row]
        return f"{kind[0]}{found.unit}"

    def row_of(self, row_id: str) -> tuple[str, ScoreRow] | None:
        """Return a row by its id."""
        return next((self.rows[at] for at in range(len(self)) if self.row_id(at) == row_id), None)

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        return self.rows[row][1].name

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        kind, found = self.rows[row]
        style = style_of(found.standing)
        if key == "name":
            return Cell(found.name + ("" if kind == "area" else "  (concept)"))
        if key == "n":
            return Cell(f"{found.n_items:,}")
        if key == "bar":
            return Cell(signed_bar(found.chi_model, self._top, marks=self._marks), style)
        if key == "points":
            return Cell(f"{100 * found.chi_model:+.0f}", style)
        if key == "against":
            return Cell(f"{100 * found.gap:+.0f}", style)
        return Cell(f"{found.q_value:.2g}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        found = self.rows[row][1]
        values: dict[str, Any] = {
            "name": found.name.lower(),
            "n": found.n_items,
            "points": found.chi_model,
            "against": found.gap,
            "q": found.q_value,
        }
        return values.get(key, 0)


class ItemRows:
    """Items by what the models' results say of them; keys worth checking come first."""

    columns = (
        Column("question", "QUESTION", 0),
        Column("id", "ID", 16, narrow=False, cut="start"),
        Column("solved", "SOLVED BY", 10, "right"),
        Column("discrimination", "TELLS APART", 12, "right", narrow=False),
        Column("notes", "NOTE", 12),
    )
    _WORDS = {"all-miss": "none solves", "all-pass": "all solve", "check-key": "check key"}  # noqa: RUF012

    def __init__(self, study: ModelStudy, items: tuple[Item, ...]) -> None:
        assert study.items is not None
        self.study, self.analysis, self._items = study, study.items, items
        known = np.flatnonzero(self.analysis.n_models > 0)
        first = [one.row for one in self.analysis.suspects()]
        difficulty = np.nan_to_num(self.analysis.difficulty)
        rest = np.setdiff1d(known, first)
        rest = rest[np.argsort(-difficulty[rest], kind="stable")]
        self.order = [*first, *rest.tolist()]

    def __len__(self) -> int:
        return len(self.order)

    def row_id(self, row: int) -> str:
        """Return the item's id."""
        return str(self._items[self.order[row]].id)

    def text(self, row: int) -> str:
        """Return what the filter searches."""
        item = self._items[self.order[row]]
        return f"{item.id} {item.prompt} {self.cell(row, 'notes').text}"

    def value(self, row: int, name: str) -> object:
        """Return a field the filter can name."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> Cell:
        """Return one cell."""
        place = self.order[row]
        found = self.analysis.row(place)
        if key == "question":
            return Cell(self._items[place].prompt)
        if key == "id":
            return Cell(self._items[place].id, "muted")
        if key == "solved":
            return Cell(f"{found.n_passed} of {found.n_models}")
        if key == "discrimination":
            value = found.discrimination
            return Cell("" if np.isnan(value) else f"{value:+.2f}", "warn" if value < 0 else "")
        notes = [one for one in found.notes if one != "all-miss" or "check-key" not in found.notes]
        style = "warn" if "check-key" in notes else "muted"
        return Cell(", ".join(self._WORDS[one] for one in notes), style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        place = self.order[row]
        if key == "solved":
            return -float(np.nan_to_num(self.analysis.difficulty[place]))
        if key == "discrimination":
            return float(np.nan_to_num(self.analysis.discrimination[place], nan=9.0))
        return self.cell(row, key).text.lower()
