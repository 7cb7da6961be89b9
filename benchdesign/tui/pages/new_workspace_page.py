"""The preview of a new workspace: what was read, with an example item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, Label

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.errors import BenchdesignError
from benchdesign.foundation.paths import expand_home, path_exists
from benchdesign.foundation.text import display, is_whole_number
from benchdesign.tui.rows.item_rows import answer_key
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item

__all__ = [
    "FormValues",
    "InputFiles",
    "field_example",
    "file_summary",
    "form_row",
    "free_folder",
    "is_hub_path",
    "item_preview",
    "load_file",
]


_PREVIEW_CHARACTERS = 600
"""Characters shown of the first item; a longer text is cut in the middle."""


@dataclass(frozen=True)
class FormValues:
    """The values of the form."""

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
        """What prevents the creation of the workspace; empty if nothing does."""
        if not self.benchmark:
            return "Benchmark file: required."
        if not self.folder:
            return "Workspace folder: required."
        return self.problem_of_n_add

    @property
    def problem_of_n_add(self) -> str:
        """The error in the number of items to propose; empty if there is none."""
        if is_whole_number(self.n_add):
            return ""
        return "Items to propose: must be a whole number; 0 for none."


@dataclass
class InputFiles:
    """The files loaded so far; an error message if a file could not be loaded."""

    benchmark: Benchmark | str | None = None
    pool: Benchmark | str | None = None
    folder: str = ""
    """The last suggested folder; the next suggestion replaces it."""

    columns: tuple[str, ...] = ()
    inputs: tuple[str, ...] | None = None
    """The form values that these files were loaded for."""


def is_hub_path(path: str) -> bool:
    """Whether a path names a dataset of the Hugging Face hub; the form does not read these."""
    return path.startswith("hf:")


def free_folder(path: str) -> str:
    """Return an unused folder name for the workspace of a benchmark."""
    name = path.rstrip("/").rpartition("/")[2]
    stem = name if is_hub_path(path) else name.lstrip(".").partition(".")[0]
    base = f"{stem or 'benchmark'}-workspace"
    for number in range(1, 1000):
        folder = base if number == 1 else f"{base}-{number}"
        if not path_exists(folder):
            return folder
    return base


def load_file(path: str, fields: dict[str, str]) -> Benchmark | str | None:
    """Return the items of a file, or why they cannot be read; None for no path or the hub."""
    if not path or is_hub_path(path):
        return None
    if not path_exists(path):
        return f"{path}: no such file"
    try:
        return load_benchmark(expand_home(path), fields=fields or None)
    except BenchdesignError as error:
        return str(error)


def form_row(
    title: str, name: str, hint: str, *, value: str = "", suggester: Suggester | None = None
) -> ComposeResult:
    """Compose one row of the form: its title, the input and a note."""
    with Horizontal(classes="form-row"):
        yield Label(title, markup=False)
        yield Input(value, id=name, placeholder=hint, suggester=suggester)
        yield Line("", id=f"note-{name}", classes="note")


def file_summary(benchmark: Benchmark | str | None) -> str:
    """Return format and number of rows of a file; empty if it could not be read."""
    if benchmark is None or isinstance(benchmark, str):
        return ""
    skipped = [finding for finding in benchmark.findings if finding.kind == "skipped-row"]
    n_skipped = sum(len(finding.rows) or 1 for finding in skipped)
    text = f"{benchmark.source.format} · {len(benchmark):,} rows"
    return f"{text} · {n_skipped} skipped" if n_skipped else text


def field_example(record: object, name: str) -> str:
    """Return the field's value in the first row: it reveals a wrongly detected field."""
    if not name or not isinstance(record, dict) or name not in record:
        return ""
    return f"= {display(str(record[name]), width=60)}"


def item_preview(item: Item) -> Sequence[Content]:
    """Return the text and the key of an item."""
    text, half = item.text, _PREVIEW_CHARACTERS // 2
    if len(text) > _PREVIEW_CHARACTERS:
        text = f"{text[:half]} ... {text[-half:]}"
    lines = [literal(text)]
    if item.answer is not None:
        letter = f"{answer_key(item)}  " if item.answer_index is not None else ""
        key = literal(f"{letter}{display(item.answer, width=44)}", "bold")
        lines.append(Content.assemble(("key  ", "$text-primary"), key))
    return lines
