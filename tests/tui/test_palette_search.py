"""The command palette: commands, and what is in the workspace."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import OptionList

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.palette_search import SearchMatch, find_matches
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.session.controllers import LaunchOptions
from tests.tui.conftest import HOSTILE, Bench, until
from tests.tui.test_screens import go, visible_text


async def matches_of(app: BenchdesignApp, query: str) -> list[SearchMatch]:
    assert app.session is not None
    return [match async for match in find_matches(app.session, query)]


async def choose(pilot: Pilot[None], app: BenchdesignApp, query: str, kind: str) -> None:
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await pilot.press(*("space" if character == " " else character for character in query))
    options = app.screen.query_one(OptionList)

    def place() -> int:
        prompts = [str(option.prompt) for option in options.options]
        return next((at for at, prompt in enumerate(prompts) if prompt.startswith(f"{kind}: ")), -1)

    await until(pilot, lambda: place() >= 0)
    options.highlighted = place()
    await pilot.pause()
    await pilot.press("enter")
    await until(pilot, lambda: len(app.screen_stack) == 1)
    await pilot.pause()


async def test_every_kind_is_found_by_words_of_its_text_or_id(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        kinds = {match.kind for match in await matches_of(app, "fox")}
        assert kinds == {"gap", "group", "candidate"}
        assert {
            match.row_id for match in await matches_of(app, "CAT") if match.kind == "concept"
        } == {"0"}
        assert [match.row_id for match in await matches_of(app, "b-17 ")] == ["item:b-17"]
        assert await matches_of(app, "no such thing") == []
        assert await matches_of(app, "  ") == []


@pytest.mark.parametrize(
    ("query", "kind", "mode", "row_id"),
    [
        ("owl", "concept", "concepts", "3"),
        pytest.param("fox", "gap", "gaps", "2", marks=pytest.mark.slow),
        pytest.param("b-17", "item", "items", "item:b-17", marks=pytest.mark.slow),
    ],
)
async def test_choosing_goes_there_whatever_hid_it(
    bench: Bench, query: str, kind: str, mode: str, row_id: str
) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, mode)
        await pilot.press("slash", *"zzz", "enter")
        await go(pilot, app, "overview")
        await choose(pilot, app, query, kind)
        assert app.current_mode == mode
        assert isinstance(app.screen, ListScreen)
        assert app.screen.table.cursor_id == row_id
        assert app.screen.table.has_focus


async def test_a_candidate_is_found_though_only_those_of_another_gap_are_shown(
    bench: Bench,
) -> None:
    async with bench.opened() as (app, pilot):
        assert app.session is not None
        app.session.focus_concepts, app.session.focus_name = (0,), "cat"
        await go(pilot, app, "candidates")
        assert isinstance(app.screen, ListScreen) and not len(app.screen.table.rows)
        await choose(pilot, app, "fox", "candidate")
        assert not app.session.focus_concepts
        assert isinstance(app.screen, ListScreen)
        assert (app.screen.table.cursor_id or "").startswith("add:")


async def test_hostile_text_is_literal_in_the_palette(hostile_bench: Bench) -> None:
    async with hostile_bench.opened() as (app, pilot):
        assert {match.kind for match in await matches_of(app, "[/inst]")} >= {"candidate", "item"}
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"[/INST]")
        await until(pilot, lambda: "x[0] = y[i] [red]no" in visible_text(app))
        text = visible_text(app)
        assert not set("\x1b\x07\u202e\u200b\ud800") & set(text)
        assert HOSTILE[:8] in text


async def test_without_a_workspace_there_are_commands_only(bench: Bench) -> None:
    app = bench.app(LaunchOptions(""))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"quit")
        await until(pilot, lambda: "help: quit" in visible_text(app))


async def test_every_action_of_the_screen_is_in_the_palette(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        names = {command.title for command in app.get_system_commands(app.screen)}
        wanted = {"review: want", "review: merge", "review: want rule", "view: filter", "go: Gaps"}
        assert wanted <= names
