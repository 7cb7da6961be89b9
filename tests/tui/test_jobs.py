"""Long work as the interface shows it, with a job that is not one; and one real child."""

import os
import signal
from pathlib import Path
from typing import cast

import pytest
from rich.cells import cell_len

from benchdesign.foundation.child_process import ChildProcess as ChildJob
from benchdesign.foundation.progress import Progress
from benchdesign.foundation.serialization import to_json, write_json
from benchdesign.pipeline.partial_summary import PartialSummary
from benchdesign.tui.session import background_jobs as jobs
from benchdesign.tui.widgets.job_line import JobLine, progress_text
from tests.tui import hanging
from tests.tui.conftest import Bench, FakeJob, until
from tests.tui.test_screens import visible_text


def test_progress_reads_as_a_sentence() -> None:
    assert progress_text(Progress("mapping items", 612, 1240, 38.0, 16.4)) == (
        "mapping items  612/1,240  49 %  38/s  16 s left"
    )
    assert progress_text(Progress("opening the reference model", 0, None)) == (
        "opening the reference model"
    )


def test_what_is_all_done_is_finishing_and_tells_no_time_left() -> None:
    assert progress_text(Progress("mapping items", 651, 651, 38.0, 0.0)) == (
        "mapping items  651/651  100 %  finishing"
    )


@pytest.mark.parametrize("width", [80, 120])
async def test_how_to_stop_is_told_beside_the_longest_progress(
    bench: Bench, fake_job: FakeJob, width: int
) -> None:
    async with bench.opened(size=(width, 24)) as (app, pilot):
        fake_job.progress = Progress(
            "read pool.jsonl: 4,123 items; " + "prompt prompt, " * 20, 0, None
        )
        await pilot.press("3", "plus", "R")
        line = app.screen.query_one(JobLine)
        await until(pilot, lambda: str(line.content).endswith("…   X stop"))
        assert cell_len(str(line.content)) == width - 2
        fake_job.progress = Progress("mapping " * 20, 3, 10, 38.0, 16.0)
        await until(pilot, lambda: "█" in str(line.content))
        assert str(line.content).endswith("…   X stop")
        assert cell_len(str(line.content)) == width - 2


async def test_a_job_shows_its_progress_and_stops_at_once(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus", "R")
        line = app.screen.query_one(JobLine)
        await until(pilot, lambda: "3/10" in str(line.content))
        await pilot.press("X")
        assert fake_job.was_stopped and app.jobs.job is None
        assert app.messages.text.startswith("Stopped")


@pytest.mark.parametrize("width", [80, 120])
async def test_a_path_too_long_for_the_line_is_cut_in_its_middle(bench: Bench, width: int) -> None:
    async with bench.opened(size=(width, 24)) as (app, pilot):
        line = app.screen.query_one(JobLine)
        folder = "/home/ann/" + "/".join(["a-long-name"] * 12) + "/animals-revised"
        app.messages.say(f"Wrote 5 files to {folder}. o opens the report.")
        text = str(line.content)
        assert text.startswith("Wrote 5 files to /home/ann/") and "…" in text
        assert text.endswith("/animals-revised. o opens the report.")
        assert cell_len(text) == width - 2
        await pilot.resize_terminal(width + 20, 24)
        await until(pilot, lambda: cell_len(str(line.content)) == width + 18)
        app.messages.say("word " * 60)
        assert str(line.content).endswith("…")


async def test_an_error_is_shown_in_place_with_its_log_and_what_to_do(
    bench: Bench, fake_job: FakeJob
) -> None:
    log = bench.folder / "job.log"
    log.write_text("Traceback")
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus", "R")
        fake_job.end = jobs.Failed("pool.jsonl:3: not JSON. Fix the line.", 2, log)
        await until(pilot, lambda: app.jobs.job is None)
        assert app.messages.text == (
            f"pool.jsonl:3: not JSON. Fix the line. Log: {log} Finished work is saved; R resumes."
        )
        assert app.messages.is_error


class SilentChild:
    """A worker that says nothing unless it is given something to say."""

    def __init__(self) -> None:
        self.reports: list[Progress] = []
        self.was_stopped = False
        self.n_polls = 0

    def poll(self) -> Progress | None:
        self.n_polls += 1
        return self.reports.pop() if self.reports else None

    def stop(self) -> None:
        self.was_stopped = True


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 120])
async def test_a_worker_that_stops_making_progress_is_told_until_it_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    now = [1000.0]
    child = SilentChild()
    log = bench.work / "job.log"
    job = jobs.BackgroundJob(cast("ChildJob", child), log=log, clock=lambda: now[0])
    monkeypatch.setattr(jobs.BackgroundJob, "start", lambda _folder: job)
    async with bench.opened(size=(width, 24)) as (app, pilot):
        await pilot.press("3", "plus", "R")
        line = app.screen.query_one(JobLine)

        def text() -> str:
            return str(line.content)

        child.reports.append(Progress("mapping items", 3, 10, 38.0, 16.0))
        await until(pilot, lambda: "3/10" in text())
        now[0] += 59.0
        n_polls = child.n_polls
        await until(pilot, lambda: child.n_polls > n_polls + 1)
        assert "no progress" not in text()
        now[0] += 1.0
        await until(pilot, lambda: "no progress for 60 s" in text())
        assert "X stop" in text() and "job.log" in text() and "left" not in text()
        assert cell_len(text()) <= width - 2
        now[0] += 75.0
        await until(pilot, lambda: "no progress for 2 min 15 s" in text())
        child.reports.append(Progress("mapping items", 4, 10, 38.0, 16.0))
        await until(pilot, lambda: "4/10" in text())
        assert "no progress" not in text()
        now[0] += 60.0
        await until(pilot, lambda: "no progress for 60 s" in text())
        await pilot.press("X", "X")
        assert child.was_stopped and app.jobs.job is None
        await until(pilot, lambda: not app.workspaces.is_loading)


async def test_what_is_known_so_far_is_shown_while_the_rest_is_read(
    bench: Bench, fake_job: FakeJob
) -> None:
    (bench.work / "stages.json").unlink()
    app = bench.app()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.jobs.job is not None)
        known = PartialSummary(40, 100, 6, 3, 1, 0, "pool", (("fox", 0, 20.0),), (("cat", 27),))
        write_json(bench.work / "results" / "so_far.json", to_json(known))
        await until(pilot, lambda: app.jobs.partial_summary is not None)
        await until(pilot, lambda: "Worst gaps so far" in visible_text(app))
        text = visible_text(app)
        assert "3 of 6 concepts touched" in text and "relative to the 100 pool items" in text
        assert "fox" in text and "0 / 20" in text


@pytest.mark.process
@pytest.mark.parametrize("how", ["X", "kill"])
async def test_a_child_that_hangs_is_stopped_and_one_that_dies_is_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(jobs, "compute", hanging.hang)
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus", "R")
        job = app.jobs.job
        assert job is not None
        child = job._child.process
        await until(pilot, lambda: job.progress is not None)
        if how == "X":
            await pilot.press("X")
            assert app.jobs.job is None and "R resumes" in app.messages.text
        else:
            os.kill(child.pid, signal.SIGKILL)
            await until(pilot, lambda: app.jobs.job is None)
            assert "killed by SIGKILL (out of memory?)" in app.messages.text
            assert "R resumes" in app.messages.text and app.messages.is_error
        assert not child.is_alive()
        await until(pilot, lambda: not app.workspaces.is_loading)


async def test_leaving_while_a_job_runs_asks_once(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus", "R", "q")
        assert app.is_running and not fake_job.was_stopped
        await pilot.press("q")
        await until(pilot, lambda: fake_job.was_stopped)


async def test_up_to_date_work_is_not_repeated(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("R")
        assert app.jobs.job is None
        assert app.messages.text == "Everything is up to date."


@pytest.mark.process
def test_a_real_child_reports_an_error_and_leaves_the_terminal_alone(tmp_path: Path) -> None:
    job = jobs.BackgroundJob.start(tmp_path)
    ended = None
    while ended is None:
        ended = job.poll()
    assert isinstance(ended, jobs.Failed)
    assert "not a workspace" in ended.message
