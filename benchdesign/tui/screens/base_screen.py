"""Base of the nine screens: header, screen strip, job line, keys, sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input

from benchdesign.foundation.number_words import local_time_text
from benchdesign.foundation.text import display
from benchdesign.tui.keys import FOOTERS, KEYS, SCREENS, bound_key, footer_word, key_label
from benchdesign.tui.pages.waiting_page import waiting_page
from benchdesign.tui.session.controllers import Controllers
from benchdesign.tui.widgets.detail import Line
from benchdesign.tui.widgets.job_line import JobLine

if TYPE_CHECKING:
    from benchdesign.tui.session.session import Session
    from benchdesign.tui.session.ui_state import UiState
    from benchdesign.workspace.decisions import Decision

__all__ = ["ActionLine", "BaseScreen", "LinePart"]


class LinePart(NamedTuple):
    """A part of a line; clicking it runs its action."""

    text: str
    style: str = ""
    action: str = ""


class ActionLine(Line):
    """A line of clickable parts."""

    DEFAULT_CSS = """
    ActionLine { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    _parts: Sequence[LinePart] = ()

    def set_parts(self, parts: Sequence[LinePart]) -> None:
        """Show new parts."""
        self._parts = list(parts)
        self.show(Content.assemble(*((part.text, part.style) for part in parts)))

    def action_at(self, x: int) -> str:
        """Return the action of the part at a cell; empty if there is none."""
        for part in self._parts:
            x -= cell_len(part.text)
            if x < 0:
                return part.action
        return ""

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the clicked part."""
        offset = event.get_content_offset(self)
        action = self.action_at(offset.x) if offset else ""
        if action and isinstance(self.screen, BaseScreen):
            await self.screen.perform(action)


def _saved_text(session: Session) -> str:
    """Return when the last decision was saved; empty if there is none or it is unknown."""
    steps = session.log.steps
    clock = local_time_text(steps[-1].when) if steps else ""
    return clock and f"saved {clock}"


class BaseScreen(Screen[None]):
    """One of the nine screens."""

    MODE: ClassVar[str] = ""
    NEEDS_ANALYSIS: ClassVar[bool] = True
    NEEDS_ITEMS: ClassVar[bool] = True
    """Whether the screen waits until items and maps are read; else it needs only the summary."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - read only
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - read only

    seen_version = -1
    """Session version that is on screen."""

    restored_from: UiState | None = None
    """The UI state that the screen shows; None until it has shown one."""

    def __init__(self, controllers: Controllers) -> None:
        super().__init__()
        self.shell = controllers.shell
        self.messages = controllers.messages
        self.workspaces = controllers.workspaces
        self.jobs = controllers.jobs
        self.launch = controllers.launch
        self.marks = controllers.marks

    @property
    def session(self) -> Session | None:
        """The open workspace."""
        return self.workspaces.session

    def compose(self) -> ComposeResult:
        """Lay out the frame."""
        yield Line(id="title")
        yield ActionLine(id="strip")
        with Container(id="body"):
            yield from self.compose_body()
        yield Line(id="empty-state")
        yield JobLine(id="job")
        yield ActionLine(id="keys")
        yield Line(
            "Too small: make the window 60x16 or larger. The commands work at any size:"
            " benchdesign --help",
            id="too-small",
        )

    def compose_body(self) -> ComposeResult:
        """Yield the widgets of the screen itself; none by default."""
        return ()

    def refresh_session(self) -> None:
        """Show the current state of the session; called after a change and on return."""

    def remember(self) -> None:
        """Save the state of the screen in the UI state; a screen without state has none to save."""

    def go_to_decision(self, decision: Decision) -> None:
        """Show what a decision is about, if the screen lists it."""

    def on_mount(self) -> None:
        """Draw the frame and the initial state."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.draw_frame()
        self.catch_up()

    def on_screen_resume(self) -> None:
        """Refresh after changes made on other screens."""
        if self.is_mounted:
            self.draw_frame()
            self.catch_up()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the frame to the window."""
        self.set_class(event.size.width < 60 or event.size.height < 16, "-tiny")
        self.draw_frame()

    def catch_up(self) -> None:
        """Refresh if anything changed since the last refresh."""
        if not self.is_mounted or not self.query("#too-small"):
            return
        waiting = self.is_waiting
        self.set_class(waiting, "-waiting")
        if waiting:
            self.query_one("#empty-state", Line).show(self._waiting_content())
            self.seen_version = -1
            return
        version = self.workspaces.version
        if version != self.seen_version:
            self.seen_version = version
            self.refresh_session()

    def _waiting_content(self) -> Content:
        width = min(self.app.size.width - 14, 96)
        return waiting_page(self.workspaces, self.jobs, marks=self.marks, width=width)

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing to show yet."""
        session = self.session
        if not self.NEEDS_ANALYSIS:
            return False
        if session is None or session.summary is None:
            return True
        return self.NEEDS_ITEMS and session.loaded is None

    @property
    def footer_mode(self) -> str:
        """Name of the footer; a screen with several lists can have one for each."""
        return self.MODE

    @property
    def is_narrow(self) -> bool:
        """Whether the narrow layout is used."""
        return self.app.size.width < 100

    def draw_frame(self) -> None:
        """Draw header, strip, job line and keys."""
        if not self.is_mounted or not self.query("#title"):
            return
        self.query_one("#title", Line).show(self._title())
        self.query_one("#strip", ActionLine).set_parts(self._strip())
        self.query_one("#keys", ActionLine).set_parts(list(self._keys()))
        self.draw_status()

    def draw_status(self) -> None:
        """Draw the status line: the running job, or the latest message."""
        job = self.jobs.job
        for line in self.query(JobLine):
            if job is None:
                line.say(self.messages.text, is_error=self.messages.is_error)
            else:
                line.busy(
                    job.progress,
                    note=job.note,
                    silent=job.seconds_silent,
                    log=job.log,
                    marks=self.marks,
                )

    def _title(self) -> Content:
        width = self.app.size.width - 2
        session = self.session
        if session is None:
            return Content.assemble(("benchdesign", "bold $text-accent"))
        name = f" · {session.title}"
        size = right = ""
        if session.summary is not None:
            size = f" · {session.summary.gaps.n_items:,} items"
            dictionary = session.summary.dictionary
            right = f"read by {dictionary.model} · {dictionary.n_concepts:,} concepts"
        saved = _saved_text(session) if session.can_write else "read-only"
        right = saved if self.is_narrow else " · ".join(text for text in (right, saved) if text)
        size = "" if self.is_narrow else size
        name_width = max(width - 11 - cell_len(size) - cell_len(right) - 2, 8)
        name = display(name, width=name_width)
        gap = " " * max(width - 11 - cell_len(name + size + right), 1)
        return Content.assemble(
            ("benchdesign", "bold $text-accent"),
            (name, "bold"),
            size,
            gap,
            (right, "$foreground-muted"),
        )

    def _strip(self) -> list[LinePart]:
        current = next(screen for screen in SCREENS if screen.mode == self.MODE)
        screens = list(SCREENS)
        if self.is_narrow:
            low = max(min(current.number - 2, len(SCREENS) - 3), 0)
            screens = screens[low : low + 3]
        parts = [LinePart("< ", "$foreground-muted", "step_screen(-1)")] if self.is_narrow else []
        for screen in screens:
            action = f"go('{screen.mode}')"
            if screen is current:
                parts.append(LinePart(f"[{screen.number} {screen.title}]", "bold reverse", action))
            else:
                parts.append(
                    LinePart(f" {screen.number} {screen.title} ", "$foreground-muted", action)
                )
        if self.is_narrow:
            parts.append(
                LinePart(f" >   {current.number}/9", "$foreground-muted", "step_screen(1)")
            )
        return parts

    def _keys(self) -> Iterable[LinePart]:
        ids = self._waiting_keys() if self.is_waiting else FOOTERS[self.footer_mode]
        if self.is_narrow:
            ids = (*[key_id for key_id in ids if key_id != "help"][:5], "help")
        for key_id in ids:
            key = KEYS[key_id]
            label, word = key_label(self.key_of(key_id)), footer_word(self.footer_mode, key_id)
            yield LinePart(f"{label} ", "bold $text-accent", key.action)
            yield LinePart(f"{word}   ", "$foreground-muted", key.action)

    def _waiting_keys(self) -> tuple[str, ...]:
        """Return the keys that work while there is nothing to show."""
        general = ("screen.open", "help", "palette", "quit")
        if self.jobs.job is not None:
            return ("stop", *general)
        return general if self.session is None else ("recompute", *general)

    def key_of(self, key_id: str) -> str:
        """Return the key of an action, according to the user's key map."""
        return bound_key(key_id, self.launch.preferences.keys)

    async def perform(self, action: str) -> None:
        """Run an action on the focused widget, this screen or the application."""
        targets: list[DOMNode] = [self, self.app]
        if self.focused is not None:
            targets.insert(0, self.focused)
        for target in targets:
            if await self.app.run_action(action, target):
                return

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show a message on the status line."""
        self.messages.say(text, is_error=is_error)
