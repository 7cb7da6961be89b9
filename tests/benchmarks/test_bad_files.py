"""Files that are broken, mis-named or hostile: they load with a finding or are refused."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.errors import FormatError, InputError

ROW = {"id": "a", "question": "What is two plus two?", "answer": "four"}


def lines(n_rows: int = 6) -> bytes:
    return b"".join(
        json.dumps({**ROW, "id": f"q{at}", "question": f"What is {at} plus {at}?"}).encode() + b"\n"
        for at in range(n_rows)
    )


def deep(n_levels: int) -> bytes:
    return b'{"a":' * n_levels + b"1" + b"}" * n_levels


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.jsonl", b"", "empty"),
    "blank lines": ("a.jsonl", b"\n\n  \n", "no records"),
    "blank table": ("a.csv", b"\n\n  \n", "blank"),
    "header alone": ("a.csv", b"question,answer\n", "no records"),
    "LFS pointer": (
        "a.jsonl",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        "git lfs pull",
    ),
    "HTML page": ("a.json", b"<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
    "ZIP archive": ("a.jsonl", b"PK\x03\x04aaaa", "ZIP"),
    "text as JSONL": ("a.jsonl", b"hello\nworld\n", "not JSON"),
    "text as JSON": ("a.json", b"hello world", "not JSON"),
    "array cut off": ("a.json", b'[{"question": "a"}, {"question": ', "not JSON"),
    "object cut off": ("a.json", b'{"examples": [{"input": "a"', "not JSON"),
    "strings only": ("a.json", b'["one", "two", "three"]', "not a JSON object"),
    "numbers only": ("a.jsonl", b"1\n2\n3\n", "not a JSON object"),
    "nested without end": ("a.json", deep(100_000), "nested too deeply"),
    "deep line": ("a.jsonl", deep(100_000) + b"\n", "nested too deeply"),
    "endless integer": ("a.jsonl", b'{"question": ' + b"9" * 10_000 + b"}\n", "not usable JSON"),
    "gzip cut off": ("a.jsonl.gz", gzip.compress(lines(200))[:-40], "gzip"),
    "gzip of nothing": ("a.jsonl.gz", gzip.compress(b""), "contains no data"),
    "bz2 damaged": ("a.jsonl.bz2", bz2.compress(lines(200))[:60] + b"xx" * 20, "bz2"),
    "xz cut off": ("a.jsonl.xz", lzma.compress(lines(200))[:-30], "xz"),
    "zstd damaged": ("a.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\x00\xff" * 30, "zstd"),
    "Parquet cut off": ("a.parquet", b"PAR1" + b"\x00" * 40, "Parquet"),
    "not Parquet": ("a.parquet", b"hello", "Parquet"),
    "not Arrow": ("a.arrow", b"hello hello", "Arrow"),
    "odd UTF-16": ("a.csv", b"\xff\xfeq\x00,\x00a\x00\n\x00\x00\xd8x", "UTF-16"),
    "unknown suffix": ("a.docx", b"hello", "unsupported file format"),
    "no prompt": ("a.jsonl", b'{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n', "looks like a prompt"),
    "YAML that is no task": ("a.yaml", b"- 1\n- 2\n", "task file"),
    "broken YAML": ("a.yaml", b"a: [1, 2\nb: }", "not YAML"),
    "task on the hub": ("a.yaml", b"task: x\ndataset_path: owner/name\n", "hf:owner/name"),
    "task without data": (
        "a.yaml",
        b"dataset_path: json\ndataset_kwargs: {data_files: b.jsonl}\n",
        "no such file",
    ),
    "task that includes itself": ("a.yaml", b"include: a.yaml\n", "include each other"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_file_is_refused_in_one_line_that_names_it(case: str, tmp_path: Path) -> None:
    name, content, expected = REFUSED[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_benchmark(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or "b.jsonl" in message
    assert expected in message


def changed(position: int, line: bytes) -> bytes:
    rows = lines().splitlines(keepends=True)
    rows[position] = line
    return b"".join(rows)


TOLERATED: dict[str, tuple[str, bytes, int, str, str]] = {
    "one bad line": ("a.jsonl", changed(2, b'{"id": \n'), 5, "skipped-row", ":3:"),
    "cut off at the end": ("a.jsonl", lines()[:-9], 5, "skipped-row", ":6:"),
    "a list among objects": ("a.jsonl", changed(1, b"[1]\n"), 5, "skipped-row", ":2:"),
    "a deep line": ("a.jsonl", changed(1, deep(100_000) + b"\n"), 5, "skipped-row", ":2:"),
    "a huge integer": (
        "a.jsonl",
        changed(1, b'{"n": ' + b"9" * 9999 + b"}\n"),
        5,
        "skipped-row",
        ":2:",
    ),
    "Latin-1 among UTF-8": (
        "a.jsonl",
        changed(
            3, '{"id": "q3", "question": "Où est le café?", "answer": "ici"}\n'.encode("latin-1")
        ),
        6,
        "encoding",
        ":4:",
    ),
    "a null among records": (
        "a.json",
        b'[{"question": "Who?"}, null, {"question": "Why?"}]',
        2,
        "skipped-row",
        "record 2",
    ),
    "uneven rows": (
        "a.csv",
        b"question,answer\nWho is it?,me\nWhy is it?\nHow,is,it\n",
        3,
        "column-count",
        ":3:",
    ),
    "control characters": (
        "a.jsonl",
        b'{"question": "Ring \\u0007 the bell, please"}\n{"question": "No bell here"}\n',
        2,
        "control-characters",
        ":1",
    ),
    "direction override": (
        "a.jsonl",
        '{"question": "Read \u202e backwards"}\n{"question": "No more"}\n'.encode(),
        2,
        "control-characters",
        ":1",
    ),
    "lone surrogate": (
        "a.jsonl",
        b'{"question": "Half \\ud800 of it"}\n{"question": "No more"}\n',
        2,
        "control-characters",
        ":1",
    ),
    "NUL": (
        "a.jsonl",
        b'{"question": "Null \\u0000 byte"}\n{"question": "No more"}\n',
        2,
        "control-characters",
        ":1",
    ),
    "empty text": (
        "a.jsonl",
        b'{"question": "  "}\n{"question": "Who?"}\n{"question": "Why?"}\n',
        3,
        "empty-text",
        ":1",
    ),
    "the same id": (
        "a.jsonl",
        b'{"id": 7, "question": "Who?"}\n{"id": 8, "question": "Why?"}\n'
        b'{"id": 7, "question": "How?"}\n',
        3,
        "duplicate-id",
        ":3",
    ),
    "quote never closed": (
        "a.csv",
        b'question,answer\nWho is it?,me\n"Why is it?,no\nHow is it?,fine\nWhat is it?,that\n',
        3,
        "skipped-row",
        ":3:",
    ),
}


@pytest.mark.parametrize("case", TOLERATED)
def test_bad_row_is_told_and_the_rest_loads_and_writes(case: str, tmp_path: Path) -> None:
    name, content, n_items, kind, place = TOLERATED[case]
    path = tmp_path / name
    path.write_bytes(content)
    benchmark = load_benchmark(path)
    assert len(benchmark) == n_items
    findings = [finding for finding in benchmark.findings if finding.kind == kind]
    assert len(findings) == 1
    assert f"{path}{'' if place.startswith(':') else ': '}{place}" in findings[0].message
    assert "\n" not in findings[0].message
    out = tmp_path / f"out{benchmark.source.suffix}"
    write_benchmark(benchmark, out, keep=[item.row for item in benchmark])
    again = load_benchmark(out)
    assert [item.text for item in again] == [item.text for item in benchmark]
    assert [item.id for item in again if benchmark.mapping.id] == [
        item.id for item in benchmark if benchmark.mapping.id
    ]


MISNAMED: dict[str, tuple[str, bytes]] = {
    "lines in .json": ("a.json", lines()),
    "array in .jsonl": ("a.jsonl", b"[" + b",".join(lines().splitlines()) + b"]"),
    "array by line in .jsonl": ("a.jsonl", b"[\n" + b",\n".join(lines().splitlines()) + b"\n]\n"),
    "gzip without suffix": ("a.jsonl", gzip.compress(lines())),
    "BOM": ("a.jsonl", b"\xef\xbb\xbf" + lines()),
    "UTF-16": ("a.jsonl", lines().decode().encode("utf-16")),
    "UTF-16 without mark": ("a.jsonl", lines().decode().encode("utf-16-le")),
    "UTF-32": ("a.jsonl", lines().decode().encode("utf-32")),
    "carriage returns": ("a.jsonl", lines().replace(b"\n", b"\r\n")),
    "no last line end": ("a.jsonl", lines()[:-1]),
    "indented stream": (
        "a.json",
        b"\n".join(
            json.dumps(json.loads(line), indent=2).encode() for line in lines().splitlines()
        ),
    ),
    "old Mac table": (
        "a.csv",
        b"question,answer\rWho?,me\rWhy?,no\rHow?,so\rWhat?,it\rWhen?,on\rIf?,a\r",
    ),
    "semicolons": (
        "a.csv",
        b"question;answer\nWho, me?;me\nWhy?;no\nHow?;so\nWhat?;it\nWhen?;on\nIf?;a\n",
    ),
    "UTF-16 table": (
        "a.csv",
        "question,answer\nWho?,é\nA?,b\nC?,d\nE?,f\nG?,h\nI?,j\n".encode("utf-16"),
    ),
    "Latin-1 table": (
        "a.csv",
        "question,answer\nOù?,é\nA?,b\nC?,d\nE?,f\nG?,h\nI?,j\n".encode("latin-1"),
    ),
}


@pytest.mark.parametrize("case", MISNAMED)
def test_file_is_read_by_what_it_holds_and_written_back_identical(
    case: str, tmp_path: Path
) -> None:
    name, content = MISNAMED[case]
    path = tmp_path / name
    path.write_bytes(content)
    benchmark = load_benchmark(path)
    assert len(benchmark) == 6
    assert benchmark.mapping.prompt == "question"
    out = tmp_path / f"out{benchmark.source.suffix}"
    write_benchmark(benchmark, out, keep=range(6))
    written = out.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        written, content = gzip.decompress(written), gzip.decompress(content)
    assert written == content


def test_separator_that_looks_like_a_line_end_stays_inside_its_string(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"question": "one\u2028two\x85three"}\n{"question": "four"}\n', encoding="utf-8"
    )
    assert load_benchmark(path).items[0].prompt == "one\u2028two\x85three"


def test_bomb_is_refused_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchdesign.benchmarks.formats.compression.MAX_UNCHECKED", 1 << 16)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (16 << 20)))
    with pytest.raises(FormatError, match="times its size"):
        load_benchmark(path)


def test_line_without_end_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchdesign.benchmarks.formats.json_lines.MAX_LINE", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(2) + b'{"question": "' + b"x" * 5000 + b'"}\n' + lines(1))
    benchmark = load_benchmark(path)
    assert len(benchmark) == 3
    assert any("longer than" in finding.message for finding in benchmark.findings)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path)])
def test_things_that_are_no_files_are_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    make(path)
    with pytest.raises(FormatError, match=r"a\.jsonl"):
        load_benchmark(path)


def test_file_that_changed_after_loading_is_not_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines())
    benchmark = load_benchmark(path)
    path.write_bytes(lines(9))
    with pytest.raises(FormatError, match="changed since"):
        benchmark.record(benchmark.items[0])


def test_path_in_an_id_writes_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "../../x", "question": "Who?"}\n{"id": "/y", "question": "Why?"}\n')
    benchmark = load_benchmark(path)
    write_benchmark(benchmark, tmp_path / "sub" / "out.jsonl", keep=[0, 1])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jsonl", "out.jsonl", "sub"]
