"""The work that is killed: mapping, deciding and exporting."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path

from tests.hostile.processes import quick_reading
from tests.keywords import write_sets


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


# The work that is killed.
def make(folder: Path) -> None:
    """Write the sets and create the workspace."""
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


def do_decide(folder: Path, seed: int, n_steps: int, pipe: int | None = None) -> None:
    """Record the decisions of a seed; write a byte to `pipe` after each acknowledged step."""
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
                log.record(
                    *(Decision(Subject.ADD, item_id, Verdict.REJECT, note="x") for item_id in ids)
                )
            else:
                log.decide(Subject.ADD, ids[0], draw.choice((Verdict.ACCEPT, Verdict.DEFER)))
            if pipe is not None:
                os.write(pipe, b".")


def do_export(folder: Path, n_taken: int) -> None:
    """Write the revision with the first `n_taken` proposals."""
    from benchdesign.pipeline.load_analysis import load_analysis
    from benchdesign.pipeline.write_revision import write_revision
    from benchdesign.revision.choice import Choice
    from benchdesign.workspace.workspace import Workspace

    with quick_reading(), Workspace.open(folder / "ws", access="read", clock=now) as workspace:
        analysis = load_analysis(workspace)
    all_proposals = Choice.all_proposals(analysis)
    choice = Choice(
        all_proposals.added[:n_taken], all_proposals.removed, made_by=all_proposals.made_by
    )
    (folder / "ready").touch()
    with quick_reading():
        write_revision(analysis, folder / "out", choice=choice, force=True)
