"""What Overview says beside the counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchdesign.coverage.scope import Scope
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.tui.pages.overview_page import next_step
from benchdesign.tui.screens.overview import OverviewScreen
from benchdesign.tui.widgets.detail import Line
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import go, visible_text


async def export(pilot: Any, app: Any) -> Path:
    """Export by keys, come back to Overview, and return the manifest."""
    await go(pilot, app, "export")
    await until(pilot, lambda: app.screen.plan is not None)
    await pilot.press("ctrl+e")
    await until(pilot, lambda: app.messages.text.startswith("Wrote"))
    await go(pilot, app, "overview")
    await until(pilot, lambda: "no decisions since" in visible_text(app))
    return Path(app.workspaces.ui.screen_state("export")["written"]) / "revision.json"


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_how_sure_the_covered_share_is_stands_beside_it(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        assert app.session is not None and app.session.analysis is not None
        interval = app.session.analysis.current_share_interval
        assert interval is not None and interval.low <= interval.share <= interval.high
        text = visible_text(app)
        assert "95 % interval" in text and "items resampled" in text.replace("are ", "")
        assert f"{100 * interval.low:.1f} - {100 * interval.high:.1f} %" in text
        # Another number wanted by hand makes another share, of which it says nothing.
        app.session.record(Decision(Subject.CONCEPT, "2", want=0))
        app.workspaces.refresh_screens()
        await until(pilot, lambda: "% interval" not in visible_text(app))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_what_is_different_since_the_last_export(bench: Bench, size: tuple[int, int]) -> None:
    async with bench.opened(size=size) as (app, pilot):
        session = app.session
        assert session is not None and session.loaded is not None
        assert "Since " not in visible_text(app)
        adds = [
            candidate for candidate in session.loaded.candidates if candidate.subject is Subject.ADD
        ]
        removes = [
            candidate
            for candidate in session.loaded.candidates
            if candidate.subject is Subject.REMOVE
        ]
        session.record(
            *(Decision(Subject.ADD, candidate.item.id, Verdict.ACCEPT) for candidate in adds[:2])
        )
        manifest = await export(pilot, app)

        session.record(
            Decision(Subject.ADD, adds[0].item.id, Verdict.REJECT),
            *(Decision(Subject.ADD, candidate.item.id, Verdict.ACCEPT) for candidate in adds[2:]),
            Decision(Subject.REMOVE, removes[0].item.id, Verdict.ACCEPT),
        )
        app.workspaces.refresh_screens()
        n_more = len(adds) - 2
        gap = "   " if size[0] > 100 else "  "
        changes = gap.join([f"+ {n_more} accepted", "- 1 dropped", "1 reverted"])
        await until(pilot, lambda: changes in visible_text(app))
        then = json.loads(manifest.read_text("utf-8"))["coverage_after"]
        assert app.screen.since_export.now.n_items == 80 + len(adds) - 2
        text = visible_text(app)
        assert f"gaps {then['n_missing'] + then['n_under']} " in text
        assert f"covered {100 * then['covered_share']:.1f} % " in text
        # A line more makes the page longer a moment after it is drawn.
        await until(pilot, lambda: "Next " in visible_text(app))

    # It is found again after leaving, and a damaged one is none.
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "overview")
        await until(pilot, lambda: changes in visible_text(app))
        manifest.write_text('{"choice": 3}', "utf-8")
        app.workspaces.refresh_screens()
        await until(pilot, lambda: "Since " not in visible_text(app))


@pytest.mark.parametrize(
    "decision",
    [
        Decision(Subject.CONCEPT, "2", want=12),
        pytest.param(Decision(Subject.CONCEPT, "2", merge="3"), marks=pytest.mark.slow),
        pytest.param(Decision(Subject.CONCEPT, "1", Verdict.IGNORE), marks=pytest.mark.slow),
        pytest.param(Decision(Subject.AREA, "animals", Verdict.PIN), marks=pytest.mark.slow),
    ],
)
async def test_what_was_decided_of_concepts_is_different_since_the_last_export(
    decision: Decision, bench: Bench
) -> None:
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None
        manifest = await export(pilot, app)
        session.record(decision)
        app.workspaces.refresh_screens()
        await until(pilot, lambda: "concept decisions" in visible_text(app))
        line = next(line for line in visible_text(app).splitlines() if "concept decisions" in line)
        assert "accepted" not in line
        app.screen.since_export = None
        session.undo()
        app.workspaces.refresh_screens()
        await until(pilot, lambda: "no decisions since" in visible_text(app))
        # An export of an older version says nothing of concepts.
        revision = json.loads(manifest.read_text("utf-8"))
        assert revision["choice"].pop("concepts_sha256")
        manifest.write_text(json.dumps(revision), "utf-8")
        session.record(decision)
        app.screen.since_export = None
        app.workspaces.refresh_screens()
        await until(pilot, lambda: "no decisions since" in visible_text(app))


async def test_next_step_says_how_many_gaps_the_open_candidates_would_fill(bench: Bench) -> None:
    with Workspace.open(bench.work) as workspace:
        workspace.drop_result("groups")
    async with bench.opened() as (app, pilot):
        session = app.session
        assert session is not None and session.loaded is not None
        assert session.view.unfilled_counts == (1, 0)
        session.record(Decision(Subject.CONCEPT, "2", want=12))
        assert session.view.unfilled_counts == (1, 1)
        screen = app.screen
        assert isinstance(screen, OverviewScreen)
        assert "out of date" in next_step(session)[0]
        session.workspace.record_stage("gaps", figures={})
        session.workspace.record_stage("propose", figures={})
        session.workspace.record_stage("evidence", figures={})
        app.workspaces.refresh_screens()
        text = "15 candidates to review; accepting all fills 1 of 1 gaps.   enter reviews"
        await until(pilot, lambda: text in visible_text(app))
        adds = [
            candidate.item.id
            for candidate in session.loaded.candidates
            if candidate.subject is Subject.ADD
        ]
        session.record(Decision(Subject.ADD, adds[0], Verdict.REJECT))
        assert session.view.unfilled_counts == (1, 0)
        session.undo()
        session.record(*(Decision(Subject.ADD, item_id, Verdict.ACCEPT) for item_id in adds))
        assert session.view.unfilled_counts == (0, 0)
        app.workspaces.refresh_screens()
        below = "Worst areas"
        await until(pilot, lambda: "   0  +12 / 12 " in visible_text(app).partition(below)[2])


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_numbers_of_other_settings_are_said_to_be_out_of_date(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        session = app.session
        assert session is not None
        assert "out of date" not in visible_text(app)
        session.workspace.change_settings(
            replace(session.workspace.settings, scope=Scope(sentence="owls"))
        )
        app.workspaces.refresh_screens()
        heading = "Coverage of the concept dictionary   ! out of date"
        await until(pilot, lambda: heading in visible_text(app))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_what_was_and_what_is_accepted_stand_apart(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        session, screen = app.session, app.screen
        assert session is not None and session.loaded is not None
        assert isinstance(screen, OverviewScreen)
        await until(pilot, lambda: "have / want" in str(screen.query_one("#right", Line).render()))
        session.record(Decision(Subject.CONCEPT, "2", want=3))
        adds = [
            candidate.item.id
            for candidate in session.loaded.candidates
            if candidate.subject is Subject.ADD
        ]
        session.record(*(Decision(Subject.ADD, item_id, Verdict.ACCEPT) for item_id in adds[:3]))
        app.workspaces.refresh_screens()
        await until(pilot, lambda: screen.figures_after is not None)
        plan = plan_revision(session.analysis, Choice.from_decisions(session.log))
        assert screen.figures_after == plan.figures_after
        right = str(screen.query_one("#right", Line).render()).splitlines()
        head, fox = right[0], next(line for line in right if "fox" in line)
        assert head.endswith("have  add / want") and fox.rstrip().endswith("  0   +3 / 3")
        # Every number ends where its head does.
        assert head.index("have") + 4 == fox.index("  0   +3") + 3
        assert head.index(" / ") == fox.index(" / ")
        before, after = plan.figures_before.covered_share, plan.figures_after.covered_share
        assert before is not None and after is not None and before < after
        assert f"{100 * before:.1f} → {100 * after:.1f} % of" in visible_text(app)
        # Undone, nothing but what was is left.
        session.undo()
        app.workspaces.refresh_screens()
        await until(pilot, lambda: f"{100 * before:.1f} % of" in visible_text(app))
