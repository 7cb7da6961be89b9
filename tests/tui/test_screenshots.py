"""The screenshots of the documentation."""

import asyncio
import re
from pathlib import Path

import pytest

from docs.make_screenshots import FOLDER, SCREENS, offline, take
from tests.tui.conftest import Bench


def urls(svg: str) -> set[str]:
    return set(re.findall(r"https?://[^\s\"')]+", svg)) - {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("mode", [mode for mode, _ in SCREENS])
def test_a_screenshot_is_there_and_asks_nobody_for_anything(mode: str) -> None:
    svg = (FOLDER / f"{mode}.svg").read_text("utf-8")
    assert svg.startswith("<svg ") and urls(svg) == set()


@pytest.mark.slow
def test_the_script_walks_the_screens_of_a_workspace(bench: Bench, tmp_path: Path) -> None:
    asyncio.run(take(bench.work, tmp_path))
    assert "Coverage" in (tmp_path / "overview.svg").read_text("utf-8")
    assert "fox" in (tmp_path / "gaps.svg").read_text("utf-8")
    assert len(bench.log_lines()) == 6


def test_fonts_from_elsewhere_are_left_out() -> None:
    svg = "<svg><style>@font-face {\n src: url('https://x/y') }\n.a { font: Fira Code, monospace }"
    assert urls(offline(svg)) == set() and "DejaVu" in offline(svg)
