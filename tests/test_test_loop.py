"""What `make test` leaves out, `make test-rest` runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def declared_marks() -> list[str]:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    return [mark.partition(":")[0] for mark in options["ini_options"]["markers"]]


def test_the_quick_loop_leaves_out_every_mark_and_the_rest_is_its_negation() -> None:
    (expression,) = (line for line in MAKEFILE.splitlines() if line.startswith("REST := "))
    assert expression.removeprefix("REST := ").split(" or ") == declared_marks()
    assert '-m "not ($(REST))"' in MAKEFILE and '-m "$(REST)"' in MAKEFILE


def test_a_change_passes_both_loops() -> None:
    commands = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert [line for line in commands if line.startswith("make ")] == [
        *("make lint", "make test", "make test-rest")
    ]
