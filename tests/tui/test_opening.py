"""Opening in two steps: what was found first, the items it was found in behind it."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from textual.pilot import Pilot

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.dialogs.scope import ScopeScreen
from benchdesign.tui.rows.concept_rows import ConceptRows
from benchdesign.tui.rows.item_rows import BenchmarkItemRows
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.screens.concepts import ConceptsScreen
from benchdesign.tui.screens.items import ItemsScreen
from benchdesign.tui.session.items_by_concept import ItemsByConcept
from benchdesign.tui.session.pause_garbage_collection import pause_collection
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.session_data import load_session
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.workspace.analysis import Summary
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.keywords import WORDS
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import visible_text

FOX = WORDS.index("fox")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Items are read once this is set."""
    from benchdesign.benchmarks.load import load_benchmark

    event = threading.Event()

    def wait(*args: object, **options: object) -> object:
        event.wait(600)
        return load_benchmark(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("benchdesign.workspace.load_sets.load_benchmark", wait)
    yield event
    event.set()


@contextlib.asynccontextmanager
async def opening(bench: Bench) -> AsyncIterator[tuple[BenchdesignApp, Pilot[None]]]:
    """Open the workspace and wait for its figures, not for its items."""
    app = bench.app()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.session is not None and app.session.summary is not None)
        yield app, pilot


def is_waiting(app: BenchdesignApp) -> bool:
    return app.screen.has_class("-waiting")


async def go(app: BenchdesignApp, pilot: Pilot[None], key: str, mode: str) -> BaseScreen:
    await pilot.press(key)
    await until(pilot, lambda: app.current_mode == mode)
    await pilot.pause()
    assert isinstance(app.screen, BaseScreen)
    return app.screen


async def test_figures_and_gaps_are_shown_before_the_items_are_read(
    bench: Bench, held: threading.Event
) -> None:
    async with opening(bench) as (app, pilot):
        session = app.session
        assert session is not None and session.loaded is None
        assert app.current_mode == "overview" and not is_waiting(app)
        await until(pilot, lambda: "95 % interval" in visible_text(app))
        await go(app, pilot, "3", "concepts")
        assert not is_waiting(app) and len(app.screen.query_one(LineTable).view)
        await go(app, pilot, "4", "gaps")
        await pilot.press("f")
        assert not is_waiting(app) and len(app.screen.query_one(LineTable).view)
        for key, mode in (("5", "candidates"), ("6", "items")):
            await go(app, pilot, key, mode)
            assert is_waiting(app)
        held.set()
        await until(pilot, lambda: session.loaded is not None and not is_waiting(app))
        assert len(app.screen.query_one(LineTable).view) == 80


async def test_decision_made_while_the_items_are_read_is_kept(
    bench: Bench, held: threading.Event
) -> None:
    async with opening(bench) as (app, pilot):
        session = app.session
        assert session is not None
        await go(app, pilot, "3", "concepts")
        row_id = app.screen.query_one(LineTable).cursor_id
        await pilot.press("i")
        assert row_id is not None and session.loaded is None
        assert session.log.verdict(Subject.CONCEPT, row_id) is Verdict.IGNORE
        held.set()
        await until(pilot, lambda: session.loaded is not None)
        assert session.view.concept_states[int(row_id)] == "ignored"


def test_summary_and_analysis_count_the_same(bench: Bench) -> None:
    with Workspace.open(bench.work) as workspace:
        session, seen = Session(workspace), []
        loaded = load_session(workspace, on_summary=seen.append)
        summary: Summary = seen[0]
        session.summarise(summary)
        proposal = summary.proposals[0]
        session.log.decide(Subject.ADD, proposal.id, Verdict.ACCEPT)
        session.summarise(summary)
        before = (
            session.view.gap_ids,
            session.verdict_counts(),
            int(session.view.added_counts[FOX]),
        )
        session.replace(loaded)
        after = (
            session.view.gap_ids,
            session.verdict_counts(),
            int(session.view.added_counts[FOX]),
        )
        assert before == after
        assert (
            summary.current_share_interval is not None
            and summary.current_share_interval == loaded.analysis.current_share_interval
        )
        share = session.view.figures.n_covered / session.view.figures.n_judged
        assert share == pytest.approx(summary.current_share_interval.share)
        assert session.view.accepted_rows == [proposal.row]
        assert list(session.concept_texts()) == [f"{n:05d} {word}" for n, word in enumerate(WORDS)]


def test_items_of_a_concept_are_those_that_reach_its_threshold(bench: Bench) -> None:
    with Workspace.open(bench.work, access="read") as workspace:
        loaded = load_session(workspace)
    concept_map, thresholds = (
        loaded.analysis.benchmark_map,
        loaded.analysis.gaps.coverage.thresholds,
    )
    items_by_concept = ItemsByConcept.from_map(concept_map, thresholds)
    table = concept_map.presence(thresholds).toarray() > 0
    assert np.array_equal(items_by_concept.counts, table.sum(axis=0))
    assert np.array_equal(items_by_concept.n_concepts, table.sum(axis=1))
    for concept_id in range(len(WORDS)):
        assert np.array_equal(items_by_concept.of(concept_id), np.flatnonzero(table[:, concept_id]))
        rows = [row for row, _ in items_by_concept.strongest(concept_id, 3)]
        assert rows == np.flatnonzero(table[:, concept_id])[:3].tolist()


@pytest.mark.parametrize("typed", ["owl", "what owl", "7 eat owl", "nothing"])
def test_filter_finds_the_same_in_kept_texts_as_row_by_row(typed: str) -> None:
    texts = [f"What does {animal} {n} eat?" for n, animal in enumerate(["owl", "fox"] * 10)]
    wanted = parse_filter(typed)
    slow = wanted.keep(20, texts.__getitem__)
    lowered = [text.lower() for text in texts]
    assert wanted.keep(20, texts.__getitem__, lowered=lowered) == slow
    among = [row % 3 > 0 for row in range(20)]
    assert slow is not None
    expected = [is_slow and is_among for is_slow, is_among in zip(slow, among, strict=True)]
    assert wanted.keep(20, texts.__getitem__, lowered=lowered, among=among) == expected
    assert wanted.keep(20, texts.__getitem__, among=among) == expected


@pytest.mark.parametrize(
    ("now", "before", "narrows"),
    [
        ("ow", "", True),
        ("owl", "ow", True),
        ("owl ea", "owl", True),
        ("what owl", "ha ow", True),
        ("ow", "owl", False),
        ("owl", "fox", False),
        ("", "o", False),
        ("/owl/", "", False),
        ("id:12", "id:1", False),
        ("owl id:1", "owl", False),
        ("owl", "ow id:1", False),
        ("12 row>3", "1", False),
    ],
)
def test_only_words_with_letters_more_are_looked_for_among_what_is_shown(
    now: str, before: str, narrows: bool
) -> None:
    fields = ("id", "row")
    wanted, other = parse_filter(now, fields=fields), parse_filter(before, fields=fields)
    assert wanted.narrows(other) is narrows


async def test_columns_known_at_once_sort_as_row_by_row(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        session = app.session
        assert session is not None and session.loaded is not None
        pool = session.loaded.analysis.pool
        assert pool is not None
        session.log.decide(Subject.ADD, pool.items[3].id, Verdict.ACCEPT)
        session.log.decide(Subject.REMOVE, "b-5", Verdict.ACCEPT)
        for rows, columns in (
            (BenchmarkItemRows(session, marks=app.marks), ItemsScreen.COLUMNS),
            (ConceptRows(session, marks=app.marks), ConceptsScreen.COLUMNS),
        ):
            for column in columns:
                values = rows.sort_values(column.key)
                each = [rows.sort_value(row, column.key) for row in range(len(rows))]
                assert values is None or list(values) == each
            assert [rows.text(row).lower() for row in range(len(rows))] == list(rows.lowered)


def test_many_loaded_objects_are_left_out_of_later_searches_for_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "benchdesign.tui.session.pause_garbage_collection._MIN_FROZEN_OBJECTS", 1_000
    )
    before = gc.get_freeze_count()
    try:
        with pause_collection():
            assert not gc.isenabled()
            many = [[row] for row in range(2_000)]
        assert gc.isenabled() and gc.get_freeze_count() - before > len(many)
    finally:
        # All is looked at again; what was left out before the test is left out after it too.
        gc.unfreeze()
        gc.collect()
        gc.freeze()


async def test_scope_asked_for_too_early_opens_when_the_items_are_read(
    bench: Bench, held: threading.Event
) -> None:
    async with opening(bench) as (app, pilot):
        await pilot.press("c")
        assert len(app.screen_stack) == 1 and "as soon as the items are loaded" in app.messages.text
        held.set()
        await until(pilot, lambda: isinstance(app.screen, ScopeScreen))
