"""A drawn row takes exactly the cells of its table, whatever its script."""

from __future__ import annotations

import asyncio

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column, ListRows, TableCell

WIDTH = 60
TEXTS = {
    "Hindi": "नमस्ते दुनिया, यह एक लंबा वाक्य है और आगे चलता रहता है। " * 3,
    "emoji joined": "👩‍🔬 👨‍👩‍👧‍👦 👩🏽‍❤️‍💋‍👨🏽 asked about the sea " * 4,
    "keycaps": "1️⃣ first 2️⃣ second 3️⃣ third " * 5,
    "variation selectors": "❤️ heart ☎️ phone ✈️ plane " * 5,
    "CJK": "東京都の人口は何人ですか。" * 8,
    "combining marks": "e\u0301te\u0301 Za\u0335l\u0336g\u0337o\u0338 " * 12,
    "short": "नि 👩‍🔬 1️⃣ 京 e\u0301",
}


class Rows60(App[None]):
    """A table of 60 cells."""

    def compose(self) -> ComposeResult:
        columns = [
            Column("id", "ID", 11, cut="start"),
            Column("text", "TEXT", 0),
            Column("label", "LABEL", 13, "right"),
        ]
        yield LineTable(columns, id="table")


@pytest.mark.parametrize("name", TEXTS)
def test_a_row_is_drawn_in_exactly_its_cells(name: str) -> None:
    async def scenario() -> None:
        app = Rows60()
        async with app.run_test(size=(WIDTH, 8)) as pilot:
            table = app.query_one(LineTable)
            cell = TableCell(TEXTS[name])
            row = {"id": cell, "text": cell, "label": cell}
            table.show(ListRows(["a", "b"], [row, row]))
            await pilot.pause()
            for y in range(3):
                strip = table.render_line(y)
                assert strip.cell_length == WIDTH
                assert sum(cell_len(segment.text) for segment in strip) == WIDTH
                assert cell_len(strip.text) == WIDTH

    asyncio.run(scenario())
