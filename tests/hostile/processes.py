"""Work done in processes that can be killed: forked from here, so that each starts in no time."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchdesign.cli import run_command
from tests.keywords import KeywordMapper, use_mapper

NOBODY = 65534


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    """Exit code, or minus the signal."""

    out: str
    err: str

    @property
    def is_one_line(self) -> bool:
        return self.err.startswith("benchdesign: ") and self.err.count("\n") == 1


@dataclass
class Child:
    """A forked process."""

    pid: int
    out: Path
    err: Path
    _ended: Ended | None = None

    def kill(self) -> None:
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, *, seconds: float = 600.0) -> Ended:
        """Wait for the end; a process that hangs is killed and counts as killed."""
        limit = time.monotonic() + seconds
        while self._ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._ended = Ended(code, self.out.read_text("utf-8"), self.err.read_text("utf-8"))
            elif time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                limit = float("inf")
            else:
                time.sleep(0.002)
        self.out.unlink(missing_ok=True)
        self.err.unlink(missing_ok=True)
        return self._ended


def start(function: Callable[[], int | None]) -> Child:
    """Run a function in a fork; its return value is the exit code."""
    places = []
    for kind in ("out", "err"):
        handle, name = tempfile.mkstemp(prefix=f"benchdesign-{kind}-")
        places.append((handle, Path(name)))
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        for (handle, _), number in zip(places, (1, 2), strict=True):
            os.dup2(handle, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        code = 70
        try:
            code = function() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    for handle, _ in places:
        os.close(handle)
    return Child(pid, places[0][1], places[1][1])


def run(function: Callable[[], int | None], *, seconds: float = 600.0) -> Ended:
    """Run a function in a fork to its end."""
    return start(function).wait(seconds=seconds)


class SlowMapper(KeywordMapper):
    """Takes its time, so that there is something to interrupt."""

    pause = 0.0

    def map_batch(self, *arguments: Any, **options: Any) -> Any:
        time.sleep(self.pause)
        return super().map_batch(*arguments, **options)


@contextlib.contextmanager
def quick_reading(*, pause: float = 0.0, shard_items: int = 1024) -> Iterator[None]:
    """Read items through words instead of a model."""
    with pytest.MonkeyPatch.context() as patch:
        mapper = SlowMapper()
        mapper.pause = pause
        use_mapper(patch, mapper)
        patch.setattr("benchdesign.concepts.mapping.map_items.SHARD_ITEMS", shard_items)
        yield


def command(folder: Path, *arguments: str, user: int | None = None) -> Child:
    """Run a command in a folder, as another user if asked."""

    def work() -> int:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        os.environ["BENCHDESIGN_CONFIG"] = str(folder / "config.toml")
        os.environ["BENCHDESIGN_WHO"] = "ann"
        with quick_reading():
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            return run_command(arguments)

    return start(work)


def warm_up() -> None:
    """Import now what every fork would import again."""
    import numpy  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import scipy.sparse  # noqa: F401
    import sklearn.cluster  # noqa: F401

    import benchdesign.pipeline.run
    import benchdesign.report.render
    import benchdesign.revision.plan  # noqa: F401


_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[..., None]]:
    """Mount a small disk over a folder; yields a function that mounts it again, other options."""

    def mount(options: str, flags: int = 0) -> None:
        done = _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options.encode())
        if done != 0:
            raise PermissionError(ctypes.get_errno(), "mount")

    def again(*, kilobytes: int = kilobytes, read_only: bool = False) -> None:
        mount(f"size={kilobytes}k", 32 | (1 if read_only else 0))

    mount(f"size={kilobytes}k")
    try:
        yield again
    finally:
        _libc.umount2(os.fsencode(folder), 2)


def can_mount() -> bool:
    """Say whether this process may mount a disk."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), 16):
                return True
        except PermissionError:
            return False
