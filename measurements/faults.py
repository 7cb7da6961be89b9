"""Kill the program at random moments, 200 times, and check what is left on disk.

    python -m measurements.faults [--kills 200] [--seed 0]

Mapping, deciding and exporting run the real code in child processes, with words instead of a
reference model, and get SIGKILL after a random time. After each kill every file on disk is read.
Acknowledged writes must be present, and resuming must give the result of an uninterrupted run, bit
for bit. Figures are written to measurements/results/faults.md.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measurements.kills.checks import check_files, check_log, contents, result_of
from measurements.kills.work import do_decide, do_export, do_map, make
from tests.hostile import faults
from tests.hostile.processes import Ended, run, start, warm_up

RESULTS = Path(__file__).resolve().parent / "results" / "faults.md"


class Trials:
    """Repeated kills of one kind of work."""

    def __init__(self, draw: random.Random, folder: Path) -> None:
        self.draw = draw
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def must(self, task: str, ended: Ended) -> bool:
        """Record a process that failed; whether it succeeded."""
        if ended.code:
            self.problems.append(f"{task}: {ended.err.strip().splitlines()[-1:]}")
        return not ended.code

    def fresh(self, source: Path) -> Path:
        """Copy a folder to the folder of the next trial."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        return folder

    def kill_after(self, work: Callable[[], None], limit: float) -> bool:
        """Start work and kill it after a random share of the limit; whether it was running."""
        child = start(work)
        time.sleep(self.draw.uniform(0, limit))
        child.kill()
        return child.wait().code < 0


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    ended = run(work)
    assert not ended.code, ended.err
    return time.monotonic() - started


def kill_mapping(trials: Trials, n_kills: int) -> str:
    """Kill one to three times in a row, then resume to the end."""
    trial, blank = trials.folder / "trial", trials.folder / "blank"
    make(trial)
    shutil.copytree(trial, blank)
    limit = timed(partial(do_map, trial))
    expected = trials.folder / "expected"
    assert not run(lambda: expected.write_text(result_of(trial)) and 0).code
    while trials.counts["kills"] < n_kills:
        folder = trials.fresh(blank)
        for _ in range(trials.draw.randint(1, 3)):
            if trials.kill_after(partial(do_map, folder), limit):
                trials.counts["kills"] += 1
            trials.must("files after a kill", run(partial(check_files, folder)))
        trials.counts["trials"] += 1
        if trials.must("resuming", run(partial(resume, folder, expected.read_text()))):
            trials.counts["resumed"] += 1
    counts = trials.counts
    return f"{counts['resumed']} of {counts['trials']} resumed runs gave the uninterrupted result"


def resume(folder: Path, expected: str) -> None:
    """Run to the end and compare the result."""
    do_map(folder)
    assert result_of(folder) == expected, "the result differs"


def kill_deciding(trials: Trials, n_kills: int) -> str:
    """Compare the log with what was acknowledged before the kill."""
    finished = trials.folder / "finished"
    make(finished)
    n_acknowledged = 0
    for trial in range(n_kills):
        folder = trials.fresh(finished)
        reading, writing = os.pipe()
        n_rounds = trials.draw.randint(1, 3)
        acknowledged: list[int] = []
        for attempt in range(n_rounds):
            child = start(partial(do_decide, folder, trial * 10 + attempt, 10_000, writing))
            time.sleep(trials.draw.uniform(0.005, 0.25))
            child.kill()
            if child.wait().code >= 0:
                trials.problems.append("deciding ended before the kill")
            os.set_blocking(reading, False)
            try:
                n_done = len(os.read(reading, 1 << 20))
            except BlockingIOError:
                n_done = 0
            acknowledged.append(n_done)
        os.close(reading)
        os.close(writing)
        trials.counts["kills"] += n_rounds
        n_acknowledged += sum(acknowledged)
        trials.must(
            "log after a kill", run(partial(check_log, folder, finished, trial, acknowledged))
        )
        if trials.counts["kills"] >= n_kills:
            break
    return f"{n_acknowledged:,} acknowledged steps, all present"


def kill_exporting(trials: Trials, n_kills: int) -> str:
    """Kill while a revision is written to a new folder or over an older revision."""
    trial = trials.folder / "trial"
    make(trial)
    assert not run(partial(do_map, trial)).code
    ready = trials.folder / "ready"
    shutil.move(trial, ready)
    expected: dict[int, dict[str, str]] = {}
    limit = 0.0
    for n_taken in (3, 12):
        folder = trials.fresh(ready)
        timed(partial(do_export, folder, 3))
        (folder / "ready").unlink()
        timed(partial(do_export, folder, n_taken))
        limit = max(limit, time.time() - (folder / "ready").stat().st_mtime)
        expected[n_taken] = contents(folder / "out")
    outcomes = Counter[str]()
    while trials.counts["kills"] < n_kills:
        folder = trials.fresh(ready)
        over_older = trials.draw.random() < 0.5
        if over_older:
            trials.must("first export", run(partial(do_export, folder, 3)))
            (folder / "ready").unlink()
        child = start(partial(do_export, folder, 12))
        while not (folder / "ready").exists():
            time.sleep(0.001)
        time.sleep(trials.draw.uniform(0, limit))
        child.kill()
        if child.wait().code < 0:
            trials.counts["kills"] += 1
        trials.must("files after a kill", run(partial(check_files, folder)))
        files = contents(folder / "out")
        allowed = [{}, expected[3]][over_older]
        if files == allowed:
            outcomes["as before"] += 1
        elif files == expected[12]:
            outcomes["new"] += 1
        else:
            outcomes["between"] += 1
            mixed = all(
                files.get(name) in (expected[3].get(name), new)
                for name, new in expected[12].items()
            )
            if not (
                over_older and mixed and files["revision.json"] != expected[12]["revision.json"]
            ):
                trials.problems.append(f"export: {sorted(files)} is neither old nor new")
        trials.must("exporting again", run(partial(do_export, folder, 12)))
        if contents(folder / "out") != expected[12]:
            trials.problems.append("export: the result differs after a kill")
    states = ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items()))
    return (
        f"every file whole; the set after the kill: {states}; exporting again gave the same bytes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warm_up()
    draw = random.Random(options.seed)
    shares = {"mapping": 0.35, "deciding": 0.35, "exporting": 0.3}
    work = {"mapping": kill_mapping, "deciding": kill_deciding, "exporting": kill_exporting}
    rows, problems = [], []
    for name, share in shares.items():
        with tempfile.TemporaryDirectory(prefix="benchdesign-") as folder:
            trials = Trials(draw, Path(folder))
            started = time.monotonic()
            outcome = work[name](trials, round(options.kills * share))
            rows.append((name, trials.counts["kills"], len(trials.problems), outcome))
            problems += [f"{name}: {problem}" for problem in trials.problems]
            print(
                name,
                trials.counts["kills"],
                trials.problems,
                outcome,
                f"{time.monotonic() - started:.0f} s",
                flush=True,
            )
    text = [
        "# Faults",
        "",
        f"Made by `python -m measurements.faults --kills {options.kills} --seed {options.seed}`.",
        "",
        "## Killed at random moments (SIGKILL)",
        "",
        "| while | kills | problems | outcome |",
        "|---|---|---|---|",
        *(
            f"| {name} | {n} | {n_problems or 'none'} | {outcome} |"
            for name, n, n_problems, outcome in rows
        ),
        "",
        f"Together {sum(row[1] for row in rows)} kills. After each, every file was read.",
        *(f"- {problem}" for problem in problems),
        "",
        "## Other faults",
        "",
        "| fault | message of the program | exit status |",
        "|---|---|---|",
    ]
    for fault, message, code in faults.tell_all():
        print(fault, message, code, flush=True)
        text.append(f"| {fault} | {message} | {code} |")
    RESULTS.write_text("\n".join(text) + "\n", "utf-8")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
