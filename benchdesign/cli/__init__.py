"""The command line: a thin layer over the library. `main` is the program.

Exit codes: 0 done, 1 failed, 2 bad input or use, 130 interrupted. Importing this reaches nothing
heavy; each command imports what it needs.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "run_command"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_ROOM = "Free space or choose another folder, then run it again."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A lone surrogate in an item must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Retries of a hub that cannot be reached are no news; the one line at the end is.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    code = run_command(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader left; the interpreter would complain when it flushes again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; every problem becomes one line on standard error."""
    import typer

    from benchdesign.cli.app import app
    from benchdesign.errors import BenchdesignError, Interrupted

    try:
        result = app(args=arguments, standalone_mode=False, prog_name="benchdesign")
    except Interrupted as stopped:
        return _complain(str(stopped), stopped.exit_code)
    except BenchdesignError as problem:
        return _complain(str(problem), problem.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("Interrupted; what was done is kept.", Interrupted.exit_code)
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except BrokenPipeError:
        return 0
    except MemoryError:
        return _complain("Not enough memory; read fewer items (--limit, --pool-limit).", 1)
    except OSError as problem:
        if problem.errno not in _NO_ROOM:
            return _crash()
        where = "" if problem.filename is None else f"{problem.filename}: "
        said = f"{where}Nothing can be written there ({problem.strerror})"
        return _complain(f"{said}. {_ROOM}", 1)
    except Exception as problem:  # the outer edge: what nobody foresaw becomes a line and a log
        # The parser's own exceptions have no importable home that all versions of typer share.
        if hasattr(problem, "format_message"):
            return _complain_of_use(problem)
        return _crash()
    return result if isinstance(result, int) else 0


def _complain(message: str, code: int) -> int:
    from benchdesign.foundation.text import display

    line = display(" ".join(message.split()))
    sys.stderr.write(f"benchdesign: {line}\n")
    return code


def _complain_of_use(problem: Exception) -> int:
    context = getattr(problem, "ctx", None)
    command = context.command_path if context is not None else "benchdesign"
    message = str(problem.format_message())  # type: ignore[attr-defined]
    if message.startswith("Usage:"):
        # Called without a command: the whole help, which is no message about a mistake.
        sys.stderr.write(f"{message.rstrip()}\n")
        return 2
    return _complain(f"{message.rstrip('.')}. See `{command} --help`.", 2)


def _crash() -> int:
    import tempfile
    import traceback

    if os.environ.get("BENCHDESIGN_DEBUG"):
        traceback.print_exc()
        return 1
    handle, path = tempfile.mkstemp(prefix="benchdesign-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{' '.join(sys.argv)}\n\n{traceback.format_exc()}")
    problem = sys.exc_info()[1]
    return _complain(
        f"Something went wrong that should not have ({type(problem).__name__}). "
        f"Please report it with {path}.",
        1,
    )
