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
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from textual.app import App, ComposeResult

from benchdesign.foundation.child_process import ChildProcess
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.screens import list_detail
from benchdesign.tui.screens.list_screen import ListScreen
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column, SearchableRows, TableCell
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict

N_ROWS = 100_000
COLUMNS = tuple(Column(f"c{place}", f"C{place}", 0 if place == 1 else 9) for place in range(8))


SIZE = (120, 36)
N_POOL = 20_000
Row = tuple[str, float, str, float]
"""Quantity, value, unit, budget."""

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


class ManyRows(SearchableRows):
    """Rows that are computed when they are drawn."""

    def __len__(self) -> int:
        return N_ROWS

    def row_id(self, row: int) -> str:
        """Return the row number."""
        return str(row)

    def cell(self, row: int, key: str) -> TableCell:
        """Return a computed text."""
        return TableCell(f"{key} of row {row}: what is {row * 7919 % 1000}?")

    def sort_value(self, row: int, key: str) -> int:
        """Return a scrambled row number."""
        return row * 7919 % N_ROWS

    def text(self, row: int) -> str:
        """Return the text that the filter searches."""
        return f"row {row}: what is {row * 7919 % 1000}?"


class Empty(App[None]):
    """An empty application, for the cost of a key press alone."""


class Long(App[None]):
    """One list of 100,000 rows."""

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield LineTable(COLUMNS, id="table")


def median_ms(
    action: Callable[[], Any], *, times: int = 9, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the median processor time of an action: other processes do not count."""
    durations = []
    for _ in range(times):
        start = clock()
        action()
        durations.append(1000 * (clock() - start))
    return statistics.median(durations)


def children_time() -> float:
    """Return the processor time of child processes that have exited."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def press_ms(pilot: Any, *keys: str, times: int = 15) -> list[float]:
    """Return the median processor time of each of alternating keys, drawing included."""
    durations: list[list[float]] = [[] for _ in keys]
    for _ in range(times):
        for place, key in enumerate(keys):
            start = time.process_time()
            await pilot.press(key)
            durations[place].append(1000 * (time.process_time() - start))
    return [statistics.median(key_durations) for key_durations in durations]


async def measure_moves(pilot: Any, base: float) -> list[Row]:
    """Measure moves in a list under key repeat: the page waits until the cursor rests."""
    results: list[Row] = []
    with page_waits():
        for keys in (("down",), ("pagedown",), ("end", "home")):
            durations = await press_ms(pilot, *keys)
            results += [
                (key, duration - base, "ms", 30.0)
                for key, duration in zip(keys, durations, strict=True)
            ]
    return results


@contextmanager
def page_waits() -> Iterator[None]:
    """Delay the page of a row, as key repeat does."""
    delay, list_detail._DETAIL_DELAY = list_detail._DETAIL_DELAY, 60.0
    try:
        yield
    finally:
        list_detail._DETAIL_DELAY = delay


async def one_press_ms(pilot: Any, *keys: str) -> float:
    """Return the processor time of one key press with everything it causes, drawing included."""
    start = time.process_time()
    await pilot.press(*keys)
    await pilot.pause()
    return 1000 * (time.process_time() - start)


async def empty_press_ms() -> float:
    """Return the processor time of a key press in an empty application."""
    async with Empty().run_test(size=SIZE) as pilot:
        return (await press_ms(pilot, "down"))[0]


async def measure_lists() -> list[Row]:
    """Measure the long list relative to an empty application."""
    base = await empty_press_ms()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    app = Long()
    results = []
    async with app.run_test(size=SIZE) as pilot:
        table = app.query_one(LineTable)
        table.focus()
        start = time.perf_counter()
        table.show(ManyRows())
        await pilot.pause()
        results.append(("show 100,000 rows", 1000 * (time.perf_counter() - start), "ms", 100.0))
        results += await measure_moves(pilot, base)
        rows = ManyRows()
        query = parse_filter("what 7")
        results.append(
            (
                "live filter",
                median_ms(lambda: table.narrow_to(query.keep(len(rows), rows.text))),
                "ms",
                50.0,
            )
        )
        table.narrow_to(None)
        results.append(("sort", median_ms(lambda: table.sort_by("c1"), times=3), "ms", 200.0))
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        results.append(("memory for the list, sorted and filtered", growth, "MB", 5.0 + 15.0))
    return results


def measure_log() -> list[Row]:
    """Measure writing one decision to disk, and replaying many."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.jsonl"

        def clock() -> datetime:
            return datetime.now(UTC)

        log = DecisionLog.from_file(path, who="me", clock=clock)

        def decide() -> None:
            log.decide(Subject.ADD, "pool-1", Verdict.ACCEPT)

        decision_ms = median_ms(decide, times=50, clock=time.perf_counter)
        line = path.read_bytes().splitlines(keepends=True)[0]
        many = b"".join(line.replace(b'"step": 1,', b'"step": %d,' % n) for n in range(1, 20_001))
        path.write_bytes(many)
        replay = median_ms(lambda: DecisionLog.from_file(path, who="me", clock=clock), times=3)
    return [
        ("a decision on disk", decision_ms, "ms", 10.0),
        ("replay of 20,000 decisions", replay, "ms", 100.0),
    ]


def measure_start() -> list[Row]:
    """Measure a new interpreter until the first frame of the Open screen."""
    code = (
        "import asyncio, sys, pathlib\n"
        "from benchdesign.tui.app import BenchdesignApp\n"
        "from benchdesign.tui.session.controllers import LaunchOptions\n"
        "from benchdesign.tui.session.ui_state import RecentList\n"
        "recents = RecentList(pathlib.Path('/nonexistent/recent.json'))\n"
        "app = BenchdesignApp(LaunchOptions(), recents=recents)\n"
        "async def main():\n"
        "    async with app.run_test(size=(120, 36)):\n"
        "        heavy = {'numpy', 'torch', 'pandas', 'scipy', 'jinja2'} & set(sys.modules)\n"
        "        print(sorted(heavy))\n"
        "asyncio.run(main())\n"
    )

    def start() -> None:
        process = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        if process.stdout.strip() != b"[]":
            raise SystemExit(f"The Open screen imports {process.stdout.decode()}")

    duration = median_ms(start, times=5, clock=children_time)
    return [("process to Open screen and exit", duration, "ms", 400.0)]


def measure_help() -> list[Row]:
    """Measure the help of the command line, and check that it imports no heavy library."""
    command = [sys.executable, "-m", "benchdesign", "--help"]
    process = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], check=True, capture_output=True
    )
    names = {line.rpartition(b"|")[2].strip() for line in process.stderr.splitlines()}
    heavy = {b"textual", b"numpy", b"torch"} & names
    if heavy:
        raise SystemExit(f"--help imports {sorted(heavy)}")

    def start() -> None:
        subprocess.run(command, check=True, capture_output=True)

    return [("benchdesign --help", median_ms(start, times=7, clock=children_time), "ms", 150.0)]


def hang(*, progress: Callable[[Any], None]) -> None:
    """Run forever and ignore SIGTERM, like a model call that cannot be interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(0.1)


def measure_stop() -> list[Row]:
    """Measure stopping a job that ignores signals."""

    def stop() -> float:
        job = ChildProcess.start(hang)
        time.sleep(3)
        start = time.perf_counter()
        job.stop()
        return 1000 * (time.perf_counter() - start)

    duration = statistics.median(stop() for _ in range(3))
    return [("stop a job that ignores signals", duration, "ms", 1000.0)]


async def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    while not holds():
        await asyncio.sleep(0.005)


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
