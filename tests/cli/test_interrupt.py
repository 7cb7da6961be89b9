"""A run in a process of its own that is interrupted, killed, or meets another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.keywords import write_sets

ROOT = Path(__file__).resolve().parents[2]
MAPS = ("benchmark", "pool")

# Reads items through words, slowly enough to be caught at it, in shards of a few.
SLOW = """
import sys, time
import pytest
from benchdesign.cli import main
from benchdesign.concepts.mapping import map_items
from tests.keywords import KeywordMapper, use_mapper

class Slow(KeywordMapper):
    def map_batch(self, items, *, tick=None):
        for _ in items:
            time.sleep(float(sys.argv[1]))
            tick(1)
        return super().map_batch(items)

map_items.SHARD_ITEMS = 8
use_mapper(pytest.MonkeyPatch(), Slow())
main(sys.argv[2:])
"""


def start(folder: Path, *options: str, pause: float = 0.02) -> subprocess.Popen[str]:
    """Start a run beside `animals.jsonl` and `pool.jsonl`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCHDESIGN_CACHE": str(folder / "cache"),
        "BENCHDESIGN_CONFIG": str(folder / "config.toml"),
    }
    run = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "20")
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(pause), *run, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Its own group, so that the signal reaches nobody else.
        start_new_session=True,
    )


def shards(folder: Path) -> dict[str, int]:
    """Finished shards in the cache, with the time each was written."""
    paths = (folder / "cache" / "maps").rglob("shard-*.parquet")
    return {shard.name: shard.stat().st_mtime_ns for shard in paths}


def wait_for_shards(run: subprocess.Popen[str], folder: Path, n: int) -> None:
    limit = time.monotonic() + 600
    while len(shards(folder)) < n:
        assert run.poll() is None, f"ended with {run.returncode}: {run.communicate()}"
        assert time.monotonic() < limit, "nothing was mapped"
        time.sleep(0.01)


def maps(folder: Path) -> list[bytes]:
    return [
        (folder / "animals-workspace" / "maps" / f"{name}.parquet").read_bytes() for name in MAPS
    ]


@pytest.fixture
def whole(tmp_path: Path) -> list[bytes]:
    """The maps of a run that nothing disturbed, elsewhere."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    write_sets(folder)
    with start(folder, "-q", pause=0.0) as run:
        assert run.wait() == 0
    return maps(folder)


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_was_mapped_and_goes_on_to_the_same_map(
    tmp_path: Path, whole: list[bytes], number: signal.Signals
) -> None:
    write_sets(tmp_path)
    with start(tmp_path, "-q") as run:
        wait_for_shards(run, tmp_path, 3)
        run.send_signal(number)
        out, err = run.communicate()
    assert (run.returncode, out) == (130, "")
    assert err.startswith("benchdesign: Stopped")
    assert err.count("\n") == 1
    assert not (tmp_path / "animals-revised").exists()
    kept = shards(tmp_path)
    with start(tmp_path, "-q", pause=0.0) as again:
        assert again.wait() == 0
    assert kept.items() <= shards(tmp_path).items()
    assert maps(tmp_path) == whole


@pytest.mark.process
def test_a_killed_run_keeps_what_was_mapped_and_goes_on_to_the_same_map(
    tmp_path: Path, whole: list[bytes]
) -> None:
    write_sets(tmp_path)
    with start(tmp_path, "-q") as run:
        wait_for_shards(run, tmp_path, 3)
        run.kill()
    assert run.returncode == -signal.SIGKILL
    kept = shards(tmp_path)
    with start(tmp_path, "-q", pause=0.0) as again:
        assert again.wait() == 0
    assert kept.items() <= shards(tmp_path).items()
    assert maps(tmp_path) == whole
    left = [path.name for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]
    assert left == []


@pytest.mark.process
def test_a_second_run_on_the_same_workspace_is_told_who_holds_it(tmp_path: Path) -> None:
    write_sets(tmp_path)
    with start(tmp_path, "-q") as first:
        wait_for_shards(first, tmp_path, 1)
        with start(tmp_path, "-q", "--out", "other") as second:
            out, err = second.communicate()
        first.kill()
    assert (second.returncode, out) == (1, "")
    assert f"in use by process {first.pid} on " in err
    assert err.startswith("benchdesign: ")
    assert err.count("\n") == 1
