"""The groups that are lacking for certain, each with a bar of what it has of what is expected."""

from __future__ import annotations

from textual.content import Content

from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups
from benchdesign.foundation.text import fit
from benchdesign.tui.marks import Marks
from benchdesign.tui.rows.group_rows import group_state
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.detail import heading

__all__ = ["group_bar_lines"]

_MUTED = "$foreground-muted"
_FIGURES = 12
"""Cells for what a group has, what is added to it and what is expected."""


def group_bar_lines(
    session: Session, groups: GapGroups, *, marks: Marks, width: int, n: int
) -> list[Content]:
    """Return a heading and a line for each of the worst `n` groups, and how many more there are."""
    if groups.could_not_tell is not None:
        return []
    bar = 10 if width < 70 else 16
    name_width = max(width - bar - _FIGURES - 8, 12)
    title = f"{'Lacking for certain':<{name_width + bar + 3}}{'have / expected':>{_FIGURES + 3}}"
    lines = [heading(title)]
    for group in groups.gaps[:n]:
        lines.append(_bar_line(session, groups, group, marks=marks, bar=bar, name_width=name_width))
    if not groups.gaps:
        lines.append(Content.styled("   none", _MUTED))
    rest = [f"{len(groups.gaps) - n} more"] if len(groups.gaps) > n else []
    if groups.suspected:
        rest.append(f"{len(groups.suspected)} suspected")
    if rest:
        lines.append(Content.styled(f"   ... {', '.join(rest)}, key 4", _MUTED))
    return lines


def _bar_line(
    session: Session,
    groups: GapGroups,
    group: GapGroup,
    *,
    marks: Marks,
    bar: int,
    name_width: int,
) -> Content:
    state, count = group_state(groups, group), session.view.group_count(group)
    share = count.after / group.expected if group.expected else 1.0
    added = f" {count.change:+,}" if count.change else ""
    before = max(_FIGURES - 6 - len(added), 1)
    return Content.assemble(
        (f"  {marks.glyph(state):<3}", marks.style(state)),
        f"{fit(group.name, name_width)} ",
        (marks.bar(share, bar), "$text-primary"),
        (f"{count.before:>{before},}", "bold"),
        (added, marks.style("new")),
        (f" / {group.expected:<3,.0f}", "bold"),
    )
