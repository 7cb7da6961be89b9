"""Open, key 1: can I start, and what will it cost? Nothing is written before Create."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Input, Label
from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError
from benchdesign.text import display
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.memory import Recent
from benchdesign.tui.screens.base import BaseScreen
from benchdesign.tui.widgets.detail import Line, heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.filter_bar import FilterBar, parse_filter
from benchdesign.tui.widgets.line_table import Cell, Column, LineTable, ListRows

if TYPE_CHECKING:
    from benchdesign.items import Benchmark

__all__ = ["OpenScreen"]

_ROLES = ("prompt", "choices", "answer", "id")
_ITEMS_A_SECOND = 60.0
"""A cautious guess for the built-in model on two cores; the job line tells the truth."""


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

    _timer: Timer | None = None
    _read: dict[str, Any]

    def compose_body(self) -> ComposeResult:
        """Lay out list and form."""
        self._read = {}
        with Vertical(id="recent"):
            yield Line("Recent workspaces", classes="page")
            yield FilterBar(placeholder="words", id="filter")
            yield LineTable(
                self.COLUMNS,
                empty="None yet. ^n makes one from a benchmark file.",
                marks=self.owner.marks,
                id="table",
            )
        with VerticalScroll(id="new", can_focus=False):
            yield Line(heading("New workspace"), classes="page")
            yield from _row("Benchmark file", "benchmark", "a file, a folder or hf:owner/name")
            yield from _row("Candidate pool", "pool", "optional")
            for role in _ROLES:
                yield from _row(f"  {role} field", f"field-{role}", "")
            yield from _row("Tests what", "scope", "one sentence; empty for everything")
            yield from _row("Propose", "n-add", "items to add", value="50")
            yield from _row("Workspace folder", "folder", "will be created")
            yield Line(id="checks", classes="page")
            with Horizontal(classes="form-buttons"):
                yield Button("Create workspace", id="create", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_mount(self) -> None:
        """Show the list, or the form for the file that was given."""
        super().on_mount()
        self.refresh_session()
        target = self.owner.target
        if target is not None and not (Path(target) / "workspace.json").is_file():
            self.query_one("#benchmark", Input).value = target
            self.query_one("#pool", Input).value = self.owner.pool or ""
            self.show_form()
        else:
            self.table.focus()

    @property
    def table(self) -> LineTable:
        """The recent workspaces."""
        return self.query_one("#table", LineTable)

    def refresh_session(self) -> None:
        """Show the recent workspaces."""
        self._recents = self.owner.recents.load()
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
        self.table.focus()

    def action_copy(self) -> None:
        """Copy the folder."""
        if self.table.cursor_id is not None:
            self.app.copy_to_clipboard(self.table.cursor_id)
            self.say("Copied the folder's path.")

    # new workspace

    def show_form(self) -> None:
        """Show the form."""
        self.add_class("-form")
        self.query_one("#benchmark", Input).focus()

    def action_new(self) -> None:
        """Fill in the form."""
        self.show_form()

    def action_back(self) -> None:
        """Leave the form."""
        self.remove_class("-form")
        self.table.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing; read what is named once typing rests."""
        name = event.input.id or ""
        if name == "filter":
            wanted = parse_filter(event.value)
            names = [f"{one.name} {one.folder}" for one in self._recents]
            self.table.narrow_to(wanted.test(lambda row: names[row], lambda _row, _name: None))
        elif name in ("benchmark", "pool"):
            if self._timer is not None:
                self._timer.stop()
            self._timer = self.set_timer(0.4, self._read_files)
        elif name.startswith("field-"):
            self.draw_checks()

    def _read_files(self) -> None:
        path = self.query_one("#benchmark", Input).value.strip()
        pool = self.query_one("#pool", Input).value.strip()
        if path and not path.startswith("hf:"):
            folder = self.query_one("#folder", Input)
            stem = Path(path).name.partition(".")[0]
            if stem and (not folder.value or folder.value == self._read.get("folder")):
                folder.value = self._read["folder"] = f"{stem}-workspace"
        self.read_files(path, pool)

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def read_files(self, path: str, pool: str) -> None:
        """Read benchmark and pool, to show fields and checks before anything is made."""
        from benchdesign.formats import load_benchmark

        worker = get_current_worker()
        found: dict[str, Any] = {}
        for name, one in (("benchmark", path), ("pool", pool)):
            if not one or worker.is_cancelled:
                continue
            if one.startswith("hf:"):
                found[name] = "read from the hub when the workspace is made"
                continue
            if not Path(one).expanduser().exists():
                found[name] = f"{one}: no such file"
                continue
            try:
                found[name] = load_benchmark(Path(one).expanduser())
            except BenchdesignError as problem:
                found[name] = str(problem)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._files_read, found)

    def _files_read(self, found: dict[str, Any]) -> None:
        self._read.update(benchmark=found.get("benchmark"), pool=found.get("pool"))
        benchmark = found.get("benchmark")
        if benchmark is not None and not isinstance(benchmark, str):
            for role in _ROLES:
                value = getattr(benchmark.mapping, role) or ""
                self.query_one(f"#field-{role}", Input).placeholder = (
                    f"{display(value, width=40)}  (detected)" if value else "not found"
                )
            self._note("benchmark", _summary(benchmark))
        if found.get("pool") is not None and not isinstance(found["pool"], str):
            self._note("pool", _summary(found["pool"]))
        self.draw_checks()

    def _note(self, name: str, text: str) -> None:
        self.query_one(f"#note-{name}", Line).show(literal(text))

    def draw_checks(self) -> None:
        """Say what was found in the files."""
        marks = self.owner.marks
        lines = [heading("Checks before anything is run")]

        def check(state: str, text: str) -> None:
            lines.append(
                Content.assemble((f"  {marks.glyph(state)} ", marks.style(state)), literal(text))
            )

        n_items = 0
        for name in ("benchmark", "pool"):
            one = self._read.get(name)
            if isinstance(one, str):
                check("fail", one)
            elif one is not None:
                n_items += len(one)
                keyless = sum(item.answer is None for item in one.items)
                if keyless:
                    check("warn", f"{name}: {keyless:,} of {len(one):,} rows have no answer")
                else:
                    check("pass", f"{name}: every row has a question and an answer")
                for finding in one.findings[:4]:
                    check("warn", finding.message)
                if len(one.findings) > 4:
                    check("warn", f"{name}: {len(one.findings) - 4} more findings")
        if n_items:
            seconds = n_items / _ITEMS_A_SECOND
            wait = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
            check("estimate", f"first run about {wait} on a CPU; later runs read what is mapped")
        else:
            check("open", "name a benchmark file; its fields and rows are shown here")
        self.query_one("#checks", Line).show(Content("\n").join(lines))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next field."""
        if event.input.id != "filter":
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Create, or leave the form."""
        if event.button.id == "create":
            self.create()
        else:
            self.action_back()

    def create(self) -> None:
        """Make the workspace and start."""
        from benchdesign.config import Settings
        from benchdesign.tui.model import Session
        from benchdesign.workspace import Workspace

        values = {
            one.id or "": one.value.strip() for one in self.query(Input) if one.id != "filter"
        }
        benchmark = values["benchmark"]
        if not benchmark or not values["folder"]:
            self.say("Give a benchmark file and a workspace folder.", is_error=True)
            return
        if not values["n-add"].isdigit():
            self.say("Propose: give a whole number of items.", is_error=True)
            return
        if isinstance(self._read.get("benchmark"), str) and not benchmark.startswith("hf:"):
            self.say(str(self._read["benchmark"]), is_error=True)
            return
        fields = {role: values[f"field-{role}"] for role in _ROLES if values[f"field-{role}"]}
        settings = Settings(
            n_add=int(values["n-add"]) if values["pool"] else 0,
            fields=fields,
            scope={"sentence": values["scope"]} if values["scope"] else {},
            device=self.owner.preferences.device,
        )
        self.owner.close_workspace()
        try:
            workspace = Workspace.create(
                Path(values["folder"]).expanduser(),
                benchmark,
                pool=values["pool"] or None,
                settings=settings,
                who=self.owner.preferences.who,
            )
        except BenchdesignError as problem:
            self.say(str(problem), is_error=True)
            return
        self.remove_class("-form")
        self.owner.start_session(Session(workspace))


def _row(title: str, name: str, note: str, *, value: str = "") -> ComposeResult:
    with Horizontal(classes="form-row"):
        yield Label(title, markup=False)
        yield Input(value, id=name)
        yield Line(note, id=f"note-{name}", classes="note")


def _summary(benchmark: Benchmark) -> str:
    n_bad = sum(len(one.rows) or 1 for one in benchmark.findings if one.kind == "skipped-row")
    text = f"{benchmark.source.format} · {len(benchmark):,} rows"
    return f"{text} · {n_bad} bad" if n_bad else text


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
