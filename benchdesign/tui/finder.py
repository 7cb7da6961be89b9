"""What the command palette finds in the open workspace: concepts, gaps, candidates, items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.command import Hit, Hits, Provider
from textual.content import Content

from benchdesign.text import display
from benchdesign.tui.rows import is_gap_state

if TYPE_CHECKING:
    from benchdesign.tui.app import BenchdesignApp
    from benchdesign.tui.model import Session

__all__ = ["Found", "WorkspaceFinder", "find"]

_MOST = 8
"""Hits of each kind; whoever wants more types more."""

_AT_ONCE = 2_000
"""Texts looked at before the screen gets its turn."""

_CELLS = 90


class Found(NamedTuple):
    """One thing that matches."""

    kind: str
    mode: str
    """Screen that shows it."""

    row_id: str
    text: str
    score: float


class WorkspaceFinder(Provider):
    """Finds what holds every word typed; text is literal."""

    async def search(self, query: str) -> Hits:
        """Yield what matches, and what goes there."""
        from benchdesign.tui.app import BenchdesignApp

        app = self.app
        if not isinstance(app, BenchdesignApp) or app.session is None:
            return
        async for one in find(app.session, query):
            yield Hit(one.score, _shown(one), _goer(app, one), text=one.text)


async def find(session: Session, query: str) -> AsyncIterator[Found]:
    """Yield what holds every word of the query, a few of each kind."""
    words = query.lower().split()
    if not words or session.loaded is None:
        return
    for kind, mode, n, id_of, text_of in _places(session):
        n_found = 0
        for place in range(n):
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            text = text_of(place)
            lowered = text.lower()
            if all(word in lowered for word in words):
                yield Found(kind, mode, id_of(place), text, _score(lowered, words))
                n_found += 1
                if n_found == _MOST:
                    break


_Place = tuple[str, str, int, Callable[[int], str], Callable[[int], str]]


def _places(session: Session) -> Iterator[_Place]:
    loaded = session.loaded
    assert loaded is not None
    analysis = loaded.analysis
    label, states = analysis.dictionary.label, session.concept_states

    def concept(concept_id: int) -> str:
        return f"{concept_id:05d} {label(concept_id)}"

    gaps: Sequence[int] = session.gap_ids()
    yield "gap", "gaps", len(gaps), lambda at: str(gaps[at]), lambda at: concept(gaps[at])
    others = [one for one, state in enumerate(states) if not is_gap_state(state)]
    yield (
        "concept",
        "concepts",
        len(others),
        lambda at: str(others[at]),
        lambda at: concept(others[at]),
    )
    candidates = loaded.candidates
    yield (
        "candidate",
        "candidates",
        len(candidates),
        lambda at: candidates[at].key,
        lambda at: f"{candidates[at].item.id} {session.item_of(candidates[at]).text}",
    )
    items = analysis.benchmark.items
    yield (
        "item",
        "items",
        len(items),
        lambda at: f"item:{items[at].id}",
        lambda at: f"{items[at].id} {items[at].text}",
    )


def _score(text: str, words: Sequence[str]) -> float:
    # What begins with what was typed comes before what only holds it somewhere.
    begins = text.startswith(words[0]) or f" {words[0]}" in text[:120]
    return 0.9 if begins else 0.6


def _shown(one: Found) -> Content:
    name = f"{one.kind}: "
    return Content.assemble((name, "bold"), display(one.text[: 4 * _CELLS], width=_CELLS))


def _goer(app: BenchdesignApp, one: Found) -> Callable[[], None]:
    def go() -> None:
        app.call_later(_show, app, one)

    return go


async def _show(app: BenchdesignApp, one: Found) -> None:
    from benchdesign.tui.screens.lists import ListScreen

    if app.current_mode != one.mode:
        await app.switch_mode(one.mode)
    if isinstance(app.screen, ListScreen):
        app.screen.reveal(one.row_id)
