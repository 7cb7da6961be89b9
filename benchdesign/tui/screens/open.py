"""The Open screen (key 1): recent workspaces, and a form for a new one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from benchdesign.benchmarks.example_data import example_folder
from benchdesign.coverage.scope import Scope
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.number_words import plural
from benchdesign.foundation.paths import expand_home, path_exists
from benchdesign.tui.keys import SCREEN_KEYS, bindings, key_label
from benchdesign.tui.screens.base_screen import BaseScreen, LinePart
from benchdesign.tui.session.ui_state import Recent
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.filter_bar import FilterBar, parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column, ListRows, TableCell
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.tui.dialogs.new_workspace import NewWorkspaceForm

__all__ = ["OpenScreen"]


class OpenScreen(BaseScreen):
    """Recent workspaces, and the form for a new workspace."""

    MODE = "open"
    NEEDS_ANALYSIS = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["open"])
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("name", "NAME", 0),
        Column("folder", "FOLDER", 36, narrow=False, cut="start"),
        Column("items", "ITEMS", 7, "right"),
        Column("gaps", "GAPS", 9, "right", narrow=False),
        Column("candidates", "REVIEWED", 11, "right", narrow=False),
        Column("stage", "STAGE", 14),
        Column("opened", "LAST OPENED", 12),
    )

    def compose_body(self) -> ComposeResult:
        """Compose the list; the form is mounted when it is opened."""
        with Vertical(id="recent"):
            yield Line("Recent workspaces", classes="page")
            yield FilterBar(placeholder="words", id="filter")
            yield LineTable(
                self.COLUMNS,
                empty="None yet. ^n creates one from a benchmark file, enter uses the example.",
                marks=self.marks,
                id="table",
            )

    def on_mount(self) -> None:
        """Show the list, or the form if a benchmark file was given on the command line."""
        target = self.launch.target
        if target is not None and not path_exists(Path(target) / "workspace.json"):
            self.run_worker(self._begin(target, self.launch.pool or ""))
        else:
            self.set_focus(self.table)

    async def _begin(self, benchmark: str, pool: str) -> None:
        await self.show_form()
        self.form.begin(benchmark, pool, scope=self.launch.scope)

    @property
    def form(self) -> NewWorkspaceForm:
        """The form for a new workspace; it must be mounted."""
        from benchdesign.tui.dialogs.new_workspace import NewWorkspaceForm

        return self.query_one(NewWorkspaceForm)

    @property
    def table(self) -> LineTable:
        """The recent workspaces."""
        return self.query_one("#table", LineTable)

    def refresh_session(self) -> None:
        """Show the recent workspaces."""
        self._recents = self.workspaces.recents.load()
        self.set_class(not self._recents, "-none")
        cells = [self._cells(recent) for recent in self._recents]
        self.table.show(ListRows([recent.folder for recent in self._recents], cells))

    def _cells(self, recent: Recent) -> dict[str, TableCell]:
        style = "muted" if recent.is_missing else ""
        session = self.session
        is_open = session is not None and str(session.folder.resolve()) == recent.folder
        mark = "!" if recent.is_missing else self.marks.glyph("pass") if is_open else ""
        reviewed = f"{recent.n_reviewed} of {recent.n_candidates}" if recent.n_candidates else ""
        return {
            "mark": TableCell(mark, "warn" if recent.is_missing else "good"),
            "name": TableCell(recent.name or recent.folder, style or "strong"),
            "folder": TableCell(recent.folder, "muted"),
            "items": TableCell(f"{recent.n_items:,}" if recent.n_items else "", style),
            "gaps": TableCell(self._gaps_text(recent), style),
            "candidates": TableCell(reviewed, style),
            "stage": TableCell(recent.stage, style),
            "opened": TableCell(_opened_text(recent.opened), style),
        }

    def _gaps_text(self, recent: Recent) -> str:
        """Return the number of lacking groups; without groups, that of lacking concepts."""
        if recent.could_not_tell:
            return self.marks.glyph("could_not_tell")
        if recent.n_groups is not None:
            return plural(recent.n_groups, "group")
        return "" if recent.n_gaps is None else f"{recent.n_gaps:,}"

    # recent workspaces

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Open a workspace."""
        recent = next((recent for recent in self._recents if recent.folder == event.row_id), None)
        if recent is None:
            return
        if recent.is_missing:
            self.say(
                f"{recent.folder}: folder not found. x removes it from the list.", is_error=True
            )
            return
        session = self.session
        if session is not None and str(session.folder.resolve()) == recent.folder:
            self.shell.go("overview")
            return
        self.workspaces.open(Path(recent.folder))

    async def action_open_row(self) -> None:
        """Fill in the form with the bundled example if the list is empty."""
        if self._recents or self.has_class("-form"):
            return
        try:
            folder = example_folder()
        except BenchdesignError as error:
            self.say(str(error), is_error=True)
            return
        await self._begin(str(folder / "benchmark.jsonl"), str(folder / "pool.jsonl"))

    def action_drop(self) -> None:
        """Remove a workspace from the list; its files stay."""
        folder = self.table.cursor_id
        if folder is not None:
            self.workspaces.recents.forget(folder)
            self.refresh_session()
            self.say(f"Removed from the list; the files in {folder} were not deleted.")

    def action_filter(self) -> None:
        """Open the filter."""
        self.query_one(FilterBar).open()

    def on_filter_bar_left(self) -> None:
        """Move focus to the list."""
        self.set_focus(self.table)

    def action_copy(self) -> None:
        """Copy the folder's path to the clipboard."""
        if self.table.cursor_id is not None:
            self.app.copy_to_clipboard(self.table.cursor_id)
            self.say("Folder path copied.")

    # new workspace

    async def show_form(self) -> None:
        """Show the form; mount it on first use, so that the first frame stays fast."""
        from benchdesign.tui.dialogs.new_workspace import NewWorkspaceForm

        if not self.query(NewWorkspaceForm):
            await self.query_one("#body").mount(NewWorkspaceForm(self.marks, id="new"))
        self.add_class("-form")
        self.draw_frame()
        self.set_focus(self.query_one("#benchmark", Input))

    async def action_new(self) -> None:
        """Show the form; create the workspace if the form is already shown."""
        if self.has_class("-form"):
            self.create()
        else:
            await self.show_form()

    def action_back(self) -> None:
        """Close the form and show the list."""
        self.remove_class("-form")
        self.draw_frame()
        self.set_focus(self.table)

    def _keys(self) -> Iterable[LinePart]:
        if not self.has_class("-form"):
            yield from super()._keys()
            return
        create, back = (key_label(self.key_of(key_id)) for key_id in ("new", "back"))
        for key, word, action in (
            ("tab ", "next field   ", "app.focus_next"),
            ("→ ", "complete   ", ""),
            (f"{create} ", "create   ", "new"),
            (f"{back} ", "back to the list   ", "back"),
            ("f1 ", "help   ", "help"),
        ):
            yield LinePart(key, "bold $text-accent", action)
            yield LinePart(word, "$foreground-muted", action)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        row_filter = parse_filter(event.value)
        names = [f"{recent.name} {recent.folder}" for recent in self._recents]
        self.table.narrow_to(row_filter.keep(len(names), names.__getitem__))

    def on_new_workspace_form_left(self) -> None:
        """Close the form."""
        self.action_back()

    def on_new_workspace_form_filled(self) -> None:
        """Create the workspace."""
        self.create()

    def create(self) -> None:
        """Create the workspace from the form and open it."""
        if self.form.is_reading:
            self.say("Reading the files first ...")
            self.form.create_after_load()
            return
        problem = self.form.problem()
        if problem:
            self.say(problem, is_error=True)
            return
        values = self.form.form_values()
        settings = Settings(
            n_add=int(values.n_add) if values.pool else 0,
            fields=values.fields,
            scope=Scope(sentence=values.scope),
            model=values.model,
            dictionary=values.dictionary,
            chat=self.launch.chat,
            mask_wrappers=True,
            device=self.launch.preferences.device,
        )
        self.workspaces.close()
        try:
            workspace = Workspace.create(
                expand_home(values.folder),
                values.benchmark,
                pool=values.pool or None,
                settings=settings,
                who=self.launch.preferences.who,
            )
        except BenchdesignError as error:
            self.say(str(error), is_error=True)
            return
        self.remove_class("-form")
        self.workspaces.start_session(workspace)


def _opened_text(opened: str) -> str:
    try:
        when = datetime.fromisoformat(opened)
    except ValueError:
        return ""
    days = (datetime.now(when.tzinfo).date() - when.date()).days
    if days == 0:
        return f"today {when:%H:%M}"
    return "yesterday" if days == 1 else f"{when:%d %b %Y}"
