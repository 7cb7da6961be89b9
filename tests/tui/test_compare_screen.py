"""Compare, key 8: several workspaces side by side."""

from __future__ import annotations

import pytest

from benchdesign.pipeline.run import run_pipeline
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import go, visible_text


@pytest.fixture
def two_benches(bench: Bench) -> Bench:
    """A second workspace whose benchmark is the pool of the first, foxes and all."""
    with Workspace.create(
        bench.folder / "other", bench.folder / "pool.jsonl", settings=Settings(n_add=0)
    ) as workspace:
        run_pipeline(workspace)
    return bench


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_suite_has_a_heat_map_and_says_what_each_adds(
    two_benches: Bench, size: tuple[int, int]
) -> None:
    bench = two_benches
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "compare")
        app.screen.measure_suite([str(bench.folder / "other")])
        await until(pilot, lambda: app.screen.suite is not None)
        await pilot.pause()
        table = app.screen.query_one(LineTable)
        assert [table.rows.cell(row, "name").text for row in table.view] == ["animals"]
        assert "times the reference" in app.screen.detail.text
        await pilot.press("f")
        await pilot.pause()
        assert [table.rows.cell(row, "name").text for row in table.view] == ["animals", "pool"]
        assert table.rows.cell(0, "set1").text == "0.75"
        await pilot.press("down", "enter")
        await until(pilot, lambda: "fox" in app.screen.detail.text)
        await pilot.press("escape", "f")
        await pilot.pause()
        assert size[0] < 100 or "c chooses" in visible_text(app)
        await pilot.press("q")
    # Next time the suite is there again.
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "compare")
        await until(pilot, lambda: app.screen.suite is not None)


async def test_a_workspace_that_cannot_join_a_suite_is_told(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "compare")
        app.screen.measure_suite([str(bench.folder / "nowhere")])
        await until(pilot, lambda: "nowhere" in app.messages.text)
        assert app.screen.suite is None
