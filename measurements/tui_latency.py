"""How fast the interface is: first frame, long lists, live filter, decisions.

    python measurements/tui_latency.py

Prints a table and writes it to measurements/results/tui_latency.md. Key presses are reported above
the time the same press takes in an empty application; keys and decisions in wall time, the rest in
processor time.
"""

from __future__ import annotations

import asyncio
import resource
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

from benchdesign.decisions import DecisionLog, Subject, Verdict
from benchdesign.tui.widgets.filter_bar import parse_filter
from benchdesign.tui.widgets.line_table import Cell, Column, LineTable

N_ROWS = 100_000
COLUMNS = tuple(Column(f"c{place}", f"C{place}", 0 if place == 1 else 9) for place in range(8))


class ManyRows:
    """Rows made when they are drawn."""

    def __len__(self) -> int:
        return N_ROWS

    def row_id(self, row: int) -> str:
        """The row number."""
        return str(row)

    def cell(self, row: int, key: str) -> Cell:
        """A text made on the spot."""
        return Cell(f"{key} of row {row}: what is {row * 7919 % 1000}?")

    def sort_value(self, row: int, key: str) -> int:
        """Scrambled row numbers."""
        return row * 7919 % N_ROWS

    def text(self, row: int) -> str:
        """What the filter searches."""
        return f"row {row}: what is {row * 7919 % 1000}?"


class Empty(App[None]):
    """Nothing at all: what a key press costs by itself."""


class Long(App[None]):
    """One list of 100,000 rows."""

    def compose(self) -> ComposeResult:
        """Hold the list."""
        yield LineTable(COLUMNS, id="table")


def median_ms(
    action: Callable[[], Any], *, times: int = 9, clock: Callable[[], float] = time.process_time
) -> float:
    """Median time of an action in milliseconds of the processor: neighbours do not count."""
    spent = []
    for _ in range(times):
        start = clock()
        action()
        spent.append(1000 * (clock() - start))
    return statistics.median(spent)


def children_time() -> float:
    """Processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def press_ms(pilot: Any, key: str, *, times: int = 15) -> float:
    """Median time of one key press, drawing included."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        await pilot.press(key)
        spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(spent)


async def measure_lists() -> list[tuple[str, float, str, float]]:
    """Measure the long list against an empty application."""
    async with Empty().run_test(size=(120, 36)) as pilot:
        base = await press_ms(pilot, "down")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    app = Long()
    found = []
    async with app.run_test(size=(120, 36)) as pilot:
        table = app.query_one(LineTable)
        table.focus()
        start = time.perf_counter()
        table.show(ManyRows())
        await pilot.pause()
        found.append(("show 100,000 rows", 1000 * (time.perf_counter() - start), "ms", 100.0))
        for key in ("down", "pagedown", "end", "home"):
            above = await press_ms(pilot, key) - base
            found.append((f"{key} above an empty app", above, "ms", 30.0))
        rows = ManyRows()
        passes = parse_filter("what 7").test(rows.text, lambda _row, _name: None)
        found.append(("live filter", median_ms(lambda: table.narrow_to(passes)), "ms", 50.0))
        table.narrow_to(None)
        found.append(("sort", median_ms(lambda: table.sort_by("c1"), times=3), "ms", 200.0))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        found.append(("memory for the list, sorted and filtered", grown, "MB", 5.0 + 15.0))
    return found


def measure_log() -> list[tuple[str, float, str, float]]:
    """Measure one decision to disk, and the replay of many."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.jsonl"

        def clock() -> datetime:
            return datetime.now(UTC)

        log = DecisionLog.from_file(path, who="me", clock=clock)

        def decide() -> None:
            log.decide(Subject.ADD, "pool-1", Verdict.ACCEPT)

        one = median_ms(decide, times=50, clock=time.perf_counter)
        line = path.read_bytes().splitlines(keepends=True)[0]
        many = b"".join(line.replace(b'"step": 1,', b'"step": %d,' % n) for n in range(1, 20_001))
        path.write_bytes(many)
        replay = median_ms(lambda: DecisionLog.from_file(path, who="me", clock=clock), times=3)
    return [
        ("a decision on disk", one, "ms", 10.0),
        ("replay of 20,000 decisions", replay, "ms", 100.0),
    ]


def measure_start() -> list[tuple[str, float, str, float]]:
    """Measure a fresh interpreter up to the first frame of Open."""
    code = (
        "import asyncio, sys, pathlib\n"
        "from benchdesign.tui.app import BenchdesignApp\n"
        "from benchdesign.tui.memory import RecentList\n"
        "app = BenchdesignApp(recents=RecentList(pathlib.Path('/nonexistent/recent.json')))\n"
        "async def main():\n"
        "    async with app.run_test(size=(120, 36)):\n"
        "        heavy = {'numpy', 'torch', 'pandas', 'scipy', 'jinja2'} & set(sys.modules)\n"
        "        print(sorted(heavy))\n"
        "asyncio.run(main())\n"
    )

    def start() -> None:
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        if done.stdout.strip() != b"[]":
            raise SystemExit(f"Open imports {done.stdout.decode()}")

    spent = median_ms(start, times=5, clock=children_time)
    return [("process to Open shown and left", spent, "ms", 400.0)]


def main() -> None:
    """Measure everything and write the table."""
    found = [*measure_start(), *asyncio.run(measure_lists()), *measure_log()]
    lines = [
        "# Latency of the interface",
        "",
        "Made by `python measurements/tui_latency.py`. Keys and decisions in wall time, the rest "
        "in processor time.",
        "",
        "| what | measured | budget | share of budget |",
        "|---|---|---|---|",
    ]
    for name, value, unit, budget in found:
        lines.append(
            f"| {name} | {value:.1f} {unit} | {budget:.0f} {unit} | {100 * value / budget:.0f} % |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    (Path(__file__).parent / "results" / "tui_latency.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
