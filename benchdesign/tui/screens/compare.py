"""The Compare screen (key 8): how does the benchmark differ from another set, or several sets?

The pool and the current revision are already mapped; other workspaces can be chosen if they were
mapped with the same dictionary.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import BindingType
from textual.content import Content
from textual.worker import get_current_worker

from benchdesign.coverage.coverage import count_items
from benchdesign.coverage.reference import reference_of
from benchdesign.coverage.suite import compare_areas, compare_suite
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.paths import expand_home
from benchdesign.foundation.text import display
from benchdesign.tui.dialogs.dialogs import AskChoice, AskText
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.rows.compare_rows import ComparedSet, CompareRows
from benchdesign.tui.rows.suite_rows import HeatRows, OverlapRows
from benchdesign.tui.screens.list_screen import Facet, ListScreen
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.path_suggester import PathSuggester
from benchdesign.tui.widgets.table_rows import Column, SearchableRows
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.coverage.area_gaps import AreaGaps
    from benchdesign.coverage.suite import Suite

__all__ = ["CompareScreen"]


class CompareScreen(ListScreen):
    """Two sets of items, concept by concept."""

    MODE = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["compare"])
    SIDE_BY_SIDE = False
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("concept", "CONCEPT", 0),
        Column("a", "A", 8, "right"),
        Column("b", "B", 8, "right"),
        Column("bar", "more in A | more in B", 27, narrow=False, sortable=False),
        Column("difference", "POINTS", 8, "right"),
    )
    FIELDS = ("a", "b")
    EMPTY = "Nothing to compare. c chooses the other set."

    other = ""
    suite: Suite | None = None
    _area_gaps: tuple[AreaGaps, ...] = ()
    _sides: tuple[ComparedSet, ComparedSet] | None = None
    _suite_folder = ""

    def make_rows(self) -> SearchableRows:
        """Return concepts by difference, or several benchmarks side by side."""
        session = self.session
        assert session is not None and session.analysis is not None
        if self._suite_folder != str(session.folder):
            self._suite_folder, self.suite = str(session.folder), None
            if self._members():
                self.measure_suite(self._members())
        rows = self._rows_of(self._list, session)
        self.show_columns_of(rows)
        return rows

    @property
    def _list(self) -> str:
        names = [name for name, _ in self.facets()]
        return names[min(self.facet, len(names) - 1)]

    def _rows_of(self, name: str, session: Session) -> SearchableRows:
        assert session.analysis is not None
        if name == "suite" and self.suite is not None:
            return HeatRows(self.suite, self._area_gaps, marks=self.marks)
        if name == "overlap" and self.suite is not None:
            return OverlapRows(self.suite, session.analysis.dictionary)
        return self._two_sides(session)

    def _two_sides(self, session: Session) -> CompareRows:
        assert session.analysis is not None
        if not self.other:
            self.other = "pool" if session.analysis.pool_map is not None else "revision"
        a = ComparedSet("benchmark", session.analysis.gaps.n_items, session.analysis.gaps.count)
        b = self._other_side(session)
        self._sides = (a, b)
        return CompareRows(session, a, b, marks=self.marks)

    def _other_side(self, session: Session) -> ComparedSet:
        analysis, loaded = session.analysis, session.loaded
        assert analysis is not None and loaded is not None
        if self.other == "pool" and loaded.pool_count is not None and analysis.pool is not None:
            return ComparedSet("pool", len(analysis.pool), loaded.pool_count)
        if self.other not in ("pool", "revision"):
            try:
                return _read_side(Path(self.other), session)
            except BenchdesignError as problem:
                self.say(str(problem), is_error=True)
                self.other = "revision"
        row_of = {item.id: row for row, item in enumerate(analysis.benchmark.items)}
        dropped = [row_of[item_id] for item_id in session.log.dropped if item_id in row_of]
        count = analysis.gaps.count + session.view.added_counts
        for row in dropped:
            count[session.shown_concepts(row, in_pool=False)] -= 1
        n = len(analysis.benchmark) + len(session.log.accepted) - len(dropped)
        return ComparedSet("revision", n, count)

    def facets(self) -> tuple[Facet, ...]:
        """Return the facets: all, more in A, more in B, and the suite if there is one."""
        return (
            ("all", None),
            ("more in A", lambda row: self._sign(row) < 0),
            ("more in B", lambda row: self._sign(row) > 0),
            *(() if self.suite is None else (("suite", None), ("overlap", None))),
        )

    def _sign(self, row: int) -> float:
        rows = self.table.rows
        if not isinstance(rows, CompareRows):
            return 0.0
        return float(rows.difference[rows.ids[row]])

    def action_facet(self, place: int) -> None:
        """Show other rows."""
        self.facet = place
        self.refresh_session()

    def count_text(self) -> str:
        """Return the names and sizes of what is compared."""
        if self._list in ("suite", "overlap") and self.suite is not None:
            joint = self.suite.joint
            return (
                f"{len(self.suite)} benchmarks, {joint.n_items:,} items together; "
                f"{int(joint.is_gap.sum()):,} gaps left by all of them   c chooses"
            )
        if self._sides is None:
            return ""
        a, b = self._sides
        name = display(b.name, width=24)
        return f"A {a.name} ({a.n_items:,})   B {name} ({b.n_items:,})   c chooses"

    def detail_of(self, row_id: str) -> Content:
        """Return the page of a row: summary and concept."""
        rows = self.table.rows
        if isinstance(rows, (HeatRows, OverlapRows)):
            return rows.page(row_id)
        session = self.session
        assert session is not None and session.analysis is not None and self._sides is not None
        a, b = self._sides
        scope = session.analysis.gaps.in_scope
        in_a, in_b = (a.count > 0) & scope, (b.count > 0) & scope
        both = int((in_a & in_b).sum())
        either = int((in_a | in_b).sum())
        concept = int(row_id)
        label = session.analysis.dictionary.label(concept)
        lines = [
            heading("Concepts shown"),
            Content(
                f"  A {int(in_a.sum()):,}   B {int(in_b.sum()):,}   both {both:,}   "
                f"only A {int((in_a & ~in_b).sum()):,}   only B {int((in_b & ~in_a).sum()):,}   "
                f"overlap {both / either if either else 0:.2f}"
            ),
            Content(""),
            heading("This concept"),
            Content.assemble((f"  {concept:05d} ", "$foreground-muted"), literal(label, "bold")),
            Content(
                f"  A {int(a.count[concept]):,} of {a.n_items:,} items   "
                f"B {int(b.count[concept]):,} of {b.n_items:,} items"
            ),
            Content(""),
            literal(
                "Both sides are read by the same model, dictionary and thresholds; texts of "
                "different lengths show different numbers of concepts.",
                "$foreground-muted",
            ),
        ]
        return Content("\n").join(lines)

    def open_row(self, row_id: str) -> None:
        """List the items that show the concept; a narrow screen shows the summary first."""
        if self.shows_page and isinstance(self.table.rows, CompareRows):
            self.show_items_of(int(row_id))
        else:
            super().open_row(row_id)

    def action_choose(self) -> None:
        """Choose the other set."""
        session = self.session
        if session is None or session.analysis is None:
            return
        choices = []
        if session.analysis.pool_map is not None:
            choices.append(("pool", "the pool"))
        choices.append(("revision", "the revision so far"))
        members = self._members()
        recents = [
            recent
            for recent in self.workspaces.recents.load()
            if not recent.is_missing and recent.folder != str(session.folder.resolve())
        ][:6]
        choices += [
            (recent.folder, f"workspace {recent.name}  {recent.folder}") for recent in recents
        ]
        choices.append(("another", "another workspace ..."))
        choices += [
            (f"add:{recent.folder}", f"suite: add {recent.name}  {recent.folder}")
            for recent in recents
            if recent.folder not in members
        ]
        choices.append(("add:", "suite: add another workspace ..."))
        if members:
            choices.append(("none", "suite: remove"))

        def apply_choice(choice: str | None) -> None:
            if choice == "another":
                self.app.push_screen(_ask_folder(), apply_choice)
            elif choice == "add:":
                self.app.push_screen(_ask_folder(), add)
            elif choice == "none":
                self._save_suite([])
                self.suite = None
                self.action_facet(0)
            elif choice and choice.startswith("add:"):
                add(choice.removeprefix("add:"))
            elif choice:
                self.other = choice
                self.facet = 0
                self.refresh_session()

        def add(folder: str | None) -> None:
            if folder and folder.strip():
                self.measure_suite([*members, folder.strip()])

        self.app.push_screen(AskChoice("Compare the benchmark with", choices), apply_choice)

    def _members(self) -> list[str]:
        return [
            str(folder) for folder in self.workspaces.ui.screen_state("compare").get("suite", [])
        ]

    def _save_suite(self, folders: list[str]) -> None:
        self.workspaces.ui.screen_state("compare").update(suite=folders)

    @work(thread=True, exclusive=True, group="suite", exit_on_error=False)
    def measure_suite(self, folders: list[str]) -> None:
        """Compare this benchmark with those of other workspaces."""
        session, worker = self.session, get_current_worker()
        if session is None or session.analysis is None:
            return
        analysis = session.analysis
        names, maps = [session.title], [analysis.benchmark_map]
        try:
            for folder in folders:
                name, concept_map = _read_map(Path(folder), session)
                # Two workspaces can have the same name.
                names.append(name if name not in names else f"{name} ({len(names) + 1})")
                maps.append(concept_map)
            suite = compare_suite(
                maps,
                analysis.dictionary,
                names=names,
                reference=reference_of(analysis.pool_map, analysis.dictionary),
                relevance=analysis.relevance,
            )
            areas = compare_areas(suite, maps, analysis.areas, reference_map=analysis.pool_map)
        except BenchdesignError as problem:
            if not worker.is_cancelled:
                self.app.call_from_thread(self.say, str(problem), is_error=True)
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._measured, folders, suite, areas)

    def _measured(self, folders: list[str], suite: Suite, areas: tuple[AreaGaps, ...]) -> None:
        self._save_suite(folders)
        self.suite, self._area_gaps = suite, areas
        self.say(f"Compared {len(suite)} benchmarks.")
        self.action_facet([name for name, _ in self.facets()].index("suite"))


def _ask_folder() -> AskText:
    return AskText("Folder of the workspace", suggester=PathSuggester())


def _read_side(folder: Path, session: Session) -> ComparedSet:
    """Count the items of another workspace's benchmark that show each concept."""
    analysis = session.analysis
    assert analysis is not None
    name, concept_map = _read_map(folder, session)
    count = count_items(concept_map, analysis.gaps.coverage.thresholds)
    return ComparedSet(name, len(concept_map), count)


def _read_map(folder: Path, session: Session) -> tuple[str, ConceptMap]:
    """Read another workspace's benchmark map; it must come from the same dictionary."""
    analysis = session.analysis
    assert analysis is not None
    other = Workspace.open(expand_home(folder), access="read")
    concept_map = other.load_map("benchmark")
    if concept_map.dictionary != analysis.dictionary.fingerprint:
        raise BenchdesignError(
            f"{folder}: mapped with another dictionary, so the two cannot be compared. "
            "Map both with the same one."
        )
    return other.name, concept_map
