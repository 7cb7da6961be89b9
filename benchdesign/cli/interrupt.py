"""Stop a command in good order on Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchdesign.cli.output import Messages

__all__ = ["stop_on_interrupt"]


@contextmanager
def stop_on_interrupt(messages: Messages) -> Iterator[Callable[[], bool]]:
    """Yield a stop check that turns true on the first Ctrl-C; a second one interrupts at once.

    The line of progress is ended on the way out, also on an error.
    """
    is_interrupted = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if is_interrupted:
            raise KeyboardInterrupt
        is_interrupted = True
        messages.say("Stopping after the current step; press Ctrl-C again to stop at once.")

    handlers: dict[int, Any] = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: is_interrupted
    finally:
        messages.end_progress()
        for number, handler in handlers.items():
            signal.signal(number, handler)
