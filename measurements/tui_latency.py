"""Measure the latency of the interface: opening, long lists, filter, decisions, stopping a job.

    python measurements/tui_latency.py
    python measurements/tui_latency.py --folder FOLDER    keep the workspaces for the next run

Creates two workspaces without a model (`synthetic.py`; takes minutes), opens each in the
application and presses keys on its screens. The table is printed, and written to
measurements/results/tui_latency.md.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from latency.parts import (
    measure_help,
    measure_lists,
    measure_log,
    measure_start,
    measure_stop,
    wait_until,
)
from latency.timing import SIZE, Row, empty_press_ms, measure_moves, one_press_ms, page_waits

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList
from benchdesign.tui.widgets.line_table import LineTable

N_POOL = 20_000

SCREENS = (
    ("concepts", "3", "i"),
    ("gaps", "4", "i"),
    ("candidates", "5", "a"),
    ("items", "6", "x"),
)
"""Mode, its key, and the key of a decision on its screen."""


class Budget(NamedTuple):
    """Limits for opening, in milliseconds."""

    first: float
    whole: float
    stall: float


BUDGETS = {
    "10,000 items": Budget(1_000.0, 10_000.0, 250.0),
    "100,000 items": Budget(3_000.0, 40_000.0, 250.0),
}


async def measure_workspace(folder: Path, name: str, budget: Budget) -> list[Row]:
    """Open a workspace and press the keys of its long lists."""
    base = await empty_press_ms()
    # Otherwise this run would start in the state that an earlier run has saved.
    for state_file in ("ui.json", "decisions.jsonl"):
        (folder / state_file).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as recents:
        app = BenchdesignApp(LaunchOptions(), recents=RecentList(Path(recents) / "recent.json"))
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            results = prefixed(name, await open_ms(app, folder, budget))
            await pilot.pause()
            for mode, key, decide in SCREENS:
                rows = await measure_screen(app, pilot, mode, key, decide, base=base)
                results += prefixed(f"{name}, {mode}", rows)
    return results


def prefixed(name: str, rows: list[Row]) -> list[Row]:
    """Prefix each quantity with a name."""
    return [(f"{name}: {label}", value, unit, budget) for label, value, unit, budget in rows]


async def open_ms(app: BenchdesignApp, folder: Path, budget: Budget) -> list[Row]:
    """Measure opening a workspace: to the first table, and to the last item."""
    start = time.process_time()
    app.workspaces.open(folder)
    session = app.session
    assert session is not None
    # `pilot.pause` would also wait until the items are read.
    await wait_until(lambda: session.summary is not None and not app.screen.has_class("-waiting"))
    refreshed = asyncio.Event()
    app.screen.call_after_refresh(refreshed.set)
    await refreshed.wait()
    first = 1000 * (time.process_time() - start)
    stall = await longest_stall(lambda: session.loaded is not None)
    whole = 1000 * (time.process_time() - start)
    return [
        ("open, to the first table", first, "ms", budget.first),
        ("open, to the last item read", whole, "ms", budget.whole),
        ("open, longest stall of the interface", stall, "ms", budget.stall),
    ]


async def longest_stall(ends: Callable[[], bool]) -> float:
    """Return the longest wall time for which the event loop was blocked."""
    longest = 0.0
    while not ends():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, 1000 * (time.perf_counter() - start) - 5)
    return longest


async def measure_screen(
    app: BenchdesignApp, pilot: Any, mode: str, key: str, decide: str, *, base: float
) -> list[Row]:
    """Measure the keys of one screen."""
    opening = await one_press_ms(pilot, key) - base
    screen = app.screen
    assert isinstance(screen, ListScreen) and mode == screen.MODE
    if mode == "gaps":
        # The list of all gaps is the longest of this screen.
        await pilot.press("f")
        await pilot.pause()
    table = screen.table
    results: list[Row] = [(f"shown first, {len(table.view):,} rows", opening, "ms", 500.0)]
    results += await measure_moves(pilot, base)
    pages = []
    for move in ("down", "down", "up", "down", "down"):
        await pilot.press(move)
        start = time.process_time()
        screen.show_detail()
        await pilot.pause()
        pages.append(1000 * (time.process_time() - start))
    results.append(("the page of the row, drawn", statistics.median(pages), "ms", 50.0))
    await pilot.press("slash")
    with page_waits():
        first = await one_press_ms(pilot, "b") - base
        keys = ("a", "d", "backspace", "d", "o")
        letters = [await one_press_ms(pilot, letter) - base for letter in keys]
    results.append(("live filter, first letter", first, "ms", 50.0))
    results.append(("live filter, next letter", statistics.median(letters), "ms", 50.0))
    await pilot.press("escape")
    await pilot.pause(0.1)
    results.append(("sort, the slowest column", await sort_ms(pilot, table, base), "ms", 200.0))
    decided, undone = [], []
    for _ in range(5):
        decided.append(await decide_ms(app, pilot, decide) - base)
        undone.append(await one_press_ms(pilot, "u") - base)
    results.append(("a decision", statistics.median(decided), "ms", 150.0))
    results.append(("undo", statistics.median(undone), "ms", 150.0))
    return results


async def sort_ms(pilot: Any, table: LineTable, base: float) -> float:
    """Return the time of sorting by the slowest column; each is the better of two tries."""
    n = len([column for column in table.columns if column.sortable]) + 1
    first, second = [[await one_press_ms(pilot, "s") for _ in range(n)] for _ in range(2)]
    return max(map(min, first, second)) - base


async def decide_ms(app: BenchdesignApp, pilot: Any, key: str) -> float:
    """Return the processor time of a decision; a requested reason is left empty."""
    duration = await one_press_ms(pilot, key)
    if len(app.screen_stack) > 1:
        duration = await one_press_ms(pilot, "enter")
    return duration


def workspaces(folder: Path) -> dict[str, Path]:
    """Return the two workspaces; create them if they do not exist."""
    # Imported here, so that the measuring processes start without numpy, as a user's process does.
    from synthetic import make_dictionary, make_workspace

    small, large, concepts = folder / "a", folder / "b", folder / "dict"
    if not (small / "workspace").is_dir():
        make_workspace(small, n_items=10_000, n_pool=N_POOL)
    if not (large / "workspace").is_dir():
        make_dictionary(concepts, 65_536)
        make_workspace(large, n_items=100_000, n_pool=N_POOL, dictionary=str(concepts))
    return {"10,000 items": small / "workspace", "100,000 items": large / "workspace"}


def measure_workspaces(folder: Path) -> list[Row]:
    """Measure each workspace in its own process, because imports count."""
    results: list[Row] = []
    for name, path in workspaces(folder).items():
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
            results += child.submit(run_workspace, path, name).result()
    return results


def run_workspace(folder: Path, name: str) -> list[Row]:
    """Measure one workspace."""
    return asyncio.run(measure_workspace(folder, name, BUDGETS[name]))


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="folder for the workspaces, kept for the next run"
    )
    options = parser.parse_args()
    results = [
        *measure_help(),
        *measure_start(),
        *asyncio.run(measure_lists()),
        *measure_log(),
        *measure_stop(),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        results += measure_workspaces(options.folder or Path(temporary))
    lines = [
        "# Latency of the interface",
        "",
        "Made by `python measurements/tui_latency.py`. Medians of processor time; for keys, the "
        "time above that of a press in an empty application. Decisions on disk, stopping a job and "
        "the longest stall of the interface are wall times. 2 processors shared with other work: "
        "processor time excludes waiting for them, but not slower memory because of other work.",
        "",
        "Arrow keys, page keys and the live filter are measured under key repeat: the page of the "
        "row is drawn once the cursor rests, and has its own line. Decision and undo keys are "
        "pressed one at a time, with the page and everything else that they cause.",
        "",
        f"10,000 items: the built-in dictionary (4,608 concepts) and a pool of {N_POOL:,}. "
        f"100,000 items: a dictionary of 65,536 concepts with 400 MB of weights and a pool of "
        f"{N_POOL:,}. Both 120x36.",
        "",
        "| quantity | measured | budget | share of budget |",
        "|---|---|---|---|",
    ]
    for name, value, unit, budget in results:
        lines.append(
            f"| {name} | {value:.1f} {unit} | {budget:.0f} {unit} | {100 * value / budget:.0f} % |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    (Path(__file__).parent / "results" / "tui_latency.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
