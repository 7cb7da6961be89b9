"""Every key of the review screens in every state a workspace can be in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.run import run_pipeline
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.keys import KEYS, SCREEN_KEYS, TABLE_KEYS
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.widgets.detail import Detail
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.keywords import use_keywords, write_sets
from tests.tui.conftest import Bench, until

pytestmark = pytest.mark.slow
MODES = ("concepts", "gaps", "candidates", "items")

Opener = Callable[[Path], Bench]


def plain(folder: Path) -> Bench:
    return make_bench(folder, *write_sets(folder))


def no_pool(folder: Path) -> Bench:
    return make_bench(folder, write_sets(folder)[0], None)


def no_gaps(folder: Path) -> Bench:
    pool = write_sets(folder)[1]
    return make_bench(folder, pool, pool)


def all_judged(folder: Path) -> Bench:
    bench = plain(folder)
    with Workspace.open(bench.work, who="ann") as workspace:
        analysis = load_analysis(workspace)
        for proposal in (*analysis.proposals, *analysis.removals):
            workspace.decisions.record(
                Decision(Subject(proposal.kind), proposal.id, Verdict.ACCEPT)
            )
    return bench


def make_bench(folder: Path, benchmark: Path, pool: Path | None) -> Bench:
    bench = Bench(folder)
    settings = Settings(n_add=4, n_remove=2)
    with Workspace.create(bench.work, benchmark, pool=pool, settings=settings) as workspace:
        run_pipeline(workspace)
    return bench


async def press_everything(
    pilot: Pilot[None], app: BenchdesignApp, mode: str, *, but: str = ""
) -> None:
    """Do what every key of a screen does, leaving each question it asks."""
    for key_id in (*TABLE_KEYS, *SCREEN_KEYS[mode]):
        if key_id == but:
            continue
        if app.current_mode != mode:
            await app.switch_mode(mode)
        screen = app.screen
        assert isinstance(screen, BaseScreen), key_id
        if isinstance(screen, ListScreen) and key_id in TABLE_KEYS:
            screen.table.focus()
        await screen.perform(KEYS[key_id].action)
        await pilot.pause()
        if len(app.screen_stack) > 1:
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running


@asynccontextmanager
async def opened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[BenchdesignApp, Pilot[None]]]:
    monkeypatch.setattr("benchdesign.tui.dialogs.candidate_edit.edit_record", lambda *_, **__: {})
    async with bench.opened() as (app, pilot):
        yield app, pilot


@pytest.mark.parametrize("make", [plain, no_pool, no_gaps, all_judged])
async def test_every_key_works(
    make: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keywords(monkeypatch)
    bench = make(tmp_path)
    async with opened(bench, monkeypatch) as (app, pilot):
        for mode in MODES:
            await app.switch_mode(mode)
            await press_everything(pilot, app, mode)


async def test_every_key_works_without_a_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Bench(tmp_path).app(LaunchOptions(""))
    async with app.run_test(size=(120, 36)) as pilot:
        for mode in MODES:
            await app.switch_mode(mode)
            await press_everything(pilot, app, mode)
            assert "No workspace is open." in str(app.screen.query_one("#empty-state").render())


async def test_every_key_works_read_only_and_decides_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace.open(bench.work, who="ben"):
        async with opened(bench, monkeypatch) as (app, pilot):
            assert app.session is not None and not app.session.can_write
            for mode in MODES:
                await app.switch_mode(mode)
                await press_everything(pilot, app, mode)
            assert len(app.session.log) == 0


async def test_no_pool_and_no_gaps_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keywords(monkeypatch)
    async with opened(no_gaps(tmp_path), monkeypatch) as (app, pilot):
        await app.switch_mode("gaps")
        await pilot.press("f")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert len(screen.table.view) == 0
        assert "T changes the rule" in screen.table.empty
        await app.switch_mode("candidates")
        await pilot.pause()
        assert isinstance(app.screen, ListScreen)
        assert "f shows other states" in app.screen.table.empty


async def test_leaving_and_coming_back_is_the_exact_place(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await app.switch_mode("items")
        await pilot.press("slash", *"dog", "enter", "s", "S", "f", "down", "down", "down")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        place = (screen.table.cursor_id, screen.filter_bar.value, screen.facet)
        order = (screen.table.view.sort_key, screen.table.view.reverse)
        await app.switch_mode("gaps")
        await pilot.press("f", "right", "down", "tab", "z")
        assert isinstance(app.screen, ListScreen)
        assert app.screen.has_class("-zoom-detail")
        await app.switch_mode("items")
        assert (screen.table.cursor_id, screen.filter_bar.value, screen.facet) == place
        await pilot.press("q")
    async with bench.opened() as (app, pilot):
        assert app.current_mode == "items"
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert (screen.table.cursor_id, screen.filter_bar.value, screen.facet) == place
        assert (screen.table.view.sort_key, screen.table.view.reverse) == order
        await app.switch_mode("gaps")
        await pilot.pause()
        assert isinstance(app.screen, ListScreen)
        assert app.screen.table.cursor_id == "2"
        assert app.screen.has_class("-zoom-detail")
        assert isinstance(app.screen.focused, Detail)
