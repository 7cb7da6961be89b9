"""What reading the code and fuzzing it found: each input is refused in one line, or read."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from benchdesign.benchmarks.formats.unpacked_size import unpacked_bytes
from benchdesign.errors import BenchdesignError
from tests.hostile.cases import deep, lines
from tests.hostile.entries import ENTRIES, run_entry

DIGITS = b"9" * 5000
DEEP = deep(100_000, b"[", b"]")


def decision(fields: bytes) -> bytes:
    return b'\x01{"action": "decide", "kind": "add", "id": "p", "step": 1, ' + fields + b"}\n"


def arrow_stream(columns: dict[str, list[str]]) -> bytes:
    table, out = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


FOUND = {
    "edits that are a number": ("workspace", decision(b'"edits": 5')),
    "note that is a list": ("workspace", decision(b'"note": [1]')),
    "step without end": ("workspace", decision(b'"step": 1e999')),
    "verdict that is a list": ("workspace", decision(b'"verdict": []')),
    "concept that is no number": ("workspace", decision(b'"kind": "concept", "id": "x"')),
    "merged into a huge number": ("workspace", decision(b'"merge": "' + DIGITS + b'"')),
    "deep decision": ("workspace", b"\x01" + DEEP + b"\n"),
    "undo of nothing": ("workspace", b'\x01{"action": "undo", "of": 1, "step": 1}\n'),
    "deep workspace": ("workspace", b"\x00" + DEEP),
    "version without end": ("workspace", b'\x00{"version": 1e999}'),
    "workspace that is nothing": ("workspace", b"\x00null"),
    "deep stages": ("workspace", b"\x02" + DEEP),
    "stages that are a list": ("workspace", b"\x02[]"),
    "deep settings": ("workspace", b"\x04who = " + b"[" * 100_000),
    "huge number in settings": ("workspace", b"\x04who = " + DIGITS),
    "deep dictionary": ("dictionary", b"\x00" + DEEP),
    "NUL in the folder of a level": (
        "dictionary",
        b'\x00{"model": "", "levels": [{"name": "a\\u0000", "unit": "token", "hook_point": ""}]}',
    ),
    "deep SAE": ("dictionary", b"\x01" + DEEP),
    "deep labels": ("dictionary", b"\x05" + DEEP),
    "huge number in labels": ("dictionary", b'\x05{"1": ' + DIGITS + b"}"),
    "concept without end": ("dictionary", b'\x05[{"concept_id": 1e999}]'),
    "damaged gzip of labels": (
        "dictionary",
        b"\x07\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xff" * 40,
    ),
    "carriage return inside the first line": ("CSV", b"\x83\x00\x00\r?. \n"),
    "comma after the last member": (
        "JSON",
        b'{"a": {"question": "a?"}, "b": {"other": "b?"},}',
    ),
    "slice among indices": ("template", b"{{ choices[0, 1:] }}"),
    "deep list in labels": ("dictionary", b"\x06" + DEEP),
    "name of a column that is not text": (
        "Arrow",
        arrow_stream({"choices": ["a?"]}).replace(b"choices", b"ch\x9b\x96\x9c\x9as"),
    ),
    "data files that are true": ("saved dataset", b'1{"_data_files":true}'),
    "split whose name is a number": (
        "task file",
        b"dataset_path: json\ndataset_kwargs: {data_files: {-1: a.jsonl}}\n",
    ),
    "name of a data file in several lines": (
        "task file",
        b"dataset_path: json\ndataset_kwargs: {data_files:\ndata.\r\r\rjsonl}\n",
    ),
}
READ = {
    "eight-bit start of what looks like UTF-16": (
        "JSON Lines",
        b'{"x":  "y":\xff\n' + lines(9).decode().encode("utf-16-be"),
    ),
    "quote that opens over eight-bit text and never closes": (
        "CSV",
        b'<id,qp<i0\xb9h,"stion\0\0jq0,What is 0 plus 0?,It is 0\nq1,What is 12 plus 1?,d,question'
        b"\0\0jq0,Wha\xc9 is 0 plus 0?,It /\0\x002 plus 2?,It i\0\0s\0 4title\n>",
    ),
    "quotes that begin in the middle of a cell": (
        "CSV",
        b'question;A;B;answer\r\n"Wio\n""i;answer\r\n"Wio\n"y?;x;y;B\r\n',
    ),
    "carriage return after a line end, control characters, bytes of no text": (
        "CSV",
        b"question,answer\n\rWh*o,answer\r\nWho?,me\n\x04\x04o\x05\x04?,me\n\x04\xff\xff**\xff\x04ow?,so\r",
    ),
    "object of columns and a bracket too many": (
        "JSON",
        b'\n\n\n{"question": ["a?", "b?"], "an~struewerof": ["x", "y"]}\n\n\n\n}\n',
    ),
    "template that is not UTF-8": ("template", b"\xedaecord.i {{ 2 ** 2 ** 3 }}"),
    "carriage returns inside lines": ("CSV", b"question,answer\n\rWho?,me\r\nWhy?,so\nHow\r"),
    "lone surrogate in an id": ("workspace", decision(b'"id": "\\ud800", "verdict": "accept"')),
    "deep state of the interface": ("workspace", b"\x03" + DEEP),
    "decision cut off": ("workspace", decision(b'"note": "n"')[:-3]),
}


@pytest.mark.parametrize("name", FOUND)
def test_input_that_once_was_a_traceback_is_refused(name: str, tmp_path: Path) -> None:
    entry, data = FOUND[name]
    with pytest.raises(BenchdesignError) as caught:
        ENTRIES[entry](tmp_path, data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READ)
def test_odd_input_is_read_as_what_it_is_or_refused(name: str, tmp_path: Path) -> None:
    entry, data = READ[name]
    assert run_entry(entry, tmp_path, data) == ""


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_takes_a_good_input_and_rubbish(entry: str, tmp_path: Path) -> None:
    from tests.hostile.fuzz_seeds import seeds

    good = next(iter(seeds(entry)))
    for number, data in enumerate(
        (good, b"", b"\x00", zlib.compress(good), good[: len(good) // 2])
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run_entry(entry, folder, data) == ""


def test_reference_to_a_value_that_is_not_there_is_told() -> None:
    # The library reads such Parquet without looking.
    column = pa.DictionaryArray.from_arrays(pa.array([0, 50]), pa.array(["Who?"]), safe=False)
    with pytest.raises(pa.ArrowInvalid, match="outside the dictionary"):
        unpacked_bytes(column)
