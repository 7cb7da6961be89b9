"""Texts to train a dictionary on: read as a stream, capped per source, split by content.

A corpus is JSON lines (`text`, optionally `source`; gzip or not), Parquet with the same columns,
or plain text with one text a line. Nothing here keeps a text it does not yield.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from benchdesign.errors import InputError

__all__ = ["Corpus", "CorpusSettings", "CorpusText", "read_corpus", "stream_texts"]

_OPENING_WORDS = 8


@dataclass(frozen=True, slots=True)
class CorpusText:
    """One text and where it came from."""

    text: str
    source: str
    """Empty where the corpus names none."""

    held_out: bool
    """In the share that is never trained on; decided by a hash of the text alone."""


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """What is taken from a corpus."""

    per_source_cap: int | None = None
    """Most texts of one source."""

    same_opening_cap: int | None = 20
    """Most texts of one source that begin with the same eight words: templated sources repeat their
    passages and would otherwise fill the dictionary with their templates."""

    held_out_share: float = 0.02
    max_texts: int | None = None
    text_field: str = "text"
    source_field: str = "source"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts read from a corpus and what was left out."""

    texts: tuple[CorpusText, ...]
    n_read: int
    n_over_source_cap: int
    n_same_opening: int
    n_empty: int
    n_duplicate: int
    sha256: str
    """Digest over the texts kept, in order."""


def stream_texts(
    path: Path, *, text_field: str = "text", source_field: str = "source"
) -> Iterator[tuple[str, str]]:
    """Yield (text, source) of every row of a corpus file, or of the files of a folder in order."""
    if path.is_dir():
        files = sorted(
            file for file in path.iterdir() if file.is_file() and _kind(file) is not None
        )
        if not files:
            raise InputError(f"{path}: holds no .jsonl, .parquet or .txt file; name a corpus file.")
        for file in files:
            yield from stream_texts(file, text_field=text_field, source_field=source_field)
        return
    if not path.exists():
        raise InputError(f"{path}: no such file; name a corpus in JSON lines, Parquet or text.")
    kind = _kind(path)
    if kind is None:
        raise InputError(f"{path}: not a corpus format; use .jsonl, .jsonl.gz, .parquet or .txt.")
    if kind == "parquet":
        yield from _parquet(path, text_field, source_field)
        return
    try:
        with _open(path) as lines:
            if kind == "jsonl":
                yield from _json_lines(path, lines, text_field, source_field)
            else:
                for line in lines:
                    yield line.decode("utf-8").rstrip("\r\n"), path.stem
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: not UTF-8 text ({problem.reason}); convert it first.") from None
    except (gzip.BadGzipFile, EOFError, OSError) as problem:
        raise InputError(f"{path}: cannot be read ({problem}); check the file.") from None


def read_corpus(path: Path, *, settings: CorpusSettings | None = None) -> Corpus:
    """Read a corpus with its caps applied; a corpus without a single text is an error."""
    chosen = settings or CorpusSettings()
    kept: list[CorpusText] = []
    per_source: Counter[str] = Counter()
    openings: Counter[tuple[str, str]] = Counter()
    seen: set[bytes] = set()
    whole = hashlib.sha256()
    n_read = n_over = n_same = n_empty = n_duplicate = 0
    for text, source in stream_texts(
        path, text_field=chosen.text_field, source_field=chosen.source_field
    ):
        n_read += 1
        if not text.strip():
            n_empty += 1
            continue
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        if digest[:12] in seen:
            n_duplicate += 1
            continue
        seen.add(digest[:12])
        opening = (source, " ".join(text.split(maxsplit=_OPENING_WORDS)[:_OPENING_WORDS]).lower())
        if chosen.same_opening_cap is not None and openings[opening] >= chosen.same_opening_cap:
            n_same += 1
            continue
        if chosen.per_source_cap is not None and per_source[source] >= chosen.per_source_cap:
            n_over += 1
            continue
        openings[opening] += 1
        per_source[source] += 1
        # The hash decides, not the row, so that the split survives reordering and added texts.
        share = int.from_bytes(digest[-4:], "big") / 2**32
        kept.append(CorpusText(text, source, share < chosen.held_out_share))
        whole.update(digest)
        if chosen.max_texts is not None and len(kept) >= chosen.max_texts:
            break
    if not kept:
        raise InputError(f"{path}: holds no text in {n_read} rows; check the `text` field.")
    return Corpus(tuple(kept), n_read, n_over, n_same, n_empty, n_duplicate, whole.hexdigest())


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


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    # Bytes and `\n` only: text mode would also split at U+2028 inside a JSON string.
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


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
            raise InputError(f"{path}:{number}: not usable JSON ({problem}); fix it.") from None
        text = record.get(text_field) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise InputError(
                f"{path}:{number}: no text in field `{text_field}`; name it with --text-field."
            )
        yield text, str(record.get(source_field) or "")


def _parquet(path: Path, text_field: str, source_field: str) -> Iterator[tuple[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as problem:
        raise InputError(f"{path}: not readable Parquet ({problem}); check the file.") from None
    names = file.schema_arrow.names
    if text_field not in names:
        raise InputError(f"{path}: no column `{text_field}`; name it with --text-field.")
    kind = file.schema_arrow.field(text_field).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(
            f"{path}: column `{text_field}` holds {kind}, not text; name another with --text-field."
        )
    columns = [text_field, *([source_field] if source_field in names else [])]
    for batch in file.iter_batches(batch_size=4096, columns=columns):
        for record in batch.to_pylist():
            yield str(record[text_field] or ""), str(record.get(source_field) or "")
