"""The messages of the status line."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["StatusMessages"]


class StatusMessages:
    """The message on the status line, and the earlier ones."""

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self.text = "Ready."
        self.is_error = False
        self.history: list[str] = []
        """All messages, oldest first."""

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a message on the status line; it stays until the next one."""
        self.text, self.is_error = text, is_error
        self.history.append(text)
        self._draw()
