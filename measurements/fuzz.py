"""Feed mutated bytes to every place that parses bytes from outside, for minutes each.

    pip install atheris
    python -m measurements.fuzz FOLDER [--minutes 10] [ENTRY ...]

Guided by coverage (atheris over libFuzzer), one process an entry, one after the other. An input
that raises anything but our own error in one line, takes over ten seconds of processor time or
reads differently after being written back is kept in FOLDER, and the run goes on. Figures go to
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
    """An input took too long."""


def stop(_number: int, _frame: FrameType | None) -> None:
    raise HangError


class Harness:
    """Runs one entry on inputs and keeps count."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.n_runs = 0
        self.found: dict[str, str] = {}
        self.started = self.told = time.monotonic()
        shared = Path("/dev/shm")
        self.scratch = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
        signal.signal(signal.SIGVTALRM, stop)

    def __call__(self, data: bytes) -> None:
        """Run the entry on one input."""
        from tests.hostile.entries import run_entry

        inside = self.scratch / "case"
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            if said := run_entry(self.name, inside, data):
                self.keep(said.partition(":")[0], said, data)
        except HangError:
            self.keep("took over ten seconds", traceback.format_exc(), data)
        except Exception as error:
            self.keep(place_of(error), traceback.format_exc(), data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.n_runs += 1
        if time.monotonic() - self.told > 2:
            self.tell()

    def keep(self, kind: str, said: str, data: bytes) -> None:
        """Write down the first input of each kind of failure."""
        if kind in self.found:
            return
        stem = f"{slug(self.name)}-{hashlib.sha256(data).hexdigest()[:12]}"
        self.found[kind] = stem
        (self.folder / f"{stem}.bin").write_bytes(data)
        (self.folder / f"{stem}.txt").write_text(f"{kind}\n{said}", "utf-8", "backslashreplace")
        self.tell()

    def tell(self) -> None:
        """Write the figures so far; libFuzzer ends the process without asking."""
        self.told = time.monotonic()
        use = resource.getrusage(resource.RUSAGE_SELF)
        figures = {
            "entry": self.name,
            "runs": self.n_runs,
            "seconds": round(self.told - self.started),
            "processor_seconds": round(use.ru_utime + use.ru_stime),
            "peak_mb": use.ru_maxrss // 1024,
            "found": self.found,
        }
        path = self.folder / f"{slug(self.name)}.json"
        path.with_suffix(".tmp").write_text(json.dumps(figures, indent=1), "utf-8")
        path.with_suffix(".tmp").replace(path)


def place_of(error: BaseException) -> str:
    """Name an error by its type and the last line of ours that it went through."""
    ours = [
        one for one in traceback.extract_tb(error.__traceback__) if "benchdesign" in one.filename
    ]
    last = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def seeds(name: str) -> Iterator[bytes]:
    """Yield small inputs to start from: the bad files of the tests and good ones of each kind."""
    from tests.hostile.corpus import CASES

    suffixes = {
        "JSON Lines": (".jsonl", *COMPRESSED),
        "JSON": (".json",),
        "CSV": (".csv",),
        "Parquet": (".parquet",),
        "Arrow": (".arrow",),
        "task file": (".yaml",),
    }.get(name, ())
    for one in CASES if suffixes else ():
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
            path = one.build(Path(folder))
            is_plain = path.is_file() and not path.is_symlink()
            fits = is_plain and 0 < path.stat().st_size <= LARGEST_SEED
            # A bomb as a seed would leave time for little else.
            if fits and path.name.endswith(suffixes) and "bomb" not in one.name:
                yield path.read_bytes()
    yield from other_seeds(name)


def other_seeds(name: str) -> Iterator[bytes]:
    from tests.hostile import fuzz_seeds

    yield from fuzz_seeds.seeds(name)


def fuzz(name: str, folder: Path, minutes: float) -> None:
    """Fuzz one entry in this process; libFuzzer ends the process."""
    import atheris

    # A run of the entries imports what it needs, so that only the code of ours is instrumented.
    with atheris.instrument_imports(include=["benchdesign"], enable_loader_override=False):
        from tests.hostile import entries  # noqa: F401
    start = folder / f"corpus-{slug(name)}"
    start.mkdir(parents=True, exist_ok=True)
    harness = Harness(name, folder)
    for data in seeds(name):
        (start / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = folder / "words.txt"
    words.write_text("".join(f"{json.dumps(one)}\n" for one in WORDS), "ascii")
    options = [
        *(f"-dict={words}", f"-artifact_prefix={folder}/"),
        f"-max_total_time={round(minutes * 60)}",
        *("-max_len=4096", "-timeout=300", "-rss_limit_mb=6000", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(start)], harness, enable_python_coverage=True)
    atheris.Fuzz()


def write_results(folder: Path, command: str) -> None:
    """Write what the processes told."""
    import atheris

    rows = [json.loads(one.read_text("utf-8")) for one in sorted(folder.glob("*.json"))]
    version = getattr(atheris, "__version__", "") or installed("atheris")
    text = [
        "# Fuzzing",
        "",
        f"Made by `{command}` with atheris {version}, Python {sys.version.split()[0]}. Each entry",
        "parses bytes from outside; anything but our own error in one line, over ten seconds of",
        "processor time, or a file that reads differently once written back, counts as found.",
        "",
        "| entry | inputs run | wall time | processor time | peak memory | found |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = f"{row['seconds']} s | {row['processor_seconds']} s"
        found = len(row["found"]) or "nothing"
        text.append(
            f"| {row['entry']} | {row['runs']:,} | {times} | {row['peak_mb']:,} MB | {found} |"
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
    given: Any = parser.parse_intermixed_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.here:
        fuzz(given.entries[0], given.folder, given.minutes)
        return
    from tests.hostile.entries import ENTRIES

    for name in given.entries or ENTRIES:
        print(f"{name}: {given.minutes:g} min", flush=True)
        mine = [sys.executable, "-m", "measurements.fuzz", str(given.folder), name, "--here"]
        subprocess.run(
            [*mine, "--minutes", str(given.minutes)],
            stdout=subprocess.DEVNULL,
            stderr=(given.folder / f"{slug(name)}.log").open("wb"),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
    write_results(given.folder, f"python -m measurements.fuzz FOLDER --minutes {given.minutes:g}")


if __name__ == "__main__":
    main()
