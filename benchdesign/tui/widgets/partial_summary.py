"""The page of partial results while a job is running."""

from __future__ import annotations

from textual.content import Content

from benchdesign.foundation.text import fit
from benchdesign.pipeline.partial_summary import PartialSummary
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import heading

__all__ = ["partial_results_content"]


def partial_results_content(partial: PartialSummary, *, marks: Marks, width: int) -> Content:
    """Return the page of partial results; nothing on it is final."""
    share = 100 * partial.n_touched / partial.n_concepts if partial.n_concepts else 0.0
    if partial.against == "pool":
        against = f"relative to the {partial.n_pool:,} pool items read so far"
    else:
        against = "relative to the dictionary's corpus (the pool is not read yet)"
    room = max(width - 24, 16)
    lines = [
        heading("So far"),
        Content(f"  {partial.n_items:,} benchmark items read"),
        Content(
            f"  {partial.n_touched:,} of {partial.n_concepts:,} concepts touched ({share:.1f} %)"
        ),
        Content(f"  {partial.n_missing:,} missing, {partial.n_under:,} under, {against}"),
    ]
    if partial.gaps:
        lines += [Content(""), heading(f"{'Worst gaps so far':<{room + 6}}have / expected")]
        for label, n_items, expected in partial.gaps:
            state = "under" if n_items else "missing"
            lines.append(
                Content.assemble(
                    (f"  {marks.glyph(state):<3} ", marks.style(state)),
                    fit(label, room),
                    (f"{n_items:>5} / {expected:.0f}", "bold"),
                )
            )
    if partial.frequent:
        lines += [Content(""), heading(f"{'Most frequent so far':<{room + 6}}items")]
        most = partial.frequent[0][1]
        for label, n_items in partial.frequent[:5]:
            bar = marks.bar(n_items / most, 8)
            lines.append(
                Content.assemble(
                    "      ",
                    fit(label, room),
                    (f"{n_items:>5}  ", "bold"),
                    (bar, "$text-primary"),
                )
            )
    return Content("\n").join(lines)
