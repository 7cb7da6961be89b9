"""Faults of the machine, as things that can be staged: what the program says, and what is left."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchdesign.foundation.child_process import ChildProcess, Failed, Stopped
from benchdesign.foundation.progress import Progress
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.workspace import Workspace
from tests.hostile.processes import Ended, can_mount, command, small_disk, start
from tests.keywords import write_sets

MODELS = ("models", "animals.jsonl", "--results", "results.csv")
SUITE = ("coverage", "animals.jsonl", "pool.jsonl")
RUN = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20", "-q")


def finished(folder: Path) -> Path:
    """A folder in which a run has ended well."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sets(folder)
    ended = command(folder, *RUN).wait()
    assert ended.code == 0, ended.err
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def full_disk_while_running(folder: Path) -> Ended:
    """The disk of the output is full; nothing half-written is left, and with room it goes on."""
    write_sets(folder)
    (folder / "small").mkdir()
    with small_disk(folder / "small", 64) as resize:
        ended = command(folder, *RUN, "--out", "small/out").wait()
        assert not (folder / "small" / "out").exists()
        resize(kilobytes=64 << 10)
        again = command(folder, *RUN, "--out", "small/out").wait()
        assert again.code == 0, again.err
    return ended


def full_disk_while_exporting(folder: Path) -> Ended:
    """The disk of the export is full; the older revision there stays as it was."""
    finished(folder)
    (folder / "small").mkdir()
    with small_disk(folder / "small", 400) as resize:
        resize(kilobytes=8 << 10)
        export = ("export", "animals-workspace", "--out", "small/out", "-q")
        assert command(folder, *export).wait().code == 0
        before = files_of(folder / "small")
        n_used = sum(map(len, before.values())) >> 10
        resize(kilobytes=n_used + 64)
        ended = command(folder, *export, "--force").wait()
        assert files_of(folder / "small") == before
    return ended


def full_disk_while_deciding(folder: Path) -> Ended:
    """The disk of the workspace is full; what was decided before is whole, and it goes on."""
    (folder / "small").mkdir(parents=True)
    with small_disk(folder / "small", 64 << 10) as resize:
        inside = finished(folder / "small" / "x")
        accept = ("decide", "animals-workspace", "p-3", "accept", "--note", "n" * 3000)
        assert command(inside, *accept).wait().code == 0
        log = inside / "animals-workspace" / "decisions.jsonl"
        before = log.read_bytes()
        with (inside / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        for _ in range(3):
            ended = command(inside, *accept).wait()
            if ended.code:
                break
            before = log.read_bytes()
        assert log.read_bytes() == before
        resize(kilobytes=128 << 10)
        assert command(inside, *accept).wait().code == 0
        assert log.read_bytes().startswith(before)
    return ended


def _full_disk_for_a_report(folder: Path, *ask: str) -> Ended:
    write_sets(folder)
    _write_results(folder)
    (folder / "small").mkdir()
    with small_disk(folder / "small", 24) as resize:
        report = (*ask, "--report", "small/report", "--force", "-q")
        ended = command(folder, *report).wait()
        assert files_of(folder / "small") == {}
        resize(kilobytes=8 << 10)
        assert command(folder, *report).wait().code == 0
        before = files_of(folder / "small")
        resize(kilobytes=(sum(map(len, before.values())) >> 10) + 24)
        assert command(folder, *report).wait().code == ended.code
        assert files_of(folder / "small") == before
    return ended


def _read_only_for_a_report(folder: Path, *ask: str) -> Ended:
    write_sets(folder)
    _write_results(folder)
    (folder / "small").mkdir()
    with small_disk(folder / "small", 8 << 10) as resize:
        resize(read_only=True)
        return command(folder, *ask, "--report", "small/report", "-q").wait()


def _write_results(folder: Path) -> None:
    lines = (folder / "animals.jsonl").read_bytes().splitlines()
    ids = [json.loads(line)["id"] for line in lines]
    rows = "".join(f"{item_id},m,{place % 2}\n" for place, item_id in enumerate(ids))
    (folder / "results.csv").write_text(f"item,model,score\n{rows}", "utf-8")


def full_disk_for_models(folder: Path) -> Ended:
    """The disk of the report on models is full; the older report there stays as it was."""
    return _full_disk_for_a_report(folder, *MODELS)


def full_disk_for_suite(folder: Path) -> Ended:
    """The disk of the report on a suite is full; the older report there stays as it was."""
    return _full_disk_for_a_report(folder, *SUITE)


def read_only_models(folder: Path) -> Ended:
    """The report on models may not be written."""
    return _read_only_for_a_report(folder, *MODELS)


def read_only_suite(folder: Path) -> Ended:
    """The report on a suite may not be written."""
    return _read_only_for_a_report(folder, *SUITE)


def read_only_output(folder: Path) -> Ended:
    """The output may not be written."""
    write_sets(folder)
    (folder / "small").mkdir()
    with small_disk(folder / "small", 64 << 10) as resize:
        resize(read_only=True)
        return command(folder, *RUN, "--out", "small/out").wait()


def read_only_workspace(folder: Path) -> Ended:
    """The workspace may not be written; it can still be read."""
    (folder / "small").mkdir(parents=True)
    with small_disk(folder / "small", 64 << 10) as resize:
        inside = finished(folder / "small" / "x")
        resize(read_only=True)
        assert command(inside, "proposals", "animals-workspace").wait().code == 0
        return command(inside, "decide", "animals-workspace", "p-3", "accept").wait()


def vanished_pool(folder: Path) -> Ended:
    """The pool is gone when the revision is written."""
    finished(folder)
    (folder / "pool.jsonl").unlink()
    return command(folder, "export", "animals-workspace", "--out", "again", "-q").wait()


def changed_pool(folder: Path) -> Ended:
    """The pool is another than the one that was read."""
    finished(folder)
    lines = (folder / "pool.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "pool.jsonl").write_bytes(b"".join(reversed(lines[5:])))
    return command(folder, "export", "animals-workspace", "--out", "again", "-q").wait()


def vanished_benchmark(folder: Path) -> Ended:
    """The benchmark is gone when the revision is written."""
    finished(folder)
    (folder / "animals.jsonl").unlink()
    return command(folder, "export", "animals-workspace", "--out", "again", "-q").wait()


def two_processes(folder: Path) -> Ended:
    """Somebody else has the workspace open; reading it goes on."""
    finished(folder)

    def hold() -> None:
        with Workspace.open(folder / "animals-workspace", who="bob"):
            (folder / "held").touch()
            time.sleep(60)

    holder = start(hold)
    while not (folder / "held").exists():
        time.sleep(0.01)
    try:
        assert command(folder, "proposals", "animals-workspace").wait().code == 0
        ended = command(folder, "decide", "animals-workspace", "p-3", "accept").wait()
    finally:
        holder.kill()
        holder.wait()
    # The lock goes with the process that held it.
    assert command(folder, "decide", "animals-workspace", "p-3", "accept").wait().code == 0
    return ended


def two_deciders(folder: Path) -> tuple[int, int]:
    """Two processes decide at once; returns how many were told it is saved, and how many are."""
    finished(folder)
    ids = [f"p-{row}" for row in range(12)]
    children = [
        command(folder, "decide", "animals-workspace", item_id, "accept") for item_id in ids
    ]
    ended = [child.wait() for child in children]
    assert all(ending.code == 0 or ending.is_one_line for ending in ended), ended
    with Workspace.open(folder / "animals-workspace", access="read") as workspace:
        return sum(ending.code == 0 for ending in ended), len(workspace.decisions)


def clock_going_backwards(folder: Path) -> list[str]:
    """Decide while the clock runs backwards; returns what was accepted, in order."""
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=day) for day in range(99))
    log = DecisionLog.from_file(folder / "decisions.jsonl", who="ann", clock=lambda: next(times))
    for name in ("b", "a", "c"):
        log.decide(Subject.ADD, name, Verdict.ACCEPT)
    log.undo()
    log.redo()
    again = DecisionLog.from_file(log.path, who="ann", clock=lambda: next(times))
    assert again.steps == log.steps
    return list(again.accepted)


def sleep_for_ever(started: str, *, progress: Callable[[Progress], None]) -> None:
    """A job that hangs, and shrugs off being asked to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(started).write_text(str(os.getpid()), "ascii")
    progress(Progress("hanging", 0, None))
    while True:
        time.sleep(60)


def _started(folder: Path) -> ChildProcess:
    place = folder / "started"
    job = ChildProcess.start(sleep_for_ever, str(place))
    while not (place.exists() and place.read_text("ascii")):
        time.sleep(0.01)
    return job


def child_that_is_killed(folder: Path) -> str:
    """The worker is killed from outside, as by a machine out of memory."""
    job = _started(folder)
    assert job.process.pid is not None
    os.kill(job.process.pid, signal.SIGKILL)
    *_, last = job.events()
    assert isinstance(last, Failed)
    return last.message


def child_that_hangs(folder: Path) -> float:
    """The worker hangs and ignores signals; returns how long it takes to be rid of it."""
    job = _started(folder)
    begun = time.monotonic()
    assert job.stop() == Stopped()
    assert not job.process.is_alive()
    return time.monotonic() - begun


NEED_DISK = {
    "disk full while running": full_disk_while_running,
    "disk full while exporting": full_disk_while_exporting,
    "disk full while deciding": full_disk_while_deciding,
    "disk full while reporting on models": full_disk_for_models,
    "disk full while reporting on a suite": full_disk_for_suite,
    "read-only output folder": read_only_output,
    "read-only folder for a report on models": read_only_models,
    "read-only folder for a report on a suite": read_only_suite,
    "read-only workspace": read_only_workspace,
}
TOLD: dict[str, Callable[[Path], Ended]] = {
    "pool file gone": vanished_pool,
    "pool file changed": changed_pool,
    "benchmark file gone": vanished_benchmark,
    "workspace open elsewhere": two_processes,
}


def tell_all() -> Iterator[tuple[str, str, str]]:
    """Stage every fault; yields its name, what was said and the exit code."""
    staged = {**(NEED_DISK if can_mount() else {}), **TOLD}
    for name, stage in staged.items():
        with tempfile.TemporaryDirectory(prefix="benchdesign-") as place:
            folder = Path(place) / "w"
            folder.mkdir()
            ended = stage(folder)
            message = ended.err.strip().replace(f"{folder}/", "").replace("|", "\\|")
            yield name, message, str(ended.code)
    with tempfile.TemporaryDirectory(prefix="benchdesign-") as place:
        saved, there = two_deciders(Path(place))
        message = f"{saved} of 12 at once were told that they are saved, and {there} are in the log"
        yield "twelve processes decide at once", message, "0 or 1"
        order = ", ".join(clock_going_backwards(Path(place)))
        yield "clock going backwards", f"decisions stay in the order made ({order})", "0"
        (Path(place) / "one").mkdir()
        (Path(place) / "two").mkdir()
        yield "worker process killed", child_that_is_killed(Path(place) / "one"), "1"
        seconds = child_that_hangs(Path(place) / "two")
        yield "worker process hangs, ignores signals", f"stopped after {seconds:.1f} s", "130"
