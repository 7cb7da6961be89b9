"""Search of the command palette: gaps, concepts, candidates, items of the open workspace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import App
from textual.command import Hit, Hits, Provider
from textual.content import Content

from benchdesign.foundation.text import display
from benchdesign.tui.rows.concept_states import is_gap_state
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.screens.list_screen import ListScreen

if TYPE_CHECKING:
    from benchdesign.tui.session.session import Session

__all__ = ["SearchMatch", "WorkspaceFinder", "find_matches"]

_MAX_MATCHES = 8
"""Maximum number of matches of each kind."""

_TEXTS_PER_TURN = 2_000
"""Number of texts searched before control returns to the event loop."""

_CELLS = 90


class SearchMatch(NamedTuple):
    """One match."""

    kind: str
    mode: str
    """Screen that shows it."""

    row_id: str
    text: str
    score: float


class WorkspaceFinder(Provider):
    """Find texts that contain every typed word; words are literal."""

    async def search(self, query: str) -> Hits:
        """Yield a hit for each match; choosing it shows the match."""
        session = self.screen.session if isinstance(self.screen, BaseScreen) else None
        if session is None:
            return
        async for match in find_matches(session, query):
            show = partial(self.app.call_later, _show_match, self.app, match)
            yield Hit(match.score, _match_content(match), show, text=match.text)


async def find_matches(session: Session, query: str) -> AsyncIterator[SearchMatch]:
    """Yield texts that contain every word of the query, up to `_MAX_MATCHES` of each kind."""
    words = query.lower().split()
    if not words or session.loaded is None:
        return
    for kind, mode, n, id_of, text_of in _search_sources(session):
        n_found = 0
        for position in range(n):
            if position % _TEXTS_PER_TURN == _TEXTS_PER_TURN - 1:
                await asyncio.sleep(0)
            text = text_of(position)
            lowered = text.lower()
            if all(word in lowered for word in words):
                yield SearchMatch(kind, mode, id_of(position), text, _score(lowered, words))
                n_found += 1
                if n_found == _MAX_MATCHES:
                    break


_SearchSource = tuple[str, str, int, Callable[[int], str], Callable[[int], str]]


def _search_sources(session: Session) -> Iterator[_SearchSource]:
    loaded = session.loaded
    assert loaded is not None
    analysis = loaded.analysis
    label, states = analysis.dictionary.label, session.view.concept_states

    def concept(concept_id: int) -> str:
        return f"{concept_id:05d} {label(concept_id)}"

    groups = loaded.groups
    yield (
        "group",
        "gaps",
        len(groups),
        lambda i: f"group:{groups[i].id}",
        lambda i: groups[i].name,
    )
    gaps: Sequence[int] = session.view.gap_ids
    yield "gap", "gaps", len(gaps), lambda i: str(gaps[i]), lambda i: concept(gaps[i])
    other_ids = [concept_id for concept_id, state in enumerate(states) if not is_gap_state(state)]
    yield (
        "concept",
        "concepts",
        len(other_ids),
        lambda i: str(other_ids[i]),
        lambda i: concept(other_ids[i]),
    )
    candidates = loaded.candidates
    yield (
        "candidate",
        "candidates",
        len(candidates),
        lambda i: candidates[i].key,
        lambda i: f"{candidates[i].item.id} {session.item_of(candidates[i]).text}",
    )
    items = analysis.benchmark.items
    yield (
        "item",
        "items",
        len(items),
        lambda i: f"item:{items[i].id}",
        lambda i: f"{items[i].id} {items[i].text}",
    )


def _score(text: str, words: Sequence[str]) -> float:
    # A match at the start of a word near the beginning ranks first.
    begins = text.startswith(words[0]) or f" {words[0]}" in text[:120]
    return 0.9 if begins else 0.6


def _match_content(match: SearchMatch) -> Content:
    name = f"{match.kind}: "
    return Content.assemble((name, "bold"), display(match.text[: 4 * _CELLS], width=_CELLS))


async def _show_match(app: App[Any], match: SearchMatch) -> None:
    if app.current_mode != match.mode:
        await app.switch_mode(match.mode)
    if isinstance(app.screen, ListScreen):
        app.screen.reveal(match.row_id)
