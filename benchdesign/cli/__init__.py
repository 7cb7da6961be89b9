"""The command line: a thin layer over the library. `main` is the program.

Exit status: 0 success, 1 failure, 2 bad input or usage, 3 could not be judged (`check`), 130
interrupted. Importing this package
loads nothing heavy; each command imports what it needs.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import typer

__all__ = ["main", "run_command"]

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_DISK_ADVICE = "Free space or choose another folder, then run the command again."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        # A lone surrogate in an item must not raise when it is printed.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # The hub client would report each retry; the final error is enough.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    code = run_command(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader closed the pipe; the interpreter would raise when it flushes again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; every error is one line on standard error."""
    import typer

    from benchdesign.cli.app import app
    from benchdesign.errors import BenchdesignError, Interrupted

    # The parser's UsageError: only its subclass has the same public name in all versions of typer.
    usage_error: type[Any] = typer.BadParameter.__mro__[1]
    try:
        result = app(args=arguments, standalone_mode=False, prog_name="benchdesign")
    except BenchdesignError as problem:
        return _report_error(str(problem), problem.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _report_error("Interrupted; finished work is kept.", Interrupted.exit_code)
    except typer.Exit as request:
        return int(request.exit_code)
    except BrokenPipeError:
        return 0
    except MemoryError:
        return _report_error("Not enough memory; read fewer items (--limit, --pool-limit).", 1)
    except OSError as problem:
        if problem.errno not in _DISK_ERRORS:
            return _crash()
        where = "" if problem.filename is None else f"{problem.filename}: "
        return _report_error(
            f"{where}Nothing can be written there ({problem.strerror}). {_DISK_ADVICE}", 1
        )
    except usage_error as problem:
        return _report_usage_error(problem.format_message(), problem.ctx)
    except Exception:  # the outermost handler: an unexpected error becomes one line and a log
        return _crash()
    return result if isinstance(result, int) else 0


def _report_error(message: str, code: int) -> int:
    from benchdesign.foundation.text import display

    line = display(" ".join(message.split()))
    sys.stderr.write(f"benchdesign: {line}\n")
    return code


def _report_usage_error(message: str, context: typer.Context | None) -> int:
    command = context.command_path if context is not None else "benchdesign"
    if message.startswith("Usage:"):
        # Called without a command: the message is the whole help.
        sys.stderr.write(f"{message.rstrip()}\n")
        return 2
    return _report_error(f"{message.rstrip('.')}. See `{command} --help`.", 2)


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
    return _report_error(
        f"Internal error ({type(problem).__name__}). Please report it and attach {path}.",
        1,
    )
