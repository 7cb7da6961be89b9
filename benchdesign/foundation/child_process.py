"""Run a job in a child process, so that a user interface stays responsive and can stop it.

The child is a new interpreter (spawn), so that the interface never imports torch. It sends progress
and finally its result or error over a pipe. The function and its arguments are pickled, which is
safe because the package controls both ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchdesign.errors import BenchdesignError, Interrupted
from benchdesign.foundation.progress import Progress

__all__ = ["ChildProcess", "Failed", "Finished", "JobEvent", "Stopped"]

GRACE = 0.4
"""Seconds that a child has to exit before it is killed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The job has finished."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The job raised, or its process died."""

    message: str
    """Error message in one line."""

    exit_code: int
    """Exit status of the same error on the command line."""

    log: Path | None
    """File with the traceback, if it was written."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The job was stopped on request."""


JobEvent = Progress | Finished | Failed | Stopped


@dataclass(eq=False)
class ChildProcess:
    """A function running in a child process.

    `function` gets `arguments`, `options` and the callback `progress=`. It must be at the top level
    of a module, so that it can be pickled.
    """

    process: BaseProcess
    connection: Connection
    log: Path | None = None
    _ended: bool = field(default=False, repr=False)
    _stopping: bool = field(default=False, repr=False)

    @classmethod
    def start(
        cls,
        function: Callable[..., Any],
        *arguments: Any,
        log: Path | None = None,
        options: dict[str, Any] | None = None,
    ) -> ChildProcess:
        """Start a job; `options` are keyword arguments, `log` is the file for tracebacks."""
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_run,
            args=(sender, function, arguments, options or {}, log),
            name=f"benchdesign {getattr(function, '__name__', 'job')}",
            daemon=True,
        )
        process.start()
        # Only the child may have the writing end open, so that its death ends the stream.
        sender.close()
        return cls(process, receiver, log)

    @property
    def is_running(self) -> bool:
        """Whether more events follow."""
        return not self._ended

    def poll(self, *, timeout: float = 0.0) -> JobEvent | None:
        """Return the next event, or None after `timeout` seconds without one."""
        if self._ended:
            return None
        try:
            if not self.connection.poll(timeout):
                return None
            event: JobEvent = self.connection.recv()
        except (EOFError, OSError):
            event = self._died()
        if not isinstance(event, Progress):
            self._end()
        return event

    def events(self) -> Iterator[JobEvent]:
        """Yield events until the job has ended; blocks between events."""
        while not self._ended:
            event = self.poll(timeout=0.2)
            if event is not None:
                yield event

    def stop(self) -> Stopped:
        """Stop the child immediately; files that it has written stay."""
        if not self._ended:
            self._stopping = True
            self.process.terminate()
            self.process.join(GRACE)
            if self.process.is_alive():
                self.process.kill()
            self._end()
        return Stopped()

    def _died(self) -> JobEvent:
        if self._stopping:
            return Stopped()
        self.process.join(GRACE)
        code = self.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                cause = signal.Signals(-code).name
                hint = " (out of memory?)" if cause == "SIGKILL" else ""
                return Failed(f"The worker process was killed by {cause}{hint}.", 1, None)
        return Failed(f"The worker process exited without a result (status {code}).", 1, None)

    def _end(self) -> None:
        self._ended = True
        self.process.join(5)
        self.connection.close()


def _run(
    sender: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    log: Path | None,
) -> None:
    """Run a job in the child process; convert any error to a message in one line."""
    # Ctrl-C signals the whole process group: the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    latest = _ThrottledSender(sender)
    try:
        last_event: JobEvent = Finished(function(*arguments, progress=latest.send, **options))
    except Interrupted:
        last_event = Stopped()
    except BenchdesignError as problem:
        last_event = Failed(_one_line(problem), problem.exit_code, None)
    except Exception as problem:
        log_path = _write_log(log)
        hint = f" Details: {log_path}" if log_path else ""
        name = type(problem).__name__
        last_event = Failed(f"Unexpected {name}: {_one_line(problem)}{hint}", 1, log_path)
    # The parent may have exited.
    with contextlib.suppress(BrokenPipeError):
        sender.send(last_event)
    sender.close()


class _ThrottledSender:
    """Sends progress at most every 0.1 s per stage, so that the pipe never fills."""

    def __init__(self, sender: Connection) -> None:
        self._sender = sender
        self._stage = ""
        self._sent = float("-inf")

    def send(self, event: Progress) -> None:
        now = time.monotonic()
        finished = event.total is not None and event.done >= event.total
        if event.stage == self._stage and not finished and now - self._sent < 0.1:
            return
        self._stage, self._sent = event.stage, now
        try:
            self._sender.send(event)
        except BrokenPipeError:
            raise Interrupted("The parent process has exited.") from None


def _write_log(log: Path | None) -> Path | None:
    if log is None:
        return None
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(traceback.format_exc() + "\n")
    except OSError:
        return None
    return log


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__
