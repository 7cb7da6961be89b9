"""What helps a person to read the screens: words, counts, where one thing leads to another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchdesign.cli import run_command
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.stage_results import ProposeResult
from benchdesign.report.collect_coverage import collect_report
from benchdesign.report.coverage_report import render_markdown
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.tui.dialogs.new_workspace import NewWorkspaceForm
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.widgets.evidence import evidence_levels
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.workspace.workspace import Workspace
from tests.keywords import use_keywords, write_sets
from tests.tui.conftest import Bench, FakeJob, make_bench, until
from tests.tui.test_screens import go, visible_text


def footer(text: str) -> str:
    return [line for line in text.splitlines() if line.strip()][-1]


async def test_keys_offered_while_nothing_is_open_are_those_that_do_something(bench: Bench) -> None:
    app = bench.app(LaunchOptions())
    async with app.run_test(size=(120, 36)) as pilot:
        await go(pilot, app, "candidates")
        footer_text = footer(visible_text(app))
        assert " ".join(footer_text.split()) == "1 Open ? help ^p commands q quit"


async def test_keys_offered_while_items_are_mapped_begin_with_stop(
    bench: Bench, fake_job: FakeJob
) -> None:
    (bench.work / "stages.json").unlink()
    app = bench.app()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.jobs.job is not None)
        await until(pilot, lambda: footer(visible_text(app)).split()[:2] == ["X", "stop"])
        await pilot.press("X")
        assert app.messages.text.startswith("Stopped at 3 of 10 (mapping items).")
        await until(pilot, lambda: footer(visible_text(app)).split()[0] == "R")
        assert "Not all items are mapped yet." in visible_text(app)


@pytest.mark.parametrize(("size", "presses"), [((120, 36), 1), ((80, 24), 2)])
async def test_enter_on_a_concept_lists_the_items_that_show_it(
    bench: Bench, size: tuple[int, int], presses: int
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "concepts")
        app.screen.reveal("3")
        await pilot.press(*["enter"] * presses)
        await until(pilot, lambda: app.current_mode == "items")
        table = app.screen.query_one(LineTable)
        await until(pilot, lambda: len(table.view) == 26)
        assert app.screen.filter_bar.value == "concept:00003"
        assert all("owl" in table.rows.text(row) for row in table.view)
        if size == (120, 36):
            await until(pilot, lambda: "▸ 00003" in app.screen.detail.text)
        await pilot.press("escape")
        assert len(table.view) == 80


async def test_items_are_filtered_by_a_word_of_a_concepts_label_and_count_what_was_added(
    bench: Bench,
) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        await pilot.press("a", "a")
        await go(pilot, app, "items")
        table = app.screen.query_one(LineTable)
        await pilot.press("slash", *"concept:fox", "enter")
        assert [table.rows.cell(row, "state").text for row in table.view] == ["new", "new"]
        await pilot.press("escape", "slash", *"concept:99999", "enter")
        assert len(table.view) == 0


async def test_gaps_a_candidate_fills_are_counted_where_not_all_are_listed(bench: Bench) -> None:
    with Workspace.open(bench.work) as workspace:
        stored = workspace.load_result("proposals", ProposeResult)
        first = replace(stored.additions[0], n_gaps=31)
        changed = replace(stored, additions=(first, *stored.additions[1:]))
        workspace.save_result("proposals", changed)
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        rows = app.screen.query_one(LineTable).rows
        assert rows.cell(0, "fills").text == "+31"
        assert rows.value(0, "fills") == 31
        assert "31 in total" in app.screen.detail.text


@pytest.mark.slow
async def test_the_gain_is_the_same_number_here_in_the_list_of_proposals_and_in_the_report(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["proposals", str(bench.work)]) == 0
    listed = [line.split()[4] for line in capsys.readouterr().out.splitlines()[1:4]]
    with Workspace.open(bench.work, access="read") as workspace:
        analysis = load_analysis(workspace)
    revision = plan_revision(analysis, Choice.all_proposals(analysis))
    report = render_markdown(collect_report(analysis, revision))
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        rows = app.screen.query_one(LineTable).rows
        gains = [rows.cell(row, "gain").text for row in range(3)]
    assert listed == gains
    assert gains[0] == "1.00"
    assert gains[2] != "1.00"
    for rank, gain in enumerate(gains, start=1):
        (line,) = [line for line in report.splitlines() if line.startswith(f"| {rank} |")]
        assert f"| {gain} |" in line


@pytest.mark.parametrize(
    ("screen", "field", "label"),
    [
        ("items", "concept:", "owl"),
        pytest.param("candidates", "concept:", "fox", marks=pytest.mark.slow),
        pytest.param("concepts", "", "owl", marks=pytest.mark.slow),
    ],
)
async def test_filters_search_labels_as_they_were_given(
    bench: Bench, screen: str, field: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_apart(dictionary: Dictionary, concept_id: int) -> str:
        return f"{dictionary.bare_label(concept_id)} (alike)"

    monkeypatch.setattr(Dictionary, "label", told_apart)
    async with bench.opened() as (app, pilot):
        await go(pilot, app, screen)
        table = app.screen.query_one(LineTable)
        await pilot.press("slash", *f"{field}(alike)", "enter")
        assert len(table.view) == 0
        await pilot.press("escape", "slash", *f"{field}{label}", "enter")
        assert len(table.view) > 0


async def test_a_reason_is_for_the_candidate_under_the_cursor_where_that_is_decided(
    bench: Bench,
) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        first = app.screen.table.cursor_id
        await pilot.press("r", "a", "up", "up", "c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        last_line = bench.log_lines()[-1]
        assert (f"add:{last_line['id']}", last_line["reason"]) == (first, "wrong key")


async def test_the_title_says_when_the_last_decision_was_saved_and_a_page_how_it_came_about(
    bench: Bench,
) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await go(pilot, app, "candidates")
        assert "saved" not in visible_text(app).splitlines()[0]
        await pilot.press("a", "up", "u", "r")
        assert "saved" in visible_text(app).splitlines()[0]
        await pilot.press("up")
        await until(pilot, lambda: "history" in app.screen.detail.text)
        text = app.screen.detail.text.partition("history")[2]
        assert text.index("accept ") < text.index("undone ") < text.index("reject ")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_candidates_that_are_out_of_date_stay_and_are_said_to_be(
    bench: Bench, size: tuple[int, int]
) -> None:
    old = "! out of date; R proposes again, decisions are kept"
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        assert old not in visible_text(app)
        await pilot.press("a")
        await go(pilot, app, "gaps")
        await pilot.press("f", "right", "down", "i")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await go(pilot, app, "candidates")
        here = [app.screen.table.rows.row_id(row) for row in app.screen.table.view]
        assert old in visible_text(app)
    async with bench.opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        table = app.screen.table
        assert [table.rows.row_id(row) for row in table.view] == here and len(here) == 12
        assert old in visible_text(app)
        assert len(app.session.log.accepted) == 1
        await go(pilot, app, "export")
        await until(pilot, lambda: "some results are out of date" in visible_text(app))
        await until(pilot, lambda: "14 candidates were never reviewed" in visible_text(app))


async def test_candidates_for_other_items_are_not_shown(bench: Bench) -> None:
    other = bench.folder / "other-dictionary"
    other.mkdir()
    async with bench.opened() as (app, pilot):
        app.session.workspace.change_settings(
            replace(app.session.workspace.settings, dictionary=str(other))
        )
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "candidates")
        assert "R proposes them again" in app.screen.table.empty
        assert not len(app.screen.table.rows)


async def test_the_first_time_enter_fills_the_form_with_the_example(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    app = bench.app(LaunchOptions())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "enter uses the example" in visible_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query(NewWorkspaceForm)))
        form = app.screen.query_one(NewWorkspaceForm)
        await until(pilot, lambda: form.value("benchmark").endswith("benchmark.jsonl"))
        assert form.value("pool").endswith("pool.jsonl")
        assert not (bench.folder / "benchmark-workspace").exists()


async def test_models_without_results_say_what_to_do_on_a_narrow_screen(bench: Bench) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await go(pilot, app, "models")
        assert "Press c to add results" in visible_text(app)


async def test_a_results_file_is_completed_and_kept_with_its_whole_path(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    lines = [
        {"id": f"b-{row}", "model": model, "score": float((row + shift) % 3 > 0)}
        for model, shift in (("small", 0), ("large", 1))
        for row in range(80)
    ]
    (bench.folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        await pilot.press("c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        box = app.screen.query_one("#answer")
        await pilot.press(*"resu")
        await until(pilot, lambda: box._suggestion == "results.jsonl")
        await pilot.press("right", "enter")
        await until(pilot, lambda: app.screen_stack[0].study is not None)
        kept = app.workspaces.ui.screen_state("models")["results"]
        assert kept == [str(bench.folder / "results.jsonl")]
        await pilot.press("f", "f", "b")
        assert "f shows them" in app.messages.text


async def test_overview_names_the_areas_that_lack_most(bench: Bench) -> None:
    # Below the groups there is room for areas on a high screen only.
    async with bench.opened(size=(120, 60)) as (app, _pilot):
        text = visible_text(app)
        assert "Worst areas" in text
        (line,) = [line for line in text.splitlines() if " animals " in line and "/" in line]
        assert "0 / 20" in line


async def test_a_narrow_export_begins_with_what_speaks_against_it(bench: Bench) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        await until(pilot, lambda: "leaves" in visible_text(app))
        text = visible_text(app)
        assert text.index("Before you publish") < text.index("Changes")
        assert "fox" in text


async def test_without_a_browser_the_report_is_read_here(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _address: False)
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        await pilot.press("ctrl+e")
        await until(pilot, lambda: app.messages.text.startswith("Wrote"))
        await pilot.press("o")
        await until(pilot, lambda: "Coverage of animals" in visible_text(app))
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_the_order_is_named_by_the_column_and_marked_in_its_title(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        await pilot.press("s", "s", "S")
        assert "by id, descending" in visible_text(app)
        assert "ID↓" in visible_text(app)


def test_a_passage_is_lit_faintly_and_has_no_peak() -> None:
    text = "x" * 300
    assert evidence_levels(text, [TokenEvidence(0, 300, 1.0)]) == [(0, 300, 1, False)]
    assert evidence_levels(text, [TokenEvidence(10, 14, 1.0)]) == [
        (0, 10, 0, False),
        (10, 14, 4, True),
        (14, 300, 0, False),
    ]


def test_white_space_inside_a_phrase_is_lit_with_its_weaker_neighbour() -> None:
    text = "a red fox ran\naway"
    red, fox, ran = TokenEvidence(2, 5, 0.3), TokenEvidence(6, 9, 1.0), TokenEvidence(10, 13, 0.6)
    away = TokenEvidence(14, 18, 0.3)
    assert evidence_levels(text, [red, fox, ran, away]) == [
        (0, 2, 0, False),
        (2, 6, 2, False),
        (6, 9, 4, True),
        (9, 13, 3, False),
        (13, 14, 0, False),
        (14, 18, 2, False),
    ]
    assert evidence_levels("red fox", [TokenEvidence(0, 3, 0.9), TokenEvidence(4, 7, 0.9)]) == [
        (0, 3, 4, True),
        (3, 7, 4, False),
    ]
    weak = [TokenEvidence(0, 3, 0.3), TokenEvidence(4, 7, 0.3), TokenEvidence(9, 12, 1.0)]
    assert evidence_levels("red fox: ran", weak)[0] == (0, 7, 2, False)


async def test_an_area_is_marked_by_its_own_judgement_and_its_figures_are_of_its_gaps(
    bench: Bench,
) -> None:
    async with bench.opened(size=(120, 60)) as (app, pilot):
        session = app.session
        await go(pilot, app, "gaps")
        await pilot.press("f")
        await pilot.pause()
        rows = app.screen.table.rows
        area_gaps, gaps = session.loaded.area_gaps, session.analysis.gaps
        assert (rows.cell(0, "mark").text, rows.value(0, "state")) == ("", "adequate")
        # Its one gap is missing, and lifted far less than all its concepts together.
        assert area_gaps.row(0).status is Status.ADEQUATE
        assert rows.sort_value(0, "lift") == pytest.approx(float(gaps.lift[2]))
        assert rows.sort_value(0, "lift") < float(area_gaps.lift[0]) - 1
        page = " ".join(app.screen.detail.text.split())
        assert "state adequate, all 4 concepts taken together" in page
        assert "gaps have 0, want 20" in page
        codes = np.full(len(area_gaps), STATUSES.index(Status.UNDER), dtype=np.int8)
        lacking = replace(area_gaps, status_codes=codes)
        session.replace(replace(session.loaded, area_gaps=lacking))
        app.workspaces.refresh_screens()
        await pilot.pause()
        assert (app.screen.table.rows.cell(0, "mark").text) == "!"
        await until(pilot, lambda: "state      ! under" in app.screen.detail.text)
        await go(pilot, app, "overview")
        (line,) = [line for line in visible_text(app).splitlines() if "!  animals " in line]
        assert line.startswith("   !  animals")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_the_closest_item_is_gone_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    for path in (benchmark, pool):
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for record in records:
            record["question"] += " Say why, in many words of your own." * 80
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    async with make_bench(tmp_path, benchmark, pool).opened(size=size) as (app, pilot):
        await go(pilot, app, "candidates")
        detail = app.screen.detail
        assert "Closest benchmark item" not in visible_text(app)
        await pilot.press("D")
        await until(pilot, lambda: "Closest benchmark item" in visible_text(app))
        lines = visible_text(app).splitlines()
        top = detail.region.y
        assert "Closest benchmark item" in lines[top]
        await pilot.press("D")
        await until(pilot, lambda: detail.scroll_y == 0)


async def test_pages_say_what_their_figures_are_of(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "gaps")
        await pilot.press("f", "right", "down")
        await until(
            pilot, lambda: "25 % in the pool at these" in " ".join(app.screen.detail.text.split())
        )
        await go(pilot, app, "items")
        await until(pilot, lambda: "Strongest of 1 in scope" in app.screen.detail.text)
