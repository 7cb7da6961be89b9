"""The scope: a sentence, example items, and what was pinned or excluded by hand."""

from textual.widgets import Input

from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.workspace.decisions import Subject, Verdict
from tests.tui.conftest import HOSTILE, Bench, until
from tests.tui.test_screens import go, visible_text


async def test_example_items_are_picked_by_keys_and_make_the_gaps_stale(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"farm", "tab", *"dog", "enter")
        table = app.screen.query_one(LineTable)
        await until(pilot, lambda: table.has_focus)
        assert len(table.view) == 27
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: "2 example items" in visible_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        scope = app.session.workspace.settings.scope
        assert scope.sentence == "farm"
        assert [example.partition("\n")[0] for example in scope.examples] == [
            "What does dog number 1 of b eat?",
            "What does dog number 7 of b eat?",
        ]
        assert "farm" in visible_text(app) and "2 example items" in visible_text(app)
        assert app.session.workspace.is_stale


async def test_what_was_picked_is_marked_the_next_time_and_can_be_dropped(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        for keys in (("tab", "tab", "space", "enter"), ("tab", "tab", "space", "enter")):
            await pilot.press("c")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press(*keys)
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.session.workspace.settings.scope.examples == ()


async def test_pins_and_exclusions_are_listed_and_lifted(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "concepts")
        await pilot.press("plus", "down", "minus")
        await go(pilot, app, "overview")
        assert "1 pinned · 1 excluded" in visible_text(app)
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        text = visible_text(app)
        assert "pinned" in text and "excluded" in text
        await pilot.press("tab", "tab", "space", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        standings = app.session.log.standings(Subject.CONCEPT).values()
        assert [
            standing.verdict for standing in standings if standing.verdict is not Verdict.OPEN
        ] == [Verdict.EXCLUDE]
        await pilot.press("u")
        assert "1 pinned · 1 excluded" in visible_text(app)


async def test_the_cutoff_is_set_and_checked(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        for typed, is_kept in (("two", False), ("1.5", False), ("0.55", True)):
            await pilot.press("c")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            field = app.screen.query_one("#cutoff", Input)
            assert field.value == "0.4"
            field.value = typed
            app.screen.set_focus(field)
            await pilot.press("enter")
            if not is_kept:
                await until(pilot, lambda: "from 0 to 1, such as 0.4" in visible_text(app))
                await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.session.workspace.settings.scope.cutoff == 0.55
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert app.screen.query_one("#cutoff", Input).value == "0.55"
        await pilot.press("enter")
        await until(pilot, lambda: app.messages.text == "The scope is unchanged.")


async def test_escape_changes_nothing(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"farm", "tab", "tab", "space", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.session.workspace.settings.chosen("scope") == {}
        assert not app.session.workspace.is_stale


async def test_hostile_items_are_literal_in_the_panel(hostile_bench: Bench) -> None:
    async with hostile_bench.opened() as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.screen.query_one("#said", Input).value = HOSTILE
        await pilot.press("tab", "tab", "space", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        text = visible_text(app)
        assert "\x1b" not in text and "\u202e" not in text
        assert "[/INST] x[0] = y[i]" in text
