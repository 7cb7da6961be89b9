"""Write docs/screenshots from the shipped example: `python docs/make_screenshots.py [WORKSPACE]`.

Without a workspace, the example is run first, which takes a minute or two. A named workspace is
copied and stays unchanged.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from benchdesign.foundation.preferences import Preferences
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList

FOLDER = Path(__file__).parent / "screenshots"
SIZE = (120, 36)

SCREENS = (
    ("overview", ()),
    ("gaps", ("down",)),
    ("candidates", ("a", "a", "r", "a", "d", "a")),
)
"""Screens and the keys to press; candidates are last because every screen shows decisions."""

_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)


def offline(svg: str) -> str:
    """Return a screenshot without web fonts."""
    svg = _COMMENT.sub("", _FONT_FACE.sub("", svg))
    families = "'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    return svg.replace("Fira Code, monospace", families).rstrip() + "\n"


async def take(workspace: Path, folder: Path) -> None:
    """Open a workspace and write a screenshot of each screen."""
    app = BenchdesignApp(
        LaunchOptions(str(workspace), preferences=Preferences(who="ann")),
        recents=RecentList(workspace.parent / "recent.json"),
    )
    async with app.run_test(size=SIZE) as pilot:
        while app.session is None or app.session.loaded is None:
            await pilot.pause(0.05)
        for mode, keys in SCREENS:
            app.action_go(mode)
            await _rest(pilot)
            for key in keys:
                await pilot.press(key)
            await _rest(pilot)
            path = folder / f"{mode}.svg"
            path.write_text(offline(app.export_screenshot()), encoding="utf-8")


async def _rest(pilot: Pilot[None]) -> None:
    # The page beside a list is drawn once the cursor rests.
    await pilot.pause(0.3)
    await pilot.pause()


def main() -> None:
    """Create or copy a workspace, and write the screenshots."""
    with tempfile.TemporaryDirectory(prefix="benchdesign-") as temporary:
        work = Path(temporary) / "demo"
        if len(sys.argv) > 1:
            shutil.copytree(sys.argv[1], work / "workspace")
        else:
            from benchdesign.cli.actions.run import demo_job
            from benchdesign.cli.options import OutputOptions

            demo_job(work, OutputOptions(quiet=True))
        workspace = work / "workspace"
        for name in ("decisions.jsonl", "ui.json", "lock"):
            (workspace / name).unlink(missing_ok=True)
        FOLDER.mkdir(exist_ok=True)
        asyncio.run(take(workspace, FOLDER))


if __name__ == "__main__":
    main()
