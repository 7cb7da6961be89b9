"""The row above the footer: what a running job does, else the last thing that was said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from textual.content import Content

from benchdesign.progress import Progress
from benchdesign.text import cell_width, display, ellipsis, ellipsis_middle, ellipsis_start
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal

__all__ = ["JobLine", "progress_text"]

_LONG_SILENCE = 60.0
"""Seconds without news after which the line says so: it may hang, or the machine swaps."""

_STOP = "   X stop"
_SHORTEST_PATH = 24
_PATH = re.compile(r"\S*/\S+/\S*")


def progress_text(progress: Progress) -> str:
    """Say how far a job is: `mapping items  612/1,240  49 %  38/s  16 s left`."""
    parts = [progress.stage]
    if progress.total:
        parts.append(f"{progress.done:,}/{progress.total:,}")
        parts.append(f"{100 * progress.done // progress.total} %")
    elif progress.done:
        parts.append(f"{progress.done:,}")
    if progress.total and progress.done >= progress.total:
        # What follows has its own line only once it begins, which can take seconds.
        return "  ".join([*parts, "finishing"])
    if progress.rate:
        parts.append(f"{progress.rate:,.0f}/s" if progress.rate >= 10 else f"{progress.rate:.1f}/s")
    if progress.seconds_left is not None:
        parts.append(f"{_duration(progress.seconds_left)} left")
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class JobLine(Line):
    """Status on the left, the job on the right."""

    DEFAULT_CSS = """
    JobLine { height: 1; padding: 0 1; background: $surface; color: $foreground-muted; }
    JobLine.-error { color: $text-warning; text-style: bold; }
    JobLine.-busy { color: $text; }
    """

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a sentence; it stays until the next one."""
        self.set_class(is_error, "-error")
        self.remove_class("-busy")
        self.show(literal(_fitted(text, self.app.size.width - 2)))

    def busy(
        self,
        progress: Progress | None,
        *,
        note: str,
        silent: float,
        log: Path,
        marks: Marks,
    ) -> None:
        """Show how far the job is, and whether it was heard of lately."""
        self.remove_class("-error")
        self.add_class("-busy")
        if silent >= _LONG_SILENCE:
            self.show(self._stalled(progress, note=note, silent=silent, log=log))
            return
        bar, text = "", note
        if progress is not None:
            share = progress.done / progress.total if progress.total else 0.0
            bar = f" {marks.bar(share, 12)} " if progress.total else ""
            text = progress_text(progress)
        room = max(self.app.size.width - 2 - cell_width(bar + _STOP), 8)
        shown = ellipsis(display(text, newline=" "), room)
        self.show(Content.assemble((bar, "$text-primary"), literal(shown), (_STOP, "bold")))

    def _stalled(
        self, progress: Progress | None, *, note: str, silent: float, log: Path
    ) -> Content:
        """Say for how long nothing came, what ends it, and where to look."""
        # Neither the rate nor the time left holds any more.
        known = (
            note
            if progress is None
            else progress_text(replace(progress, rate=None, seconds_left=None))
        )
        said = f"no progress for {_counted(silent)}"
        keys = "   X stop, R goes on   log "
        room = self.size.width - 2 - cell_width(said + keys)
        where = str(log)
        if cell_width(where) + cell_width(known) + 3 <= room:
            where += f"   {known}"
        else:
            where = ellipsis_start(where, max(room, _SHORTEST_PATH))
        return Content.assemble((said, "bold $text-warning"), (keys, "bold"), literal(where))


def _fitted(text: str, width: int) -> str:
    """Fit a sentence on the line: its longest path gives way first, else its end."""
    shown = display(text, newline=" ")
    path = max(_PATH.findall(shown), key=cell_width, default="")
    room = width - (cell_width(shown) - cell_width(path))
    if path and cell_width(shown) > width:
        shown = shown.replace(path, ellipsis_middle(path, max(room, _SHORTEST_PATH)), 1)
    return ellipsis(shown, width)


def _counted(seconds: float) -> str:
    """Say a time that is still running, so that it is seen to run."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{int(seconds)} s" if seconds < 120 else f"{minutes} min {rest:02d} s"
