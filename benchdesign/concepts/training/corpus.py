"""Read a training corpus as a stream: capped per source, split by content.

A corpus is JSON lines (`text`, optionally `source`; gzip or not), Parquet with the same columns,
or plain text with one text per line. Texts are not stored: only their digests stay in memory, to
detect duplicates.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchdesign.errors import InputError
from benchdesign.foundation.paths import expand_home, is_folder, open_lines, open_regular

__all__ = ["CorpusCounts", "CorpusReader", "CorpusSettings", "CorpusText", "stream_texts"]

_OPENING_WORDS = 8


@dataclass(frozen=True, slots=True)
class CorpusText:
    """One text and its source."""

    text: str
    source: str
    """Empty if the corpus has none."""

    held_out: bool
    """Whether the text is never trained on; depends on a hash of the text alone."""


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """Caps, fields and held-out share for reading a corpus."""

    per_source_cap: int | None = None
    """Maximum number of texts per source."""

    same_opening_cap: int | None = 20
    """Maximum number of texts per source that start with the same eight words: sources that repeat
    a template would otherwise fill the dictionary with it."""

    held_out_share: float = 0.02
    max_texts: int | None = None
    text_field: str = "text"
    source_field: str = "source"


@dataclass(slots=True)
class CorpusCounts:
    """Number of texts read from a corpus and left out so far."""

    n_read: int = 0
    n_taken: int = 0
    n_over_source_cap: int = 0
    n_same_opening: int = 0
    n_empty: int = 0
    n_duplicate: int = 0


def stream_texts(
    path: Path, *, text_field: str = "text", source_field: str = "source"
) -> Iterator[tuple[str, str]]:
    """Yield (text, source) of every row of a corpus file, or of all files in a folder, in order."""
    path = expand_home(path)
    if is_folder(path):
        files = sorted(
            file for file in path.iterdir() if file.is_file() and _kind(file) is not None
        )
        if not files:
            raise InputError(
                f"{path}: contains no .jsonl, .parquet or .txt file; choose a corpus file."
            )
        for file in files:
            yield from stream_texts(file, text_field=text_field, source_field=source_field)
        return
    if not path.exists():
        raise InputError(f"{path}: no such file; choose a corpus in JSON lines, Parquet or text.")
    kind = _kind(path)
    if kind is None:
        raise InputError(f"{path}: not a corpus format; use .jsonl, .jsonl.gz, .parquet or .txt.")
    if kind == "parquet":
        yield from _parquet(path, text_field, source_field)
        return
    try:
        # Iterate over bytes, which splits at `\n` only: a JSON string may contain U+2028.
        with open_lines(path) as lines:
            if kind == "jsonl":
                yield from _json_lines(path, lines, text_field, source_field)
            else:
                for line in lines:
                    yield line.decode("utf-8").rstrip("\r\n"), path.stem
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: not UTF-8 text ({problem.reason}); convert it first.") from None
    except (EOFError, OSError) as problem:
        raise InputError(f"{path}: cannot be read ({problem}); check the file.") from None


class CorpusReader:
    """Iterator over the texts of a corpus, with the caps applied; it can be read once."""

    def __init__(self, path: Path, settings: CorpusSettings) -> None:
        self.counts = CorpusCounts()
        self._path = path
        self._settings = settings
        self._hasher = hashlib.sha256()
        self._texts = self._read()

    @classmethod
    def open(cls, path: Path, *, settings: CorpusSettings | None = None) -> CorpusReader:
        """Open a corpus and read its first text; raise if there is none."""
        reader = cls(path, settings or CorpusSettings())
        first = next(reader, None)
        if first is None:
            raise InputError(
                f"{path}: no text in {reader.counts.n_read} rows; check the `text` field."
            )
        reader._texts = chain([first], reader._texts)
        return reader

    def __iter__(self) -> CorpusReader:
        return self

    def __next__(self) -> CorpusText:
        return next(self._texts)

    @property
    def sha256(self) -> str:
        """Digest of the texts used so far, in order."""
        return self._hasher.hexdigest()

    def _read(self) -> Iterator[CorpusText]:
        settings, counts = self._settings, self.counts
        per_source: Counter[str] = Counter()
        openings: Counter[bytes] = Counter()
        seen: set[bytes] = set()
        for text, source in stream_texts(
            self._path, text_field=settings.text_field, source_field=settings.source_field
        ):
            counts.n_read += 1
            if not text.strip():
                counts.n_empty += 1
                continue
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            if digest[:12] in seen:
                counts.n_duplicate += 1
                continue
            seen.add(digest[:12])
            opening = _opening(text, source)
            if (
                settings.same_opening_cap is not None
                and openings[opening] >= settings.same_opening_cap
            ):
                counts.n_same_opening += 1
                continue
            if (
                settings.per_source_cap is not None
                and per_source[source] >= settings.per_source_cap
            ):
                counts.n_over_source_cap += 1
                continue
            openings[opening] += 1
            per_source[source] += 1
            counts.n_taken += 1
            self._hasher.update(digest)
            # By hash, not by row, so that reordering or adding texts does not change the split.
            share = int.from_bytes(digest[-4:], "big") / 2**32
            yield CorpusText(text, source, share < settings.held_out_share)
            if settings.max_texts is not None and counts.n_taken >= settings.max_texts:
                return


def _opening(text: str, source: str) -> bytes:
    """Return a digest of the source and first words of a text, which is smaller than the words."""
    words = " ".join(text.split(maxsplit=_OPENING_WORDS)[:_OPENING_WORDS]).lower()
    opening = f"{source}\0{words}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(opening).digest()[:12]


def _kind(path: Path) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    for suffix, kind in (
        (".jsonl", "jsonl"),
        (".ndjson", "jsonl"),
        (".parquet", "parquet"),
        (".txt", "text"),
    ):
        if name.endswith(suffix):
            return kind
    return None


def _json_lines(
    path: Path, lines: Iterable[bytes], text_field: str, source_field: str
) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
        except json.JSONDecodeError as problem:
            raise InputError(f"{path}:{number}: not JSON ({problem.msg}); fix the line.") from None
        except (ValueError, RecursionError) as problem:
            raise InputError(
                f"{path}:{number}: not usable JSON ({problem}); fix the line."
            ) from None
        text = record.get(text_field) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise InputError(
                f"{path}:{number}: no text in field `{text_field}`; set another with --text-field."
            )
        yield text, str(record.get(source_field) or "")


def _parquet(path: Path, text_field: str, source_field: str) -> Iterator[tuple[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # pyarrow would block on a named pipe.
        open_regular(path).close()
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as problem:
        raise InputError(f"{path}: not readable Parquet ({problem}); check the file.") from None
    names = file.schema_arrow.names
    if text_field not in names:
        raise InputError(f"{path}: no column `{text_field}`; set another with --text-field.")
    kind = file.schema_arrow.field(text_field).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(
            f"{path}: column `{text_field}` is {kind}, not text; set another with --text-field."
        )
    columns = [text_field, *([source_field] if source_field in names else [])]
    for batch in file.iter_batches(batch_size=4096, columns=columns):
        for record in batch.to_pylist():
            yield str(record[text_field] or ""), str(record.get(source_field) or "")
