"""Tables, typed or not, that are uneven, damaged or exotic."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tests.hostile.cases import N_ROWS, Loads, Refused, case, changed, plain, table

# Tables.
plain("header alone", "a.csv", b"question,answer\n", Refused("no records"))
plain("blank table", "a.csv", b"\n\n  \n", Refused("blank"))
plain(
    "too few and too many columns",
    "a.csv",
    b"question,answer\nWho is it?,me\nWhy is it?\nHow,is,it\n",
    Loads(3, "column-count", ":3:"),
)
plain(
    "columns of the same name",
    "a.csv",
    b"question,question,answer\nWho?,Why?,me\nHow?,If?,no\n",
    Loads(2),
)
plain(
    "columns without a name",
    "a.csv",
    b",question,,\n1,Who is it?,x,y\n2,Why is it?,x,y\n",
    Loads(2),
)
plain(
    "quote never closed",
    "a.csv",
    changed(3, b'q2,"What is it?,two\n', table()),
    Loads(7, "skipped-row", ":4:"),
)
plain(
    "quotes inside cells", "a.csv", changed(3, b'q2,What "is" it?,tw"o\n', table()), Loads(N_ROWS)
)
plain("separators mixed", "a.csv", b"question;answer\nWho, me?;me\nWhy,not;no\nHow?;so\n", Loads(3))
plain("line ends mixed", "a.csv", b"question,answer\r\nWho?,me\nWhy?,no\r\nHow?,so\r", Loads(3))


# Typed tables.
def _parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, **options)
    return path


@case("Parquet with exotic types", Loads(2))
def _exotic(folder: Path) -> Path:
    import datetime
    import decimal

    import pyarrow as pa

    return _parquet(
        folder / "a.parquet",
        {
            "question": ["Who is it?", "Why is it?"],
            "when": pa.array([datetime.datetime(2020, 1, 1), None], pa.timestamp("ns")),
            "zone": pa.array([0, 1], pa.timestamp("us", tz="Europe/Madrid")),
            "long": pa.array([1, 2], pa.duration("s")),
            "exact": pa.array([decimal.Decimal("1.10"), None], pa.decimal128(38, 2)),
            "bytes": pa.array([b"\xff\x00", b""], pa.binary()),
            "fixed": pa.array([b"ab", b"cd"], pa.binary(2)),
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
            "half": pa.array([1.5, float("nan")], pa.float64()),
            "kinds": pa.array(["a", "b"]).dictionary_encode(),
            "deep": pa.array([[{"a": [{"b": None}]}], []]),
            "nothing": pa.nulls(2),
        },
    )


@case("Parquet of dates out of range", Refused("a value cannot be read"))
def _far_dates(folder: Path) -> Path:
    import pyarrow as pa

    far = pa.array([2**62, 0], pa.timestamp("us"))
    return _parquet(folder / "a.parquet", {"question": ["Who is it?", "Why is it?"], "when": far})


@case("Parquet of an unknown time zone", Refused("a value cannot be read"))
def _zone(folder: Path) -> Path:
    import pyarrow as pa

    times = pa.array([0, 1], pa.timestamp("us", tz="Mars/Olympus"))
    return _parquet(folder / "a.parquet", {"question": ["Who is it?", "Why is it?"], "when": times})


@case("Parquet without rows", Refused("no records"))
def _no_rows(folder: Path) -> Path:
    import pyarrow as pa

    return _parquet(folder / "a.parquet", {"question": pa.array([], pa.string())})


@case("Parquet without columns", Refused("a.parquet"))
def _no_columns(folder: Path) -> Path:
    return _parquet(folder / "a.parquet", {})


@case("Parquet of columns of the same name", Loads(2, "duplicate-key", "'question'"))
def _same_columns(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    both = pa.array(["Who is it?", "Why is it?"])
    pq.write_table(
        pa.Table.from_arrays([both, both], ["question", "question"]), folder / "a.parquet"
    )
    return folder / "a.parquet"


@case("Parquet damaged in its data", Refused("damaged"))
def _damaged_pages(folder: Path) -> Path:
    path = _parquet(folder / "a.parquet", {"question": [f"Who is {at}?" for at in range(2000)]})
    content = bytearray(path.read_bytes())
    content[8:400] = b"\xff" * 392
    path.write_bytes(content)
    return path


@case("Parquet with a footer of another length", Refused("Parquet"))
def _wrong_footer(folder: Path) -> Path:
    path = _parquet(folder / "a.parquet", {"question": ["Who is it?"]})
    path.write_bytes(path.read_bytes()[:-8] + b"\xff\xff\xff\x7fPAR1")
    return path


_N_REPEATS = 1_000_000


def _repeated(n_rows: int = _N_REPEATS) -> Any:
    """One long text, said over and over: a terabyte if it were written out."""
    import pyarrow as pa

    references = pa.nulls(n_rows, pa.int32()).fill_null(0)
    return pa.DictionaryArray.from_arrays(references, ["w" * 1_000_000])


def _in_lists(values: Any) -> Any:
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(range(0, len(values) + 1, 10), pa.int32()), values)


@case("Parquet bomb", Refused("expands"))
def _parquet_bomb(folder: Path) -> Path:
    return _parquet(folder / "a.parquet", {"question": _repeated()}, compression="zstd")


@case("Parquet bomb without its types", Refused("expands"))
def _untyped_bomb(folder: Path) -> Path:
    return _parquet(folder / "a.parquet", {"question": _repeated()}, store_schema=False)


@case("Parquet bomb in lists", Refused("expands"))
def _list_bomb(folder: Path) -> Path:
    lists = _in_lists(_repeated())
    return _parquet(folder / "a.parquet", {"question": lists}, store_schema=False)


@case("Parquet of very many nulls", Refused("expands"))
def _null_bomb(folder: Path) -> Path:
    import pyarrow as pa

    return _parquet(folder / "a.parquet", {"question": pa.nulls(40_000_000)})


def _arrow(path: Path, columns: dict[str, Any], *, compression: str | None = None) -> Path:
    import pyarrow as pa

    table = pa.table(columns)
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(str(path), table.schema, options=options) as out:
        out.write_table(table)
    return path


@case("Arrow bomb", Refused("expands"))
def _arrow_bomb(folder: Path) -> Path:
    return _arrow(folder / "a.arrow", {"question": _repeated()}, compression="zstd")


@case("Arrow bomb in lists", Refused("expands"))
def _arrow_list_bomb(folder: Path) -> Path:
    return _arrow(folder / "a.arrow", {"question": _in_lists(_repeated())}, compression="zstd")


@case("Arrow rows without columns", Refused("expands"))
def _no_columns(folder: Path) -> Path:
    import pyarrow as pa

    # A thousand million rows in a few hundred bytes.
    rows = pa.table({"question": pa.nulls(1_000_000_000)}).select([])
    with pa.ipc.new_file(str(folder / "a.arrow"), rows.schema) as out:
        out.write_table(rows)
    return folder / "a.arrow"


@case("Parquet column without a name", Refused("without a name"))
def _no_name(folder: Path) -> Path:
    path = _parquet(folder / "a.parquet", {"question": ["Who?"]}, store_schema=False)
    data = path.read_bytes()
    # The column's own record holds a list of its names; the footer ends with its length.
    data = data.replace(b"\x19\x18\x08question", b"\x19\x08")
    (length,) = struct.unpack("<I", data[-8:-4])
    path.write_bytes(data[:-8] + struct.pack("<I", length - 9) + data[-4:])
    return path


@case("Arrow bomb of blanks", Refused("expands"))
def _blank_bomb(folder: Path) -> Path:
    import pyarrow as pa

    blanks = pa.array([" " * (300 << 20)], pa.large_string())
    return _arrow(folder / "a.arrow", {"question": blanks}, compression="zstd")


@case("Arrow of very many nulls", Refused("expands"))
def _arrow_null_bomb(folder: Path) -> Path:
    import pyarrow as pa

    return _arrow(folder / "a.arrow", {"question": pa.nulls(1 << 29)})


@case("Arrow with references out of range", Refused("Arrow"))
def _stray_references(folder: Path) -> Path:
    import pyarrow as pa

    stray = pa.DictionaryArray.from_arrays(
        pa.array([0, 1 << 30, -7], pa.int32()), ["Who is it?"], safe=False
    )
    return _arrow(folder / "a.arrow", {"question": stray})


@case("Arrow with offsets out of range", Refused("Arrow"))
def _stray_offsets(folder: Path) -> Path:
    import pyarrow as pa

    offsets = pa.py_buffer(struct.pack("<4i", 0, 1 << 30, 5, 10))
    stray = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"Who is it?"))
    return _arrow(folder / "a.arrow", {"question": stray})


@case("Arrow with text that is not UTF-8", Refused("Arrow"))
def _not_text(folder: Path) -> Path:
    import pyarrow as pa

    bad = pa.array([b"Who is \xff\xfe it?"], pa.binary()).view(pa.string())
    return _arrow(folder / "a.arrow", {"question": bad})


@case("Arrow with views and runs", Loads(3))
def _views(folder: Path) -> Path:
    import pyarrow as pa

    texts = ["Who is it?", "Why would anybody ask that?", "How?"]
    return _arrow(
        folder / "a.arrow",
        {
            "question": pa.array(texts, pa.string_view()),
            "lists": pa.array([["a"], [], ["b", "c"]], pa.list_view(pa.string())),
            "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]),
        },
    )
