"""Fuzz every parser of external input, for some minutes each.

    pip install atheris
    python -m measurements.fuzz FOLDER [--minutes 10] [ENTRY ...]

Fuzzing is guided by coverage (atheris over libFuzzer), with one process per entry, one at a time.
An input is a failure if it raises anything but an error of ours in one line, takes over ten seconds
of processor time, or reads differently after being written back. The first input of each kind of
failure is saved in FOLDER, and the run continues. Figures are written to
measurements/results/fuzzing.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS = 10
RESULTS = Path(__file__).resolve().parent / "results" / "fuzzing.md"
LARGEST_SEED = 20_000
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


# fmt: off
WORDS = (
    "null", "true", "false", "NaN", "1e999", "-1", "0.5", "99999999999999999999", "[]", "{}", "[[",
    "{'a'", ": ", ", ", "{{", "}}", "{%", "%}", "for", "in", "if", "set", "macro", "filter", "loop",
    "range(9)", "|", "~", "**", "question", "choices", "answer", "id", "edits", "verdict", "step",
    "more", "of", "undo", "redo", "!!python", "&a", "*a", "<<: ", "include", "- ",
)
# fmt: on


class HangError(BaseException):
    """An input exceeded the time limit."""


def stop(_number: int, _frame: FrameType | None) -> None:
    raise HangError


class Harness:
    """Runs one entry on inputs, and counts runs and failures."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.n_runs = 0
        self.failures: dict[str, str] = {}
        self.started = self.reported = time.monotonic()
        shared = Path("/dev/shm")
        self.scratch = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
        signal.signal(signal.SIGVTALRM, stop)

    def __call__(self, data: bytes) -> None:
        """Run the entry on one input."""
        from tests.hostile.entries import run_entry

        case = self.scratch / "case"
        shutil.rmtree(case, ignore_errors=True)
        case.mkdir()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            if failure := run_entry(self.name, case, data):
                self.record(failure.partition(":")[0], failure, data)
        except HangError:
            self.record("took over ten seconds", traceback.format_exc(), data)
        except Exception as error:
            self.record(location_of(error), traceback.format_exc(), data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.n_runs += 1
        if time.monotonic() - self.reported > 2:
            self.report()

    def record(self, kind: str, message: str, data: bytes) -> None:
        """Save the first input of each kind of failure."""
        if kind in self.failures:
            return
        stem = f"{slug(self.name)}-{hashlib.sha256(data).hexdigest()[:12]}"
        self.failures[kind] = stem
        (self.folder / f"{stem}.bin").write_bytes(data)
        (self.folder / f"{stem}.txt").write_text(f"{kind}\n{message}", "utf-8", "backslashreplace")
        self.report()

    def report(self) -> None:
        """Write the figures so far: libFuzzer exits without notice."""
        self.reported = time.monotonic()
        use = resource.getrusage(resource.RUSAGE_SELF)
        figures = {
            "entry": self.name,
            "runs": self.n_runs,
            "seconds": round(self.reported - self.started),
            "processor_seconds": round(use.ru_utime + use.ru_stime),
            "peak_mb": use.ru_maxrss // 1024,
            "found": self.failures,
        }
        path = self.folder / f"{slug(self.name)}.json"
        path.with_suffix(".tmp").write_text(json.dumps(figures, indent=1), "utf-8")
        path.with_suffix(".tmp").replace(path)


def location_of(error: BaseException) -> str:
    """Return the type of an error and the last line of our code in its traceback."""
    own_frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "benchdesign" in frame.filename
    ]
    last = own_frames[-1] if own_frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def seeds(name: str) -> Iterator[bytes]:
    """Yield small seed inputs: the hostile files of the tests, and valid files of each kind."""
    from tests.hostile.corpus import CASES

    suffixes = {
        "JSON Lines": (".jsonl", *COMPRESSED),
        "JSON": (".json",),
        "CSV": (".csv",),
        "Parquet": (".parquet",),
        "Arrow": (".arrow",),
        "task file": (".yaml",),
    }.get(name, ())
    for case in CASES if suffixes else ():
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
            path = case.build(Path(folder))
            is_plain = path.is_file() and not path.is_symlink()
            fits = is_plain and 0 < path.stat().st_size <= LARGEST_SEED
            # A decompression bomb as a seed would use most of the time.
            if fits and path.name.endswith(suffixes) and "bomb" not in case.name:
                yield path.read_bytes()
    yield from other_seeds(name)


def other_seeds(name: str) -> Iterator[bytes]:
    from tests.hostile import fuzz_seeds

    yield from fuzz_seeds.seeds(name)


def fuzz(name: str, folder: Path, minutes: float) -> None:
    """Fuzz one entry in this process; libFuzzer exits at the end."""
    import atheris

    # The entries import what they need here, so that only our code is instrumented.
    with atheris.instrument_imports(include=["benchdesign"], enable_loader_override=False):
        from tests.hostile import entries  # noqa: F401
    start = folder / f"corpus-{slug(name)}"
    start.mkdir(parents=True, exist_ok=True)
    harness = Harness(name, folder)
    for data in seeds(name):
        (start / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = folder / "words.txt"
    words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS), "ascii")
    options = [
        *(f"-dict={words}", f"-artifact_prefix={folder}/"),
        f"-max_total_time={round(minutes * 60)}",
        *("-max_len=4096", "-timeout=300", "-rss_limit_mb=6000", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(start)], harness, enable_python_coverage=True)
    atheris.Fuzz()


def write_results(folder: Path, command: str) -> None:
    """Write the figures of all processes."""
    import atheris

    rows = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    version = getattr(atheris, "__version__", "") or installed("atheris")
    text = [
        "# Fuzzing",
        "",
        f"Made by `{command}` with atheris {version}, Python {sys.version.split()[0]}. Each entry",
        "parses external input. Anything but an error of ours in one line, over ten seconds of",
        "processor time, or a file that reads differently after being written back is a failure.",
        "",
        "| entry | inputs run | wall time | processor time | peak memory | failures |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = f"{row['seconds']} s | {row['processor_seconds']} s"
        n_failures = len(row["found"]) or "none"
        text.append(
            f"| {row['entry']} | {row['runs']:,} | {times} | {row['peak_mb']:,} MB | {n_failures} |"
        )
    total = sum(row["runs"] for row in rows)
    text += [
        "",
        f"Together {total:,} inputs in {sum(row['seconds'] for row in rows) / 60:.0f} min.",
    ]
    for row in rows:
        text += [f"- {row['entry']}: {kind}" for kind in row["found"]]
    RESULTS.write_text("\n".join(text) + "\n", "utf-8")


def installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("entries", nargs="*")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options: Any = parser.parse_intermixed_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.here:
        fuzz(options.entries[0], options.folder, options.minutes)
        return
    from tests.hostile.entries import ENTRIES

    for name in options.entries or ENTRIES:
        print(f"{name}: {options.minutes:g} min", flush=True)
        command = [sys.executable, "-m", "measurements.fuzz", str(options.folder), name, "--here"]
        subprocess.run(
            [*command, "--minutes", str(options.minutes)],
            stdout=subprocess.DEVNULL,
            stderr=(options.folder / f"{slug(name)}.log").open("wb"),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
    write_results(
        options.folder, f"python -m measurements.fuzz FOLDER --minutes {options.minutes:g}"
    )


if __name__ == "__main__":
    main()
