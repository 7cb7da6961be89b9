"""Keys typed faster than focus moves, or before the first screen exists."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App, ScreenStackError
from textual.widget import Widget

__all__ = ["TypedKeys"]

_RETRY_SECONDS = 0.01
"""Seconds between retries of keys typed before the first screen exists."""


class TypedKeys:
    """The latest keys of an application, each with the widget that it was typed into.

    Without it, keys typed quickly after `/`, `e` or a screen number would still be commands of the
    list that had focus: `/arithmetic` would accept and reject candidates.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._typed_into: deque[tuple[events.Key, Widget]] = deque(maxlen=256)
        self._queue: list[events.Key] = []

    def record(self, key: events.Key) -> bool:
        """Record which widget has focus; queue the key, and return False, if no screen exists."""
        if self._queue or not self._has_screen:
            self._queue_key(key)
            return False
        self._typed_into.append((key, self._app.focused or self._app.screen))
        return True

    def forward(self, key: events.Key) -> bool:
        """Forward an unhandled key to the widget with focus, if focus moved after it was typed.

        Return whether the key was forwarded, or queued because no screen exists.
        """
        forwarded = events.Key(key.key, key.character)
        if not self._has_screen:
            self._queue_key(forwarded)
            return True
        typed_into = next((widget for event, widget in self._typed_into if event is key), None)
        focus = self._app.focused or self._app.screen
        if typed_into is None or typed_into is focus:
            return False
        self._typed_into.append((forwarded, focus))
        focus._forward_event(forwarded)
        return True

    @property
    def _has_screen(self) -> bool:
        """Whether the screen of the mode exists; Textual creates it after the start."""
        try:
            return self._app.screen is not None
        except ScreenStackError:
            return False

    def _queue_key(self, key: events.Key) -> None:
        self._queue.append(key)
        if len(self._queue) == 1:
            self._app.set_timer(_RETRY_SECONDS, self._post_queue)

    def _post_queue(self) -> None:
        if not self._has_screen:
            self._app.set_timer(_RETRY_SECONDS, self._post_queue)
            return
        keys, self._queue = self._queue, []
        for key in keys:
            self._app.post_message(key)
