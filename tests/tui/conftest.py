"""A small workspace without a model, and an application to drive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual._context import active_app
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.timer import Timer

from benchdesign.foundation.preferences import Preferences
from benchdesign.foundation.progress import Progress
from benchdesign.pipeline.run import run_pipeline
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.session import background_jobs as jobs
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.helpers import KeptFolder
from tests.keywords import use_keywords, write_sets

HOSTILE = (
    "[/INST] x[0] = y[i] [red]no[/red] [link=http://e]b [@click=app.quit]go[/] "
    "\x1b]0;TITLE\x07 \x1b[31m a\u202eb \u200b \ud800 end"
)


GUARD_SECONDS = 60.0
"""Ends a test that hangs; a busy machine stays far below."""


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait for a state, never for a time."""
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            while not holds():
                await pilot.pause(0.005)
    except TimeoutError:
        raise AssertionError("the state was never reached") from None


async def wait_until_quiet(_min_sleep: float = 0.0, _max_sleep: float = 0.0) -> None:
    """Wait until nothing is left to do: no task, no timer that fires once, no line to draw.

    In place of Textual's `wait_for_idle`, which watches the processor for a while.
    """
    loop, app = asyncio.get_running_loop(), active_app.get()
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            await asyncio.sleep(0)
            if loop._ready:  # type: ignore[attr-defined]
                continue
            screens = [app.screen] if app._screen_stack else []
            if any(is_pending(timer) for pump in (app, *screens) for timer in pump._timers):
                await asyncio.sleep(0.005)
                continue
            for screen in screens:
                screen._on_timer_update()
            if not loop._ready:  # type: ignore[attr-defined]
                return


def is_pending(timer: Timer) -> bool:
    """Whether a timer that fires once has not fired yet."""
    return timer._repeat == 0 and timer._task is not None and not timer._task.done()


@pytest.fixture(scope="session", autouse=True)
def state_based_waiting() -> Iterator[None]:
    """Wait for states after keys, and parse each style sheet once a worker."""
    parsed: dict[object, list[RuleSet]] = {}
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, css: str, *arguments: Any, **options: Any) -> list[RuleSet]:
        variables = frozenset(sheet._variables.items())
        key = (css, arguments, frozenset(options.items()), variables)
        if key not in parsed:
            parsed[key] = parse(sheet, css, *arguments, **options)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        # The same hash, without a call of Python for every rule and widget.
        patch.setattr(RuleSet, "__hash__", object.__hash__)
        for user in ("textual.app", "textual.pilot"):
            patch.setattr(f"{user}.wait_for_idle", wait_until_quiet)
        yield


class Bench:
    """A workspace folder and the applications opened on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.recents = RecentList(folder / "recent.json")

    def app(self, launch: LaunchOptions | None = None, **options: str) -> BenchdesignApp:
        """Return an application on the workspace; `options` are preferences."""
        preferences = Preferences(who="ann", **options)  # type: ignore[arg-type]
        launch = launch or LaunchOptions(str(self.work))
        return BenchdesignApp(replace(launch, preferences=preferences), recents=self.recents)

    @asynccontextmanager
    async def opened(
        self, *, size: tuple[int, int] = (120, 36), **options: str
    ) -> AsyncIterator[tuple[BenchdesignApp, Pilot[None]]]:
        app = self.app(**options)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.session is not None and app.session.loaded is not None)
            await pilot.pause()
            yield app, pilot

    def log_lines(self) -> list[dict[str, object]]:
        path = self.work / "decisions.jsonl"
        return [json.loads(line) for line in path.read_text("ascii").splitlines()]


@pytest.fixture(autouse=True)
def quiet_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_ANIMATIONS", "EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def kept_bench(tmp_path_factory: pytest.TempPathFactory) -> KeptFolder:
    """Questions about animals, none about foxes, and a pool that has some."""
    with pytest.MonkeyPatch.context() as patch:
        use_keywords(patch)
        return KeptFolder(
            tmp_path_factory.mktemp("bench"), lambda folder: make_bench(folder, *write_sets(folder))
        )


@pytest.fixture
def bench(kept_bench: KeptFolder, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The workspace of all tests, as it was before any of them."""
    use_keywords(monkeypatch)
    return Bench(kept_bench.restore())


@pytest.fixture(scope="session")
def kept_hostile_bench(tmp_path_factory: pytest.TempPathFactory) -> KeptFolder:
    """The same with text that attacks the terminal, everywhere text can be."""

    def fill(folder: Path) -> None:
        benchmark, pool = write_sets(folder)
        for path in (benchmark, pool):
            records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            for record in records:
                record["question"] = f"{HOSTILE} {record['question']}"
                record["category"] = HOSTILE
                record["id"] = f"{record['id']} {HOSTILE}"
                record["choices"][0] = HOSTILE
            path.write_text("".join(json.dumps(record) + "\n" for record in records), "ascii")
        make_bench(folder, benchmark, pool)

    with pytest.MonkeyPatch.context() as patch:
        use_hostile_keywords(patch)
        return KeptFolder(tmp_path_factory.mktemp("hostile-bench"), fill)


@pytest.fixture
def hostile_bench(kept_hostile_bench: KeptFolder, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The hostile workspace, as it was before any test."""
    use_hostile_keywords(monkeypatch)
    return Bench(kept_hostile_bench.restore())


def use_hostile_keywords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read items through words whose labels and areas attack the terminal."""
    table = use_keywords(monkeypatch).dictionary.table
    object.__setattr__(table, "label", (HOSTILE, *table.label[1:]))
    object.__setattr__(table, "area", tuple(HOSTILE if area else None for area in table.area))


def make_bench(folder: Path, benchmark: Path, pool: Path) -> Bench:
    bench = Bench(folder)
    settings = Settings(n_add=12, n_remove=3)
    with Workspace.create(bench.work, benchmark, pool=pool, settings=settings) as workspace:
        run_pipeline(workspace)
    return bench


class FakeJob:
    """Ends when it is told to."""

    note = "starting"
    seconds = 1.0
    seconds_silent = 0.0
    log = Path("/nonexistent/job.log")

    def __init__(self) -> None:
        self.progress: Progress | None = Progress("mapping items", 3, 10, 38.0, 16.0)
        self.end: jobs.Finished | jobs.Failed | jobs.Stopped | None = None
        self.was_stopped = False

    def poll(self) -> jobs.Finished | jobs.Failed | jobs.Stopped | None:
        return self.end

    def stop(self) -> None:
        self.was_stopped = True


@pytest.fixture
def fake_job(monkeypatch: pytest.MonkeyPatch) -> FakeJob:
    job = FakeJob()
    monkeypatch.setattr(jobs.BackgroundJob, "start", lambda _folder: job)
    return job
