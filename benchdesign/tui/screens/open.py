"""Open, key 1: can I start, and what will it cost? Nothing is written before Create."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from benchdesign.errors import BenchdesignError
from benchdesign.regular import expanded, is_there
from benchdesign.tui.keys import SCREEN_KEYS, bindings, key_label
from benchdesign.tui.memory import Recent
from benchdesign.tui.screens.base import BaseScreen, Part
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.filter_bar import FilterBar, parse_filter
from benchdesign.tui.widgets.line_table import Cell, Column, LineTable, ListRows

if TYPE_CHECKING:
    from benchdesign.tui.screens.new_form import NewForm

__all__ = ["OpenScreen"]


class OpenScreen(BaseScreen):
    """Recent workspaces, and the form for a new one."""

    MODE = "open"
    NEEDS_ANALYSIS = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["open"])
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("mark", "", 2),
        Column("name", "NAME", 0),
        Column("folder", "FOLDER", 38, narrow=False),
        Column("items", "ITEMS", 7, "right"),
        Column("gaps", "GAPS", 6, "right", narrow=False),
        Column("candidates", "REVIEWED", 11, "right", narrow=False),
        Column("stage", "STAGE", 14),
        Column("opened", "LAST OPENED", 12),
    )

    def compose_body(self) -> ComposeResult:
        """Lay out list and form."""
        with Vertical(id="recent"):
            yield Line("Recent workspaces", classes="page")
            yield FilterBar(placeholder="words", id="filter")
            yield LineTable(
                self.COLUMNS,
                empty="None yet. ^n makes one from a benchmark file, enter from the example.",
                marks=self.owner.marks,
                id="table",
            )

    def on_mount(self) -> None:
        """Show the list, or the form for the file that was given."""
        target = self.owner.target
        if target is not None and not is_there(Path(target) / "workspace.json"):
            self.run_worker(self._begin(target, self.owner.pool or ""))
        else:
            self.set_focus(self.table)

    async def _begin(self, benchmark: str, pool: str) -> None:
        await self.show_form()
        self.form.begin(benchmark, pool)

    @property
    def form(self) -> NewForm:
        """The form for a new workspace, once it was shown."""
        from benchdesign.tui.screens.new_form import NewForm

        return self.query_one(NewForm)

    @property
    def table(self) -> LineTable:
        """The recent workspaces."""
        return self.query_one("#table", LineTable)

    def refresh_session(self) -> None:
        """Show the recent workspaces."""
        self._recents = self.owner.recents.load()
        self.set_class(not self._recents, "-none")
        cells = [self._cells(one) for one in self._recents]
        self.table.show(ListRows([one.folder for one in self._recents], cells))

    def _cells(self, one: Recent) -> dict[str, Cell]:
        style = "muted" if one.is_missing else ""
        session = self.session
        is_open = session is not None and str(session.folder.resolve()) == one.folder
        mark = "!" if one.is_missing else self.owner.marks.glyph("pass") if is_open else ""
        reviewed = f"{one.n_reviewed} of {one.n_candidates}" if one.n_candidates else ""
        return {
            "mark": Cell(mark, "warn" if one.is_missing else "good"),
            "name": Cell(one.name or one.folder, style or "strong"),
            "folder": Cell(_short(one.folder, 38), "muted"),
            "items": Cell(f"{one.n_items:,}" if one.n_items else "", style),
            "gaps": Cell("" if one.n_gaps is None else f"{one.n_gaps:,}", style),
            "candidates": Cell(reviewed, style),
            "stage": Cell(one.stage, style),
            "opened": Cell(_when(one.opened), style),
        }

    # recent workspaces

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Open a workspace."""
        recent = next((one for one in self._recents if one.folder == event.row_id), None)
        if recent is None:
            return
        if recent.is_missing:
            self.say(
                f"{recent.folder}: the folder is gone. x takes it off the list.", is_error=True
            )
            return
        session = self.session
        if session is not None and str(session.folder.resolve()) == recent.folder:
            self.owner.action_go("overview")
            return
        self.owner.open_workspace(Path(recent.folder))

    async def action_open_row(self) -> None:
        """Fill the form with the shipped example; the list is empty."""
        from benchdesign.shipped import example_folder

        if self._recents or self.has_class("-form"):
            return
        try:
            folder = example_folder()
        except BenchdesignError as problem:
            self.say(str(problem), is_error=True)
            return
        await self._begin(str(folder / "benchmark.jsonl"), str(folder / "pool.jsonl"))

    def action_drop(self) -> None:
        """Take a workspace off the list; its files stay."""
        folder = self.table.cursor_id
        if folder is not None:
            self.owner.recents.forget(folder)
            self.refresh_session()
            self.say(f"Off the list; the files in {folder} stay.")

    def action_filter(self) -> None:
        """Filter the list."""
        self.query_one(FilterBar).open()

    def on_filter_bar_left(self) -> None:
        """Give the keys back to the list."""
        self.set_focus(self.table)

    def action_copy(self) -> None:
        """Copy the folder."""
        if self.table.cursor_id is not None:
            self.app.copy_to_clipboard(self.table.cursor_id)
            self.say("Copied the folder's path.")

    # new workspace

    async def show_form(self) -> None:
        """Show the form; it is made when it is first wanted, which keeps the first frame quick."""
        from benchdesign.tui.screens.new_form import NewForm

        if not self.query(NewForm):
            await self.query_one("#body").mount(NewForm(self.owner.marks, id="new"))
        self.add_class("-form")
        self.draw_frame()
        self.set_focus(self.query_one("#benchmark", Input))

    async def action_new(self) -> None:
        """Fill in the form; once it is filled in, make the workspace."""
        if self.has_class("-form"):
            self.create()
        else:
            await self.show_form()

    def action_back(self) -> None:
        """Leave the form."""
        self.remove_class("-form")
        self.draw_frame()
        self.set_focus(self.table)

    def _keys(self) -> Iterable[Part]:
        if not self.has_class("-form"):
            yield from super()._keys()
            return
        create, back = (key_label(self.owner.key_of(one)) for one in ("new", "back"))
        for key, word, action in (
            ("tab ", "next field   ", "app.focus_next"),
            ("→ ", "complete   ", ""),
            (f"{create} ", "create   ", "new"),
            (f"{back} ", "back to the list   ", "back"),
            ("f1 ", "help   ", "help"),
        ):
            yield Part(key, "bold $text-accent", action)
            yield Part(word, "$foreground-muted", action)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        wanted = parse_filter(event.value)
        names = [f"{one.name} {one.folder}" for one in self._recents]
        self.table.narrow_to(wanted.keep(len(names), names.__getitem__))

    def on_new_form_left(self) -> None:
        """Go back to the list."""
        self.action_back()

    def on_new_form_filled(self) -> None:
        """Make the workspace."""
        self.create()

    def create(self) -> None:
        """Make the workspace and start."""
        from benchdesign.config import Settings
        from benchdesign.tui.model import Session
        from benchdesign.workspace import Workspace

        if self.form.is_reading:
            self.say("Reading the files first ...")
            self.form.create_when_read()
            return
        problem = self.form.problem()
        if problem:
            self.say(problem, is_error=True)
            return
        wanted = self.form.wanted()
        settings = Settings(
            n_add=int(wanted.n_add) if wanted.pool else 0,
            fields=wanted.fields,
            scope={"sentence": wanted.scope} if wanted.scope else {},
            model=wanted.model,
            dictionary=wanted.dictionary,
            chat=self.owner.chat,
            device=self.owner.preferences.device,
        )
        self.owner.close_workspace()
        try:
            workspace = Workspace.create(
                expanded(wanted.folder),
                wanted.benchmark,
                pool=wanted.pool or None,
                settings=settings,
                who=self.owner.preferences.who,
            )
        except BenchdesignError as error:
            self.say(str(error), is_error=True)
            return
        self.remove_class("-form")
        self.owner.start_session(Session(workspace))


def _short(folder: str, width: int) -> str:
    """Return the end of a path, which tells folders apart."""
    return folder if len(folder) <= width else f"…{folder[1 - width :]}"


def _when(opened: str) -> str:
    try:
        when = datetime.fromisoformat(opened)
    except ValueError:
        return ""
    days = (datetime.now(when.tzinfo).date() - when.date()).days
    if days == 0:
        return f"today {when:%H:%M}"
    return "yesterday" if days == 1 else f"{when:%d %b %Y}"
