"""What must hold on disk after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from measurements.kills.work import do_decide, now
from tests.hostile.processes import quick_reading


# The checks.
def digest(value: Any) -> str:
    """Return the fingerprint of arrays, data classes and their members."""
    hasher = hashlib.sha256()

    def add(node: Any) -> None:
        if is_dataclass(node) and not isinstance(node, type):
            for part in fields(node):
                add(part.name)
                add(getattr(node, part.name, None))
        elif hasattr(node, "tobytes"):
            hasher.update(node.tobytes())
        elif isinstance(node, dict):
            for key in sorted(node, key=str):
                add((str(key), node[key]))
        elif isinstance(node, list | tuple | set | frozenset):
            for inner in node:
                add(inner)
        else:
            hasher.update(repr(node).encode("utf-8", "surrogatepass"))

    add(value)
    return hasher.hexdigest()


def result_of(folder: Path) -> str:
    """Return the fingerprint of every result in the workspace."""
    from benchdesign.pipeline.load_analysis import load_analysis
    from benchdesign.workspace.workspace import Workspace

    with quick_reading(), Workspace.open(folder / "ws", access="read", clock=now) as workspace:
        assert not workspace.stale_stages()
        analysis = load_analysis(workspace)
    return digest(
        [
            analysis.benchmark_map,
            analysis.pool_map,
            analysis.gaps.status_codes,
            analysis.gaps.q_value,
        ]
        + [
            (proposal.id, proposal.gain, proposal.gaps)
            for proposal in (*analysis.proposals, *analysis.removals)
        ]
    )


def check_files(folder: Path) -> None:
    """Read every file that is not temporary."""
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
    """Return the fingerprints of the files of a folder; empty if it does not exist."""
    if not folder.is_dir():
        return {}
    return {path.name: digest(path.read_bytes()) for path in sorted(folder.iterdir())}


def check_log(folder: Path, finished: Path, trial: int, acknowledged: list[int]) -> None:
    """Check the log: each round has its acknowledged steps and at most one unacknowledged step."""
    from benchdesign.workspace.workspace import Workspace

    with Workspace.open(folder / "ws", who="ann", clock=now) as workspace:
        logged = workspace.decisions.steps
    os.fsync = lambda _: None  # the model needs no durability
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "model"
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
                    if logged[: len(steps)] == steps:
                        longer.append(log.read_bytes())
            possible = longer
        log.write_bytes(max(possible, key=len, default=b""))
        with Workspace.open(model / "ws", access="read", clock=now) as workspace:
            steps = workspace.decisions.steps
    assert possible and logged == steps, f"{len(logged)} steps, {sum(acknowledged)} acknowledged"
