"""What a bad file is, and the harmless rows that bad files are made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

N_ROWS = 8


@dataclass(frozen=True)
class Refused:
    """One line on standard error that holds `message`, and exit code 2."""

    message: str


@dataclass(frozen=True)
class Loads:
    """So many items, with a warning of a kind (none: nothing to warn of) that names the place."""

    n_items: int
    kind: str = ""
    place: str = ""
    """What the warning must say: the row (`:3`, `record 2`) or, for a whole file, its name."""


@dataclass(frozen=True)
class BadFile:
    """One case: `build` writes it into a folder and returns the path to load."""

    name: str
    build: Callable[[Path], Path]
    outcome: Refused | Loads


CASES: list[BadFile] = []


def rows(n_rows: int = N_ROWS) -> list[dict[str, Any]]:
    """Harmless records."""
    return [
        {"id": f"q{at}", "question": f"What is {at} plus {at}?", "answer": f"It is {2 * at}"}
        for at in range(n_rows)
    ]


def lines(n_rows: int = N_ROWS) -> bytes:
    """Harmless records as JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows(n_rows))


def table(n_rows: int = N_ROWS) -> bytes:
    """Harmless records as CSV."""
    body = "".join(f"{row['id']},{row['question']},{row['answer']}\n" for row in rows(n_rows))
    return f"id,question,answer\n{body}".encode()


def changed(at: int, line: bytes, content: bytes = b"") -> bytes:
    """Harmless lines with one of them replaced."""
    parts = (content or lines()).splitlines(keepends=True)
    parts[at] = line
    return b"".join(parts)


def record_line(**values: Any) -> bytes:
    """One record as a line of JSON, what is not ASCII escaped."""
    return json.dumps({**rows(1)[0], **values}).encode() + b"\n"


def deep(n_levels: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    """A value inside a value inside a value."""
    return opening * n_levels + b"1" + closing * n_levels


def case(name: str, outcome: Refused | Loads) -> Callable[[Callable[[Path], Path]], None]:
    """Register a builder."""

    def register(build: Callable[[Path], Path]) -> None:
        CASES.append(BadFile(name, build, outcome))

    return register


def plain(name: str, file_name: str, content: bytes, outcome: Refused | Loads) -> None:
    """Register a case that is the bytes of one file."""

    def build(folder: Path) -> Path:
        path = folder / file_name
        path.write_bytes(content)
        return path

    CASES.append(BadFile(name, build, outcome))
