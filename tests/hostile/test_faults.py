"""Faults of the machine: one clear line, nothing half-written, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile import faults
from tests.hostile.processes import can_mount, warm_up

pytestmark = pytest.mark.process

needs_disk = pytest.mark.skipif(not can_mount(), reason="mounting a small disk needs privileges")
SAID = {
    "disk full while running": (1, "No space left on device"),
    "disk full while exporting": (1, "the revision was not written (No space left on device)"),
    "disk full while deciding": (1, "the decision was not saved (No space left on device)"),
    "disk full while reporting on models": (1, "the report was not written (No space left"),
    "disk full while reporting on a suite": (1, "the report was not written (No space left"),
    "read-only folder for a report on models": (1, "the report was not written (Read-only"),
    "read-only folder for a report on a suite": (1, "the report was not written (Read-only"),
    "read-only output folder": (1, "cannot be written (Read-only file system)"),
    "read-only workspace": (1, "cannot be written (Read-only file system)"),
    "pool file gone": (2, "pool.jsonl: no such file"),
    "pool file changed": (1, "changed since it was mapped"),
    "benchmark file gone": (2, "animals.jsonl: no such file"),
    "workspace open elsewhere": (1, "in use by process"),
}


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    warm_up()


@pytest.mark.parametrize("name", faults.TOLD)
def test_fault_of_the_files_is_one_clear_line(name: str, tmp_path: Path) -> None:
    code, message = SAID[name]
    ended = faults.TOLD[name](tmp_path)
    assert (ended.code, ended.out, ended.is_one_line) == (code, "", True), ended.err
    assert message in ended.err


@needs_disk
@pytest.mark.parametrize("name", faults.NEED_DISK)
def test_fault_of_the_disk_is_one_clear_line_and_leaves_what_was_there(
    name: str, tmp_path: Path
) -> None:
    code, message = SAID[name]
    ended = faults.NEED_DISK[name](tmp_path)
    assert (ended.code, ended.out, ended.is_one_line) == (code, "", True), ended.err
    assert message in ended.err


def test_every_decision_said_to_be_saved_is_there_when_many_decide_at_once(tmp_path: Path) -> None:
    n_saved, n_there = faults.two_deciders(tmp_path)
    assert n_saved == n_there >= 1


def test_clock_that_runs_backwards_does_not_change_the_order(tmp_path: Path) -> None:
    assert faults.clock_going_backwards(tmp_path) == ["b", "a", "c"]


def test_worker_that_is_killed_is_told_of(tmp_path: Path) -> None:
    assert "killed by SIGKILL (out of memory?)" in faults.child_that_is_killed(tmp_path)


def test_worker_that_hangs_and_ignores_signals_is_ended(tmp_path: Path) -> None:
    faults.child_that_hangs(tmp_path)


@pytest.mark.parametrize("kind", ["mapping", "deciding", "exporting"])
def test_killed_at_a_random_moment_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    import random

    from measurements import faults as kills

    work = {
        "mapping": kills.kill_mapping,
        "deciding": kills.kill_deciding,
        "exporting": kills.kill_exporting,
    }
    trials = kills.Trials(random.Random(3), tmp_path)
    work[kind](trials, 2)
    assert trials.problems == []
