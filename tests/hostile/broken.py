"""Files that are broken, mis-encoded, mis-named or of absurd size."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.cases import (
    N_ROWS,
    Loads,
    Refused,
    case,
    changed,
    deep,
    lines,
    plain,
    record_line,
    rows,
    table,
)

# Broken and truncated.
plain("empty file", "a.jsonl", b"", Refused("empty"))
plain("blank lines only", "a.jsonl", b"\n\n \t\n", Refused("no records"))
plain("NUL bytes only", "a.jsonl", b"\x00" * 5000, Refused("not JSON"))
plain("random bytes", "a.jsonl", bytes(range(256)) * 20, Refused("not JSON"))
plain("last line cut off", "a.jsonl", lines()[:-9], Loads(N_ROWS - 1, "skipped-row", ":8:"))
plain(
    "line broken in the middle", "a.jsonl", changed(3, b'{"id": \n'), Loads(7, "skipped-row", ":4:")
)
plain("array cut off", "a.json", json.dumps(rows()).encode()[:-30], Refused("not JSON"))
plain("object cut off", "a.json", b'{"examples": [{"input": "a"', Refused("not JSON"))
plain("trailing rubbish", "a.json", json.dumps(rows()).encode() + b"}}", Refused("not JSON"))
plain("single quotes", "a.jsonl", b"{'question': 'Who?'}\n" * 3, Refused("not JSON"))
plain("JavaScript comments", "a.json", b'[ // rows\n {"question": "Who?"} ]', Refused("not JSON"))
plain("Python literals", "a.jsonl", b'{"question": None, "answer": True}\n', Refused("not JSON"))
plain(
    "merge conflict",
    "a.jsonl",
    b"<<<<<<< HEAD\n" + lines(3) + b"=======\n" + lines(2) + b">>>>>>> b\n",
    Loads(5, "skipped-row", ":1:"),
)
plain("Parquet cut off", "a.parquet", b"PAR1" + b"\x00" * 40, Refused("Parquet"))
plain("Parquet of text", "a.parquet", b"hello", Refused("Parquet"))
plain("Arrow of text", "a.arrow", b"hello hello", Refused("Arrow"))
plain("Arrow cut off", "a.arrow", b"ARROW1\x00\x00" + b"\xff" * 60, Refused("Arrow"))

# Encodings.
plain("UTF-16 with mark", "a.jsonl", lines().decode().encode("utf-16"), Loads(N_ROWS))
plain("UTF-16 without mark", "a.jsonl", lines().decode().encode("utf-16-le"), Loads(N_ROWS))
plain("UTF-32", "a.jsonl", lines().decode().encode("utf-32"), Loads(N_ROWS))
plain(
    "UTF-16 cut inside a character",
    "a.jsonl",
    lines().decode().encode("utf-16")[:-1],
    Refused("UTF-16"),
)
plain("byte order mark", "a.jsonl", b"\xef\xbb\xbf" + lines(), Loads(N_ROWS))
plain(
    "two byte order marks", "a.jsonl", b"\xef\xbb\xbf" * 2 + lines(), Loads(7, "skipped-row", ":1:")
)
plain(
    "Latin-1",
    "a.csv",
    "question,answer\nOù?,é\nÀ?,b\nC?,d\n".encode("latin-1"),
    Loads(3, "encoding", ":2"),
)
plain(
    "Latin-1 in one line",
    "a.jsonl",
    changed(3, '{"id": "q3", "question": "Où est le café?", "answer": "ici"}\n'.encode("latin-1")),
    Loads(N_ROWS, "encoding", ":4:"),
)
plain(
    "invalid UTF-8",
    "a.jsonl",
    changed(2, b'{"question": "\xc3\x28 \xf0\x28\x8c\xbc \xff?"}\n'),
    Loads(N_ROWS, "encoding", ":3"),
)
plain(
    "overlong UTF-8",
    "a.jsonl",
    changed(1, b'{"question": "\xc0\xae\xc0\xae/?"}\n'),
    Loads(N_ROWS, "encoding", ":2"),
)
plain(
    "lone surrogate",
    "a.jsonl",
    changed(2, record_line(id="s", question="Half \ud800 of it?")),
    Loads(N_ROWS, "control-characters", ":3"),
)
plain(
    "surrogates the wrong way round",
    "a.jsonl",
    changed(2, record_line(id="s", question="\udc00\ud800?")),
    Loads(N_ROWS, "control-characters", ":3"),
)
plain(
    "surrogate bytes",
    "a.jsonl",
    changed(2, b'{"question": "\xed\xa0\x80 half?"}\n'),
    Loads(N_ROWS, "encoding", ":3"),
)
plain(
    "NUL in a text",
    "a.jsonl",
    changed(4, record_line(id="n", question="Null \x00 byte?")),
    Loads(N_ROWS, "control-characters", ":5"),
)
plain(
    "NUL in a cell",
    "a.csv",
    changed(2, b"q1,What \x00 is it?,one\n", table()),
    Loads(N_ROWS, "control-characters", ":3"),
)

# Names that promise something else.
plain("lines named .json", "a.json", lines(), Loads(N_ROWS))
plain("array named .jsonl", "a.jsonl", json.dumps(rows()).encode(), Loads(N_ROWS))
plain("gzip without its suffix", "a.jsonl", gzip.compress(lines()), Loads(N_ROWS))
plain("CSV named .jsonl", "a.jsonl", table(), Refused("not JSON"))
plain("JSON Lines named .csv", "a.csv", lines(), Loads(N_ROWS))
plain("text named .gz", "a.jsonl.gz", lines(), Loads(N_ROWS))
plain("unknown suffix", "a.docx", b"hello", Refused("unsupported file format"))
plain("picture", "a.jsonl", b"\x89PNG\r\n\x1a\n" + bytes(200), Refused("not JSON"))
plain(
    "pickle",
    "a.pkl",
    b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins.",
    Refused("unsupported file format"),
)
plain("pickle named .jsonl", "a.jsonl", b"cos\nsystem\n(S'touch hacked'\ntR.", Refused("not JSON"))
plain("program", "a.jsonl", b"#!/bin/sh\ntouch hacked\n", Refused("not JSON"))
plain(
    "LFS pointer",
    "a.jsonl",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    Refused("git lfs pull"),
)
plain(
    "LFS pointer as Parquet",
    "a.parquet",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    Refused("git lfs pull"),
)
plain(
    "HTML error page",
    "a.json",
    b"<!DOCTYPE html><html><body>404</body></html>",
    Refused("HTML page"),
)
plain(
    "HTML error page as CSV",
    "a.csv",
    b"\n <html><head><title>Sign in</title>",
    Refused("HTML page"),
)
plain(
    "HTML error page as Parquet",
    "a.parquet",
    b"<!DOCTYPE html><html>404</html>",
    Refused("HTML page"),
)
plain(
    "XML error",
    "a.jsonl",
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    Refused("XML"),
)
plain(
    "JSON error of a service",
    "a.json",
    b'{"error": "Repository not found", "status": 404}',
    Refused("error message of a service"),
)


# Compressed.
plain("gzip cut off", "a.jsonl.gz", gzip.compress(lines(200))[:-40], Refused("gzip"))
plain(
    "gzip with a wrong checksum",
    "a.jsonl.gz",
    gzip.compress(lines(200))[:-8] + b"\x00" * 8,
    Refused("gzip"),
)
plain("gzip of nothing", "a.jsonl.gz", gzip.compress(b""), Refused("contains no data"))
plain("bz2 damaged", "a.jsonl.bz2", bz2.compress(lines(200))[:60] + b"xx" * 20, Refused("bz2"))
plain("xz cut off", "a.jsonl.xz", lzma.compress(lines(200))[:-30], Refused("xz"))
plain("zstd damaged", "a.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\x00\xff" * 30, Refused("zstd"))
plain(
    "gzip inside gzip",
    "a.jsonl.gz",
    gzip.compress(gzip.compress(lines())),
    Refused("compressed twice"),
)


@case("ZIP archive", Refused("ZIP"))
def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.jsonl", "w") as archive:
        archive.writestr("../../escape.jsonl", lines())
    return folder / "a.jsonl"


@case("tar archive", Refused("tar"))
def _tar(folder: Path) -> Path:
    with tarfile.open(folder / "a.jsonl.gz", "w:gz") as archive:
        inner = tarfile.TarInfo("../../escape.jsonl")
        inner.size = len(lines())
        archive.addfile(inner, io.BytesIO(lines()))
    return folder / "a.jsonl.gz"


def _bomb(compress: Callable[[bytes], bytes], n_layers: int) -> bytes:
    """About 500 MB of blanks in little, made without ever holding them."""
    return b"".join([compress(b" " * (32 << 20))] * n_layers)


@case("gzip bomb", Refused("times its size"))
def _gzip_bomb(folder: Path) -> Path:
    (folder / "a.jsonl.gz").write_bytes(_bomb(gzip.compress, 12))
    return folder / "a.jsonl.gz"


@case("xz bomb", Refused("times its size"))
def _xz_bomb(folder: Path) -> Path:
    (folder / "a.jsonl.xz").write_bytes(_bomb(lambda data: lzma.compress(data, preset=0), 12))
    return folder / "a.jsonl.xz"


@case("bz2 bomb", Refused("times its size"))
def _bz2_bomb(folder: Path) -> Path:
    (folder / "a.csv.bz2").write_bytes(_bomb(lambda data: bz2.compress(data, 1), 12))
    return folder / "a.csv.bz2"


@case("zstd bomb", Refused("times its size"))
def _zstd_bomb(folder: Path) -> Path:
    import zstandard

    packer = zstandard.ZstdCompressor(level=1)
    with (folder / "a.jsonl.zst").open("wb") as out, packer.stream_writer(out) as stream:
        for _ in range(400):
            stream.write(b" " * (1 << 20))
    return folder / "a.jsonl.zst"


# Sizes and depths.
plain("deep nesting", "a.json", deep(200_000), Refused("nested too deeply"))
plain("deep arrays", "a.json", deep(200_000, b"[", b"]"), Refused("nested too deeply"))
plain(
    "deep nesting in one line",
    "a.jsonl",
    changed(1, deep(200_000) + b"\n"),
    Loads(7, "skipped-row", ":2:"),
)
plain(
    "depth near the limit",
    "a.jsonl",
    changed(1, b'{"question": ' + deep(900) + b', "id": "d"}\n'),
    Loads(N_ROWS),
)
plain(
    "list near the limit in the first row",
    "a.jsonl",
    changed(0, b'{"question": ' + deep(900, b"[", b"]") + b', "id": "d"}\n'),
    Loads(N_ROWS),
)
plain(
    "lists and objects by turns near the limit",
    "a.jsonl",
    changed(0, b'{"question": ' + deep(450, b'[{"text": ', b"}]") + b', "id": "d"}\n'),
    Loads(N_ROWS),
)
plain(
    "deep list in a cell",
    "a.csv",
    changed(2, b'q1,What?,"' + b"[" * 50_000 + b"]" * 50_000 + b'"\n', table()),
    Loads(N_ROWS),
)
plain(
    "huge integer",
    "a.jsonl",
    changed(1, b'{"n": ' + b"9" * 9999 + b"}\n"),
    Loads(7, "skipped-row", ":2:"),
)
plain(
    "huge integers only",
    "a.json",
    b'[{"question": ' + b"9" * 9999 + b"}]",
    Refused("not usable JSON"),
)
plain(
    "infinite numbers",
    "a.jsonl",
    changed(1, b'{"id": 1e999, "question": NaN, "answer": -Infinity}\n'),
    Loads(N_ROWS),
)
plain(
    "giant line",
    "a.jsonl",
    changed(2, b'{"question": "' + b"x" * (65 << 20) + b'"}\n'),
    Loads(7, "skipped-row", ":3:"),
)
plain(
    "giant line without an end",
    "a.jsonl",
    lines() + b"[" * (65 << 20),
    Loads(8, "skipped-row", ":9:"),
)
plain(
    "giant cell without an end",
    "a.csv",
    table() + b'q,"' + b"x" * (65 << 20),
    Loads(8, "skipped-row", ":10:"),
)
plain("giant header", "a.csv", b"x" * (3 << 20) + b",b\n1,2\n", Refused("a.csv"))
plain(
    "fifty thousand columns",
    "a.csv",
    b",".join(b"c%d" % at for at in range(50_000)) + b"\n" + b",".join([b"x"] * 50_000) + b"\n",
    Refused("a.csv"),
)
plain(
    "fifty thousand fields",
    "a.jsonl",
    json.dumps({f"f{at}": "x" for at in range(50_000)}).encode() + b"\n",
    Refused("a.jsonl"),
)
plain(
    "a thousand choices",
    "a.jsonl",
    b"".join(
        record_line(id=at, choices=[f"c{number}" for number in range(1000)]) for at in range(3)
    ),
    Loads(3),
)
plain("a million empty lines", "a.jsonl", b"\n" * 1_000_000 + lines(), Loads(N_ROWS))
plain(
    "a million bad lines",
    "a.jsonl",
    lines() + b"x\n" * 300_000,
    Loads(N_ROWS, "skipped-row", ":9:"),
)

# Structure.
plain(
    "strings instead of records", "a.json", b'["one", "two", "three"]', Refused("not a JSON object")
)
plain("numbers instead of records", "a.jsonl", b"1\n2\n3\n", Refused("not a JSON object"))
plain(
    "null among records",
    "a.json",
    b'[{"question": "Who?"}, null, {"question": "Why?"}]',
    Loads(2, "skipped-row", "record 2"),
)
plain(
    "empty object among records", "a.jsonl", changed(2, b"{}\n"), Loads(N_ROWS, "empty-text", ":3")
)
plain(
    "other fields in one record",
    "a.jsonl",
    changed(2, b'{"zzz": [1, {"a": null}]}\n'),
    Loads(N_ROWS, "empty-text", ":3"),
)
plain(
    "other types in one record",
    "a.jsonl",
    changed(2, b'{"id": {"a": []}, "question": [[["deep"]]], "answer": {"b": {}}}\n'),
    Loads(N_ROWS),
)
plain(
    "duplicate keys",
    "a.jsonl",
    changed(2, b'{"question": "One?", "question": "Two?", "id": "d"}\n'),
    Loads(N_ROWS, "duplicate-key", ":3"),
)
plain(
    "empty key", "a.jsonl", changed(2, b'{"": "x", "question": "One?", "id": "d"}\n'), Loads(N_ROWS)
)
plain(
    "duplicate ids",
    "a.jsonl",
    changed(5, record_line(id="q1", question="Again?")),
    Loads(N_ROWS, "duplicate-id", ":6"),
)
plain(
    "ids that collide with suffixes",
    "a.jsonl",
    b"".join(
        record_line(id=name, question=f"{at}?") for at, name in enumerate(("a", "a-2", "a", "a"))
    ),
    Loads(4, "duplicate-id", ":3"),
)
plain(
    "duplicate texts",
    "a.jsonl",
    changed(5, record_line(id="z", question="What is 1 plus 1?")),
    Loads(N_ROWS, "duplicate-text", ":6"),
)
plain(
    "empty prompt",
    "a.jsonl",
    changed(5, record_line(id="z", question=" \t ")),
    Loads(N_ROWS, "empty-text", ":6"),
)
plain(
    "no prompt", "a.jsonl", b'{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n', Refused("looks like a prompt")
)
plain(
    "names of fields as attributes",
    "a.jsonl",
    b'{"__class__": "x", "__init__": "y", "question.__class__": "z", "question": "Who?"}\n' * 3,
    Loads(3, "duplicate-text", ":2"),
)
