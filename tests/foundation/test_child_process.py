"""Jobs in a child process: events, errors in one line, stopping at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchdesign.errors import FormatError
from benchdesign.foundation.child_process import ChildProcess, Failed, Finished, Stopped
from benchdesign.foundation.progress import Progress

pytestmark = pytest.mark.process


def count(total: int, *, progress: Callable[[Progress], None], step: int = 1) -> int:
    progress(Progress("counting", 0, total))
    for done in range(0, total, step):
        progress(Progress("counting", done + step, total))
    return total


def refuse(*, progress: Callable[[Progress], None]) -> None:
    raise FormatError("items.jsonl:3: no prompt.\nMap a field.")


def break_down(*, progress: Callable[[Progress], None]) -> None:
    raise ZeroDivisionError("secret detail")


def vanish(*, progress: Callable[[Progress], None]) -> None:
    os._exit(7)


def hang(started: str, *, progress: Callable[[Progress], None]) -> None:
    Path(started).touch()
    progress(Progress("hanging", 0, None))
    while True:
        time.sleep(60)


def test_job_reports_progress_and_returns_its_result() -> None:
    job = ChildProcess.start(count, 4, options={"step": 2})
    events = list(job.events())
    assert events[0] == Progress("counting", 0, 4)
    assert Progress("counting", 4, 4) in events
    assert events[-1] == Finished(4)
    assert not job.is_running
    assert job.poll() is None


def test_error_raised_on_purpose_is_one_line_with_its_exit_code() -> None:
    assert list(ChildProcess.start(refuse).events()) == [
        Failed("items.jsonl:3: no prompt. Map a field.", 2, None)
    ]


def test_unexpected_error_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    (event,) = ChildProcess.start(break_down, log=log).events()
    assert event == Failed(f"Unexpected ZeroDivisionError: secret detail Details: {log}", 1, log)
    assert "in break_down" in log.read_text("utf-8")


def test_child_that_dies_is_a_failure_not_a_hang() -> None:
    (event,) = ChildProcess.start(vanish).events()
    assert event == Failed("The worker process exited without a result (status 7).", 1, None)


def test_stop_ends_a_job_that_never_returns(tmp_path: Path) -> None:
    started = tmp_path / "started"
    job = ChildProcess.start(hang, str(started))
    while not started.exists():
        time.sleep(0.02)
    assert job.stop() == Stopped()
    assert not job.process.is_alive()
    assert list(job.events()) == []
