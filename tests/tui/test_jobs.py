"""Long work as the interface shows it, with a job that is not one; and one real child."""

from pathlib import Path

from benchdesign.progress import Progress
from benchdesign.tui import jobs
from benchdesign.tui.widgets.job_line import JobLine, progress_text
from tests.tui.conftest import Bench, FakeJob, until


def test_progress_reads_as_a_sentence() -> None:
    assert progress_text(Progress("mapping items", 612, 1240, 38.0, 16.4)) == (
        "mapping items  612/1,240  49 %  38/s  16 s left"
    )
    assert progress_text(Progress("opening the reference model", 0, None)) == (
        "opening the reference model"
    )


async def test_a_job_shows_its_progress_and_stops_at_once(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus_sign", "R")
        line = app.screen.query_one(JobLine)
        await until(pilot, lambda: "3/10" in str(line.content))
        await pilot.press("X")
        assert fake_job.was_stopped and app.job is None
        assert app.status.startswith("Stopped")


async def test_an_error_is_shown_in_place_with_its_log(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus_sign", "R")
        fake_job.end = jobs.Failed("pool.jsonl:3: not JSON. Fix the line.", 2, Path("/x/job.log"))
        await until(pilot, lambda: app.job is None)
        assert app.status == "pool.jsonl:3: not JSON. Fix the line. Log: /x/job.log"
        assert app.status_is_error


async def test_leaving_while_a_job_runs_asks_once(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("3", "plus_sign", "R", "q")
        assert app.is_running and not fake_job.was_stopped
        await pilot.press("q")
        await until(pilot, lambda: fake_job.was_stopped)


async def test_up_to_date_work_is_not_repeated(bench: Bench, fake_job: FakeJob) -> None:
    async with bench.opened() as (app, pilot):
        await pilot.press("R")
        assert app.job is None
        assert app.status == "Everything is up to date."


def test_a_real_child_reports_an_error_and_leaves_the_terminal_alone(tmp_path: Path) -> None:
    job = jobs.Job.start(tmp_path)
    ended = None
    while ended is None:
        ended = job.poll()
    assert isinstance(ended, jobs.Failed)
    assert "not a workspace" in ended.message
