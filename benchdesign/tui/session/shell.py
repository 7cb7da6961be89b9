"""What the controllers need from the application that holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from benchdesign.tui.session.ui_state import UiState

__all__ = ["Shell"]


class Shell(Protocol):
    """The application, as the controllers and the screens see it."""

    def go(self, mode: str) -> None:
        """Show a screen."""

    def draw_screen(self) -> None:
        """Draw the current screen after a change."""

    def draw_status(self) -> None:
        """Draw the status line of the current screen."""

    def save_screens(self, ui: UiState) -> None:
        """Save in `ui` which screen is current, and the state of every screen that shows it."""

    def start_job(self) -> None:
        """Start a job that runs the outdated stages of the open workspace."""

    def drop_job(self) -> None:
        """Stop the running job without a message."""

    def notify(self, message: str, *, markup: bool) -> None:
        """Show a message over the screen for a few seconds."""

    def run_in_thread(self, function: Callable[[], None]) -> None:
        """Start a function in a thread; cancel the one that was started before."""

    def call_from_thread(self, callback: Callable[..., None], /, *arguments: Any) -> None:
        """Call a function in the thread of the interface and wait until it returns."""
