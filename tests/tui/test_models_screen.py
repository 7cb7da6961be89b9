"""Models, key 7: results are named on the screen, and every list says what drove it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.dialogs.dialogs import AskText
from benchdesign.tui.screens.models import ModelsScreen
from benchdesign.tui.widgets.line_table import LineTable
from tests.tui.conftest import HOSTILE, Bench, until
from tests.tui.test_screens import go, visible_text

NAMES = ("small", "large", "weak-on-cats")


def write_results(folder: Path, *, names: tuple[str, str, str] = NAMES) -> Path:
    """Three models on the 80 animals: poor, good, and good but for cats."""
    small, large, no_cats = names
    path = folder / "results.jsonl"
    with path.open("w") as out:
        for row in range(80):
            is_cat = row % 3 == 0
            for model, score in ((small, row % 2), (large, row % 7), (no_cats, not is_cat)):
                text = f"stones {row}" if not score else "fish"
                line = {"id": f"b-{row}", "model": model, "score": bool(score), "prediction": text}
                out.write(json.dumps(line, default=float) + "\n")
    return path


async def read(pilot, app: BenchdesignApp, path: Path) -> None:  # noqa: ANN001 - as in conftest
    await go(pilot, app, "models")
    app.screen.read_results([str(path)])
    await until(pilot, lambda: app.screen.study is not None)
    await pilot.pause()


async def show(pilot, app: BenchdesignApp, name: str) -> None:  # noqa: ANN001
    names = [facet for facet, _ in app.screen.facets()]
    while app.screen.facets()[app.screen.facet][0] != name:
        await pilot.press("f")
    assert name in names
    await pilot.pause()


def cells(app: BenchdesignApp, key: str) -> list[str]:
    table = app.screen.query_one(LineTable)
    return [table.rows.cell(row, key).text for row in table.view]


@pytest.mark.slow
async def test_results_are_named_by_their_path(bench: Bench) -> None:
    path = write_results(bench.folder)
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        assert "Press c" in visible_text(app)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        await pilot.press(*str(path), "enter")
        await until(pilot, lambda: getattr(app.screen, "study", None) is not None)
        await until(pilot, lambda: app.messages.text.startswith("Scored 3 models on 240 results"))
        assert "3 models · 80 of 80 items have results" in visible_text(app)
        await pilot.press("q")
    # Next time they are there at once.
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        await until(pilot, lambda: app.screen.study is not None)


async def test_a_file_that_cannot_be_read_is_told_and_not_kept(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        app.screen.read_results([str(bench.folder / "gone.csv")])
        await until(pilot, lambda: "gone.csv" in app.messages.text)
        assert app.screen.study is None
        assert "Press c" in visible_text(app)


async def test_of_several_scores_one_is_asked_for(bench: Bench) -> None:
    path = bench.folder / "two.csv"
    rows = [f"b-{row},m,{row % 2},{row % 3 // 2}" for row in range(80)]
    path.write_text("id,model,acc,exact_match\n" + "\n".join(rows) + "\n")
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        app.screen.read_results([str(path)])
        await until(pilot, lambda: isinstance(app.screen, AskText))
        await pilot.press(*"acc", "enter")
        await until(pilot, lambda: getattr(app.screen, "study", None) is not None)
        assert app.screen.study.metrics == {"m": "acc"}
        assert app.screen.study.models[0].overall == 0.5


async def test_weak_spots_come_with_the_items_that_showed_them(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await read(pilot, app, write_results(bench.folder))
        await show(pilot, app, "weak")
        assert cells(app, "where")[0].startswith("cat")
        assert cells(app, "model")[0] == "weak-on-cats"
        page = app.screen.detail.text
        assert "Missed" in page and "What does cat number" in page
        assert "Held-out check:" in page


async def test_two_models_stand_side_by_side(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await read(pilot, app, write_results(bench.folder))
        app.screen.compare("large", "weak-on-cats")
        await until(pilot, lambda: app.screen.facets()[app.screen.facet][0] == "pair")
        await pilot.pause()
        assert "large vs. weak-on-cats" in visible_text(app)
        names = cells(app, "name")
        assert any(name.startswith("cat") for name in names)
        table = app.screen.query_one(LineTable)
        table.move_to(table.rows.row_id(next(at for at, n in enumerate(names) if n[:3] == "cat")))
        await until(pilot, lambda: "Only large solves" in app.screen.detail.text)


async def test_items_show_what_each_model_said(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await read(pilot, app, write_results(bench.folder))
        await show(pilot, app, "items")
        assert "do not distinguish any models" in visible_text(app)
        await pilot.press("enter")
        page = app.screen.detail.text
        assert "key" in page and all(name in page for name in NAMES)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_hostile_names_are_shown_literally(
    hostile_bench: Bench, size: tuple[int, int]
) -> None:
    bench = hostile_bench
    names = tuple(f"{place} {HOSTILE}" for place in range(3))
    items = [json.loads(line) for line in (bench.folder / "animals.jsonl").read_text().splitlines()]
    path = bench.folder / "results.jsonl"
    with path.open("w") as out:
        for row, item in enumerate(items):
            for place, name in enumerate(names):
                score = float(bool(row % (place + 2)))
                out.write(
                    json.dumps({"id": item["id"], "model": name, "score": score, "pred": HOSTILE})
                )
                out.write("\n")
    async with bench.opened(size=size) as (app, pilot):
        await read(pilot, app, path)
        for name, _ in app.screen.facets():
            await show(pilot, app, name)
            await pilot.press("down", "enter")
            await pilot.pause()
            text = visible_text(app) + app.screen.detail.text
            assert "\x1b" not in text and "\u202e" not in text
            await pilot.press("escape")


async def test_without_results_every_key_is_harmless(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        await pilot.press("f", "b", "s", "enter", "escape", "slash", "x", "escape", "y")
        assert "Press c" in visible_text(app)


@pytest.mark.slow
async def test_results_can_be_forgotten(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await read(pilot, app, write_results(bench.folder))
        await show(pilot, app, "items")
        await pilot.press("c")
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.screen_stack[-1].__class__.__name__ == "ModelsScreen")
        await until(pilot, lambda: app.screen.study is None)
        assert "Press c" in visible_text(app)


async def test_while_results_are_read_nobody_is_told_to_read_some(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "models")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        screen._show_activity("Scoring 3 models ...")
        await until(pilot, lambda: visible_text(app).count("Scoring 3 models ...") == 4)
        assert "Press c" not in visible_text(app) and "no results" not in visible_text(app)
        screen.read_results([str(bench.folder / "none.jsonl")])
        await until(pilot, lambda: "no such file" in app.messages.text)
        assert "Press c" in visible_text(app) and "Scoring" not in visible_text(app)


async def test_page_of_an_area_keeps_each_model_on_one_line(bench: Bench) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await read(pilot, app, write_results(bench.folder))
        await pilot.press("enter")
        await until(pilot, lambda: "pt, q " in visible_text(app))
        lines = [line for line in visible_text(app).splitlines() if " pt, q " in line]
        assert len(lines) == 3 and all("●" in line and " to " in line for line in lines)
