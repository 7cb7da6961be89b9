"""The form for a new workspace; it checks the input files before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Button, Input
from textual.worker import get_current_worker

from benchdesign.foundation.number_words import duration
from benchdesign.foundation.paths import expand_home, path_exists
from benchdesign.foundation.text import display
from benchdesign.tui.dialogs.dialogs import AskChoice
from benchdesign.tui.pages.new_workspace_page import (
    FormValues,
    InputFiles,
    field_example,
    file_summary,
    form_row,
    free_folder,
    is_hub_path,
    item_preview,
    load_file,
)
from benchdesign.tui.pages.page_parts import PagePart, marked_line, page_lines
from benchdesign.tui.widgets.detail import Line, heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.tui.widgets.path_suggester import PathSuggester

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.tui.marks import Marks

__all__ = ["NewWorkspaceForm"]


_ROLE_LABELS = {"prompt": "Question", "choices": "Choices", "answer": "Answer", "id": "Id"}
_ROLES = tuple(_ROLE_LABELS)

_CHARACTERS_PER_SECOND = 12_000
"""Speed of the built-in model on one core; see measurements/results/mapping_speed.md."""

_MAX_FINDINGS_SHOWN = 4
_MAX_FINDING_LINES = 3


class NewWorkspaceForm(VerticalScroll, can_focus=False):
    """Files, fields, scope and folder of a new workspace."""

    class Filled(Message):
        """The user wants to create the workspace."""

    class Left(Message):
        """The user cancelled the form."""

    DEFAULT_CLASSES: ClassVar[str] = "new-form"

    def __init__(self, marks: Marks, *, id: str) -> None:
        super().__init__(id=id)
        self._marks = marks
        self._timer: Timer | None = None
        self._create_after_load = False
        self.input_files = InputFiles()

    def compose(self) -> ComposeResult:
        """Compose the rows of the form."""
        yield Line(heading("New workspace"), classes="page")
        paths = PathSuggester()
        yield from form_row(
            "Benchmark file", "benchmark", "a file, a folder or hf:owner/name", suggester=paths
        )
        yield from form_row(
            "Candidate pool", "pool", "optional; a file, a folder or hf:owner/name", suggester=paths
        )
        for role in _ROLES:
            yield from form_row(f"  {_ROLE_LABELS[role]} field", f"field-{role}", "")
        yield from form_row(
            "Scope", "scope", "what it is meant to test, in one sentence; empty for all"
        )
        yield from form_row("Items to propose", "n-add", "0 to find gaps only", value="50")
        yield from form_row("Reference model", "model", "builtin   (or a folder, or hf:owner/name)")
        yield from form_row(
            "Dictionary", "dictionary", "builtin   (or a folder, sae-lens:..., hf:...)"
        )
        yield from form_row("Workspace folder", "folder", "", suggester=paths)
        with Horizontal(classes="form-buttons"):
            yield Button("Create workspace", id="create", variant="primary")
            yield Button("All findings", id="findings")
            yield Button("Cancel", id="cancel")
        with Horizontal(classes="columns"):
            yield Line(id="checks", classes="left")
            yield Line(id="first-item", classes="right")

    def on_mount(self) -> None:
        """Turn off the blinking cursor and draw the checks."""
        for box in self.query(Input):
            box.cursor_blink = False
        self.draw()

    def on_resize(self) -> None:
        """Wrap the checks to the new width."""
        self.draw()

    def value(self, name: str) -> str:
        """Return the value of a row."""
        return self.query_one(f"#{name}", Input).value.strip()

    def begin(self, benchmark: str, pool: str, *, scope: str = "") -> None:
        """Fill in the files and the scope from the command line."""
        self.query_one("#benchmark", Input).value = benchmark
        self.query_one("#pool", Input).value = pool
        self.query_one("#scope", Input).value = scope

    def form_values(self) -> FormValues:
        """Return the values of the form."""
        return FormValues(
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
        """Whether files are still being loaded for the typed values."""
        return self.input_files.inputs != self._inputs()

    def create_after_load(self) -> None:
        """Post `Filled` as soon as the files are loaded."""
        self._create_after_load = True
        self.read_files()

    def _inputs(self) -> tuple[str, ...]:
        return (self.value("benchmark"), self.value("pool"), *map(str, self._fields().items()))

    def problem(self) -> str:
        """Return what prevents the creation of the workspace; empty if nothing does."""
        for benchmark in (self.input_files.benchmark, self.input_files.pool):
            if isinstance(benchmark, str):
                return benchmark
        return self.form_values().problem

    def _fields(self) -> dict[str, str]:
        fields = {role: self.value(f"field-{role}") for role in _ROLES}
        return {role: field for role, field in fields.items() if field}

    # loading

    def on_input_changed(self, event: Input.Changed) -> None:
        """Load the files once the user stops typing."""
        event.stop()
        name = event.input.id or ""
        if name in ("benchmark", "pool") or name.startswith("field-"):
            if self._timer is not None:
                self._timer.stop()
            self._timer = self.set_timer(0.4, self.read_files)
        elif name in ("folder", "n-add"):
            self.draw()

    def read_files(self) -> None:
        """Load the files again."""
        path = self.value("benchmark")
        folder = self.query_one("#folder", Input)
        if path and folder.value in ("", self.input_files.folder):
            folder.value = self.input_files.folder = free_folder(path)
        self._load_files(path, self.value("pool"), self._fields(), self._inputs())

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def _load_files(
        self, path: str, pool_path: str, fields: dict[str, str], inputs: tuple[str, ...]
    ) -> None:
        worker = get_current_worker()
        benchmark = load_file(path, fields)
        if not worker.is_cancelled:
            # The benchmark is usually small and the pool can be large: do not wait for the pool.
            self.app.call_from_thread(self._show_files, benchmark, None, None)
        pool = load_file(pool_path, {})
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_files, benchmark, pool, inputs)

    def _show_files(
        self,
        benchmark: Benchmark | str | None,
        pool: Benchmark | str | None,
        inputs: tuple[str, ...] | None,
    ) -> None:
        if not self.is_mounted:
            return
        files = self.input_files
        files.benchmark, files.pool, files.inputs = benchmark, pool, inputs
        if benchmark is not None and not isinstance(benchmark, str):
            record = benchmark.record(benchmark.items[0]) if len(benchmark) else {}
            columns = tuple(str(column) for column in record)
            if columns != files.columns:
                files.columns = columns
                for role in _ROLES:
                    box = self.query_one(f"#field-{role}", Input)
                    box.suggester = SuggestFromList(columns, case_sensitive=False)
            mapping = benchmark.mapping
            detected = {
                "prompt": mapping.prompt,
                "choices": mapping.choices,
                "answer": mapping.answer,
                "id": mapping.id,
            }
            for role in _ROLES:
                name = detected[role] or ""
                self.query_one(f"#field-{role}", Input).placeholder = (
                    f"{display(name, width=40)}  (detected)" if name else "not found"
                )
                self._show_note(f"field-{role}", field_example(record, name))
        else:
            for role in _ROLES:
                self.query_one(f"#field-{role}", Input).placeholder = ""
                self._show_note(f"field-{role}", "")
        self._show_note("benchmark", file_summary(benchmark))
        # Empty while the pool is being loaded: the size of the last pool would be wrong.
        self._show_note("pool", file_summary(pool))
        self.draw()
        if self._create_after_load and not self.is_reading:
            self._create_after_load = False
            self.post_message(self.Filled())

    def _show_note(self, name: str, text: str) -> None:
        self.query_one(f"#note-{name}", Line).show(literal(text))

    # checks and preview

    def draw(self) -> None:
        """Draw the checks and the first item."""
        if not self.query("#first-item"):
            return
        self.query_one("#checks", Line).show(page_lines(self._checks(), width=self._column))
        n = len(self.findings())
        button = self.query_one("#findings", Button)
        button.label = f"All findings ({n})" if n else "All findings"
        # Textual keeps the width of the old label unless the layout is refreshed.
        button.refresh(layout=True)
        benchmark = self.input_files.benchmark
        preview: list[Content] = []
        if benchmark is not None and not isinstance(benchmark, str) and len(benchmark):
            preview = [
                heading("First item, as the model reads it"),
                *item_preview(benchmark.items[0]),
            ]
        self.query_one("#first-item", Line).show(Content("\n").join(preview))

    def _checks(self) -> list[PagePart]:
        longest = self._column * _MAX_FINDING_LINES
        lines: list[PagePart] = [heading("Checks")]

        def check(state: str, text: str) -> None:
            lines.append(marked_line(state, literal(text), marks=self._marks))

        n_characters = 0
        files = {"benchmark": self.input_files.benchmark, "pool": self.input_files.pool}
        for name, benchmark in files.items():
            if is_hub_path(self.value(name)):
                check("open", f"{self.value(name)}: read from the hub when the workspace is made")
            elif isinstance(benchmark, str):
                check("fail", benchmark)
            elif benchmark is not None:
                n_characters += sum(len(item.text) for item in benchmark.items)
                n_keyless = sum(item.answer is None for item in benchmark.items)
                if n_keyless:
                    check(
                        "warn", f"{name}: {n_keyless:,} of {len(benchmark):,} rows have no answer"
                    )
                else:
                    check("pass", f"{name}: every row has a question and an answer")
                for finding in benchmark.findings[:_MAX_FINDINGS_SHOWN]:
                    # The form shows the path already; the button shows the full messages.
                    text = finding.message.replace(self.value(name), name)
                    check("warn", display(text, width=longest))
                n_more = len(benchmark.findings) - _MAX_FINDINGS_SHOWN
                if n_more > 0:
                    check("warn", f"{name}: {n_more} more findings")
        folder = self.value("folder")
        if folder and path_exists(expand_home(folder) / "workspace.json"):
            check("fail", f"{folder} is already a workspace; press esc and open it from the list")
        elif n_characters:
            seconds = 10 + n_characters / _CHARACTERS_PER_SECOND
            check(
                "estimate",
                f"first run: at most {duration(seconds)} on a CPU; later runs are faster",
            )
        if problem := self.form_values().problem_of_n_add:
            check("fail", problem)
        if not self.value("benchmark"):
            check("open", "enter a benchmark file; its fields and rows are shown here")
        return lines

    @property
    def _column(self) -> int:
        """Width of the checks in cells: half the form, or all of it if narrow."""
        width = self.size.width or self.app.size.width
        return max((width if self.app.size.width < 100 else width // 2) - 4, 24)

    def findings(self) -> list[str]:
        """Return all findings in the files."""
        benchmarks = (self.input_files.benchmark, self.input_files.pool)
        return [
            finding.message
            for benchmark in benchmarks
            if benchmark is not None and not isinstance(benchmark, str)
            for finding in benchmark.findings
        ]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Move focus to the next field."""
        event.stop()
        self.screen.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Create the workspace, list the findings, or cancel."""
        event.stop()
        if event.button.id == "create":
            self.post_message(self.Filled())
        elif event.button.id == "findings":
            findings = [(str(index), text) for index, text in enumerate(self.findings())]
            self.app.push_screen(AskChoice("Findings", findings or [("none", "No findings.")]))
        else:
            self.post_message(self.Left())
