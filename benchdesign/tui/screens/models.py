"""The Models screen (key 7): weak spots, differences between models, and item statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual import work
from textual.binding import BindingType
from textual.content import Content
from textual.worker import get_current_worker

from benchdesign.benchmarks.results.join import load_results
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.number_words import percent, plural, points
from benchdesign.foundation.paths import expand_home, path_exists
from benchdesign.foundation.text import display
from benchdesign.model_gaps.compare_models import compare_models
from benchdesign.model_gaps.scores import ModelGapSettings
from benchdesign.model_gaps.study import study_models
from benchdesign.tui.dialogs.dialogs import AskChoice, AskText
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages import model_page as model_pages
from benchdesign.tui.rows.model_item_rows import ModelItemRows
from benchdesign.tui.rows.model_rows import PairRows, ScoreRows
from benchdesign.tui.rows.weak_spot_rows import WeakSpotRows
from benchdesign.tui.screens.list_screen import Facet, ListScreen
from benchdesign.tui.widgets.path_suggester import PathSuggester
from benchdesign.tui.widgets.table_rows import Column, ListRows, SearchableRows

if TYPE_CHECKING:
    from benchdesign.benchmarks.results.join import JoinedResults
    from benchdesign.model_gaps.compare_models import PairedComparison
    from benchdesign.model_gaps.study import ModelStudy

__all__ = ["ModelsScreen"]

_N_BOOTSTRAP = 100
_MAX_PAIR_CHOICES = 20
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
    EMPTY = "Nothing to list. c adds model results."

    activity = ""
    """What the running import is doing; empty if none runs."""

    study: ModelStudy | None = None
    joined: JoinedResults | None = None
    pair: PairedComparison | None = None
    is_relative = False
    _folder = ""

    def make_rows(self) -> SearchableRows:
        """Return the rows of the active list."""
        session = self.session
        assert session is not None
        if self._folder != str(session.folder):
            self._folder, self.study, self.joined = str(session.folder), None, None
            if self._paths():
                self.read_results(self._paths(), self._metrics())
        rows = self._rows_of(self._list)
        self.show_columns_of(rows)
        return rows

    @property
    def _list(self) -> str:
        names = [name for name, _ in self.facets()]
        return names[min(self.facet, len(names) - 1)]

    def _rows_of(self, name: str) -> SearchableRows:
        study, session = self.study, self.session
        if study is None or session is None or session.analysis is None:
            return ListRows((), ())
        if name == "weak":
            return WeakSpotRows(study)
        if name == "pair" and self.pair is not None:
            return PairRows(study, self.pair, marks=self.marks)
        if name == "items":
            return ModelItemRows(study, tuple(session.analysis.benchmark.items))
        return ScoreRows(
            study,
            use_areas=name == "areas" and study.models[0].areas is not None,
            is_relative=self.is_relative,
            marks=self.marks,
            narrow=self.is_narrow,
        )

    def facets(self) -> tuple[Facet, ...]:
        """Return the lists that the imported results allow."""
        if self.study is None:
            return (("areas", None),)
        hidden = {"pair"} if self.pair is None else set()
        if self.study.items is None:
            hidden.add("items")
        return tuple((name, None) for name in _LISTS if name not in hidden)

    def action_facet(self, index: int) -> None:
        """Show another list."""
        self.facet = index
        self.table.view.sort_key = None
        self.refresh_session()

    def count_text(self) -> str:
        """Return a summary of the active list."""
        study, joined = self.study, self.joined
        if study is None or joined is None:
            return self.activity or "no results"
        if self._list == "pair" and self.pair is not None:
            pair = self.pair
            names = [display(model, width=20) for model in (pair.model_a, pair.model_b)]
            return f"{names[0]} vs. {names[1]}: {points(pair.overall, 1)} points   c another pair"
        if self._list == "items" and study.items is not None:
            items = study.items
            n = int((items.n_models > 0).sum())
            n_same = int(items.uninformative.sum())
            n_keys = int(items.check_key.sum())
            return (
                f"{n:,} items · {n_same:,} do not distinguish any models · {n_keys} "
                f"keys to check, about {items.expected_suspects:.0f} expected by chance"
            )
        n_items, n_unmatched = joined.n_items, joined.n_unmatched + joined.n_ambiguous
        text = plural(len(study.models), "model")
        text += f" · {n_items:,} of {len(study.concept_map):,} items have results"
        if n_unmatched:
            text += f" · {n_unmatched:,} results match no item"
        if self._list == "weak":
            return f"{text} · at most {percent(study.settings.fdr, gap=' ')} expected by chance"
        return text + (" · points relative to overall" if self.is_relative else "")

    def show_detail(self) -> None:
        """Show the page about the row, or how to add results."""
        # A narrow screen shows only the instructions, not the empty list.
        self.set_class(self.study is None and self.is_narrow, "-how")
        if self.study is None:
            self.detail.show(self.activity or _HELP_CONTENT)
        elif not len(self.table.rows) and self._list == "weak":
            self.detail.show("No model has a significant weak spot in these results.")
        else:
            super().show_detail()

    def detail_of(self, row_id: str) -> Content:
        """Return the page about a row of the active list."""
        session, rows, study = self.session, self.table.rows, self.study
        if study is None or session is None or session.analysis is None:
            return _HELP_CONTENT
        items = session.analysis.benchmark.items
        if isinstance(rows, ScoreRows):
            return model_pages.score_page(
                study,
                rows.tables,
                int(row_id),
                is_area=rows.use_areas,
                items=items,
                marks=self.marks,
                width=self.page_width,
            )
        if isinstance(rows, WeakSpotRows):
            spot = rows.spot_of(row_id)
            if spot is not None:
                return model_pages.spot_page(study, spot, items=items, width=self.page_width)
        if isinstance(rows, PairRows):
            return model_pages.pair_page(rows, row_id, items=items, width=self.page_width)
        if isinstance(rows, ModelItemRows):
            row = next((row for row, item in enumerate(items) if item.id == row_id), None)
            if row is not None:
                answers = {} if self.joined is None else self.joined.answers
                return model_pages.item_page(study, row, items[row], answers=answers)
        return Content("")

    # results

    def action_choose(self) -> None:
        """Add results, compare two models, or remove the results."""
        if not self._paths():
            self._ask_path()
            return
        choices = [("add", "add results ...")]
        pairs: dict[str, tuple[str, str]] = {}
        if self.study is not None:
            names = [scores.model for scores in self.study.models]
            for a in names:
                for b in names[names.index(a) + 1 :]:
                    pairs[f"pair{len(pairs)}"] = (a, b)
        for key, (a, b) in list(pairs.items())[:_MAX_PAIR_CHOICES]:
            names_text = f"{display(a, width=28)} vs. {display(b, width=28)}"
            choices.append((key, f"compare {names_text}"))
        choices.append(("none", "remove the results"))

        def on_answer(choice: str | None) -> None:
            if choice == "add":
                self._ask_path()
            elif choice == "none":
                self._save_paths([], [])
                self.study = self.joined = self.pair = None
                self.facet = 0
                self.refresh_session()
            elif choice in pairs:
                self.compare(*pairs[choice])

        self.app.push_screen(
            AskChoice("Results", choices, text="\n".join(self._paths())), on_answer
        )

    def _ask_path(self) -> None:
        def on_answer(path: str | None) -> None:
            if path and path.strip():
                # Absolute, so that it still resolves if the next start is in another folder.
                absolute = _absolute_result_path(path.strip())
                self.read_results([*self._paths(), absolute], self._metrics())

        self.app.push_screen(
            AskText(
                "File or folder with results",
                hint="lm-eval, Inspect or HELM logs, JSONL or CSV; MODEL=FILE names the model.",
                suggester=PathSuggester(),
            ),
            on_answer,
        )

    def _paths(self) -> list[str]:
        return [str(path) for path in self.workspaces.ui.screen_state("models").get("results", [])]

    def _metrics(self) -> list[str]:
        return [
            str(metric) for metric in self.workspaces.ui.screen_state("models").get("metrics", [])
        ]

    def _save_paths(self, paths: list[str], metrics: list[str]) -> None:
        self.workspaces.ui.screen_state("models").update(results=paths, metrics=metrics)

    @work(thread=True, exclusive=True, group="results", exit_on_error=False)
    def read_results(self, paths: list[str], metrics: list[str] | None = None) -> None:
        """Load results and score every model."""
        session = self.session
        if session is None or session.analysis is None:
            return
        analysis, worker = session.analysis, get_current_worker()
        metric_names = list(metrics or ())

        def on_main_thread(callback: Callable[..., None], *arguments: object) -> None:
            if not worker.is_cancelled:
                self.app.call_from_thread(callback, *arguments)

        on_main_thread(self._show_activity, "Reading results ...")
        try:
            joined = load_results(
                map(_absolute_result_path, paths), analysis.benchmark, metrics=metric_names
            )
            on_main_thread(self._show_activity, f"Scoring {len(joined.scores)} models ...")
            study = study_models(
                analysis.benchmark_map,
                joined.scores,
                analysis.dictionary,
                rng=np.random.default_rng(analysis.settings.seed),
                areas=analysis.areas,
                metrics=joined.metrics,
                answers=joined.answers,
                settings=ModelGapSettings(n_bootstrap=_N_BOOTSTRAP),
            )
        except BenchdesignError as error:
            on_main_thread(self._after_failure, paths, metric_names, str(error))
            return
        on_main_thread(self._after_scoring, paths, metric_names, joined, study)

    def _show_activity(self, text: str) -> None:
        """Show what the import is doing, in place of the results; empty if it has ended."""
        self.activity = text
        if text:
            self.say(text)
        self.table.empty = text or self.EMPTY
        self.table.refresh()
        if self.session is not None:
            self._draw_facets()
            self.show_detail()

    def _after_failure(self, paths: list[str], metrics: list[str], problem: str) -> None:
        self._show_activity("")
        if "--metric" not in problem:
            self.say(problem, is_error=True)
            return

        def on_answer(metric: str | None) -> None:
            if metric and metric.strip():
                self.read_results(paths, [*metrics, metric.strip()])

        hint = problem.removesuffix(" Choose one with --metric.")
        self.app.push_screen(AskText("Which metric should be used?", hint=hint), on_answer)

    def _after_scoring(
        self, paths: list[str], metrics: list[str], joined: JoinedResults, study: ModelStudy
    ) -> None:
        self._save_paths(paths, metrics)
        self.joined, self.study, self.activity = joined, study, ""
        self.table.empty = self.EMPTY
        self.pair = study.comparisons[0] if study.comparisons else None
        n_problems = len(joined.problems)
        hint = f"; {n_problems:,} problems, `benchdesign models` lists them" if n_problems else ""
        self.say(f"Scored {len(study.models)} models on {joined.n_joined:,} results{hint}.")
        self.refresh_session()
        # A narrow screen hid the list, and a hidden widget loses focus.
        self.call_after_refresh(self.table.focus)

    @work(thread=True, exclusive=True, group="pair", exit_on_error=False)
    def compare(self, model_a: str, model_b: str) -> None:
        """Compare two models and show the pair."""
        session, study, worker = self.session, self.study, get_current_worker()
        if study is None or session is None or session.analysis is None:
            return
        pair = next(
            (
                comparison
                for comparison in study.comparisons
                if {comparison.model_a, comparison.model_b} == {model_a, model_b}
            ),
            None,
        ) or compare_models(
            study.concept_map,
            study.scores,
            study.dictionary,
            models=(model_a, model_b),
            rng=np.random.default_rng(session.analysis.settings.seed),
            areas=study.area_groups,
            settings=ModelGapSettings(n_bootstrap=0),
        )
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_pair, pair)

    def _show_pair(self, pair: PairedComparison) -> None:
        self.pair = pair
        self.action_facet([name for name, _ in self.facets()].index("pair"))

    def action_baseline(self) -> None:
        """Switch between scores and differences from each model's overall score."""
        if self._list not in ("areas", "concepts"):
            self.say("The baseline applies to areas and concepts; f shows them.")
            return
        self.is_relative = not self.is_relative
        self.refresh_session()


def _absolute_result_path(path: str) -> str:
    """Return the absolute path, also after a `MODEL=` prefix."""
    name, sign, rest = path.partition("=")
    if sign and not path_exists(path):
        return f"{name}={expand_home(rest).absolute()}"
    return str(expand_home(path).absolute())


_HELP_CONTENT = Content(
    "Press c to add results of models on these items: a log of lm-eval, Inspect or HELM, "
    "a folder of logs, or a table (JSONL, CSV) with one row for each item and model: the item's "
    "id, a score from 0 to 1, and the model's name.\n\n"
    "The same numbers and a report from the command line:\n"
    "  benchdesign models BENCHMARK --results FILE --report DIR"
)
