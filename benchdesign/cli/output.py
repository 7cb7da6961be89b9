"""What commands print: results on standard output, talk and progress on standard error.

The only module that prints. Text from items goes through `text.display` before it comes here; so
does every line once more, for what nobody thought of, such as the name of a file.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from benchdesign.foundation.number_words import decimals, duration, percent, speed
from benchdesign.foundation.progress import Progress
from benchdesign.foundation.serialization import to_json
from benchdesign.foundation.text import display, ellipsis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Finding

__all__ = ["TRUST_NOTE", "Messages", "print_json", "print_lines", "print_table", "share", "trust"]

_SPARSE_SECONDS = 15.0
"""Between lines of one stage where standard error is a file or a pipe."""

_MOST_FINDINGS = 5


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    json.dump(to_json(value), sys.stdout, ensure_ascii=True, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def print_lines(*lines: str) -> None:
    """Print lines on standard output."""
    for line in lines:
        print(display(line, newline="\n"))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Print a table; `right` names the columns whose cells are set to the right by `r`.

    The last column is cut where the terminal ends; a pipe gets it whole.
    """
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(cell_len(row[at]) for row in cells) for at in range(len(head))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        parts = []
        for at, cell in enumerate(row):
            gap = " " * (widths[at] - cell_len(cell))
            parts.append(gap + cell if right[at : at + 1] == "r" else cell + gap)
        line = display("  ".join(parts).rstrip())
        print(line if room is None else ellipsis(line, room))


def share(value: float | None) -> str:
    """Return a share as a person reads it."""
    return percent(value, 1, unknown="not known")


TRUST_NOTE = "  TRUST: how well the label finds its texts (AUC, 0.5 is chance; - not measured)"
"""Goes below a table with that column."""


def trust(score: float | None) -> str:
    """Return a label's score as it stands in a column of numbers."""
    return decimals(score, unknown="-")


class Messages:
    """Messages and progress on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._stage = ""
        self._told = 0.0
        self._has_line = False

    def say(self, message: str) -> None:
        """Write one line, unless quiet."""
        if not self._quiet:
            self._end_line()
            print(display(message, newline="\n"), file=sys.stderr, flush=True)

    def fail(self, message: str) -> None:
        """Write one line, quiet or not."""
        self._end_line()
        print(display(message, newline="\n"), file=sys.stderr, flush=True)

    def say_findings(self, findings: Sequence[Finding], *, rest: str) -> None:
        """Tell the first of what was found on reading, and where the rest is."""
        for one in findings[:_MOST_FINDINGS]:
            self.say(f"note: {display(one.message)}")
        n_more = len(findings) - _MOST_FINDINGS
        if n_more > 0:
            self.say(f"note: {n_more:,} more findings are {rest}.")

    def progress(self, step: Progress) -> None:
        """Show how far a job is: one line rewritten in place, or a line now and then in a file."""
        if self._quiet:
            return
        now = time.monotonic()
        is_new = step.stage != self._stage
        if self._is_terminal:
            if is_new:
                self._end_line()
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{ellipsis(_line(step), width)}", end="", file=sys.stderr, flush=True)
            self._has_line = True
        elif is_new or now - self._told >= _SPARSE_SECONDS or step.done == step.total:
            print(_line(step), file=sys.stderr, flush=True)
            self._told = now
        self._stage = step.stage

    def done(self) -> None:
        """End the line that progress was rewriting."""
        self._end_line()

    def _end_line(self) -> None:
        if self._has_line:
            print(file=sys.stderr, flush=True)
            self._has_line = False


def _line(step: Progress) -> str:
    parts: list[Any] = [step.stage]
    if step.total:
        parts += [f"{step.done:,}/{step.total:,}", percent(step.done / step.total)]
    elif step.done:
        parts.append(f"{step.done:,}")
    if step.rate:
        parts.append(speed(step.rate))
    if step.seconds_left:
        parts.append(f"{duration(step.seconds_left)} left")
    return "  ".join(parts)
