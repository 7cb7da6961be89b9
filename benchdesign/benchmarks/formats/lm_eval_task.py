"""lm-eval task files: YAML that names data files and the fields of a prompt.

No code in a task file is run; functions are ignored.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.source import Record, Source
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.splits import choose_split
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import read_regular_text

__all__ = ["TaskFile", "TaskFormat"]

MAX_BYTES = 1 << 20
MAX_INCLUDES = 8
DATA_FORMATS = {"json", "csv", "parquet", "arrow", "text"}
_EXPRESSION = re.compile(r"\{\{-?\s*([A-Za-z_][\w.]*)[^}]*\}\}")
_NAME = re.compile(r"[A-Za-z_][\w.]*\Z")


class TaskFile(Source):
    """Data of an lm-eval task, with the fields that its task file names."""

    def __init__(self, path: Path, data: Source, task: Mapping[str, Any], data_name: str) -> None:
        super().__init__(path)
        self._data = data
        self._task = task
        self._data_name = data_name
        self.format = "lm-eval"
        self.suffix = path.suffix

    def companions(self, name: str) -> tuple[str, ...]:
        """Return the name of the data file, which is written beside the task file."""
        return (Path(name).stem + self._data.suffix,)

    def known_fields(self) -> dict[str, str]:
        """Return the fields that `doc_to_text`, `doc_to_choice` and `doc_to_target` name."""
        first = next(iter(self._data.records()), {})
        fields = {}
        for role, key in (
            ("prompt", "doc_to_text"),
            ("choices", "doc_to_choice"),
            ("answer", "doc_to_target"),
        ):
            field = _template_field(self._task.get(key), first)
            if field is not None:
                fields[role] = field
        return fields

    @property
    def sha256(self) -> str:
        """Digest of the data file."""
        return self._data.sha256

    def sample(self, n_records: int) -> list[Record]:
        """Return a sample of the data."""
        return self._data.sample(n_records)

    def records(self) -> Iterator[Record]:
        """Yield the records of the data."""
        self._data.limit = self.limit
        yield from self._data.records()
        self._restart_findings()
        self.findings.extend(self._data.findings)
        self._n_skipped = self._data.n_skipped

    def record(self, row: int) -> Record:
        """Return a record of the data."""
        return self._data.record(row)

    def __len__(self) -> int:
        """Return the number of records in the data."""
        return len(self._data)

    def place(self, row: int) -> str:
        """Return the place in the data file."""
        return self._data.place(row)

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the data and a copy of the task file that names them."""
        text = self.path.read_text(encoding="utf-8")
        data_path = path.with_name(self.companions(path.name)[0])
        if text.count(self._data_name) == 0:
            raise FormatError(
                f"{self.path}: its data file is named in an included file. "
                "Export with --format jsonl."
            )
        self._data.write(data_path, rows, added)
        path.write_text(text.replace(self._data_name, data_path.name), encoding="utf-8")


class TaskFormat:
    """Task files of lm-eval, by their name."""

    name = "lm-eval"
    suffixes = frozenset({".yaml", ".yml"})
    has_splits = True

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the file is named as YAML."""
        return candidate.suffix in self.suffixes

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> TaskFile:
        """Open the task and its data file."""
        return _open_task(candidate.path, split=split, open_file=open_file)


def _open_task(path: Path, *, split: str | None, open_file: OpenFile) -> TaskFile:
    task = _read_task(path, 0)
    kind = task.get("dataset_path")
    if not isinstance(kind, str):
        raise FormatError(f"{path}: no dataset_path. Use an lm-eval task file or a data file.")
    options = task.get("dataset_kwargs")
    listed = options.get("data_files") if isinstance(options, Mapping) else None
    if kind not in DATA_FORMATS or not listed:
        raise FormatError(f"{path}: its data are the hub dataset {kind!r}. Use hf:{kind}.")
    name, findings = _choose_file(listed, task, split, path)
    data_path = Path(name) if Path(name).is_absolute() else path.parent / name
    if "://" in name:
        raise FormatError(
            f"{path}: its data are at a URL. Download them and set data_files to the file."
        )
    source = TaskFile(path, open_file(data_path), task, name)
    source.start_findings.extend(findings)
    return source


def _choose_file(
    listed: Any, task: Mapping[str, Any], split: str | None, path: Path
) -> tuple[str, list[Any]]:
    findings: list[Any] = []
    if isinstance(listed, Mapping):
        # YAML reads a split called 2024 as a number.
        by_name = {str(name): files for name, files in listed.items()}
        names, requested = list(by_name), split
        for key in ("test_split", "validation_split") if split is None else ():
            if key in task and str(task[key]) in by_name:
                requested = str(task[key])
                break
        chosen, findings = choose_split(names, requested, str(path))
        listed = by_name[chosen]
    elif split is not None and split not in {"train", task.get("test_split")}:
        raise FormatError(f"{path}: no split {split!r}. Omit --split.")
    if isinstance(listed, list) and len(listed) == 1:
        listed = listed[0]
    if not isinstance(listed, str):
        raise FormatError(f"{path}: several data files. Open one of them, or their folder.")
    return listed, findings


def _read_task_text(path: Path) -> str:
    try:
        return read_regular_text(path, max_bytes=MAX_BYTES)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        message = f"{path}: too long for a task file. Open the data file."
        raise FormatError(message) from None


def _read_task(path: Path, depth: int) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Loader that reads tags such as `!function` as None."""

    Loader.add_multi_constructor("", lambda loader, suffix, node: None)
    try:
        task = yaml.load(_read_task_text(path), Loader=Loader)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        raise FormatError(f"{path}: not YAML ({problem}). Check the file.") from error
    if not isinstance(task, dict):
        raise FormatError(f"{path}: not an lm-eval task file. Open a data file.")
    include = task.get("include")
    if isinstance(include, str):
        if depth >= MAX_INCLUDES:
            raise FormatError(
                f"{path}: task files include each other in a loop, or too deeply. Change `include`."
            )
        return {**_read_task(path.parent / include, depth + 1), **task}
    return task


def _template_field(template: Any, record: Record) -> str | None:
    """Return the field of the record that a template uses, if it uses exactly one."""
    if not isinstance(template, str):
        return None
    if _NAME.match(template.strip()) and template.strip() in record:
        return template.strip()
    names = [name for name in _EXPRESSION.findall(template) if name.split(".")[0] in record]
    if len(set(names)) == 1 and not re.search(r"\{%", template):
        return str(names[0])
    return None
