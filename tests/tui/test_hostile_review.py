"""Text that attacks the terminal or the layout, on every review screen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.widgets.detail import Detail
from tests.keywords import use_keywords, write_sets
from tests.tui.conftest import Bench, make_bench
from tests.tui.test_screens import visible_text

pytestmark = pytest.mark.slow
MODES = ("concepts", "gaps", "candidates", "items")

TEXTS = {
    "markup": "[red]x[/] [/INST] [[a]] [@click=app.quit]go[/] x[0] = y[i] \\[b] [",
    "link": "[link=http://e]b[/link] \x1b]8;;http://e\x1b\\here\x1b]8;;\x1b\\",
    "escapes": "\x1b[2J\x1b[31mred\x1b]0;TITLE\x07\x9b31m\x90q\x9c\x08\x7f",
    "bidi": "a\u202eb\u2066c\u2069\u200f\u061c שלום \u202dx\u202c",
    "surrogates": "\ud800 lone \udfff",
    "zero width": "a\u200bb\u2060c\ufeffd\u00ade\u200cf\u200dg\U000e0041",
    "nul": "a\x00b\x01c\x1f",
    "long word": "W" * 3_000,
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☠️ 🇩🇪 é́́ " * 8,
    "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢" * 12,
    "wide": "汉字漢字かなカナ한국어" * 60,
    "tabs and lines": "a\tb\r\nc\rd\u2028e\u2029f\x85g\x0bh\x0ci",
}
HUGE = "lorem [b]ipsum[/b] 汉 " * 12_000
HUGE_ROW = len(TEXTS)
BAD = set("\x1b\x07\x00\x08\x7f\x9b\x90\u202e\u2066\u200b\u2060\ufeff\u00ad\ud800\udfff\u2028\x85")


@pytest.fixture
def nasty_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Every kind of text as label, area, id, question, choice, answer and category."""
    table = use_keywords(monkeypatch).dictionary.table
    texts = list(TEXTS.values())
    object.__setattr__(table, "label", (texts[0], texts[7], texts[8], texts[10], "the", "of"))
    object.__setattr__(table, "area", (texts[2], texts[9], texts[3], texts[0], None, None))
    benchmark, pool = write_sets(tmp_path)
    for path in (benchmark, pool):
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for row, record in enumerate(records):
            text = texts[row % len(texts)]
            record["question"] = f"{text} {record['question']} {text if row != HUGE_ROW else HUGE}"
            record["category"] = text[:300]
            record["id"] = f"{record['id']} {text[:200]}"
            record["choices"][1] = text[:400]
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "ascii")
    return make_bench(tmp_path, benchmark, pool)


def check_frame(app: BenchdesignApp, size: tuple[int, int]) -> str:
    """Nothing dangerous is on screen and every line fits; returns the screen's text."""
    strips = app.screen._compositor.render_strips()
    assert len(strips) == size[1]
    assert {strip.cell_length for strip in strips} == {size[0]}
    text = visible_text(app)
    assert not BAD & set(text)
    assert app.is_running and app.title == "benchdesign"
    return text


@asynccontextmanager
async def walking(
    bench: Bench, size: tuple[int, int], **options: str
) -> AsyncIterator[tuple[BenchdesignApp, Pilot[None]]]:
    async with bench.opened(size=size, **options) as (app, pilot):
        yield app, pilot


async def walk(app: BenchdesignApp, pilot: Pilot[None], size: tuple[int, int], rows: int) -> None:
    for mode in MODES:
        await app.switch_mode(mode)
        screen = app.screen
        assert isinstance(screen, ListScreen)
        if mode == "gaps":
            await screen.run_action("facets")
            await screen.run_action("next_part")
        for place in range(min(rows, len(screen.table.view))):
            screen.table.cursor = place
            screen.show_detail()
            await pilot.pause()
            check_frame(app, size)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_no_text_leaves_its_place(nasty_bench: Bench, size: tuple[int, int]) -> None:
    async with walking(nasty_bench, size) as (app, pilot):
        await walk(app, pilot, size, HUGE_ROW + 1)


async def test_no_colour_and_ascii_marks_change_nothing_about_that(
    nasty_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    size = (100, 30)
    async with walking(nasty_bench, size, marks="ascii") as (app, pilot):
        await walk(app, pilot, size, HUGE_ROW + 1)
        await app.switch_mode("candidates")
        assert isinstance(app.screen, ListScreen)
        texts = []
        for place in range(4):
            app.screen.table.cursor = place
            await pilot.pause()
            texts.append(check_frame(app, size))
        # The evidence of some lies below what fits on the screen.
        assert any("[[" in text for text in texts)
        assert not any("▸" in text for text in texts)


async def test_resizing_while_open_keeps_the_frame_and_the_place(nasty_bench: Bench) -> None:
    async with walking(nasty_bench, (120, 36)) as (app, pilot):
        for mode in MODES:
            await app.switch_mode(mode)
            await pilot.press("down", "down")
            screen = app.screen
            assert isinstance(screen, ListScreen)
            cursor = screen.table.cursor_id
            for size in ((80, 24), (40, 12), (200, 60), (60, 16), (120, 36)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                text = check_frame(app, size)
                assert ("Too small" in text) == (size == (40, 12))
            assert screen.table.cursor_id == cursor


async def test_text_is_shown_as_it_is_written(nasty_bench: Bench) -> None:
    async with walking(nasty_bench, (120, 36)) as (app, pilot):
        await app.switch_mode("items")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        detail = screen.query_one(Detail)
        for place, kind in ((0, "markup"), (10, "wide")):
            screen.table.cursor = place
            screen.show_detail()
            assert TEXTS[kind][:40] in detail.text
        # Decisions and messages carry the id, literally.
        screen.table.cursor = 0
        await pilot.press("x")
        assert "[red]x[/]" in app.messages.text
        await pilot.press("e")
        await pilot.pause()
        assert "[red]x[/] [/INST]" in visible_text(app)
        await pilot.press("escape", "y")
        assert "[red]x[/]" in app.messages.text
        check_frame(app, (120, 36))
