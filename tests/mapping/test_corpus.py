"""Reading corpora: caps, split, and files that are not corpora."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchdesign.errors import InputError
from benchdesign.mapping.corpus import CorpusSettings, read_corpus, stream_texts


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write JSON lines, gzip where the name says so."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz", "corpus.parquet"])
def test_text_and_source_are_read_from_every_format(tmp_path: Path, name: str) -> None:
    rows = [{"text": "one\u2028two", "source": "a"}, {"text": "three", "source": "b"}]
    path = tmp_path / name
    if name.endswith("parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write_rows(path, rows)
    assert list(stream_texts(path)) == [("one\u2028two", "a"), ("three", "b")]


def test_plain_text_is_one_text_a_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("first\nsecond\n", encoding="utf-8")
    assert list(stream_texts(path)) == [("first", "notes"), ("second", "notes")]


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "b.jsonl", [{"text": "later"}])
    write_rows(tmp_path / "a.jsonl", [{"text": "sooner"}])
    (tmp_path / "SOURCES.md").write_text("not a corpus")
    assert [text for text, _ in stream_texts(tmp_path)] == ["sooner", "later"]


def test_texts_of_one_source_that_begin_alike_are_capped(tmp_path: Path) -> None:
    start = "Pick the sentence that makes more sense here:"
    rows = [{"text": f"{start} number {n}", "source": "template"} for n in range(9)]
    rows.append({"text": f"{start} number 1", "source": "another"})
    path = write_rows(tmp_path / "corpus.jsonl", rows)
    corpus = read_corpus(path, settings=CorpusSettings(same_opening_cap=3))
    assert [one.source for one in corpus.texts] == ["template"] * 3
    assert (corpus.n_same_opening, corpus.n_duplicate) == (6, 1)


def test_sources_duplicates_and_empty_texts_are_counted(tmp_path: Path) -> None:
    rows = [{"text": f"text {n} about {n * n}", "source": "a"} for n in range(5)]
    rows += [{"text": "  ", "source": "a"}, {"text": "text 0 about 0", "source": "b"}]
    path = write_rows(tmp_path / "corpus.jsonl", rows)
    corpus = read_corpus(path, settings=CorpusSettings(per_source_cap=2))
    assert len(corpus.texts) == 2
    assert (corpus.n_over_source_cap, corpus.n_empty, corpus.n_duplicate) == (3, 1, 1)
    assert corpus.n_read == 7


def test_the_split_depends_on_the_text_alone(tmp_path: Path) -> None:
    rows = [{"text": f"text number {n}"} for n in range(400)]
    ahead = read_corpus(write_rows(tmp_path / "a.jsonl", rows))
    back = read_corpus(write_rows(tmp_path / "b.jsonl", rows[::-1]))
    held = {one.text for one in ahead.texts if one.held_out}
    assert held == {one.text for one in back.texts if one.held_out}
    assert 0 < len(held) < 24


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "a.jsonl:2: not JSON"),
        ("a.jsonl", b'{"body": "x"}\n', "a.jsonl:1: no text in field `text`"),
        ("a.jsonl", b"", "holds no text in 0 rows"),
        ("a.jsonl.gz", b"not gzip", "cannot be read"),
        ("a.txt", b"\xff\xfe", "not UTF-8"),
        ("a.parquet", b"PAR0", "not readable Parquet"),
        ("a.docx", b"x", "not a corpus format"),
    ],
)
def test_a_bad_corpus_is_one_clear_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_corpus(tmp_path / name)
