"""Wanted counts, merged concepts and scope, decided on Concepts and Gaps."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from benchdesign.coverage.status import Status
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.widgets.detail import Detail
from tests.keywords import WORDS
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import go, visible_text

CAT, DOG, FOX, OWL = (WORDS.index(word) for word in ("cat", "dog", "fox", "owl"))


async def to_concept(pilot: Pilot[None], app: BenchdesignApp, concept_id: int) -> ListScreen:
    if app.current_mode != "concepts":
        await go(pilot, app, "concepts")
    screen = app.screen
    assert isinstance(screen, ListScreen)
    assert screen.table.move_to(str(concept_id))
    await pilot.pause()
    return screen


async def answer(pilot: Pilot[None], app: BenchdesignApp, *keys: str) -> None:
    await until(pilot, lambda: len(app.screen_stack) == 2)
    await pilot.press(*keys)
    await until(pilot, lambda: len(app.screen_stack) == 1)
    await pilot.pause()


async def want(pilot: Pilot[None], app: BenchdesignApp, count: str) -> None:
    await pilot.press("t")
    await until(pilot, lambda: len(app.screen_stack) == 2)
    await pilot.press("end", "ctrl+u")
    await answer(pilot, app, *count, "enter")


async def test_a_wanted_count_is_on_disk_shown_at_once_and_undone(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None
        screen = await to_concept(pilot, app, OWL)
        assert session.view.concept_states[OWL] == "adequate"
        rule = session.target(OWL)
        await want(pilot, app, "60")
        (entry,) = bench.log_lines()
        assert (entry["kind"], entry["id"], entry["want"]) == ("concept", str(OWL), 60)
        assert session.view.concept_states[OWL] == "under"
        assert screen.table.rows.cell(OWL, "want").text == "60"
        assert "want 60 (manual)" in screen.query_one(Detail).text
        assert OWL in session.view.gap_ids
        assert session.workspace.is_stale
        await pilot.press("u")
        assert session.view.concept_states[OWL] == "adequate"
        assert (session.target(OWL), session.workspace.is_stale) == (rule, False)
        assert app.messages.text == f"wanted count of {OWL} undone. 0 to undo."
        await pilot.press("U")
        assert session.target(OWL) == 60


async def test_nothing_typed_gives_the_count_back_to_the_rule(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None
        await to_concept(pilot, app, FOX)
        rule = session.target(FOX)
        await want(pilot, app, "0")
        assert FOX not in session.view.gap_ids
        await want(pilot, app, "")
        assert session.target(FOX) == rule
        assert FOX in session.view.gap_ids


@pytest.mark.parametrize(
    "bad",
    [
        "-3",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("many", "1.5", "9999999999999")),
    ],
)
async def test_what_is_no_number_of_items_changes_nothing(bench: Bench, bad: str) -> None:
    async with bench.opened() as (app, pilot):
        await to_concept(pilot, app, FOX)
        await want(pilot, app, "".join(bad))
        assert "not a number of items" in app.messages.text
        assert not (bench.work / "decisions.jsonl").exists() or bench.log_lines() == []


async def test_marked_concepts_get_one_wanted_count_and_one_undo(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None
        await to_concept(pilot, app, CAT)
        await pilot.press("space", "space")
        await want(pilot, app, "70")
        assert len(bench.log_lines()) == 2
        assert len(session.log.wanted) == 2
        await pilot.press("u")
        assert session.log.wanted == {}


@pytest.mark.slow
async def test_a_wanted_count_holds_in_the_gap_list_and_through_a_new_start(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("f", "t")
        assert "right opens an area" in app.messages.text
        await pilot.press("right", "down")
        await want(pilot, app, "7")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert screen.table.rows.cell(1, "want").text == "7"
    async with bench.opened() as (app, pilot):
        assert app.session is not None
        assert app.session.target(FOX) == 7
        assert app.session.analysis is not None
        assert app.session.analysis.gaps.status(FOX) is Status.MISSING


async def test_merged_concepts_are_one_row_everywhere_and_two_again_after_undo(
    bench: Bench,
) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None and session.analysis is not None
        counts = session.analysis.gaps.count.copy()
        screen = await to_concept(pilot, app, FOX)
        await pilot.press("space")
        await to_concept(pilot, app, OWL)
        await pilot.press("space")
        await to_concept(pilot, app, OWL)
        await pilot.press("m")
        await answer(pilot, app, "enter")
        assert bench.log_lines()[-1]["merge"] == str(OWL)
        await until(pilot, lambda: session.members(OWL) == [FOX])
        await pilot.pause()
        row_ids = [screen.table.rows.row_id(row) for row in screen.table.view]
        assert str(FOX) not in row_ids
        assert screen.table.rows.cell(OWL, "concept").text == "owl +1 merged"
        assert session.analysis.gaps.count[OWL] == counts[OWL] + counts[FOX]
        assert session.loaded is not None and session.loaded.candidates
        await go(pilot, app, "gaps")
        await pilot.press("f")
        assert "fox" not in visible_text(app)
        await pilot.press("u")
        await until(pilot, lambda: session.members(OWL) == [])
        await until(pilot, lambda: FOX in session.view.gap_ids)
        assert session.analysis.gaps.count.tolist() == counts.tolist()


@pytest.mark.slow
async def test_a_merged_concept_is_taken_apart_with_the_same_key(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None
        await to_concept(pilot, app, OWL)
        await pilot.press("m")
        assert "mark the concepts to merge" in app.messages.text
        await pilot.press("space")
        await to_concept(pilot, app, FOX)
        await pilot.press("space")
        await pilot.press("m")
        await answer(pilot, app, "down", "enter")
        await until(pilot, lambda: bool(session.loaded and session.loaded.merged))
        keeper = session.log.merged.popitem()[1]
        await pilot.pause()
        screen = await to_concept(pilot, app, keeper)
        await pilot.pause()
        assert "includes" in screen.query_one(Detail).text
        await pilot.press("m")
        await until(pilot, lambda: session.loaded is not None and not session.loaded.merged)


async def test_leaving_the_question_changes_nothing(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await to_concept(pilot, app, FOX)
        await pilot.press("t")
        await answer(pilot, app, "escape")
        await pilot.press("home", "space", "space", "m")
        await answer(pilot, app, "escape")
        assert app.session is not None and len(app.session.log) == 0
