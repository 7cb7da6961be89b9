"""The form for a new workspace: what was found in the files, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester, SuggestFromList
from textual.timer import Timer
from textual.widgets import Button, Input, Label
from textual.worker import get_current_worker

from benchdesign.errors import BenchdesignError
from benchdesign.regular import expanded, is_there
from benchdesign.text import display, is_whole_number
from benchdesign.tui.item_rows import answer_key
from benchdesign.tui.page_parts import Part, marked_line, page_lines
from benchdesign.tui.paths import PathSuggester
from benchdesign.tui.widgets.detail import Line, heading
from benchdesign.tui.widgets.evidence import literal

if TYPE_CHECKING:
    from benchdesign.items import Benchmark, Item
    from benchdesign.tui.marks import Marks

__all__ = ["NewForm", "Wanted", "free_folder"]

_ROLES = ("prompt", "choices", "answer", "id")
_WORDS = {"prompt": "Question", "choices": "Choices", "answer": "Answer", "id": "Id"}
_CHARACTERS_A_SECOND = 12_000
"""What the built-in model reads on one core; see measurements/results/mapping_speed.md."""

_MOST_FINDINGS = 4
_LINES_A_FINDING = 3
_PREVIEW = 600
"""Characters shown of the first item; of a longer one its beginning and its end."""


@dataclass(frozen=True)
class Wanted:
    """What the form says."""

    benchmark: str
    pool: str
    folder: str
    fields: dict[str, str]
    scope: str
    model: str
    dictionary: str
    n_add: str

    @property
    def problem(self) -> str:
        """What keeps a workspace from being made; empty if nothing does."""
        if not self.benchmark:
            return "Name a benchmark file."
        if not self.folder:
            return "Name a folder for the workspace."
        return self.problem_of_n_add

    @property
    def problem_of_n_add(self) -> str:
        """What is wrong with the number of items to propose; empty if nothing is."""
        if is_whole_number(self.n_add):
            return ""
        return "Items to propose: give a whole number, 0 for none."


@dataclass
class _Read:
    """What was read so far; text where it could not be."""

    benchmark: Benchmark | str | None = None
    pool: Benchmark | str | None = None
    folder: str = ""
    """The folder that was suggested, to be replaced by the next suggestion."""

    columns: tuple[str, ...] = ()
    asked: tuple[str, ...] | None = None
    """What was typed when this was read."""


class NewForm(VerticalScroll, can_focus=False):
    """Files, fields, scope and folder of a workspace to be made."""

    class Filled(Message):
        """The person wants the workspace."""

    class Left(Message):
        """The person wants it no more."""

    DEFAULT_CLASSES: ClassVar[str] = "new-form"

    def __init__(self, marks: Marks, *, id: str) -> None:
        super().__init__(id=id)
        self._marks = marks
        self._timer: Timer | None = None
        self._is_wanted = False
        self.found = _Read()

    def compose(self) -> ComposeResult:
        """Lay out the rows."""
        yield Line(heading("New workspace"), classes="page")
        paths = PathSuggester()
        yield from _row(
            "Benchmark file", "benchmark", "a file, a folder or hf:owner/name", suggester=paths
        )
        yield from _row("Candidate pool", "pool", "optional; the same kinds", suggester=paths)
        for role in _ROLES:
            yield from _row(f"  {_WORDS[role]} field", f"field-{role}", "")
        yield from _row("Meant to test", "scope", "one sentence; empty for everything")
        yield from _row("Items to propose", "n-add", "0 finds the gaps only", value="50")
        yield from _row("Reference model", "model", "builtin   (or a folder, or hf:owner/name)")
        yield from _row("Dictionary", "dictionary", "builtin   (or a folder, sae-lens:..., hf:...)")
        yield from _row("Workspace folder", "folder", "", suggester=paths)
        with Horizontal(classes="form-buttons"):
            yield Button("Create workspace", id="create", variant="primary")
            yield Button("All findings", id="findings")
            yield Button("Cancel", id="cancel")
        with Horizontal(classes="columns"):
            yield Line(id="checks", classes="left")
            yield Line(id="first-item", classes="right")

    def on_mount(self) -> None:
        """Say what to begin with."""
        for box in self.query(Input):
            box.cursor_blink = False
        self.draw()

    def on_resize(self) -> None:
        """Cut the checks to the new width."""
        self.draw()

    def value(self, name: str) -> str:
        """Return what a row says."""
        return self.query_one(f"#{name}", Input).value.strip()

    def begin(self, benchmark: str, pool: str) -> None:
        """Fill in the files that were named on the command line."""
        self.query_one("#benchmark", Input).value = benchmark
        self.query_one("#pool", Input).value = pool

    def wanted(self) -> Wanted:
        """Return what the form says."""
        return Wanted(
            benchmark=self.value("benchmark"),
            pool=self.value("pool"),
            folder=self.value("folder"),
            fields=self._fields(),
            scope=self.value("scope"),
            model=self.value("model") or "builtin",
            dictionary=self.value("dictionary") or "builtin",
            n_add=self.value("n-add") or "0",
        )

    @property
    def is_reading(self) -> bool:
        """Whether what is shown is not yet what was typed."""
        return self.found.asked != self._asked()

    def create_when_read(self) -> None:
        """Ask for the workspace as soon as everything that was typed is read."""
        self._is_wanted = True
        self.read_files()

    def _asked(self) -> tuple[str, ...]:
        return (self.value("benchmark"), self.value("pool"), *map(str, self._fields().items()))

    def problem(self) -> str:
        """Return what keeps a workspace from being made; empty if nothing does."""
        found = self.found
        for one in (found.benchmark, found.pool):
            if isinstance(one, str):
                return one
        return self.wanted().problem

    def _fields(self) -> dict[str, str]:
        named = {role: self.value(f"field-{role}") for role in _ROLES}
        return {role: name for role, name in named.items() if name}

    # reading

    def on_input_changed(self, event: Input.Changed) -> None:
        """Read what is named once typing rests."""
        event.stop()
        name = event.input.id or ""
        if name in ("benchmark", "pool") or name.startswith("field-"):
            if self._timer is not None:
                self._timer.stop()
            self._timer = self.set_timer(0.4, self.read_files)
        elif name in ("folder", "n-add"):
            self.draw()

    def read_files(self) -> None:
        """Read the files anew."""
        path = self.value("benchmark")
        folder = self.query_one("#folder", Input)
        if path and folder.value in ("", self.found.folder):
            folder.value = self.found.folder = free_folder(path)
        self._read(path, self.value("pool"), self._fields(), self._asked())

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def _read(self, path: str, pool: str, fields: dict[str, str], asked: tuple[str, ...]) -> None:
        worker = get_current_worker()
        benchmark = _load(path, fields)
        if not worker.is_cancelled:
            # The benchmark is small as a rule, and the pool can be large: no need to wait for it.
            self.app.call_from_thread(self._have_read, benchmark, None, None)
        pooled = _load(pool, {})
        if not worker.is_cancelled:
            self.app.call_from_thread(self._have_read, benchmark, pooled, asked)

    def _have_read(
        self,
        benchmark: Benchmark | str | None,
        pool: Benchmark | str | None,
        asked: tuple[str, ...] | None,
    ) -> None:
        if not self.is_mounted:
            return
        found = self.found
        found.benchmark, found.pool, found.asked = benchmark, pool, asked
        if benchmark is not None and not isinstance(benchmark, str):
            record = benchmark.record(benchmark.items[0]) if len(benchmark) else {}
            columns = tuple(str(one) for one in record)
            if columns != found.columns:
                found.columns = columns
                for role in _ROLES:
                    box = self.query_one(f"#field-{role}", Input)
                    box.suggester = SuggestFromList(columns, case_sensitive=False)
            for role in _ROLES:
                name = getattr(benchmark.mapping, role) or ""
                self.query_one(f"#field-{role}", Input).placeholder = (
                    f"{display(name, width=40)}  (detected)" if name else "not found"
                )
                self._note(f"field-{role}", _example(record, name))
        else:
            for role in _ROLES:
                self.query_one(f"#field-{role}", Input).placeholder = ""
                self._note(f"field-{role}", "")
        self._note("benchmark", _summary(benchmark))
        # While it is being read nothing is known of it, and the last one's size would be wrong.
        self._note("pool", _summary(pool))
        self.draw()
        if self._is_wanted and not self.is_reading:
            self._is_wanted = False
            self.post_message(self.Filled())

    def _note(self, name: str, text: str) -> None:
        self.query_one(f"#note-{name}", Line).show(literal(text))

    # what is said below

    def draw(self) -> None:
        """Say what was found in the files."""
        if not self.query("#first-item"):
            return
        self.query_one("#checks", Line).show(page_lines(self._checks(), width=self._column))
        n = len(self.findings())
        button = self.query_one("#findings", Button)
        button.label = f"All findings ({n})" if n else "All findings"
        # A new label alone keeps the old width, and the number would be cut off.
        button.refresh(layout=True)
        benchmark = self.found.benchmark
        shown: list[Content] = []
        if benchmark is not None and not isinstance(benchmark, str) and len(benchmark):
            shown = [heading("The first item, as the model reads it"), *_item(benchmark.items[0])]
        self.query_one("#first-item", Line).show(Content("\n").join(shown))

    def _checks(self) -> list[Part]:
        longest = self._column * _LINES_A_FINDING
        lines: list[Part] = [heading("Checks before anything is run")]

        def check(state: str, text: str) -> None:
            lines.append(marked_line(state, literal(text), marks=self._marks))

        n_characters = 0
        for name in ("benchmark", "pool"):
            one = getattr(self.found, name)
            if isinstance(one, str):
                check("fail", one)
            elif one is not None:
                n_characters += sum(len(item.text) for item in one.items)
                keyless = sum(item.answer is None for item in one.items)
                if keyless:
                    check("warn", f"{name}: {keyless:,} of {len(one):,} rows have no answer")
                else:
                    check("pass", f"{name}: every row has a question and an answer")
                for finding in one.findings[:_MOST_FINDINGS]:
                    # The path is in the form already; the button tells every message in full.
                    text = finding.message.replace(self.value(name), name)
                    check("warn", display(text, width=longest))
                if len(one.findings) > _MOST_FINDINGS:
                    check("warn", f"{name}: {len(one.findings) - _MOST_FINDINGS} more findings")
        folder = self.value("folder")
        if folder and is_there(expanded(folder) / "workspace.json"):
            check("fail", f"{folder} is a workspace already: esc, and open it from the list")
        elif n_characters:
            seconds = 10 + n_characters / _CHARACTERS_A_SECOND
            wait = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
            check("estimate", f"first run: {wait} or less on a CPU; later runs are quick")
        if problem := self.wanted().problem_of_n_add:
            check("fail", problem)
        if not self.value("benchmark"):
            check("open", "name a benchmark file; its fields and rows are shown here")
        return lines

    @property
    def _column(self) -> int:
        """Cells for the checks: half the form, or all of a narrow one."""
        width = self.size.width or self.app.size.width
        return max((width if self.app.size.width < 100 else width // 2) - 4, 24)

    def findings(self) -> list[str]:
        """Return everything that was noticed in the files."""
        sets = (self.found.benchmark, self.found.pool)
        return [
            finding.message
            for one in sets
            if one is not None and not isinstance(one, str)
            for finding in one.findings
        ]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next field."""
        event.stop()
        self.screen.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Create, list what was noticed, or leave."""
        event.stop()
        if event.button.id == "create":
            self.post_message(self.Filled())
        elif event.button.id == "findings":
            from benchdesign.tui.screens.dialogs import AskChoice

            said = [(str(place), text) for place, text in enumerate(self.findings())]
            self.app.push_screen(AskChoice("Findings", said or [("none", "Nothing to report.")]))
        else:
            self.post_message(self.Left())


def free_folder(path: str) -> str:
    """Return a folder name for a benchmark's workspace that is not in use."""
    name = path.rstrip("/").rpartition("/")[2]
    stem = name if path.startswith("hf:") else name.lstrip(".").partition(".")[0]
    base = f"{stem or 'benchmark'}-workspace"
    for number in range(1, 1000):
        folder = base if number == 1 else f"{base}-{number}"
        if not is_there(folder):
            return folder
    return base


def _load(path: str, fields: dict[str, str]) -> Benchmark | str | None:
    from benchdesign.formats import load_benchmark

    if not path:
        return None
    if path.startswith("hf:"):
        return None
    if not is_there(path):
        return f"{path}: no such file"
    try:
        return load_benchmark(expanded(path), fields=fields or None)
    except BenchdesignError as problem:
        return str(problem)


def _row(
    title: str, name: str, hint: str, *, value: str = "", suggester: Suggester | None = None
) -> ComposeResult:
    with Horizontal(classes="form-row"):
        yield Label(title, markup=False)
        yield Input(value, id=name, placeholder=hint, suggester=suggester)
        yield Line("", id=f"note-{name}", classes="note")


def _summary(benchmark: Benchmark | str | None) -> str:
    if benchmark is None or isinstance(benchmark, str):
        return ""
    n_bad = sum(len(one.rows) or 1 for one in benchmark.findings if one.kind == "skipped-row")
    text = f"{benchmark.source.format} · {len(benchmark):,} rows"
    return f"{text} · {n_bad} bad" if n_bad else text


def _example(record: object, name: str) -> str:
    """Return what the first row has in a field, to tell a wrong guess at a glance."""
    if not name or not isinstance(record, dict) or name not in record:
        return ""
    return f"= {display(str(record[name]), width=60)}"


def _item(item: Item) -> Sequence[Content]:
    text, half = item.text, _PREVIEW // 2
    if len(text) > _PREVIEW:
        text = f"{text[:half]} ... {text[-half:]}"
    lines = [literal(text)]
    if item.answer is not None:
        letter = f"{answer_key(item)}  " if item.answer_index is not None else ""
        key = literal(f"{letter}{display(item.answer, width=44)}", "bold")
        lines.append(Content.assemble(("key  ", "$text-primary"), key))
    return lines
