"""What a running job knows already, drawn while the rest is being read."""

from __future__ import annotations

from textual.content import Content

from benchdesign.sofar import SoFar
from benchdesign.text import cell_width, display
from benchdesign.tui.marks import Marks
from benchdesign.tui.widgets.detail import heading

__all__ = ["so_far_content"]


def so_far_content(known: SoFar, *, marks: Marks, width: int) -> Content:
    """Return a page about what was read so far; nothing on it is final."""
    share = 100 * known.n_touched / known.n_concepts if known.n_concepts else 0.0
    if known.against == "pool":
        against = f"against the {known.n_pool:,} pool items read so far"
    else:
        against = "against the dictionary's corpus, as the pool is not read yet"
    room = max(width - 24, 16)
    lines = [
        heading("So far"),
        Content(f"  {known.n_items:,} benchmark items read"),
        Content(f"  {known.n_touched:,} of {known.n_concepts:,} concepts touched ({share:.1f} %)"),
        Content(f"  {known.n_missing:,} missing, {known.n_under:,} under, {against}"),
    ]
    if known.gaps:
        lines += [Content(""), heading(f"{'Worst gaps so far':<{room + 6}}have / expected")]
        for label, n_items, expected in known.gaps:
            state = "under" if n_items else "missing"
            lines.append(
                Content.assemble(
                    (f"  {marks.glyph(state):<3} ", marks.style(state)),
                    _padded(label, room),
                    (f"{n_items:>5} / {expected:.0f}", "bold"),
                )
            )
    if known.frequent:
        lines += [Content(""), heading(f"{'Most frequent so far':<{room + 6}}items")]
        most = known.frequent[0][1]
        for label, n_items in known.frequent[:5]:
            bar = marks.bar(n_items / most, 8)
            lines.append(
                Content.assemble(
                    "      ",
                    _padded(label, room),
                    (f"{n_items:>5}  ", "bold"),
                    (bar, "$text-primary"),
                )
            )
    return Content("\n").join(lines)


def _padded(label: str, width: int) -> str:
    shown = display(label, width=width)
    return shown + " " * max(width - cell_width(shown), 0)
