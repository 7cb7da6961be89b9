"""Models, key 7: where is each weak, how do two differ, and what do the items tell?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from textual import work
from textual.binding import BindingType
from textual.content import Content
from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError
from benchdesign.regular import expanded, is_there
from benchdesign.text import display
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.paths import PathSuggester
from benchdesign.tui.screens.dialogs import AskChoice, AskText
from benchdesign.tui.screens.lists import Facet, ListScreen
from benchdesign.tui.widgets.line_table import Column, ListRows, Rows

if TYPE_CHECKING:
    from benchdesign.formats.results import JoinedResults
    from benchdesign.modelgaps import PairedComparison
    from benchdesign.modelstudy import ModelStudy

__all__ = ["ModelsScreen"]

_N_BOOTSTRAP = 100
_MOST_PAIRS = 20
_LISTS = ("areas", "concepts", "weak", "pair", "items")


class ModelsScreen(ListScreen):
    """Results of models: scores, weak spots, pairs, items."""

    MODE = "models"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["models"])
    SIDE_BY_SIDE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "AREA", 0),
        Column("n", "N", 6, "right"),
    )
    FIELDS = ("n", "spread", "model")
    EMPTY = "Nothing to list. c reads results of models."

    doing = ""
    """What is done with results that are being read; empty while none are."""

    study: ModelStudy | None = None
    joined: JoinedResults | None = None
    pair: PairedComparison | None = None
    baseline = False
    _for = ""

    def make_rows(self) -> Rows:
        """Return the rows of the list that is shown."""
        session = self.session
        assert session is not None
        if self._for != str(session.folder):
            self._for, self.study, self.joined = str(session.folder), None, None
            if self._paths():
                self.read_results(self._paths(), self._metrics())
        rows: Any = self._rows_of(self._list)
        self.table.columns = getattr(rows, "columns", self.COLUMNS)
        if self.table.sort_key not in {one.key for one in self.table.columns}:
            self.table.sort_key = None
        shown: Rows = rows
        return shown

    @property
    def _list(self) -> str:
        names = [name for name, _ in self.facets()]
        return names[min(self.facet, len(names) - 1)]

    def _rows_of(self, name: str) -> object:
        from benchdesign.tui.model_rows import ItemRows, PairRows, ScoreRows, SpotRows

        study, session = self.study, self.session
        if study is None or session is None or session.analysis is None:
            return ListRows((), ())
        if name == "weak":
            return SpotRows(study)
        if name == "pair" and self.pair is not None:
            return PairRows(study, self.pair, marks=self.owner.marks)
        if name == "items":
            return ItemRows(study, tuple(session.analysis.benchmark.items))
        return ScoreRows(
            study,
            use_areas=name == "areas" and study.models[0].areas is not None,
            baseline=self.baseline,
            marks=self.owner.marks,
            narrow=self.is_narrow,
        )

    def facets(self) -> tuple[Facet, ...]:
        """Return the lists there are for what was read."""
        if self.study is None:
            return (("areas", None),)
        hidden = {"pair"} if self.pair is None else set()
        if self.study.items is None:
            hidden.add("items")
        return tuple((name, None) for name in _LISTS if name not in hidden)

    def action_facet(self, place: int) -> None:
        """Show another list."""
        self.facet = place
        self.table.sort_key = None
        self.refresh_session()

    def count_text(self) -> str:
        """Return what the results cover."""
        study, joined = self.study, self.joined
        if study is None or joined is None:
            return self.doing or "no results"
        if self._list == "pair" and self.pair is not None:
            pair = self.pair
            names = [display(one, width=20) for one in (pair.model_a, pair.model_b)]
            return f"{names[0]} against {names[1]}: {100 * pair.overall:+.1f} points   c another"
        if self._list == "items" and study.items is not None:
            items = study.items
            n = int((items.n_models > 0).sum())
            alike = int(items.uninformative.sum())
            return (
                f"{n:,} items · {alike:,} tell no two models apart · {int(items.check_key.sum())} "
                f"keys to check, about {items.expected_suspects:.0f} by chance"
            )
        n_items, without = joined.n_items, joined.n_unmatched + joined.n_ambiguous
        text = f"{len(study.models)} model{'s' if len(study.models) > 1 else ''}"
        text += f" · {n_items:,} of {len(study.concept_map):,} items have results"
        if without:
            text += f" · {without:,} results fit no item"
        if self._list == "weak":
            return f"{text} · at most {study.settings.fdr:.0%} of these are chance"
        return text + (" · points against overall" if self.baseline else "")

    def show_detail(self) -> None:
        """Show the page of the row, or how to begin."""
        # A narrow screen has room for one of the two, and the empty list says less.
        self.set_class(self.study is None and self.is_narrow, "-how")
        if self.study is None:
            self.detail.show(self.doing or _HOW)
        elif not len(self.table.rows) and self._list == "weak":
            self.detail.show("No model is significantly weak anywhere with these results.")
        else:
            super().show_detail()

    def detail_of(self, row_id: str) -> Content:
        """Return the page about a row of whichever list is shown."""
        from benchdesign.tui import model_pages
        from benchdesign.tui.model_rows import ItemRows, PairRows, ScoreRows, SpotRows

        session, rows, study = self.session, self.table.rows, self.study
        if study is None or session is None or session.analysis is None:
            return _HOW
        items = session.analysis.benchmark.items
        if isinstance(rows, ScoreRows):
            return model_pages.score_page(
                study,
                rows.tables,
                int(row_id),
                is_area=rows.use_areas,
                items=items,
                marks=self.owner.marks,
                width=self.page_width,
            )
        if isinstance(rows, SpotRows):
            spot = rows.spot_of(row_id)
            if spot is not None:
                return model_pages.spot_page(study, spot, items=items, width=self.page_width)
        if isinstance(rows, PairRows):
            return model_pages.pair_page(rows, row_id, items=items, width=self.page_width)
        if isinstance(rows, ItemRows):
            place = next((at for at, item in enumerate(items) if item.id == row_id), None)
            if place is not None:
                answers = {} if self.joined is None else self.joined.answers
                return model_pages.item_page(study, place, items[place], answers=answers)
        return Content("")

    # results

    def action_choose(self) -> None:
        """Add results, choose two models, or forget what was read."""
        if not self._paths():
            self._ask_path()
            return
        choices = [("add", "add results ...")]
        pairs: dict[str, tuple[str, str]] = {}
        if self.study is not None:
            names = [one.model for one in self.study.models]
            for a in names:
                for b in names[names.index(a) + 1 :]:
                    pairs[f"pair{len(pairs)}"] = (a, b)
        for key, (a, b) in list(pairs.items())[:_MOST_PAIRS]:
            shown = f"{display(a, width=28)} against {display(b, width=28)}"
            choices.append((key, f"side by side: {shown}"))
        choices.append(("none", "forget the results"))

        def take(choice: str | None) -> None:
            if choice == "add":
                self._ask_path()
            elif choice == "none":
                self._keep([], [])
                self.study = self.joined = self.pair = None
                self.facet = 0
                self.refresh_session()
            elif choice in pairs:
                self.compare(*pairs[choice])

        self.app.push_screen(AskChoice("Results", choices, text="\n".join(self._paths())), take)

    def _ask_path(self) -> None:
        def take(path: str | None) -> None:
            if path and path.strip():
                # Whole, so that they are found from wherever the workspace is opened next.
                chosen = _expanded(path.strip())
                self.read_results([*self._paths(), chosen], self._metrics())

        self.app.push_screen(
            AskText(
                "File or folder of results",
                hint="lm-eval, Inspect or HELM logs, JSONL or CSV; MODEL=FILE names the model.",
                suggester=PathSuggester(),
            ),
            take,
        )

    def _paths(self) -> list[str]:
        return [str(one) for one in self.owner.ui.of_screen("models").get("results", [])]

    def _metrics(self) -> list[str]:
        return [str(one) for one in self.owner.ui.of_screen("models").get("metrics", [])]

    def _keep(self, paths: list[str], metrics: list[str]) -> None:
        self.owner.ui.of_screen("models").update(results=paths, metrics=metrics)

    @work(thread=True, exclusive=True, group="results", exit_on_error=False)
    def read_results(self, paths: list[str], metrics: list[str] | None = None) -> None:
        """Read results and measure every model."""
        from benchdesign.formats.results import load_results
        from benchdesign.modelstudy import study_models
        from benchdesign.scoring import ModelSettings

        session = self.session
        if session is None or session.analysis is None:
            return
        analysis, worker = session.analysis, get_current_worker()
        chosen = list(metrics or ())

        def tell(act: Callable[..., None], *arguments: object) -> None:
            if not worker.is_cancelled:
                self.app.call_from_thread(act, *arguments)

        tell(self._tell, "Reading results ...")
        try:
            joined = load_results(map(_expanded, paths), analysis.benchmark, metrics=chosen)
            tell(self._tell, f"Measuring {len(joined.scores)} models ...")
            study = study_models(
                analysis.benchmark_map,
                joined.scores,
                analysis.dictionary,
                rng=np.random.default_rng(analysis.settings.seed),
                areas=analysis.areas,
                metrics=joined.metrics,
                answers=joined.answers,
                settings=ModelSettings(n_bootstrap=_N_BOOTSTRAP),
            )
        except BenchdesignError as error:
            tell(self._refused, paths, chosen, str(error))
            return
        tell(self._measured, paths, chosen, joined, study)

    def _tell(self, doing: str) -> None:
        """Say what is done with results, where they will be; nothing ends it."""
        self.doing = doing
        if doing:
            self.say(doing)
        self.table.empty = doing or self.EMPTY
        self.table.refresh()
        if self.session is not None:
            self._draw_facets()
            self.show_detail()

    def _refused(self, paths: list[str], metrics: list[str], problem: str) -> None:
        self._tell("")
        if "--metric" not in problem:
            self.say(problem, is_error=True)
            return

        def take(metric: str | None) -> None:
            if metric and metric.strip():
                self.read_results(paths, [*metrics, metric.strip()])

        known = problem.removesuffix(" Choose one with --metric.")
        self.app.push_screen(AskText("Which score counts?", hint=known), take)

    def _measured(
        self, paths: list[str], metrics: list[str], joined: JoinedResults, study: ModelStudy
    ) -> None:
        self._keep(paths, metrics)
        self.joined, self.study, self.doing = joined, study, ""
        self.table.empty = self.EMPTY
        self.pair = study.comparisons[0] if study.comparisons else None
        odd = len(joined.problems)
        told = f"; {odd:,} rows need a look, benchdesign models lists them" if odd else ""
        self.say(f"Measured {len(study.models)} models by {joined.n_joined:,} results{told}.")
        self.refresh_session()
        # A narrow screen hid the list, and what is hidden loses the keys.
        self.call_after_refresh(self.table.focus)

    @work(thread=True, exclusive=True, group="pair", exit_on_error=False)
    def compare(self, model_a: str, model_b: str) -> None:
        """Compare two models and show them side by side."""
        from benchdesign.modelgaps import compare_models
        from benchdesign.scoring import ModelSettings

        session, study, worker = self.session, self.study, get_current_worker()
        if study is None or session is None or session.analysis is None:
            return
        pair = next(
            (one for one in study.comparisons if {one.model_a, one.model_b} == {model_a, model_b}),
            None,
        ) or compare_models(
            study.concept_map,
            study.scores,
            study.dictionary,
            models=(model_a, model_b),
            rng=np.random.default_rng(session.analysis.settings.seed),
            areas=study.area_groups,
            settings=ModelSettings(n_bootstrap=0),
        )
        if not worker.is_cancelled:
            self.app.call_from_thread(self._compared, pair)

    def _compared(self, pair: PairedComparison) -> None:
        self.pair = pair
        self.action_facet([name for name, _ in self.facets()].index("pair"))

    def action_baseline(self) -> None:
        """Show scores, or differences from each model's overall score."""
        if self._list not in ("areas", "concepts"):
            self.say("The baseline is for the lists of areas and concepts; f goes there.")
            return
        self.baseline = not self.baseline
        self.refresh_session()

    def help_lines(self) -> tuple[str, ...]:
        """Return what the help says beyond the keys."""
        return (
            "f steps through areas, concepts, weak spots, two models side by side, and items.",
            "! and + mark scores significantly below and above what a model gives elsewhere.",
            "Fewer than ten items show counts. The same as text: benchdesign models.",
        )


def _expanded(path: str) -> str:
    """Return the whole path, also behind `MODEL=`."""
    name, sign, rest = path.partition("=")
    if sign and not is_there(path):
        return f"{name}={expanded(rest).absolute()}"
    return str(expanded(path).absolute())


_HOW = Content(
    "Press c and name results of models on these items: a log of lm-eval, Inspect or HELM, "
    "a folder of them, or a table (JSONL, CSV) with one row an item and model: an item id, "
    "a score from 0 to 1, and the model's name.\n\n"
    "The same numbers without the interface, and a report:\n"
    "  benchdesign models BENCHMARK --results FILE --report DIR"
)
