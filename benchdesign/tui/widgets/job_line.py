"""The status line above the footer: progress of the running job, else the last message."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rich.cells import cell_len
from textual.content import Content

from benchdesign.foundation.number_words import duration, elapsed, speed
from benchdesign.foundation.progress import Progress
from benchdesign.foundation.text import (
    display,
    ellipsis,
    ellipsis_middle,
    ellipsis_start,
)
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal

__all__ = ["JobLine", "progress_text"]

_STALL_SECONDS = 60.0
"""Seconds without progress after which the line warns that the job may hang."""

_STOP_HINT = "   X stop"
_MIN_PATH_WIDTH = 24
_PATH = re.compile(r"\S*/\S+/\S*")


def progress_text(progress: Progress) -> str:
    """Format the progress of a job: `mapping items  612/1,240  49 %  38/s  16 s left`."""
    parts = [progress.stage]
    if progress.total:
        parts.append(f"{progress.done:,}/{progress.total:,}")
        parts.append(f"{100 * progress.done // progress.total} %")
    elif progress.done:
        parts.append(f"{progress.done:,}")
    if progress.total and progress.done >= progress.total:
        # The next stage reports only once it starts, which can take seconds.
        return "  ".join([*parts, "finishing"])
    if progress.rate:
        parts.append(speed(progress.rate))
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return "  ".join(parts)


class JobLine(Line):
    """A message, or the progress of the running job."""

    DEFAULT_CSS = """
    JobLine { height: 1; padding: 0 1; background: $surface; color: $foreground-muted; }
    JobLine.-error { color: $text-warning; text-style: bold; }
    JobLine.-busy { color: $text; }
    """

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a message; it stays until the next one."""
        self.set_class(is_error, "-error")
        self.remove_class("-busy")
        self.show(literal(_fit_message(text, self.app.size.width - 2)))

    def busy(
        self,
        progress: Progress | None,
        *,
        note: str,
        silent: float,
        log: Path,
        marks: Marks,
    ) -> None:
        """Show the progress of the job, or a warning if it has stalled."""
        self.remove_class("-error")
        self.add_class("-busy")
        if silent >= _STALL_SECONDS:
            self.show(self._stalled(progress, note=note, silent=silent, log=log))
            return
        bar, text = "", note
        if progress is not None:
            share = progress.done / progress.total if progress.total else 0.0
            bar = f" {marks.bar(share, 12)} " if progress.total else ""
            text = progress_text(progress)
        room = max(self.app.size.width - 2 - cell_len(bar + _STOP_HINT), 8)
        line = ellipsis(display(text, newline=" "), room)
        self.show(Content.assemble((bar, "$text-primary"), literal(line), (_STOP_HINT, "bold")))

    def _stalled(
        self, progress: Progress | None, *, note: str, silent: float, log: Path
    ) -> Content:
        """Return how long there was no progress, the key that stops the job, and its log."""
        # Rate and time left are no longer valid.
        state = (
            note
            if progress is None
            else progress_text(replace(progress, rate=None, seconds_left=None))
        )
        warning = f"no progress for {elapsed(silent)}"
        keys = "   X stop, R resume   log "
        room = self.size.width - 2 - cell_len(warning + keys)
        rest = str(log)
        if cell_len(rest) + cell_len(state) + 3 <= room:
            rest += f"   {state}"
        else:
            rest = ellipsis_start(rest, max(room, _MIN_PATH_WIDTH))
        return Content.assemble((warning, "bold $text-warning"), (keys, "bold"), literal(rest))


def _fit_message(text: str, width: int) -> str:
    """Fit a message on the line: shorten its longest path first, then its end."""
    line = display(text, newline=" ")
    path = max(_PATH.findall(line), key=cell_len, default="")
    room = width - (cell_len(line) - cell_len(path))
    if path and cell_len(line) > width:
        line = line.replace(path, ellipsis_middle(path, max(room, _MIN_PATH_WIDTH)), 1)
    return ellipsis(line, width)
