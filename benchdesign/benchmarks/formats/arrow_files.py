"""Arrow files, and folders saved by `datasets`, read without that library."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.source import Record
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.splits import choose_split
from benchdesign.benchmarks.formats.text_content import digest_file, read_head
from benchdesign.benchmarks.formats.typed_table import TableSource, arrow_errors, check_names
from benchdesign.benchmarks.formats.unpacked_size import check_unpacked
from benchdesign.errors import FormatError
from benchdesign.foundation.paths import read_regular_text

__all__ = ["ArrowFiles", "ArrowFormat", "DatasetFolder", "DatasetFolderFormat"]


class ArrowFiles(TableSource):
    """One or more Arrow files (stream or file format), in order."""

    format = "arrow"
    suffix = ".arrow"

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self._files = list(files)
        self._tables: list[Any] | None = None
        self._digest: str | None = None
        if not self._open_tables():
            raise FormatError(f"{path}: no Arrow file found. Check the folder.")

    def _open_tables(self) -> list[Any]:
        if self._tables is None:
            self._tables = [_open_table(file) for file in self._files]
        return self._tables

    @property
    def sha256(self) -> str:
        """Digest of the bytes of all files in order."""
        if self._digest is None:
            digests = [digest_file(file) for file in self._files]
            joined = "".join(digests).encode("ascii")
            combined = hashlib.sha256(joined).hexdigest()
            self._digest = digests[0] if len(digests) == 1 else combined
        return self._digest

    @property
    def schema(self) -> Any:
        """Arrow schema of the first file."""
        return self._open_tables()[0].schema

    def _block_sizes(self) -> Sequence[int]:
        return [table.num_rows for table in self._open_tables()]

    def _read_block(self, block: int) -> Any:
        return self._open_tables()[block]

    def _packed_bytes(self) -> int:
        return sum(file.stat().st_size for file in self._files)

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the rows and then `added`, in the format of the first file."""
        import pyarrow as pa

        is_file = read_head(self._files[0], 6) == b"ARROW1"
        open_writer = pa.ipc.new_file if is_file else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, open_writer(sink, self.schema) as writer:
            for table in self.tables_of_rows(rows):
                writer.write_table(table)
            if added:
                writer.write_table(self.table_of(added))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without open tables; the child process maps the files again."""
        return {**super().__getstate__(), "_tables": None}


class DatasetFolder(ArrowFiles):
    """A folder saved by `datasets`: a single dataset, or one split of a dict of them."""

    format = "datasets"
    suffix = ""

    def __init__(self, path: Path, split: str | None) -> None:
        self._split = split
        self._folder = path / split if split else path
        super().__init__(path, _data_files(self._folder))

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the folder, with other splits copied unchanged."""
        target = path
        if self._split:
            path.mkdir()
            for entry in sorted(self.path.iterdir()):
                if entry.is_dir() and entry.name != self._split:
                    shutil.copytree(entry, path / entry.name)
                elif entry.is_file():
                    shutil.copyfile(entry, path / entry.name)
            target = path / self._split
        target.mkdir()
        name = "data-00000-of-00001.arrow"
        super().write(target / name, rows, added)
        _write_json(target / "state.json", self._state(target / name))
        info = _read_json(self._folder / "dataset_info.json")
        stale = ("splits", "dataset_size", "download_size", "size_in_bytes", "download_checksums")
        _write_json(
            target / "dataset_info.json",
            {key: value for key, value in info.items() if key not in stale},
        )

    def _state(self, data: Path) -> dict[str, Any]:
        state = _read_json(self._folder / "state.json")
        state["_data_files"] = [{"filename": data.name}]
        state["_fingerprint"] = digest_file(data)[:16]
        return state


class ArrowFormat:
    """Single Arrow files, by their first bytes or their name."""

    name = "arrow"
    suffixes = frozenset({".arrow"})
    has_splits = False

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the file starts as Arrow, or is named so."""
        return candidate.head.startswith(b"ARROW1") or candidate.suffix == ".arrow"

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> ArrowFiles:
        """Open the file."""
        return ArrowFiles(candidate.path, [candidate.path])


class DatasetFolderFormat:
    """Folders saved by `datasets`."""

    name = "datasets"
    suffixes = frozenset[str]()
    has_splits = True

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether `datasets` saved this folder."""
        return candidate.kind == "folder" and _is_dataset_folder(candidate.path)

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> DatasetFolder:
        """Open a saved dataset, or one split of a saved dict of them."""
        return _open_dataset_folder(candidate.path, split=split)


def _is_dataset_folder(path: Path) -> bool:
    try:
        return any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror}). Check the permissions."
        ) from error


def _open_dataset_folder(path: Path, *, split: str | None) -> DatasetFolder:
    if not (path / "dataset_dict.json").is_file():
        if split is not None and _read_json(path / "state.json").get("_split") not in {None, split}:
            raise FormatError(f"{path}: this is not the split {split!r}. Omit --split.")
        return DatasetFolder(path, None)
    listed = _read_json(path / "dataset_dict.json").get("splits")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    names = [name for name in names if Path(name).name == name and (path / name).is_dir()]
    if not names:
        raise FormatError(f"{path}: none of its splits exists. Save the dataset again.")
    name, findings = choose_split(names, split, str(path))
    source = DatasetFolder(path, name)
    source.start_findings.extend(findings)
    return source


def _data_files(folder: Path) -> list[Path]:
    listed = _read_json(folder / "state.json").get("_data_files")
    entries = listed if isinstance(listed, list) else []
    names = [str(entry.get("filename")) for entry in entries if isinstance(entry, dict)]
    # Ignore paths out of the folder: `datasets` writes none.
    names = [name for name in names if Path(name).name == name]
    return [folder / name for name in names] or sorted(folder.glob("*.arrow"))


def _open_table(path: Path) -> Any:
    import pyarrow as pa

    head = read_head(path, 6)
    try:
        mapped = pa.memory_map(str(path))
        if head == b"ARROW1":
            reader = pa.ipc.open_file(mapped)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            reader = pa.ipc.open_stream(mapped)
            batches = iter(reader)
        check_names(reader.schema)
        return pa.Table.from_batches(_checked_batches(batches, path), reader.schema)
    except arrow_errors() as error:
        problem = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{path}: not a readable Arrow file ({problem}). Save the dataset again."
        ) from error


def _checked_batches(batches: Iterable[Any], path: Path) -> Iterator[Any]:
    """Yield valid batches; raise before compressed ones exhaust memory."""
    n_packed = path.stat().st_size
    n_unpacked = 0
    for batch in batches:
        # Offsets in a damaged file can point outside its buffers: validate before use.
        batch.validate(full=True)
        n_unpacked += batch.nbytes
        check_unpacked(path, n_unpacked, n_packed=n_packed)
        yield batch


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_regular_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not readable ({error}). Save the dataset again.") from error
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
