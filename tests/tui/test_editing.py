"""Candidates that are rewritten in the editor are shown as they will be published."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from benchdesign.tui.app import BenchdesignApp
from tests.tui.conftest import HOSTILE, Bench, until
from tests.tui.test_screens import go, visible_text

BEFORE_EDIT = "Concepts and evidence refer to the text before the edit."


def types(monkeypatch: pytest.MonkeyPatch, edits: dict[str, Any]) -> None:
    monkeypatch.setattr(
        "benchdesign.tui.dialogs.candidate_edit.edit_record", lambda *_, **__: edits
    )


async def edit_first(pilot: Pilot[None], app: BenchdesignApp) -> str:
    await go(pilot, app, "candidates")
    await pilot.press("E")
    await until(pilot, lambda: app.messages.text.startswith("Edited"))
    return str(app.screen.table.cursor_id).removeprefix("add:")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_rewritten_candidate_is_shown_as_it_will_be_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    types(monkeypatch, {"question": "There are foxes in the yard.", "answer": "C"})
    async with bench.opened(size=size) as (app, pilot):
        await edit_first(pilot, app)
        assert app.messages.text == "Edited the question and the answer. u undoes."
        table = app.screen.table
        assert table.rows.cell(0, "prompt").text.endswith("There are foxes in the yard.")
        page = app.screen.detail.text
        assert "There are foxes in the yard." in page and BEFORE_EDIT in page
        assert "C  berries" in page and "What does fox" not in page.partition("Closest")[0]
        await pilot.press("u")
        await until(pilot, lambda: BEFORE_EDIT not in app.screen.detail.text)
        assert "What does fox" in app.screen.detail.text.partition("Closest")[0]


@pytest.mark.slow
async def test_an_accepted_candidate_is_an_item_as_it_was_rewritten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, {"question": "There are foxes in the yard."})
    async with bench.opened() as (app, pilot):
        item_id = await edit_first(pilot, app)
        await pilot.press("a")
        await go(pilot, app, "items")
        app.screen.filter_bar.restore("yard")
        await until(pilot, lambda: len(app.screen.table.view) == 1)
        assert app.screen.table.cursor_id == f"add:{item_id}"
        assert app.screen.table.rows.cell(80, "question").text == "There are foxes in the yard."
        await until(pilot, lambda: BEFORE_EDIT in app.screen.detail.text)
        assert "There are foxes in the yard." in app.screen.detail.text


async def test_an_edit_that_leaves_the_text_keeps_the_evidence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, {"category": "mammals"})
    async with bench.opened() as (app, pilot):
        await edit_first(pilot, app)
        assert app.messages.text == "Edited the category. u undoes."
        assert BEFORE_EDIT not in app.screen.detail.text


async def test_names_of_many_rewritten_fields_are_literal_and_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, {HOSTILE: 1, "b": 2, "c": 3, "d": 4, "e": 5})
    async with bench.opened() as (app, pilot):
        await edit_first(pilot, app)
        assert app.messages.text.startswith("Edited the [/INST] x[0] = y[i]")
        assert app.messages.text.endswith("…, the b, the c and 2 more. u undoes.")
        assert "\x1b" not in visible_text(app)
