"""Detail pages of one group of similar items, and of all groups."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from benchdesign.benchmarks.items import Item
from benchdesign.coverage.groups.gap_group import ConceptShare, GapGroup, GapGroups, GroupStatus
from benchdesign.coverage.groups.verdict import (
    power_sentence,
    reference_sentence,
    verdict_sentence,
)
from benchdesign.foundation.number_words import chance, percent, plural
from benchdesign.foundation.text import display, fit
from benchdesign.tui.marks import Marks
from benchdesign.tui.pages.page_parts import (
    HangingLine,
    PagePart,
    decision_lines,
    field_line,
    page_lines,
    queue_text,
    shortened_id,
    without_blank_lines,
)
from benchdesign.tui.rows.group_rows import group_state, judgement_of
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import literal
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.group_judgement import N_JUDGED_ITEMS

__all__ = ["group_page", "groups_page", "judgement_text", "sentence_lines"]

_MUTED = "$foreground-muted"
_MAX_CONCEPTS = 6
_MAX_WORDS = 10
_ITEMS_PER_PAGE = 3
_ITEM_CELLS = 240
"""Cells of an item's text that the page of a group shows."""


def sentence_lines(groups: GapGroups, *, marks: Marks) -> list[Content]:
    """Return the verdict, what could have been seen, the reference, and the warnings."""
    is_unknown = groups.could_not_tell is not None
    glyph = f"{marks.glyph('could_not_tell')} " if is_unknown else ""
    style = marks.style("could_not_tell") if is_unknown else "bold"
    lines = [Content.styled(glyph + display(verdict_sentence(groups)), style)]
    known = (power_sentence(groups), reference_sentence(groups))
    text = " ".join(sentence for sentence in known if sentence)
    if text and not is_unknown:
        lines.append(Content.styled(display(text), _MUTED))
    warning = f"{marks.glyph('warn')} "
    lines += [
        Content.styled(warning + display(text), marks.style("warn")) for text in groups.warnings
    ]
    return lines


def groups_page(groups: GapGroups, *, marks: Marks, width: int) -> Content:
    """Return the page about all groups: the verdict, and how to read the list."""
    parts: list[PagePart] = []
    for line in sentence_lines(groups, marks=marks):
        parts += [line, ""]
    text = (
        "BY CHANCE counts the runs, with items drawn from the reference, in which any group "
        "deviates as far. REL is the mean relevance of a group's pool items, 0 to 1. "
        "A group is lacking for certain where chance rarely explains it; a suspicion may be "
        "nothing."
    )
    parts += [
        heading("How to read the groups"),
        literal(text),
        "",
        literal("+ says that a group is meant, - that it is not; R searches again.", _MUTED),
    ]
    return page_lines(parts, width=width)


def group_page(
    session: Session,
    group: GapGroup,
    *,
    part: int,
    marks: Marks,
    width: int,
    is_short: bool = False,
) -> Content:
    """Return the page of a group: its numbers, what sets it apart, and typical items.

    The `part`-th page of evidence shows other pool items of the group.
    """
    analysis = session.analysis
    assert analysis is not None and analysis.groups is not None
    parts: list[PagePart] = [
        Content.styled(display(group.name), "bold"),
        _state_line(session, analysis.groups, group, marks=marks),
        "",
        literal(_sentence(analysis.groups, group)),
        "",
        *_number_lines(session, group),
        *_family_lines(analysis.groups, group),
        *_concept_lines(group.concepts, marks=marks, width=width),
    ]
    if group.words:
        words = ", ".join(display(word) for word in group.words[:_MAX_WORDS])
        parts += ["", field_line("words", words)]
    if analysis.pool is not None:
        parts += _pool_item_lines(group, analysis.pool.items, part=part, width=width)
    if group.nearest_own:
        items = [analysis.benchmark.items[row] for row in group.nearest_own]
        parts += ["", heading("Nearest items of the benchmark")]
        parts += _item_lines(items, width=width)
    standing = session.log.standing(Subject.GROUP, group.id)
    if standing is not None:
        parts += decision_lines(standing)
    parts += ["", literal("enter reviews its candidates, + meant, - not meant", _MUTED)]
    return page_lines(without_blank_lines(parts) if is_short else parts, width=width)


def _state_line(session: Session, groups: GapGroups, group: GapGroup, *, marks: Marks) -> Content:
    state, judged = group_state(groups, group), judgement_of(session, group)
    parts = [(f"{marks.glyph(state)} {marks.word(state)}".strip(), marks.style(state))]
    if judged:
        parts += [("   ", ""), (f"{marks.glyph(judged)} {judged}", marks.style(judged))]
    return Content.assemble(*parts)


def _sentence(groups: GapGroups, group: GapGroup) -> str:
    """Return what was found in one line of plain words."""
    if group_state(groups, group) == "out_of_scope":
        n_items = plural(len(group.pool_rows), "pool item")
        return f"{n_items}, relevance {group.relevance:.2f}: unlike this benchmark, so not judged."
    odds = f"by chance in {chance(group.p_value)} runs"
    text = (
        f"{group.count:,} of {group.expected:,.0f} expected; "
        f"{percent(group.share, 1)} of the reference; {odds}."
    )
    return f"{text} Perhaps nothing is lacking." if group.status is GroupStatus.SUSPECTED else text


def _number_lines(session: Session, group: GapGroup) -> list[PagePart]:
    loaded = session.loaded
    assert loaded is not None
    count = session.view.group_count(group)
    changes = f" + {count.n_added:,} accepted" if count.n_added else ""
    changes += f" - {count.n_removed:,} dropped" if count.n_removed else ""
    more = f"{count.n_wanted:,} more reach {count.expected:,.1f}"
    lines: list[PagePart] = [
        field_line("have", f"{count.before:,}{changes}   {more}"),
        field_line("relevance", f"{group.relevance:.2f}, mean of its pool items"),
        field_line("pool", plural(len(group.pool_rows), "item")),
    ]
    positions = loaded.by_group.get(group.id, ())
    if not positions:
        return [*lines, field_line("candidates", "none proposed")]
    return [*lines, field_line("candidates", queue_text(session, positions))]


def _family_lines(groups: GapGroups, group: GapGroup) -> list[PagePart]:
    lines: list[PagePart] = []
    whole = None if group.parent is None else groups.find(group.parent)
    if whole is not None:
        lines.append(field_line("part of", display(whole.name)))
    for position, part in enumerate(groups.parts_of(group)):
        text = f"{display(part.name)} ({part.count:,} of {part.expected:,.0f})"
        lines.append(field_line("" if position else "parts", text))
    return lines


def _concept_lines(concepts: Sequence[ConceptShare], *, marks: Marks, width: int) -> list[PagePart]:
    """Return the concepts that set the group apart, with a bar inside and one outside."""
    if not concepts:
        return []
    bar = 8 if width < 60 else 12
    label_width = max(width - 2 * (bar + 6) - 2, 12)
    title = f"{'Sets it apart':<{label_width + 2}}{'inside':<{bar + 6}}outside"
    lines: list[PagePart] = ["", heading(title)]
    for concept in concepts[:_MAX_CONCEPTS]:
        lines.append(
            Content.assemble(
                f"{fit(concept.label, label_width)}  ",
                (marks.bar(concept.share_in, bar), "$text-primary"),
                f" {percent(concept.share_in):>4} ",
                (marks.bar(concept.share_out, bar), _MUTED),
                f" {percent(concept.share_out):>4}",
            )
        )
    return lines


def _pool_item_lines(
    group: GapGroup, pool: Sequence[Item], *, part: int, width: int
) -> list[PagePart]:
    """Return typical items of the pool; later pages hold the rest of the group."""
    typical = set(group.typical)
    rows = [*group.typical, *(row for row in group.pool_rows if row not in typical)]
    if not rows:
        return []
    n_pages = -(-len(rows) // _ITEMS_PER_PAGE)
    page = part % n_pages
    first = page * _ITEMS_PER_PAGE
    shown = rows[first : first + _ITEMS_PER_PAGE]
    title = f"Pool items {first + 1}-{first + len(shown)} of {len(rows):,}"
    hint = "   right shows more" if n_pages > 1 else ""
    lines: list[PagePart] = ["", Content.assemble(heading(title), (hint, _MUTED))]
    return [*lines, *_item_lines([pool[row] for row in shown], width=width)]


def _item_lines(items: Sequence[Item], *, width: int) -> list[PagePart]:
    lines: list[PagePart] = []
    for item in items:
        text = display(item.prompt or item.text, width=_ITEM_CELLS, newline=" ")
        name = shortened_id(item.id, min(14, width // 4))
        lines.append(HangingLine(Content.styled(f"{name}  ", _MUTED), Content(text)))
    return lines


def judgement_text(group: GapGroup, verdict: Verdict, *, width: int) -> str:
    """Return what a judgement covers, before anything is computed again."""
    n, n_all = min(len(group.pool_rows), N_JUDGED_ITEMS), len(group.pool_rows)
    name = display(group.name, width=width)
    if verdict is Verdict.OPEN:
        return f"{name} is no longer judged"
    return f"{name} {verdict.value}: {n} of {n_all:,} pool items judged"
