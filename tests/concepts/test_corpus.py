"""Reading corpora: caps, split, and files that are not corpora."""

from __future__ import annotations

import gzip
import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.concepts.training.activation_bank import BankKey, collect_activations
from benchdesign.concepts.training.corpus import (
    CorpusReader,
    CorpusSettings,
    CorpusText,
    stream_texts,
)
from benchdesign.errors import InputError
from tests.helpers import make_tiny_bert

HOOK = "blocks.0.hook_resid_post"


class Watched(CorpusText):
    """A text that a weak reference can be held to."""


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


def test_a_corpus_may_be_named_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "texts").mkdir()
    write_rows(tmp_path / "texts" / "a.jsonl", [{"text": "one"}])
    assert list(stream_texts(Path("~/texts"))) == list(stream_texts(Path("~/texts/a.jsonl")))


def test_texts_of_one_source_that_begin_alike_are_capped(tmp_path: Path) -> None:
    start = "Pick the sentence that makes more sense here:"
    rows = [{"text": f"{start} number {n}", "source": "template"} for n in range(9)]
    rows.append({"text": f"{start} number 1", "source": "another"})
    path = write_rows(tmp_path / "corpus.jsonl", rows)
    corpus = CorpusReader.open(path, settings=CorpusSettings(same_opening_cap=3))
    assert [source_text.source for source_text in corpus] == ["template"] * 3
    assert (corpus.counts.n_same_opening, corpus.counts.n_duplicate) == (6, 1)


def test_sources_duplicates_and_empty_texts_are_counted(tmp_path: Path) -> None:
    rows = [{"text": f"text {n} about {n * n}", "source": "a"} for n in range(5)]
    rows += [{"text": "  ", "source": "a"}, {"text": "text 0 about 0", "source": "b"}]
    path = write_rows(tmp_path / "corpus.jsonl", rows)
    corpus = CorpusReader.open(path, settings=CorpusSettings(per_source_cap=2))
    assert len(list(corpus)) == corpus.counts.n_taken == 2
    counts = corpus.counts
    assert (counts.n_over_source_cap, counts.n_empty, counts.n_duplicate) == (3, 1, 1)
    assert counts.n_read == 7


def test_the_split_depends_on_the_text_alone(tmp_path: Path) -> None:
    rows = [{"text": f"text number {n}"} for n in range(400)]
    ahead = CorpusReader.open(write_rows(tmp_path / "a.jsonl", rows))
    back = CorpusReader.open(write_rows(tmp_path / "b.jsonl", rows[::-1]))
    held = {text.text for text in ahead if text.held_out}
    assert held == {text.text for text in back if text.held_out}
    assert 0 < len(held) < 24


def test_texts_beyond_what_is_needed_are_read_and_not_kept(tmp_path: Path) -> None:
    model = ReferenceModel.from_spec(
        make_tiny_bert(tmp_path / "m"), hook_points=(HOOK,), device="cpu"
    )
    rows = [{"text": f"cat dog {n}", "source": "a"} for n in range(5000)]
    path = write_rows(tmp_path / "corpus.jsonl", rows)
    corpus = CorpusReader.open(path)
    alive: list[weakref.ref[Watched]] = []

    def watched() -> Iterator[CorpusText]:
        for source_text in corpus:
            text = Watched(source_text.text, source_text.source, source_text.held_out)
            alive.append(weakref.ref(text))
            yield text

    keys = [BankKey(HOOK, "token")]
    collected = collect_activations(watched(), model, keys=keys, max_tokens=40)
    everything = list(CorpusReader.open(path))
    assert 1 < len(collected.texts) < 40
    assert [text.text for text in collected.texts] == [
        text.text for text in everything[: len(collected.texts)]
    ]
    assert corpus.counts.n_taken == len(everything) == len(alive)
    assert sum(reference() is not None for reference in alive) == len(collected.texts)
    # What is recorded of the corpus is of all of it, as it is without a limit.
    again = CorpusReader.open(path)
    assert len(collect_activations(again, model, keys=keys).texts) == len(everything)
    assert (again.sha256, again.counts) == (corpus.sha256, corpus.counts)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "a.jsonl:2: not JSON"),
        ("a.jsonl", b'{"body": "x"}\n', "a.jsonl:1: no text in field `text`"),
        ("a.jsonl", b"", "no text in 0 rows"),
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
        list(CorpusReader.open(tmp_path / name))
