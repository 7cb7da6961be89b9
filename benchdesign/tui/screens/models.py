"""Models, key 7: where do models differ, area by area and concept by concept?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError
from benchdesign.text import display
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.marks import Marks
from benchdesign.tui.screens.dialogs import AskChoice, AskText
from benchdesign.tui.screens.lists import Facet, ListScreen
from benchdesign.tui.widgets.bars import interval
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.line_table import Cell, Column, LineTable, Rows

if TYPE_CHECKING:
    from benchdesign.modelgaps import ModelGaps
    from benchdesign.scoring import Scores

__all__ = ["ModelsScreen"]

_FEW = 10
"""Below this many items a share says nothing; counts are shown."""

_MOST_MODELS = 4


class _ModelRows:
    """Areas (or concepts) with one score a model."""

    def __init__(
        self, results: tuple[ModelGaps, ...], *, use_areas: bool, baseline: bool, marks: Marks
    ) -> None:
        self.results = results
        self.scores: list[Scores] = []
        for one in results:
            self.scores.append(one.areas if use_areas and one.areas is not None else one.concepts)
        self._marks = marks
        self._baseline = baseline
        first = self.scores[0]
        support = np.max([one.n_items for one in self.scores], axis=0)
        with np.errstate(invalid="ignore"):
            units = np.flatnonzero(support > 0)
            worst = np.nanmin(
                np.where(
                    np.isnan([one.gap for one in self.scores]),
                    9.0,
                    [one.gap for one in self.scores],
                ),
                axis=0,
            )
        self.units = units[np.argsort(worst[units], kind="stable")]
        self.names = first.names
        self.support = support

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
        if place >= len(self.scores):
            return Cell("")
        scores = self.scores[place]
        value, n = float(scores.chi_model[unit]), int(scores.n_items[unit])
        if np.isnan(value) or not n:
            return Cell("", "muted")
        if n < _FEW:
            return Cell(f"few {value * n:.0f}/{n}", "muted")
        standing = scores.standing(unit).value
        style = {"weak": "warn", "strong": "good"}.get(standing, "")
        if self._baseline:
            return Cell(f"{100 * float(scores.gap[unit]):+.0f} pt", style)
        return Cell(f"{self._marks.bar(value, 6)} {100 * value:>3.0f} %", style)

    def sort_value(self, row: int, key: str) -> Any:
        """Return what a column sorts by."""
        unit = int(self.units[row])
        if key == "name":
            return self.names[unit].lower()
        if key == "n":
            return int(self.support[unit])
        values = [float(one.chi_model[unit]) for one in self.scores if one.n_items[unit] >= _FEW]
        if key == "spread":
            return max(values) - min(values) if len(values) > 1 else -1.0
        place = int(key.removeprefix("model")) if key.startswith("model") else 0
        value = float(self.scores[place].chi_model[unit]) if place < len(self.scores) else -1.0
        return -1.0 if np.isnan(value) else value


class ModelsScreen(ListScreen):
    """Per-concept results of models."""

    MODE = "models"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["models"])
    SIDE_BY_SIDE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "AREA / CONCEPT", 0),
        Column("n", "N", 6, "right"),
    )
    FIELDS = ("n", "spread")
    EMPTY = "No results yet. c names a file with one score per item and model."

    results: tuple[ModelGaps, ...] = ()
    baseline = False
    _problems = ""
    _for = ""

    def compose_body(self) -> ComposeResult:
        """Lay out the list with room for the models."""
        yield from super().compose_body()

    def make_rows(self) -> Rows:
        """Return areas or concepts, weakest first."""
        from benchdesign.tui.widgets.line_table import ListRows

        session = self.session
        assert session is not None
        if self._for != str(session.folder):
            self._for, self.results = str(session.folder), ()
            paths = self.owner.ui.of_screen("models").get("results", [])
            if paths:
                self.read_results([str(one) for one in paths])
        if not self.results:
            self.table.columns = self.COLUMNS
            return ListRows((), ())
        names = [display(one.model, width=12) for one in self.results[:_MOST_MODELS]]
        self.table.columns = (
            *self.COLUMNS,
            *(Column(f"model{place}", name, 13, "right") for place, name in enumerate(names)),
            Column("spread", "SPREAD", 7, "right", narrow=False),
        )
        return _ModelRows(
            self.results,
            use_areas=self.facet == 0 and self.results[0].areas is not None,
            baseline=self.baseline,
            marks=self.owner.marks,
        )

    def facets(self) -> tuple[Facet, ...]:
        """Return areas or concepts."""
        return (("areas", None), ("concepts", None))

    def action_facet(self, place: int) -> None:
        """Show areas or concepts."""
        self.facet = place
        self.refresh_session()

    def filter_text(self, row: int) -> str:
        """Return what filter words search."""
        return "" if not self.results else super().filter_text(row)

    def count_text(self) -> str:
        """Return what the results cover."""
        if self._problems:
            return self._problems
        if not self.results:
            return "no results"
        low = min(one.n_items for one in self.results)
        models = f"{len(self.results)} model{'s' if len(self.results) > 1 else ''}"
        scale = " · against each model's overall score" if self.baseline else ""
        return f"{models} · {low:,} items with results{scale}"

    def show_detail(self) -> None:
        """Show the intervals of the row, or how to begin."""
        if not self.results:
            self.detail.show(_HOW)
            return
        super().show_detail()

    def detail_of(self, row_id: str) -> Content:
        """Return every model's score with its interval."""
        rows = self.table.rows
        if not isinstance(rows, _ModelRows):
            return _HOW
        unit = int(row_id)
        lines = [literal(rows.names[unit], "bold"), Content("")]
        for result, scores in zip(rows.results, rows.scores, strict=True):
            row = scores.row(unit)
            name = display(result.model, width=18)
            if row.n_items < _FEW:
                lines.append(Content(f"  {name:<18}  {row.n_items} items: too few for a share"))
                continue
            drawn = interval(row.low, row.chi_model, row.high, marks=self.owner.marks)
            lines.append(
                Content.assemble(
                    f"  {name:<18}",
                    (f"{100 * row.chi_model:>4.0f} %  ", "bold"),
                    (drawn, "$text-primary"),
                    f"  {100 * row.low:.0f} to {100 * row.high:.0f} %   ",
                    (f"{row.standing.value}, {100 * row.gap:+.0f} pt, q {row.q_value:.2g}", ""),
                )
            )
        lines += [
            Content(""),
            literal(
                "Many are tested at once: q is the expected share of false findings among those "
                "called weak or strong.",
                "$foreground-muted",
            ),
        ]
        return Content("\n").join(lines)

    def action_choose(self) -> None:
        """Name a results file, or forget those there are."""

        def take_path(path: str | None) -> None:
            if path and path.strip():
                paths = [*self._paths(), path.strip()]
                self.read_results(paths)

        def take(choice: str | None) -> None:
            if choice == "add":
                self.app.push_screen(AskText("File of results (JSONL or CSV)"), take_path)
            elif choice == "none":
                self.owner.ui.of_screen("models")["results"] = []
                self.results = ()
                self.refresh_session()

        if not self._paths():
            self.app.push_screen(
                AskText("File of results", hint="item id, score in 0 to 1, model."), take_path
            )
            return
        choices = [("add", "add a file of results ..."), ("none", "forget the results")]
        self.app.push_screen(AskChoice("Results", choices, text="\n".join(self._paths())), take)

    def _paths(self) -> list[str]:
        return [str(one) for one in self.owner.ui.of_screen("models").get("results", [])]

    @work(thread=True, exclusive=True, group="results", exit_on_error=False)
    def read_results(self, paths: list[str]) -> None:
        """Read results and measure every model."""
        from benchdesign.formats.results import load_results
        from benchdesign.modelgaps import measure_models

        session = self.session
        if session is None or session.analysis is None:
            return
        analysis, worker = session.analysis, get_current_worker()
        results: tuple[ModelGaps, ...] = ()
        problem = ""
        try:
            files = [Path(path).expanduser() for path in paths]
            joined = load_results(files, analysis.benchmark)
            results = measure_models(
                analysis.benchmark_map,
                joined.scores,
                analysis.dictionary,
                rng=np.random.default_rng(analysis.settings.seed),
                areas=analysis.areas,
            )
        except BenchdesignError as error:
            problem = str(error)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._measured, paths, results, problem)

    def _measured(self, paths: list[str], results: tuple[ModelGaps, ...], problem: str) -> None:
        if problem:
            self.say(problem, is_error=True)
            return
        self.owner.ui.of_screen("models")["results"] = paths
        self.results = results
        self.say(f"Measured {len(results)} models.")
        self.refresh_session()

    def action_baseline(self) -> None:
        """Show scores, or differences from each model's overall score."""
        self.baseline = not self.baseline
        self.refresh_session()

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#table", LineTable)


_HOW = Content(
    "Press c and name a file with results: JSONL or CSV, one row per item and model,\n"
    "with an item id (or row number), a score from 0 to 1, and the model's name.\n\n"
    "The same numbers without the interface:\n"
    "  benchdesign models BENCHMARK --results FILE"
)
