"""The row above the footer: what a running job does, else the last thing that was said."""

from __future__ import annotations

from textual.content import Content

from benchdesign.progress import Progress
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.evidence import literal

__all__ = ["JobLine", "progress_text"]

_LONG_SILENCE = 20.0
"""Seconds without news after which the line says so: it may hang, or the machine swaps."""


def progress_text(progress: Progress) -> str:
    """Say how far a job is: `mapping items  612/1,240  49 %  38/s  16 s left`."""
    parts = [progress.stage]
    if progress.total:
        parts.append(f"{progress.done:,}/{progress.total:,}")
        parts.append(f"{100 * progress.done // progress.total} %")
    elif progress.done:
        parts.append(f"{progress.done:,}")
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
        self.show(literal(text.replace("\n", " ")))

    def busy(self, progress: Progress | None, *, note: str, silent: float, marks: Marks) -> None:
        """Show how far the job is, and whether it was heard of lately."""
        self.remove_class("-error")
        self.add_class("-busy")
        end = ("   X stop", "bold")
        if silent > _LONG_SILENCE:
            end = (f"   nothing new for {_duration(silent)}   X stop, R goes on", "bold")
        if progress is None:
            self.show(Content.assemble(literal(note), end))
            return
        share = progress.done / progress.total if progress.total else 0.0
        bar = (f" {marks.bar(share, 12)} ", "$text-primary") if progress.total else ""
        self.show(Content.assemble(bar, literal(progress_text(progress)), end))
