"""Kill the program at random moments, 200 times, and see what is left.

    python -m measurements.faults [--kills 200] [--seed 0]

Mapping, deciding and exporting run in processes of their own over the real code, with words in
place of a reference model, and get SIGKILL after a random time. After each kill everything on disk
is read; what was acknowledged must be there, and going on must give what an uninterrupted run
gives, bit for bit. Figures go to measurements/results/faults.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.hostile import faults
from tests.hostile.processes import Ended, quick_reading, run, start, warm_up
from tests.keywords import write_sets

RESULTS = Path(__file__).resolve().parent / "results" / "faults.md"


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


# What is done.
def make(folder: Path) -> None:
    """Write the sets and make the workspace."""
    from benchdesign.workspace.settings import Settings
    from benchdesign.workspace.workspace import Workspace

    folder.mkdir(parents=True)
    benchmark, pool = write_sets(folder)
    settings = Settings(n_add=20, n_remove=5)
    Workspace.create(folder / "ws", benchmark, pool=pool, settings=settings, clock=now).close()


def do_map(folder: Path) -> None:
    """Run every stage; reading the items takes most of the time."""
    from benchdesign.pipeline.run import run_pipeline
    from benchdesign.workspace.workspace import Workspace

    with (
        quick_reading(pause=0.03, shard_items=12),
        Workspace.open(folder / "ws", clock=now) as workspace,
    ):
        run_pipeline(workspace)


def do_decide(folder: Path, seed: int, n_steps: int, told: int | None = None) -> None:
    """Say what a seed says to say; write a byte for each step once it is acknowledged."""
    from benchdesign.workspace.decisions import Decision, Subject, Verdict
    from benchdesign.workspace.workspace import Workspace

    draw = random.Random(seed)
    with Workspace.open(folder / "ws", who="ann", clock=now) as workspace:
        log = workspace.decisions
        for _ in range(n_steps):
            kind = draw.random()
            ids = [f"p-{draw.randrange(160)}" for _ in range(3)]
            if kind < 0.15:
                log.undo()
            elif kind < 0.2:
                log.redo()
            elif kind < 0.4:
                log.record(*(Decision(Subject.ADD, one, Verdict.REJECT, note="x") for one in ids))
            else:
                log.decide(Subject.ADD, ids[0], draw.choice((Verdict.ACCEPT, Verdict.DEFER)))
            if told is not None:
                os.write(told, b".")


def do_export(folder: Path, n_taken: int) -> None:
    """Write the revision with the first so many proposals."""
    from benchdesign.pipeline.load_analysis import load_analysis
    from benchdesign.pipeline.write_revision import write_revision
    from benchdesign.revision.choice import Choice
    from benchdesign.workspace.workspace import Workspace

    with quick_reading(), Workspace.open(folder / "ws", access="read", clock=now) as workspace:
        analysis = load_analysis(workspace)
    everything = Choice.all_proposals(analysis)
    choice = Choice(everything.added[:n_taken], everything.removed, made_by=everything.made_by)
    (folder / "ready").touch()
    with quick_reading():
        write_revision(analysis, folder / "out", choice=choice, force=True)


# What must hold.
def digest(value: Any) -> str:
    """Fingerprint arrays, data classes and what they hold."""
    hasher = hashlib.sha256()

    def add(one: Any) -> None:
        if is_dataclass(one) and not isinstance(one, type):
            for part in fields(one):
                add(part.name)
                add(getattr(one, part.name, None))
        elif hasattr(one, "tobytes"):
            hasher.update(one.tobytes())
        elif isinstance(one, dict):
            for key in sorted(one, key=str):
                add((str(key), one[key]))
        elif isinstance(one, list | tuple | set | frozenset):
            for inner in one:
                add(inner)
        else:
            hasher.update(repr(one).encode("utf-8", "surrogatepass"))

    add(value)
    return hasher.hexdigest()


def result_of(folder: Path) -> str:
    """Fingerprint everything the workspace computed."""
    from benchdesign.pipeline.load_analysis import load_analysis
    from benchdesign.workspace.workspace import Workspace

    with quick_reading(), Workspace.open(folder / "ws", access="read", clock=now) as workspace:
        assert not workspace.stale_stages()
        found = load_analysis(workspace)
    return digest(
        [found.benchmark_map, found.pool_map, found.gaps.status_codes, found.gaps.q_value]
        + [(one.id, one.gain, one.gaps) for one in (*found.proposals, *found.removals)]
    )


def check_files(folder: Path) -> None:
    """Read every file that is not somebody's temporary one."""
    import pyarrow.parquet as pq

    for path in folder.rglob("*"):
        if not path.is_file() or any(part.startswith(".") for part in path.parts):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".jsonl":
            for line in path.read_text("utf-8").split("\n")[:-1]:
                json.loads(line)
        elif path.suffix == ".html":
            assert path.read_text("utf-8").rstrip().endswith("</html>"), path


def contents(folder: Path) -> dict[str, str]:
    """Fingerprint the files of a folder; none where there is none."""
    if not folder.is_dir():
        return {}
    return {one.name: digest(one.read_bytes()) for one in sorted(folder.iterdir())}


class Trials:
    """Kills one kind of work again and again."""

    def __init__(self, draw: random.Random, place: Path) -> None:
        self.draw = draw
        self.place = place
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def must(self, what: str, ended: Ended) -> bool:
        """Note a process that should have ended well and did not."""
        if ended.code:
            self.problems.append(f"{what}: {ended.err.strip().splitlines()[-1:]}")
        return not ended.code

    def fresh(self, start_from: Path) -> Path:
        """Copy a folder to where every trial happens."""
        folder = self.place / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start_from, folder)
        return folder

    def kill_after(self, work: Callable[[], None], limit: float) -> bool:
        """Start work and kill it after a random part of the limit; say whether it was running."""
        child = start(work)
        time.sleep(self.draw.uniform(0, limit))
        child.kill()
        return child.wait().code < 0


def timed(work: Callable[[], None]) -> float:
    begun = time.monotonic()
    ended = run(work)
    assert not ended.code, ended.err
    return time.monotonic() - begun


def kill_mapping(trials: Trials, n_kills: int) -> str:
    """Kill one to three times in a row, then go on to the end."""
    trial, blank = trials.place / "trial", trials.place / "blank"
    make(trial)
    shutil.copytree(trial, blank)
    limit = timed(partial(do_map, trial))
    expected = trials.place / "expected"
    assert not run(lambda: expected.write_text(result_of(trial)) and 0).code
    while trials.counts["kills"] < n_kills:
        folder = trials.fresh(blank)
        for _ in range(trials.draw.randint(1, 3)):
            if trials.kill_after(partial(do_map, folder), limit):
                trials.counts["kills"] += 1
            trials.must("files after a kill", run(partial(check_files, folder)))
        trials.counts["trials"] += 1
        if trials.must("going on", run(partial(resume, folder, expected.read_text()))):
            trials.counts["resumed"] += 1
    counts = trials.counts
    return f"{counts['resumed']} of {counts['trials']} resumed runs gave the uninterrupted result"


def resume(folder: Path, expected: str) -> None:
    """Go on to the end."""
    do_map(folder)
    assert result_of(folder) == expected, "another result"


def kill_deciding(trials: Trials, n_kills: int) -> str:
    """Compare the log with what was acknowledged before the kill."""
    finished = trials.place / "finished"
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
                trials.problems.append("deciding ended by itself")
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
    return f"{n_acknowledged:,} acknowledged steps, all there"


def check_log(folder: Path, finished: Path, trial: int, acknowledged: list[int]) -> None:
    """Replay; every round holds what it acknowledged, and at most the one step in hand besides."""
    from benchdesign.workspace.workspace import Workspace

    with Workspace.open(folder / "ws", who="ann", clock=now) as workspace:
        found = workspace.decisions.steps
    os.fsync = lambda _: None  # the model need not survive anything
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        shutil.copytree(finished, model)
        log = model / "ws" / "decisions.jsonl"
        possible = [b""]
        for attempt, n_done in enumerate(acknowledged):
            longer = []
            for before in possible:
                for n_extra in (0, 1):
                    log.write_bytes(before)
                    do_decide(model, trial * 10 + attempt, n_done + n_extra)
                    with Workspace.open(model / "ws", access="read", clock=now) as workspace:
                        steps = workspace.decisions.steps
                    if found[: len(steps)] == steps:
                        longer.append(log.read_bytes())
            possible = longer
        log.write_bytes(max(possible, key=len, default=b""))
        with Workspace.open(model / "ws", access="read", clock=now) as workspace:
            steps = workspace.decisions.steps
    assert possible and found == steps, f"{len(found)} steps, {sum(acknowledged)} acknowledged"


def kill_exporting(trials: Trials, n_kills: int) -> str:
    """Kill while a revision is written, into a new folder or over an older revision."""
    trial = trials.place / "trial"
    make(trial)
    assert not run(partial(do_map, trial)).code
    ready = trials.place / "ready"
    shutil.move(trial, ready)
    wanted: dict[int, dict[str, str]] = {}
    limit = 0.0
    for n_taken in (3, 12):
        folder = trials.fresh(ready)
        timed(partial(do_export, folder, 3))
        (folder / "ready").unlink()
        timed(partial(do_export, folder, n_taken))
        limit = max(limit, time.time() - (folder / "ready").stat().st_mtime)
        wanted[n_taken] = contents(folder / "out")
    wholes = Counter[str]()
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
        left = contents(folder / "out")
        allowed = [{}, wanted[3]][over_older]
        if left == allowed:
            wholes["as before"] += 1
        elif left == wanted[12]:
            wholes["new"] += 1
        else:
            wholes["between"] += 1
            mixed = all(
                left.get(name) in (wanted[3].get(name), new) for name, new in wanted[12].items()
            )
            if not (over_older and mixed and left["revision.json"] != wanted[12]["revision.json"]):
                trials.problems.append(f"export: {sorted(left)} is neither old nor new")
        trials.must("exporting again", run(partial(do_export, folder, 12)))
        if contents(folder / "out") != wanted[12]:
            trials.problems.append("export: another result after a kill")
    told = ", ".join(f"{n} {name}" for name, n in sorted(wholes.items()))
    return f"every file whole; the set after the kill: {told}; exporting again gave the same bytes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warm_up()
    draw = random.Random(given.seed)
    shares = {"mapping": 0.35, "deciding": 0.35, "exporting": 0.3}
    work = {"mapping": kill_mapping, "deciding": kill_deciding, "exporting": kill_exporting}
    rows, problems = [], []
    for name, share in shares.items():
        with tempfile.TemporaryDirectory(prefix="benchdesign-") as place:
            trials = Trials(draw, Path(place))
            begun = time.monotonic()
            told = work[name](trials, round(given.kills * share))
            rows.append((name, trials.counts["kills"], len(trials.problems), told))
            problems += [f"{name}: {one}" for one in trials.problems]
            print(
                name,
                trials.counts["kills"],
                trials.problems,
                told,
                f"{time.monotonic() - begun:.0f} s",
                flush=True,
            )
    text = [
        "# Faults",
        "",
        f"Made by `python -m measurements.faults --kills {given.kills} --seed {given.seed}`.",
        "",
        "## Killed at random moments (SIGKILL)",
        "",
        "| while | kills | problems | what was found |",
        "|---|---|---|---|",
        *(f"| {name} | {n} | {bad or 'none'} | {told} |" for name, n, bad, told in rows),
        "",
        f"Together {sum(row[1] for row in rows)} kills. After each, every file was read.",
        *(f"- {one}" for one in problems),
        "",
        "## Other faults",
        "",
        "| fault | what the program says | exit code |",
        "|---|---|---|",
    ]
    for fault, said, code in faults.tell_all():
        print(fault, said, code, flush=True)
        text.append(f"| {fault} | {said} | {code} |")
    RESULTS.write_text("\n".join(text) + "\n", "utf-8")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
