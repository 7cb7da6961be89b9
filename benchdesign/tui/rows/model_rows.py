"""Rows of the Models screen: scores, weak spots, two models side by side, items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.foundation.number_words import percent, points, signed
from benchdesign.foundation.text import display
from benchdesign.model_gaps.scores import MIN_ITEMS_FOR_SHARES, Rating, ScoreRow, Scores
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.bars import signed_bar
from benchdesign.tui.widgets.table_rows import Column, TableCell

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.study import ModelStudy
    from benchdesign.model_gaps.weak_regions import WeakRegion

__all__ = ["ModelItemRows", "PairRows", "ScoreRows", "SpotRow", "WeakSpotRows"]

MAX_MODEL_COLUMNS = 4
"""Maximum number of models with a column."""

_WEAK = (Rating.VERY_POOR, Rating.POOR)
_STRONG = (Rating.VERY_GOOD, Rating.GOOD)


def style_of(standing: Rating) -> str:
    """Return the table's style for a standing."""
    return "warn" if standing in _WEAK else "good" if standing in _STRONG else ""


def score_text(row: ScoreRow) -> str:
    """Return a score in percent, or as a count if there are few items."""
    if row.n_items < MIN_ITEMS_FOR_SHARES:
        return f"{row.n_passed} of {row.n_items}"
    return percent(row.chi_model, gap=" ")


def region_score(region: WeakRegion) -> str:
    """Return the score of a group of similar items, as a count if there are few."""
    if region.n_items < MIN_ITEMS_FOR_SHARES:
        return f"{region.n_passed} of {region.n_items}"
    return percent(region.score, gap=" ")


class ScoreRows:
    """Areas or concepts with one score per model; lowest score of any model first."""

    def __init__(
        self, study: ModelStudy, *, use_areas: bool, baseline: bool, marks: Marks, narrow: bool
    ) -> None:
        self.study = study
        self.use_areas = use_areas
        self.tables: list[Scores] = [
            result.areas if use_areas and result.areas is not None else result.concepts
            for result in study.models
        ]
        self._marks, self._baseline, self._narrow = marks, baseline, narrow
        self.support: NDArray[np.int64] = np.max([table.n_items for table in self.tables], axis=0)
        tested = np.stack([~np.isnan(table.p_value) for table in self.tables])
        gaps = np.stack([np.nan_to_num(table.gap) for table in self.tables])
        worst = np.where(tested, gaps, 9.0).min(axis=0)
        units = np.flatnonzero(self.support > 0)
        self.units = units[np.lexsort((-self.support[units], worst[units]))]
        self.names = self.tables[0].names

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns: name, support, one per model, spread."""
        names = [
            display(result.model, width=12) for result in self.study.models[:MAX_MODEL_COLUMNS]
        ]
        return (
            Column("name", "AREA" if self.use_areas else "CONCEPT", 0),
            Column("n", "N", 6, "right"),
            *(
                Column(f"model{position}", name, 8 if self._narrow else 13, "right")
                for position, name in enumerate(names)
            ),
            Column("spread", "SPREAD", 7, "right", narrow=False),
        )

    def __len__(self) -> int:
        return len(self.units)

    def row_id(self, row: int) -> str:
        """Return the unit's number."""
        return str(int(self.units[row]))

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self.names[int(self.units[row])]

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        unit = int(self.units[row])
        if key == "name":
            return TableCell(self.names[unit])
        if key == "n":
            return TableCell(f"{int(self.support[unit]):,}")
        if key == "spread":
            spread = self.sort_value(row, key)
            return TableCell("" if spread < 0 else f"{100 * spread:.0f} pt")
        position = int(key.removeprefix("model"))
        score_row = self.tables[position].row(unit)
        if not score_row.n_items:
            return TableCell("", "muted")
        if score_row.n_items < MIN_ITEMS_FOR_SHARES:
            return TableCell(score_text(score_row), "muted")
        style = style_of(score_row.standing)
        if self._baseline:
            return TableCell(f"{points(score_row.gap)} pt", style)
        mark = "!" if score_row.standing in _WEAK else "+" if score_row.standing in _STRONG else " "
        bar = "" if self._narrow else f"{self._marks.bar(score_row.chi_model, 5)} "
        return TableCell(f"{bar}{100 * score_row.chi_model:>3.0f} %{mark}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        unit = int(self.units[row])
        if key == "name":
            return self.names[unit].lower()
        if key == "n":
            return int(self.support[unit])
        if key == "spread":
            values = [
                float(table.chi_model[unit])
                for table in self.tables
                if table.n_items[unit] >= MIN_ITEMS_FOR_SHARES
            ]
            return max(values) - min(values) if len(values) > 1 else -1.0
        position = int(key.removeprefix("model")) if key.startswith("model") else 0
        value = (
            float(self.tables[position].chi_model[unit]) if position < len(self.tables) else -1.0
        )
        return -1.0 if np.isnan(value) else value


@dataclass(frozen=True, slots=True)
class SpotRow:
    """A weak spot of one model: an area, a group of concepts, or similar items."""

    model: str
    key: str
    kind: str
    """`area`, `concept` or `alike items`."""

    name: str
    n_items: int
    score: str
    value: float
    gap: float
    chance: float
    """q-value, or p-value for similar items."""

    row: ScoreRow | None
    nested: tuple[ScoreRow, ...] = ()
    region: WeakRegion | None = None

    @classmethod
    def of_row(cls, model: str, kind: str, row: ScoreRow, nested: tuple[ScoreRow, ...]) -> SpotRow:
        """Return the spot of an area or a concept."""
        text, key = score_text(row), f"{kind[0]}{row.unit}:{model}"
        figures = (row.n_items, text, row.chi_model, row.gap, row.q_value)
        return cls(model, key, kind, row.name, *figures, row, nested)

    @classmethod
    def of_region(cls, model: str, region: WeakRegion) -> SpotRow:
        """Return the spot of a group of similar items."""
        figures = (region.n_items, region_score(region), region.score, region.gap, region.p_value)
        key = f"r{region.rows[0]}:{model}"
        return cls(model, key, "alike items", region.name, *figures, None, (), region)


class WeakSpotRows:
    """Weak spots of every model: areas, groups of similar items, groups of concepts."""

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
        self.spots: list[SpotRow] = []
        for result in study.models:
            for row, nested in result.profile():
                self.spots.append(SpotRow.of_row(result.model, "area", row, nested))
            self.spots += [SpotRow.of_region(result.model, region) for region in result.regions]
            for head, *rest in result.other_groups():
                self.spots.append(SpotRow.of_row(result.model, "concept", head, tuple(rest)))

    def __len__(self) -> int:
        return len(self.spots)

    def row_id(self, row: int) -> str:
        """Return the unique key of the spot."""
        return self.spots[row].key

    def spot_of(self, row_id: str) -> SpotRow | None:
        """Return the spot with a row id; None if there is none."""
        return next(
            (spot for position, spot in enumerate(self.spots) if self.row_id(position) == row_id),
            None,
        )

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        spot = self.spots[row]
        return " ".join((spot.model, spot.name, *(nested.name for nested in spot.nested)))

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        spot = self.spots[row]
        if key == "where":
            return TableCell(spot.name)
        if key == "model":
            return TableCell(spot.model)
        if key == "n":
            return TableCell(f"{spot.n_items:,}")
        if key == "score":
            return TableCell(spot.score)
        if key == "points":
            return TableCell(points(spot.gap), "warn")
        if key == "q":
            return TableCell(f"{spot.chance:.2g}")
        return TableCell(spot.kind, "muted")

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
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
    """Two models side by side: areas first, largest difference first."""

    def __init__(self, study: ModelStudy, pair: PairedComparison, *, marks: Marks) -> None:
        self.study, self.pair, self._marks = study, pair, marks
        self.rows: list[tuple[str, ScoreRow]] = []
        for kind, table in (("area", pair.areas), ("concept", pair.concepts)):
            if table is not None:
                tested = list(table.rows())
                # There are many concepts: list only the significant ones.
                listed = (
                    score_row
                    for score_row in tested
                    if kind == "area" or style_of(score_row.standing)
                )
                self.rows += [(kind, score_row) for score_row in listed]
        self.rows.sort(key=lambda entry: (entry[0] != "area", -abs(entry[1].gap)))
        self._top = max((abs(score_row.chi_model) for _, score_row in self.rows), default=0.0)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns: name, support, a bar and the numbers."""
        names = [display(model, width=11) for model in (self.pair.model_b, self.pair.model_a)]
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
        kind, score_row = self.rows[row]
        return f"{kind[0]}{score_row.unit}"

    def row_of(self, row_id: str) -> tuple[str, ScoreRow] | None:
        """Return the kind and row with a row id; None if there is none."""
        return next(
            (
                self.rows[position]
                for position in range(len(self))
                if self.row_id(position) == row_id
            ),
            None,
        )

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return self.rows[row][1].name

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        kind, score_row = self.rows[row]
        style = style_of(score_row.standing)
        if key == "name":
            return TableCell(score_row.name + ("" if kind == "area" else "  (concept)"))
        if key == "n":
            return TableCell(f"{score_row.n_items:,}")
        if key == "bar":
            return TableCell(signed_bar(score_row.chi_model, self._top, marks=self._marks), style)
        if key == "points":
            return TableCell(points(score_row.chi_model), style)
        if key == "against":
            return TableCell(points(score_row.gap), style)
        return TableCell(f"{score_row.q_value:.2g}", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        score_row = self.rows[row][1]
        values: dict[str, Any] = {
            "name": score_row.name.lower(),
            "n": score_row.n_items,
            "points": score_row.chi_model,
            "against": score_row.gap,
            "q": score_row.q_value,
        }
        return values.get(key, 0)


class ModelItemRows:
    """Items with the models' results; suspect keys come first."""

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
        tested = np.flatnonzero(self.analysis.n_models > 0)
        first = [suspect.row for suspect in self.analysis.suspects()]
        difficulty = np.nan_to_num(self.analysis.difficulty)
        rest = np.setdiff1d(tested, first)
        rest = rest[np.argsort(-difficulty[rest], kind="stable")]
        self.order = [*first, *rest.tolist()]

    def __len__(self) -> int:
        return len(self.order)

    def row_id(self, row: int) -> str:
        """Return the item's id."""
        return str(self._items[self.order[row]].id)

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        item = self._items[self.order[row]]
        return f"{item.id} {item.prompt} {self.cell(row, 'notes').text}"

    def value(self, row: int, name: str) -> object:
        """Return the value of a filter field."""
        return self.sort_value(row, name)

    def cell(self, row: int, key: str) -> TableCell:
        """Return one cell."""
        item_row = self.order[row]
        result = self.analysis.row(item_row)
        if key == "question":
            return TableCell(self._items[item_row].prompt)
        if key == "id":
            return TableCell(self._items[item_row].id, "muted")
        if key == "solved":
            return TableCell(f"{result.n_passed} of {result.n_models}")
        if key == "discrimination":
            value = result.discrimination
            return TableCell(
                "" if np.isnan(value) else signed(value, 2), "warn" if value < 0 else ""
            )
        notes = [
            note for note in result.notes if note != "all-miss" or "check-key" not in result.notes
        ]
        style = "warn" if "check-key" in notes else "muted"
        return TableCell(", ".join(self._WORDS[note] for note in notes), style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return the sort key of a row in a column."""
        item_row = self.order[row]
        if key == "solved":
            return -float(np.nan_to_num(self.analysis.difficulty[item_row]))
        if key == "discrimination":
            return float(np.nan_to_num(self.analysis.discrimination[item_row], nan=9.0))
        return self.cell(row, key).text.lower()
