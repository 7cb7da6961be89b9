"""The latency of single parts: a long list, the log, the start, help, and stopping a job."""

from __future__ import annotations

import asyncio
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult

from benchdesign.foundation.child_process import ChildProcess
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import LineTable
from benchdesign.tui.widgets.table_rows import Column, SearchableRows, TableCell
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict
from latency.timing import SIZE, Row, children_time, empty_press_ms, measure_moves, median_ms

N_ROWS = 100_000
COLUMNS = tuple(Column(f"c{place}", f"C{place}", 0 if place == 1 else 9) for place in range(8))


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


class Long(App[None]):
    """One list of 100,000 rows."""

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield LineTable(COLUMNS, id="table")


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
