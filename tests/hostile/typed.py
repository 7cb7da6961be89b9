"""Tables, typed or not, that are uneven, damaged or exotic."""

from __future__ import annotations

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
