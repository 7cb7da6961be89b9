"""What a benchmark lacks, in groups of similar items, as lines and tables for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchdesign.cli.output import print_lines, print_table
from benchdesign.coverage.groups.verdict import (
    power_sentence,
    reference_sentence,
    verdict_sentence,
)
from benchdesign.foundation.number_words import chance, plural
from benchdesign.foundation.text import display
from benchdesign.revision.group_counts import count_groups, distinct_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
    from benchdesign.revision.group_counts import GroupCount

__all__ = ["print_group_head", "print_groups", "print_next_run"]

_NAME_CELLS = 48
_MAX_OVER_NAMED = 3
_CERTAIN = "these groups are lacking for certain; an indented one is part of the group above it"
_SUSPICION = "Perhaps too few; chance explains these as well"


def print_group_head(groups: GapGroups) -> None:
    """Print the verdict, what could have been seen, the reference and the warnings."""
    sentences = (verdict_sentence(groups), power_sentence(groups), reference_sentence(groups))
    print_lines(*(display(sentence) for sentence in sentences if sentence))
    print_lines(*(f"warning: {display(warning)}" for warning in groups.warnings))


def print_groups(
    groups: GapGroups, counts: Mapping[str, GroupCount] | None = None, *, top: int
) -> None:
    """Print the groups that are lacking, then the suspicions with their odds, then those over.

    `counts` are those after a revision; without them the columns on it are left out. At most `top`
    groups of each kind are listed.
    """
    has_after = counts is not None
    counts = count_groups(groups) if counts is None else counts
    certain = [group for group in distinct_groups(groups) if group.is_gap]
    if certain[:top]:
        print_lines("")
        _print_table(certain[:top], counts, has_after=has_after)
        print_lines(f"  {_CERTAIN}")
        _print_rest(len(certain) - top)
    if groups.suspected[:top]:
        print_lines("", _SUSPICION)
        _print_table(groups.suspected[:top], counts, has_after=has_after, has_odds=True)
        _print_rest(len(groups.suspected) - top)
    if groups.over:
        named = [
            f"{display(group.name)} ({group.count:,} of {group.expected:,.1f} expected)"
            for group in groups.over[:_MAX_OVER_NAMED]
        ]
        n_more = len(groups.over) - len(named)
        more = f" and {n_more} more" if n_more else ""
        print_lines("", f"More than expected: {'; '.join(named)}{more}.")


def print_next_run(groups: GapGroups, benchmark: str, pool: str | None) -> None:
    """Print the command that fills the groups; nothing if none is lacking for certain."""
    n_wanted = sum(group.n_wanted for group in groups.gaps)
    if n_wanted and pool is not None:
        command = f"benchdesign run {shlex.quote(benchmark)} --pool {shlex.quote(pool)}"
        print_lines(
            "",
            f"Next: {command} --add {n_wanted}",
            f"  proposes {plural(n_wanted, 'item')} that the benchmark lacks; `benchdesign open` "
            "on the same files reviews them one by one.",
        )


def _print_rest(n_more: int) -> None:
    if n_more > 0:
        print_lines(f"  {plural(n_more, 'more group', 'more groups')} with --json")


def _print_table(
    groups: Sequence[GapGroup],
    counts: Mapping[str, GroupCount],
    *,
    has_after: bool,
    has_odds: bool = False,
) -> None:
    head, right = ["GROUP", "HAD", "EXPECTED"], "lrr"
    if has_after:
        head, right = [*head, "AFTER", "TO ADD"], right + "rr"
    head, right = [*head, "ODDS" if has_odds else "STATUS"], right + "l"
    rows = []
    for group in groups:
        count = counts[group.id]
        indent = "" if group.parent is None else "  "
        row = [indent + display(group.name, width=_NAME_CELLS)]
        row += [f"{count.before:,}", f"{count.expected:,.1f}"]
        if has_after:
            row += [f"{count.after:,}", f"{count.n_wanted:,}" if count.n_wanted else "-"]
        rows.append(
            [*row, f"by chance in {chance(group.p_value)} runs" if has_odds else group.status.value]
        )
    print_table(head, rows, right=right)
