"""Each screen by what it holds."""

import json

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.keys import SCREENS
from benchdesign.tui.widgets.detail import Detail, Line
from benchdesign.tui.widgets.filter_bar import FilterBar
from benchdesign.tui.widgets.job_line import JobLine
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.workspace.decisions import Verdict
from tests.tui.conftest import Bench, until

MODES = [screen.mode for screen in SCREENS]
# The screens that show most of an item; the others are slow tests.
ITEM_SCREENS = ("candidates", "items")


def visible_text(app: BenchdesignApp) -> str:
    # All lines there are: just after a resize they can be fewer than the terminal's.
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def go(pilot: Pilot[None], app: BenchdesignApp, mode: str) -> None:
    number = next(screen.number for screen in SCREENS if screen.mode == mode)
    await pilot.press(str(number))
    await until(pilot, lambda: app.current_mode == mode)
    await pilot.pause()


async def test_overview_tells_coverage_gaps_and_what_next(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        assert app.current_mode == "overview"
        text = visible_text(app)
        assert "concepts in scope" in text and "fox" in text
        assert "15 candidates to review" in text
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "candidates")


async def test_gaps_are_shown_by_area_and_open_into_concepts(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("f")
        table = app.screen.query_one(LineTable)
        assert [table.rows.row_id(row) for row in table.view] == ["area:animals"]
        await pilot.press("right")
        assert [table.rows.row_id(row) for row in table.view] == ["area:animals", "2"]
        await pilot.press("down")
        detail = app.screen.query_one(Detail)
        await until(pilot, lambda: "fox" in detail.text)
        assert "0 of 80 items   want 20" in detail.text
        assert "40 items show it" in detail.text
        await pilot.press("left")
        assert [table.rows.row_id(row) for row in table.view] == ["area:animals"]


async def test_enter_on_a_gap_reviews_its_candidates_and_escape_shows_all(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("f", "right", "down", "enter")
        await until(pilot, lambda: app.current_mode == "candidates")
        await pilot.pause()
        assert app.session.focus_name == "fox"
        assert "for fox" in app.screen.query_one(Detail).text
        await pilot.press("escape")
        assert app.session.focus_concepts == ()


async def test_accept_moves_to_the_next_open_candidate_and_is_on_disk_at_once(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        table = app.screen.query_one(LineTable)
        first, second = (table.rows.row_id(row) for row in table.view[:2])
        await pilot.press("a")
        assert table.cursor_id == second
        (entry,) = bench.log_lines()
        assert entry["verdict"] == "accept" and first == f"add:{entry['id']}"
        assert entry["who"] == "ann"


async def test_several_decisions_are_undone_and_redone_in_order(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("a", "r", "d")
        log = app.session.log
        counts = app.session.verdict_counts()
        assert (counts[Verdict.ACCEPT], counts[Verdict.REJECT], counts[Verdict.DEFER]) == (1, 1, 1)
        await pilot.press("u", "ctrl+z", "u")
        assert app.session.verdict_counts()[Verdict.OPEN] == 15
        await pilot.press("U", "ctrl+y")
        assert len(log.accepted) == 1
        assert app.session.verdict_counts()[Verdict.REJECT] == 1
        await pilot.press("u", "u", "u", "u")
        assert app.messages.text == "Nothing to undo."


async def test_a_reason_is_given_after_the_fact(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("r", "c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        decided = bench.log_lines()[-1]
        assert decided["reason"] == "unclear"


async def test_marked_candidates_are_decided_together_and_undone_together(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("space", "space", "space", "a")
        assert len(app.session.log.accepted) == 3
        await pilot.press("u")
        assert app.session.log.accepted == ()


async def test_a_note_is_kept(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"check", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert bench.log_lines()[-1]["note"] == "check"


async def test_facets_narrow_the_candidates_and_removals_are_one_of_them(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        table = app.screen.query_one(LineTable)
        assert len(table.view) == 12
        await pilot.press("a", "f")
        assert len(table.view) == 11
        await pilot.press("f")
        assert len(table.view) == 1
        await pilot.press("f", "f", "f")
        assert len(table.view) == 3
        assert all(table.rows.row_id(row).startswith("remove:") for row in table.view)


async def test_items_show_what_was_accepted_and_dropped(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("a")
        await go(pilot, app, "items")
        table = app.screen.query_one(LineTable)
        assert len(table.view) == 81
        await pilot.press("x")
        assert app.session.log.dropped == ("b-0",)
        await pilot.press("f")
        assert len(table.view) == 80
        await pilot.press("u")
        assert len(table.view) == 81


async def test_filter_is_live_keeps_nothing_out_for_good_and_takes_fields(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        table = app.screen.query_one(LineTable)
        await pilot.press("slash", *"dog")
        assert 0 < len(table.view) < 80
        await pilot.press("escape")
        assert len(table.view) == 80
        await pilot.press("slash", *"category:owl")
        assert len(table.view) == 26
        await pilot.press("enter")
        assert table.has_focus
        await pilot.press("escape")
        assert len(table.view) == 80


async def test_concepts_can_be_ignored_and_pinned(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "concepts")
        await pilot.press("i")
        assert app.session.view.concept_states[0] == "ignored"
        await pilot.press("u", "plus")
        assert bench.log_lines()[-1]["verdict"] == "pin"
        assert app.session.workspace.is_stale


async def test_the_rule_is_changed_with_a_preview_of_its_effect(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("T")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "1 gaps" in visible_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.session.workspace.settings.chosen("gaps") == {"fdr": 0.01}


async def test_scope_is_written_on_the_overview(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"foxes", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.session.workspace.settings.scope.sentence == "foxes"
        assert "foxes" in visible_text(app)


async def test_compare_shows_the_pool_then_the_revision(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "compare")
        table = app.screen.query_one(LineTable)
        assert table.rows.row_id(table.view[0]) == "2"
        assert table.rows.cell(table.view[0], "difference").text == "+25.0"


async def test_models_say_what_to_do_and_then_show_results(bench: Bench) -> None:
    results = bench.folder / "results.jsonl"
    lines = [
        {"id": f"b-{row}", "model": model, "score": float((row + shift) % 3 > 0)}
        for model, shift in (("small", 0), ("large", 1))
        for row in range(80)
    ]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        assert "Press c" in visible_text(app)
        app.screen.read_results([str(results)])
        await until(pilot, lambda: app.screen.study is not None)
        await pilot.press("f")
        table = app.screen.query_one(LineTable)
        assert len(table.view) >= 3
        assert "small" in visible_text(app) and "large" in visible_text(app)


async def test_export_writes_the_revision_and_asks_before_replacing_it(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("a", "a")
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        assert app.screen.plan.n_items == 82
        await pilot.press("p")
        await until(
            pilot, lambda: "The revision closes 0 of 1 lacking concepts" in visible_text(app)
        )
        await pilot.press("escape")
        await pilot.press("ctrl+e")
        await until(pilot, lambda: app.messages.text.startswith("Wrote"))
        written = bench.folder / "animals-revised" / "animals.revised.jsonl"
        assert len(written.read_text("utf-8").splitlines()) == 82
        await pilot.press("ctrl+e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: app.messages.text == "Nothing written.")


def burst(app: BenchdesignApp, text: str) -> None:
    """Type faster than anything is drawn, as a paste or a slow line does."""
    for character in text:
        key = {"/": "slash", "\r": "enter"}.get(character, character)
        app.post_message(events.Key(key, character))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_keys_typed_in_one_go_after_the_filter_key_are_all_for_the_filter(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        burst(app, "/arxdbe5")
        bar = app.screen.query_one(FilterBar)
        await until(pilot, lambda: bar.value == "arxdbe5")
        assert bar.display and bar.has_focus
        assert bar.region.height == 1
        assert app.session.log.n_undoable == 0
        assert app.current_mode == "candidates" and len(app.screen_stack) == 1
        await pilot.press("escape")
        assert not app.screen.has_class("-zoom-list")


async def test_keys_typed_while_a_screen_comes_for_the_first_time_are_for_it(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        burst(app, "5/ar")
        await until(pilot, lambda: app.current_mode == "candidates")
        await until(pilot, lambda: [bar.value for bar in app.screen.query(FilterBar)] == ["ar"])
        assert app.session.log.n_undoable == 0


async def test_keys_typed_in_one_go_into_a_note_are_the_note(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        burst(app, "edraft a\r")
        await until(pilot, lambda: app.session.log.n_undoable == 1)
        assert bench.log_lines()[-1]["note"] == "draft a"


async def test_undo_goes_back_to_what_it_undid(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        table = app.screen.query_one(LineTable)
        first = table.cursor_id
        await pilot.press("a", "a")
        await pilot.press("u", "u")
        assert table.cursor_id == first
        await pilot.press("r")
        last = bench.log_lines()[-1]
        assert (last["verdict"], f"add:{last['id']}") == ("reject", first)


async def test_the_revision_is_written_in_the_format_chosen(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("a")
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        assert "in the benchmark's own format, jsonl" in visible_text(app)
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        choices = app.screen.query_one(OptionList)
        choices.highlighted = choices.get_option_index("csv")
        await pilot.press("enter")
        await until(pilot, lambda: "animals.revised.csv" in visible_text(app))
        assert "--format csv" in " ".join(visible_text(app).split())
        await pilot.press("ctrl+e")
        await until(pilot, lambda: app.messages.text.startswith("Wrote"))
        folder = bench.folder / "animals-revised"
        assert len((folder / "animals.revised.csv").read_text("utf-8").splitlines()) == 82
        assert not (folder / "animals.revised.jsonl").exists()


async def test_a_list_is_written_as_csv_what_is_shown_all_or_what_is_marked(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        await pilot.press("ctrl+e")
        await until(pilot, lambda: app.messages.text.startswith("Wrote 80 rows"))
        await pilot.press("slash", *"owl", "enter")
        shown = len(app.screen.query_one(LineTable).view)
        assert 2 < shown < 80
        folder = bench.work / "exports"
        for n_down, name, n_rows in ((0, "items-2", shown), (1, "items-3", 80)):
            await pilot.press("ctrl+e")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press(*["down"] * n_down, "enter")
            await until(pilot, lambda name=name: (folder / f"{name}.csv").is_file())
            assert len((folder / f"{name}.csv").read_text("utf-8").splitlines()) == n_rows + 1
        await pilot.press("space", "ctrl+e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "the 1 marked" in visible_text(app)
        await pilot.press("escape")
        assert not (folder / "items-4.csv").exists()


@pytest.mark.slow
async def test_columns_of_items_are_chosen_and_stay(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        table = app.screen.query_one(LineTable)
        before = [column.key for column in table.columns]
        assert "source" not in before and "concepts" in before
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        offered = app.screen.query_one(OptionList)
        keys = [option.id for option in offered.options]
        assert "question" not in keys
        assert "[x] Concepts" in visible_text(app) and "[ ] Row" in visible_text(app)
        for key in ("concepts", "row"):
            offered.highlighted = keys.index(key)
            await pilot.press("space")
        assert "[ ] Concepts" in visible_text(app) and "[x] Row" in visible_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.pause()
        assert {column.key for column in table.columns} == {*before, "row"} - {"concepts"}
        assert "ROW" in visible_text(app)
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("space", "escape", "q")
    async with bench.opened() as (app, pilot):
        await until(pilot, lambda: app.current_mode == "items")
        table = app.screen.query_one(LineTable)
        await until(pilot, lambda: len(table.view) == 80)
        assert {column.key for column in table.columns} == {*before, "row"} - {"concepts"}


@pytest.mark.slow
async def test_next_time_everything_is_where_it_was(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        await pilot.press("slash", *"owl", "enter", "down", "down", "s")
        table = app.screen.query_one(LineTable)
        cursor, key = table.cursor_id, table.view.sort_key
        await pilot.press("q")
    async with bench.opened() as (app, pilot):
        assert app.current_mode == "items"
        await pilot.pause()
        table = app.screen.query_one(LineTable)
        assert (table.cursor_id, table.view.sort_key) == (cursor, key)
        assert len(table.view) == 26


async def test_a_second_visitor_reads_and_cannot_decide(bench: Bench) -> None:
    async with bench.opened() as (_, pilot), bench.opened() as (second, other):
        assert not second.session.can_write
        await go(other, second, "candidates")
        await other.press("a")
        assert second.session.log.accepted == ()
        assert "Read-only" in second.messages.text
        await pilot.pause()


async def test_open_lists_recent_workspaces_and_marks_what_is_gone(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "open")
        table = app.screen.query_one(LineTable)
        assert table.rows.cell(0, "name").text == "animals"
        await pilot.press("x")
        assert bench.recents.load() == ()


async def test_help_palette_and_jump_open_over_the_screen(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("question_mark")
        await until(pilot, lambda: "What is missing" in visible_text(app))
        await pilot.press("escape")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "Go to" in visible_text(app))
        await pilot.press("s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert isinstance(app.screen.focused, Detail)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: len(app.screen_stack) == 2)


async def test_mouse_clicks_move_open_and_switch(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.click("#strip", offset=(26, 0))
        await until(pilot, lambda: app.current_mode == "concepts")
        await pilot.pause()
        await pilot.click("#table", offset=(12, 2))
        assert app.screen.query_one(LineTable).cursor == 1


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(mode, marks=[] if mode in ITEM_SCREENS else [pytest.mark.slow])
        for mode in MODES
    ],
)
@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)])
async def test_hostile_text_is_shown_literally_on_every_screen(
    hostile_bench: Bench, mode: str, size: tuple[int, int]
) -> None:
    async with hostile_bench.opened(size=size) as (app, pilot):
        await go(pilot, app, mode)
        await pilot.press("right", "down")
        await pilot.pause()
        text = visible_text(app)
        for bad in ("\x1b", "\x07", "\u202e", "\u200b", "\ud800"):
            assert bad not in text
        assert app.is_running and app.title == "benchdesign"


async def test_brackets_of_an_item_survive(hostile_bench: Bench) -> None:
    async with hostile_bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        assert "[/INST] x[0] = y[i] [red]no[/red]" in app.screen.query_one(Detail).text
        await pilot.press("a")
        assert "a[RLO]b" in app.messages.text
        assert "[/INST]" in visible_text(app)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_a_tiny_terminal_says_so_and_recovers(bench: Bench, mode: str) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, mode)
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: "Too small" in visible_text(app))
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: "Too small" not in visible_text(app))


async def test_narrow_lists_open_the_page_with_enter_and_close_it_with_escape(bench: Bench) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await go(pilot, app, "concepts")
        detail = app.screen.query_one(Detail)
        assert not detail.display
        await pilot.press("enter")
        await until(pilot, lambda: detail.display)
        await pilot.press("escape")
        await until(pilot, lambda: not detail.display)


async def test_ascii_marks_use_nothing_else(bench: Bench) -> None:
    async with bench.opened(marks="ascii") as (app, pilot):
        for mode in ("gaps", "candidates", "concepts"):
            await go(pilot, app, mode)
            table = app.screen.query_one(LineTable)
            for row in table.view:
                for column in table.columns:
                    text = table.rows.cell(row, column.key).text
                    assert text.replace("·", "").isascii(), text


async def test_status_line_keeps_the_last_message(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        app.messages.say("A fact.")
        await pilot.pause()
        assert "A fact." in str(app.screen.query_one(JobLine).content)
        assert "A fact." in app.messages.history
        assert app.screen.query(Line)


async def test_a_hidden_filter_never_takes_the_keys(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        table = app.screen.query_one(LineTable)
        n_shown = len(table.view)
        # A list that had to wait has lost the keys; whoever comes back types before anything else.
        app.screen.set_focus(None)
        await app.switch_mode("gaps")
        await app.switch_mode("candidates")
        await until(pilot, lambda: app.screen.focused is not None)
        assert app.screen.focused is table
        app.screen.query_one("#filter").focus()
        await pilot.press("%")
        assert len(table.view) == n_shown
        await pilot.press("slash", "%")
        await until(pilot, lambda: not table.view)
