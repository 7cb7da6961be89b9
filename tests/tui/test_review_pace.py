"""The review queue: what was decided in this session, hidden answers, filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchdesign.tui.screens.candidates import CandidatesScreen
from benchdesign.tui.session.review_pace import measure_review_pace
from benchdesign.workspace.decisions import Decision, LogStep, Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import go, visible_text

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def step(
    seconds: float, *ids: str, action: str = "decide", verdict: Verdict | None = Verdict.ACCEPT
) -> LogStep:
    decisions = tuple(Decision(Subject.ADD, item_id, verdict) for item_id in ids)
    return LogStep(1, action, decisions, "ann", (START + timedelta(seconds=seconds)).isoformat())


def test_time_for_one_decision_is_the_median_and_a_pause_is_not_thinking() -> None:
    pace = measure_review_pace(
        [step(0, "a"), step(8, "b"), step(18, "c"), step(3000, "d"), step(3060, "e")]
    )
    assert (pace.n_decided, pace.seconds_each) == (5, 10.0)
    assert pace.text() == "this session 5 · 10 s each"


def test_what_was_undone_does_not_count_and_what_was_redone_does() -> None:
    undo, redo = (step(9, "b", action=action) for action in ("undo", "redo"))
    assert measure_review_pace([step(0, "a"), step(5, "b"), undo]).n_decided == 1
    assert measure_review_pace([step(0, "a"), step(5, "b"), undo, redo]).n_decided == 2
    assert measure_review_pace([undo, step(10, "a")]).n_decided == 1


def test_what_was_decided_before_the_sitting_does_not_count_when_it_is_redone() -> None:
    steps = [step(0, "a"), step(5, "a", action="undo"), step(6, "b", action="undo")]
    before = step(7, "b", action="redo")
    assert measure_review_pace([*steps, before]).n_decided == 0
    assert measure_review_pace([*steps, before, step(8, "a", action="redo")]).n_decided == 1


def test_an_item_opened_again_does_not_count() -> None:
    steps = [step(0, "a", "b"), step(4, "a", verdict=Verdict.OPEN)]
    assert measure_review_pace(steps).n_decided == 1
    assert measure_review_pace([*steps, step(8, "a")]).n_decided == 2


def test_an_item_judged_twice_counts_once_and_a_note_not_at_all() -> None:
    steps = [step(0, "a"), step(4, "a", verdict=None), step(8, "a", verdict=Verdict.REJECT)]
    assert (measure_review_pace(steps).n_decided, measure_review_pace(steps).seconds_each) == (
        1,
        8.0,
    )
    assert measure_review_pace([step(0, "a", "b"), step(10, "c", "d")]).seconds_each == 5.0
    assert measure_review_pace([step(0, "a")]).text() == "this session 1"


@pytest.mark.slow
async def test_only_what_was_decided_since_opening_is_counted(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        assert "this session" not in visible_text(app)
        await pilot.press("a", "r")
        await until(pilot, lambda: "this session 2" in visible_text(app))
        await pilot.press("u")
        await until(pilot, lambda: "this session 1" in visible_text(app))
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        assert "this session" not in visible_text(app)
        await pilot.press("n", "d")
        await until(pilot, lambda: "this session 1" in visible_text(app))


async def test_what_others_decided_meanwhile_is_not_of_this_sitting(bench: Bench) -> None:
    with Workspace.open(bench.work, who="ben") as other:
        async with bench.opened() as (app, pilot):
            assert app.session is not None and not app.session.can_write
            other.decisions.decide(Subject.ADD, "p3", Verdict.ACCEPT)
            other.close()
            app.workspaces.try_writing()
            await until(pilot, lambda: app.session.can_write)
            assert app.session.review_pace.n_decided == 0 and len(app.session.log) == 1


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_answers_are_hidden_until_they_are_asked_for(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        screen = app.screen
        assert isinstance(screen, CandidatesScreen)
        key = next(line for line in screen.detail.text.splitlines() if line.startswith("key "))
        await pilot.press("B")
        await until(pilot, lambda: "hidden   B shows it" in screen.detail.text)
        assert key not in screen.detail.text
        await pilot.press("a")
        await until(pilot, lambda: app.session is not None and len(app.session.log) == 1)
        assert "hidden   B shows it" in screen.detail.text
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        assert isinstance(app.screen, CandidatesScreen)
        assert "hidden   B shows it" in app.screen.detail.text
        await pilot.press("B")
        assert "hidden" not in app.screen.detail.text


@pytest.mark.parametrize(
    ("typed", "n_shown"),
    [
        ("reason:clear", 1),
        pytest.param("note:check", 1, marks=pytest.mark.slow),
        pytest.param("concept:fox", 12, marks=pytest.mark.slow),
        ("concept:00002 p-79", 1),
        pytest.param("concept:owl", 0, marks=pytest.mark.slow),
        pytest.param("tokens>5", 12, marks=pytest.mark.slow),
        ("tokens>5000", 0),
    ],
)
async def test_candidates_are_filtered_by_concept_length_and_what_was_said(
    bench: Bench, typed: str, n_shown: int
) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None and session.analysis is not None
        first, second = (proposal.id for proposal in session.analysis.proposals[:2])
        session.record(Decision(Subject.ADD, first, Verdict.REJECT, reason="unclear"))
        session.record(Decision(Subject.ADD, second, note="check the year"))
        await go(pilot, app, "candidates")
        screen = app.screen
        assert isinstance(screen, CandidatesScreen)
        screen.filter_bar.restore(typed)
        await until(pilot, lambda: len(screen.table.view) == n_shown)
