"""The output of commands: results on standard output, messages and progress on standard error.

The only module that prints. Callers pass text from items through `text.display`. Every line goes
through it once more here, for other text such as file names.
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

_LINE_SECONDS = 15.0
"""Time between progress lines of one stage if standard error is not a terminal."""

_MAX_FINDINGS = 5


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    json.dump(to_json(value), sys.stdout, ensure_ascii=True, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def print_lines(*lines: str) -> None:
    """Print lines on standard output."""
    for line in lines:
        print(display(line, newline="\n"))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Print a table; `right` has an `r` at the place of each right-aligned column.

    Lines are cut at the width of a terminal; a pipe gets them whole.
    """
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(head))]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        parts = []
        for column, cell in enumerate(row):
            padding = " " * (widths[column] - cell_len(cell))
            is_right = right[column : column + 1] == "r"
            parts.append(padding + cell if is_right else cell + padding)
        line = display("  ".join(parts).rstrip())
        print(line if width is None else ellipsis(line, width))


def share(value: float | None) -> str:
    """Return a share as a person reads it."""
    return percent(value, 1, unknown="not known")


TRUST_NOTE = "  TRUST: how well the label finds its texts (AUC, 0.5 is chance; - not measured)"
"""Note below a table with a TRUST column."""


def trust(score: float | None) -> str:
    """Return a label's score for a column of numbers."""
    return decimals(score, unknown="-")


class Messages:
    """Messages and progress on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._stage = ""
        self._last_line_time = 0.0
        self._has_line = False

    def say(self, message: str) -> None:
        """Write one line, unless quiet."""
        if not self._quiet:
            self._end_line()
            print(display(message, newline="\n"), file=sys.stderr, flush=True)

    def say_always(self, message: str) -> None:
        """Write one line, even if quiet."""
        self._end_line()
        print(display(message, newline="\n"), file=sys.stderr, flush=True)

    def say_findings(self, findings: Sequence[Finding], *, rest: str) -> None:
        """Write the first findings, and where the rest is."""
        for finding in findings[:_MAX_FINDINGS]:
            self.say(f"note: {display(finding.message)}")
        n_more = len(findings) - _MAX_FINDINGS
        if n_more > 0:
            self.say(f"note: {n_more:,} more findings are {rest}.")

    def progress(self, step: Progress) -> None:
        """Show progress: one line rewritten in place, or in a file a line every 15 seconds."""
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
        elif is_new or now - self._last_line_time >= _LINE_SECONDS or step.done == step.total:
            print(_line(step), file=sys.stderr, flush=True)
            self._last_line_time = now
        self._stage = step.stage

    def end_progress(self) -> None:
        """End the progress line."""
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
