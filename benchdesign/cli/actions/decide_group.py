"""`decide --group`: judge a group of similar items as meant or not meant."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.cli.output import print_json, print_lines
from benchdesign.cli.revision_options import DecisionOptions
from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.foundation.number_words import noun
from benchdesign.foundation.preferences import load_preferences
from benchdesign.foundation.text import display
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.revision.group_record import NOT_SEARCHED
from benchdesign.workspace.decisions import Verdict
from benchdesign.workspace.group_judgement import group_judgement, nearest_group_names
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroup
    from benchdesign.workspace.analysis import Analysis

__all__ = ["decide_group_job"]

_VERDICTS = {"meant": Verdict.MEANT, "not-meant": Verdict.NOT_MEANT, "open": Verdict.OPEN}


def decide_group_job(
    folder: Path, options: DecisionOptions, words: Sequence[str], *, as_json: bool
) -> None:
    """Record one step: the judgement of a group and of its most typical pool items."""
    if len(words) != 1:
        raise UsageError(
            "With --group give one verdict and no item: "
            "`benchdesign decide WORKSPACE --group NAME meant`."
        )
    verdict = _VERDICTS.get(words[0])
    if verdict is None:
        raise UsageError(f"{words[0]}: not a verdict on a group; give meant or not-meant.")
    if options.reason is not None or options.edit:
        raise UsageError("--reason and --edit are about an item; a group takes --note.")
    preferences, _ = load_preferences()
    with Workspace.open(folder, who=preferences.who) as workspace:
        analysis = load_analysis(workspace)
        group = _find_group(analysis, options.group or "", folder)
        pool_ids = [] if analysis.pool is None else [item.id for item in analysis.pool.items]
        decisions = group_judgement(group, pool_ids, verdict, note=options.note)
        workspace.decisions.record(*decisions)
    n_items = len(decisions) - 1
    if as_json:
        print_json(
            {
                "kind": decisions[0].subject,
                "id": group.id,
                "name": group.name,
                "verdict": verdict,
                "note": options.note or "",
                "pool_items": [decision.subject_id for decision in decisions[1:]],
            }
        )
        return
    print_lines(
        f"{display(group.name)}: {verdict.value}, with {n_items} of its "
        f"{len(group.pool_rows):,} pool {noun(len(group.pool_rows), 'item')}; --undo reverts this. "
        "The next run with this workspace searches with it: "
        f"benchdesign open {shlex.quote(str(folder))}"
    )


def _find_group(analysis: Analysis, name: str, folder: Path) -> GapGroup:
    groups = analysis.groups
    if groups is None:
        raise WorkspaceError(f"{folder}: {NOT_SEARCHED}")
    group = groups.find(name)
    if group is not None:
        return group
    names = nearest_group_names(groups, name)
    hint = f"the nearest: {'; '.join(display(near) for near in names)}." if names else "none found."
    if groups.could_not_tell is not None:
        hint = f"none could be judged. {groups.could_not_tell}"
    raise UsageError(f"--group {display(name)}: no such group in {folder}; {hint}")
