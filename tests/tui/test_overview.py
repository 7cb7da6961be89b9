"""What Overview says beside the counts."""

from __future__ import annotations

import pytest

from benchdesign.decisions import Decision, Subject
from tests.tui.conftest import Bench, until
from tests.tui.test_screens import visible_text


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_how_sure_the_covered_share_is_stands_beside_it(
    bench: Bench, size: tuple[int, int]
) -> None:
    async with bench.opened(size=size) as (app, pilot):
        assert app.session is not None and app.session.analysis is not None
        found = app.session.analysis.how_sure
        assert found is not None and found.low <= found.share <= found.high
        text = visible_text(app)
        assert "how sure (95 %)" in text and "if the items were drawn again" in text
        assert f"{100 * found.low:.1f} - {100 * found.high:.1f} %" in text
        # Another number wanted by hand makes another share, of which it says nothing.
        app.session.record(Decision(Subject.CONCEPT, "2", want=0))
        app.touch()
        await until(pilot, lambda: "how sure" not in visible_text(app))
