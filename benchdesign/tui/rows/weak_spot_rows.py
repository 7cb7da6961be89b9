"""Rows of the Models screen: weak spots of every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchdesign.foundation.number_words import points
from benchdesign.model_gaps.scores import ScoreRow
from benchdesign.tui.widgets.table_rows import Column, ColumnRows, TableCell

if TYPE_CHECKING:
    from benchdesign.model_gaps.study import ModelStudy
    from benchdesign.model_gaps.weak_regions import WeakRegion

from benchdesign.tui.rows.model_rows import region_score, score_text

__all__ = ["SpotRow", "WeakSpotRows"]


@dataclass(frozen=True, slots=True)
class SpotRow:
    """A weak spot of one model: an area, a group of concepts, or similar items."""

    model: str
    key: str
    kind: str
    """`area`, `concept` or `similar items`."""

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
        return cls(model, key, "similar items", region.name, *figures, None, (), region)


class WeakSpotRows(ColumnRows):
    """Weak spots of every model: areas, groups of similar items, groups of concepts."""

    columns = (
        Column("where", "WEAK IN", 0),
        Column("model", "MODEL", 16),
        Column("n", "N", 6, "right"),
        Column("score", "SCORE", 9, "right"),
        Column("points", "POINTS", 7, "right"),
        Column("q", "Q", 8, "right", narrow=False),
        Column("kind", "WHAT", 13, narrow=False),
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
