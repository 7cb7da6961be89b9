"""Groups of similar items on Overview, Gaps and Candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input

from benchdesign.coverage.groups.gap_group import (
    ConceptShare,
    GapGroup,
    GapGroups,
    GroupPower,
    GroupReference,
    GroupStatus,
)
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.tui.pages.overview_page import next_step
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.widgets.detail import Detail
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.group_builders import make_group, make_groups
from tests.tui.conftest import HOSTILE, Bench, until
from tests.tui.test_screens import go, visible_text

N_POOL = 160
FOXES = tuple(range(3, N_POOL, 4))
"""The pool rows about foxes, which are what the benchmark lacks."""

LARGE: dict[str, Any] = {
    "expected": 20.0,
    "share": 0.25,
    "p_value": 0.005,
    "pool_rows": FOXES,
    "typical": (3, 7),
    "nearest_own": (0, 1),
    "concepts": (ConceptShare(2, "fox", 0.9, 0.02),),
}
"""A group of a quarter of the pool."""


def large_group(name: str, **changes: Any) -> GapGroup:
    """A missing group of all foxes; `changes` replace its fields."""
    return make_group(name, **{**LARGE, **changes})


def example(name: str = "foxes") -> GapGroups:
    """A missing group with a part, a suspicion, one with too many, and one out of scope."""
    return make_groups(
        large_group(name, id="a1"),
        large_group("young foxes", id="a2", parent="a1", expected=6.0, pool_rows=FOXES[:9]),
        large_group(
            "owls",
            id="b1",
            status=GroupStatus.SUSPECTED,
            p_value=0.4,
            count=15,
            pool_rows=(2, 6),
        ),
        over=(large_group("cats", id="c1", status=GroupStatus.OVER, count=50, pool_rows=(0,)),),
        out_of_scope=(
            large_group(
                "algebra",
                id="d1",
                status=GroupStatus.OUT_OF_SCOPE,
                relevance=0.03,
                pool_rows=(1,),
            ),
        ),
        reference=GroupReference("pool", N_POOL, N_POOL - 10, N_POOL, "benchmark"),
        relevance=np.linspace(0, 1, N_POOL, dtype=np.float32),
    )


def save(bench: Bench, groups: GapGroups | None) -> None:
    """Put groups in place of those of the workspace; None for a workspace without any."""
    with Workspace.open(bench.work) as workspace:
        if groups is None:
            workspace.drop_result("groups")
        else:
            workspace.save_result("groups", groups)


def ids_of(screen: object) -> list[str]:
    assert isinstance(screen, ListScreen)
    return [screen.table.rows.row_id(row) for row in screen.table.view]


async def test_overview_leads_with_the_verdict_and_a_bar_for_each_certain_group(
    bench: Bench,
) -> None:
    save(bench, example())
    for size in ((120, 36), (80, 24)):
        async with bench.opened(size=size) as (app, _):
            text = " ".join(visible_text(app).split())
            verdict = "Rarely asks about foxes (0 of 20 expected)."
            assert verdict in text and text.index(verdict) < text.index("Lacking for certain")
            assert "a group of 4.0% of the reference" in text and "The pool is broader" in text
            assert "Next" in text and "1 suspected, key 4" in text
            bars = text[text.index("Lacking for certain") : text.index("key 4")]
            assert "owls" not in bars and "young foxes" not in bars


async def test_not_being_able_to_tell_leads_and_is_no_pass(bench: Bench) -> None:
    save(bench, make_groups(could_not_tell="19 items are too few."))
    async with bench.opened() as (app, pilot):
        text = " ".join(visible_text(app).split())
        assert "? Could not tell what is missing. 19 items are too few." in text
        assert "Judged against" not in text
        await go(pilot, app, "gaps")
        assert "Could not tell what is missing" in visible_text(app)
        assert "? could not tell" in visible_text(app) and not ids_of(app.screen)


async def test_gaps_leads_with_groups_and_keeps_suspicions_apart_in_every_order(
    bench: Bench,
) -> None:
    save(bench, example())
    expected = "section:lacking group:a1 group:a2 section:suspected group:b1 section:over "
    expected += "group:c1 section:out_of_scope group:d1"
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert ids_of(screen) == expected.split()
        rows = screen.table.rows
        assert rows.cell(2, "group").text == "  young foxes"
        assert [rows.cell(4, key).text for key in ("mark", "have", "expected", "chance")] == [
            "~",
            "15",
            "20",
            "4 of 10",
        ]
        sections = [row_id for row_id in expected.split() if row_id.startswith("section")]
        for reverse in (False, True):
            screen.table.sort_by("have", reverse=reverse)
            ids = ids_of(screen)
            assert [row_id for row_id in ids if row_id.startswith("section")] == sections
            assert ids.index("group:a1") < ids.index("section:suspected") < ids.index("group:b1")
        await pilot.press("slash", *"state:suspected", "enter")
        assert ids_of(screen) == ["group:b1"]


async def test_the_page_of_a_group_says_what_sets_it_apart_with_items(bench: Bench) -> None:
    save(bench, example())
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        detail = app.screen.query_one(Detail)
        await until(pilot, lambda: "Rarely asks about foxes" in detail.text)
        await pilot.press("down")
        await until(pilot, lambda: "missing" in detail.text)
        text = " ".join(detail.text.split())
        assert "0 of 20 expected; 25.0% of the reference; by chance in 1 of 200 runs." in text
        assert " 90% " in text and text.count("2%") and "young foxes (0 of 6)" in text
        assert "Pool items 1-3 of 40" in text and "p-3" in text and "fox number 3" in text
        assert "Nearest items of the benchmark" in text and "b-0" in text
        await pilot.press("right")
        await until(pilot, lambda: "Pool items 4-6 of 40" in detail.text)


async def test_enter_on_a_group_lists_its_candidates_and_escape_shows_all(bench: Bench) -> None:
    save(bench, example())
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None and session.loaded is not None
        positions = session.loaded.by_group["a1"]
        await go(pilot, app, "gaps")
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "candidates")
        keys = [session.loaded.candidates[position].key for position in positions]
        await until(pilot, lambda: ids_of(app.screen) == keys)
        assert len(keys) > 0
        text = app.screen.query_one(Detail).text
        await until(pilot, lambda: "for foxes" in app.screen.query_one(Detail).text)
        row = session.loaded.candidates[positions[0]].proposal.row
        assert f"relevance  {row / (N_POOL - 1):.2f}" in text and "foxes (0 of 20" in text
        await pilot.press("escape")
        assert app.screen.query_one("#filter", Input).value == ""


async def test_a_judgement_is_one_step_seen_at_once_and_undone_at_once(bench: Bench) -> None:
    save(bench, example())
    async with bench.opened() as (app, pilot):
        session, log = app.session, lambda: app.session.log  # type: ignore[union-attr]
        assert session is not None
        await go(pilot, app, "gaps")
        await pilot.press("down", "minus")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert screen.table.cursor_id == "group:a1"
        assert screen.table.rows.cell(1, "meant").text == "✗ no"
        assert "30 of 40 pool items judged" in app.messages.text
        assert "R searches" in app.messages.text
        assert log().n_undoable == 1 and len(bench.log_lines()) == 31
        assert log().verdict(Subject.POOL_ITEM, "p-3") is Verdict.NOT_MEANT
        assert "gaps" in session.workspace.stale_stages()
        # A part whose items the judgement covers counts as judged, too.
        assert screen.table.rows.cell(2, "meant").text == "✗ no"
        await pilot.press("u")
        assert screen.table.rows.cell(1, "meant").text == ""
        assert log().verdict(Subject.POOL_ITEM, "p-3") is Verdict.OPEN
        assert "foxes" in app.messages.text and screen.table.cursor_id == "group:a1"
        assert "gaps" not in session.workspace.stale_stages()
        await pilot.press("plus", "plus")
        assert log().verdict(Subject.GROUP, "a1") is Verdict.OPEN


async def test_a_workspace_without_groups_says_so_and_searches_when_asked(
    bench: Bench, fake_job: object
) -> None:
    save(bench, None)
    async with bench.opened() as (app, pilot):
        assert "Could not tell" not in visible_text(app)
        await go(pilot, app, "gaps")
        assert "not searched for yet; R searches" in " ".join(visible_text(app).split())
        assert not app.session.workspace.is_stale  # type: ignore[union-attr]
        await pilot.press("R")
        assert app.jobs.job is fake_job


async def test_a_hostile_name_is_literal_everywhere(bench: Bench) -> None:
    save(bench, example(HOSTILE + "\nsecond line"))
    async with bench.opened() as (app, pilot):
        for keys in ((), ("4", "down"), ("plus",), ("enter",)):
            await pilot.press(*keys)
            await pilot.pause()
            text = visible_text(app)
            assert "[/INST] x[0]" in text
            assert not set("\x1b\x07\u202e\u200b\ud800") & set(text)


async def test_next_step_and_gaps_count_groups_that_reach_what_is_expected(bench: Bench) -> None:
    with Workspace.open(bench.work) as workspace:
        rows = [proposal.row for proposal in load_analysis(workspace).proposals[:3]]
    filled = large_group("filled", expected=2.5, pool_rows=tuple(rows))
    part = replace(filled, id="part", parent=filled.id, pool_rows=tuple(rows[:2]))
    never = large_group("never", expected=2.5, pool_rows=(1, 2))
    own = large_group("own", expected=2.5, count=3, own_rows=(4, 5), pool_rows=(1,))
    save(bench, make_groups(filled, part, never, own))
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None and session.loaded is not None
        assert session.view.unfilled_counts == (2, 1)
        assert session.view.n_closed_groups == 1
        assert "accepting all fills 1 of 2 groups" in next_step(session)[0]
        adds = [candidate.item.id for candidate in session.loaded.candidates[:3]]
        session.record(*(Decision(Subject.ADD, item_id, Verdict.ACCEPT) for item_id in adds))
        assert session.view.unfilled_counts == (1, 0)
        assert session.view.n_closed_groups == 2
        assert "fills" not in next_step(session)[0]
        session.record(Decision(Subject.REMOVE, "b-4", Verdict.ACCEPT))
        count = session.view.group_count(own)
        assert (count.n_removed, count.after, count.is_closed) == (1, 2, False)
        await go(pilot, app, "gaps")
        assert "groups: 3 lacking · filled 1" in visible_text(app)
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        assert "groups closed   1 of 3" in visible_text(app)
        await pilot.press("p")
        await until(pilot, lambda: "closes 1 of 3 lacking groups" in visible_text(app))
        assert "closed  filled" in visible_text(app) and "open    never" in visible_text(app)


@pytest.mark.parametrize(
    ("groups", "gaps", "stage"),
    [
        (None, "1", "gaps found"),
        (make_groups(large_group("foxes"), large_group("owls")), "2 groups", "gaps found"),
        (make_groups(), "0 groups", "gaps found"),
        (make_groups(power=GroupPower(None, 0.8)), "?", "could not tell"),
        (make_groups(could_not_tell="19 items are too few."), "?", "could not tell"),
    ],
)
async def test_recent_workspaces_count_groups_and_say_if_nothing_could_be_told(
    bench: Bench, groups: GapGroups | None, gaps: str, stage: str
) -> None:
    save(bench, groups)
    async with bench.opened() as (app, pilot):
        app.workspaces.close()
        await go(pilot, app, "open")
        rows = app.screen.table.rows  # type: ignore[attr-defined]
        assert rows.cell(0, "gaps").text == gaps
    (recent,) = bench.recents.load()
    assert replace(recent, n_candidates=0).stage == stage
