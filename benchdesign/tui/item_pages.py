"""The pages about one candidate and one item: content made from the model."""

from __future__ import annotations

from textual.content import Content

from benchdesign.decisions import Subject, Verdict
from benchdesign.proposals import GapFilled
from benchdesign.text import cell_width, display
from benchdesign.tui.item_rows import ItemRow, answer_key
from benchdesign.tui.marks import Marks
from benchdesign.tui.model import Candidate, Session, token_evidence
from benchdesign.tui.page_parts import (
    Part,
    beside,
    close_up,
    field_line,
    history_lines,
    id_end,
    marked_line,
    page_lines,
    said_lines,
)
from benchdesign.tui.rows import OUT
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import evidence_content, literal

__all__ = ["CLOSEST", "candidate_page", "item_page"]

CLOSEST = "Closest benchmark item"
"""Head of the last part of a candidate's page."""

_FILLED = 8
"""Gaps listed on the page of a candidate."""

_LONGEST = 2_400
"""Characters of an item shown on its own page."""

_BEFORE_EDIT = "Its concepts and evidence are of the text before the edit."


def candidate_page(
    session: Session,
    one: Candidate,
    *,
    part: int,
    marks: Marks,
    closest: bool,
    width: int,
    is_short: bool = False,
    is_blind: bool = False,
) -> Content:
    """Return one candidate in full: text, key, what it adds, checks, closest item, decision.

    One concept is lit at a time, the `part`-th of those it fills: a good candidate fills so many
    that all of them together would light the whole text. `is_blind` hides the key.
    """
    analysis = session.analysis
    assert analysis is not None
    proposal, item = one.proposal, session.item_of(one)
    is_add = one.subject is Subject.ADD
    shown = gap_order(session, one)
    lit = shown[part % len(shown)].concept_id if shown else None
    is_as_read = item.text == one.item.text
    wanted = [lit] if lit is not None and is_as_read else []
    tokens = token_evidence(analysis, item, proposal.row, wanted, in_pool=is_add)
    origin = f"row {item.row + 1:,}" + (f" · {item.source}" if item.source else "")
    verdict = session.verdict(one)
    parts: list[Part] = [
        Content.assemble(
            (
                f"{marks.glyph(verdict.value)} {marks.word(verdict.value)}",
                marks.style(verdict.value),
            ),
            "   ",
            literal(item.id, "bold"),
            literal("" if is_short else f"   {origin}", "$foreground-muted"),
        ),
        "",
        evidence_content(item.text, tokens, marks=marks, window=_LONGEST),
        "",
    ]
    if item.answer is not None:
        letter = answer_key(item) if item.answer_index is not None else ""
        shown_key = "hidden   B shows it" if is_blind else f"{letter}  {item.answer}".strip()
        parts.append(field_line("key", shown_key))
    edited = session.standing(one)
    if edited is not None and edited.edits:
        parts.append(field_line("edited", ", ".join(sorted(edited.edits))))
    if not is_as_read:
        parts.append(literal(_BEFORE_EDIT, "$foreground-muted"))
    parts += _adds(session, one, lit=lit, marks=marks, width=width)
    parts += _checks(session, one, marks=marks)
    if is_short:
        parts.append(field_line("from", origin))
    if edited is not None:
        parts += said_lines(edited)
        parts += history_lines(session.log, one.subject, item.id)
    if proposal.nearest_row is not None:
        near = analysis.benchmark.items[proposal.nearest_row]
        similarity = proposal.nearest_similarity or 0.0
        text = near.text if closest else near.text[:300] + (" …" if len(near.text) > 300 else "")
        parts += [
            "",
            Content.assemble(
                (CLOSEST, "bold $text-accent"),
                literal(f"   {id_end(near.id, max(width - 45, 12))} · similarity {similarity:.2f}"),
            ),
            literal(text),
        ]
    return page_lines(close_up(parts) if is_short else parts, width=width)


def gap_order(session: Session, one: Candidate) -> list[GapFilled]:
    """Return what a candidate fills, the gaps in focus first, else as much as each gains."""
    return sorted(one.proposal.gaps, key=lambda gap: gap.concept_id not in session.focus_concepts)


def _adds(
    session: Session, one: Candidate, *, lit: int | None, marks: Marks, width: int
) -> list[Part]:
    analysis = session.analysis
    assert analysis is not None
    is_add = one.subject is Subject.ADD
    title = "Adds to" if is_add else "Would take from"
    shown = gap_order(session, one)
    if not shown:
        nothing = "no gap" if is_add else "no concept: it repeats others"
        return [field_line(title.lower(), nothing, indent=17)]
    turn = "   → lights the next" if len(shown) > 1 and not marks.use_ascii else ""
    parts: list[Part] = ["", Content.assemble(heading(title), (turn, "$foreground-muted"))]
    added = session.added_counts
    accepted = session.verdict(one) is Verdict.ACCEPT
    first = (
        max([gap.concept_id for gap in shown].index(lit) - _FILLED + 1, 0) if lit is not None else 0
    )
    rows = shown[first : first + _FILLED]
    room = min(max(cell_width(analysis.dictionary.label(gap.concept_id)) for gap in rows), width)
    room = min(room, max(width - 28, 12))
    for gap in rows:
        have = int(analysis.gaps.count[gap.concept_id]) + int(added[gap.concept_id])
        before = have - 1 if accepted and is_add else have
        after = before + 1 if is_add else before - 1
        target = session.target(gap.concept_id)
        label = display(analysis.dictionary.label(gap.concept_id), width=room)
        is_lit = gap.concept_id == lit
        parts.append(
            Content.assemble(
                (marks.glyph("cursor") if is_lit else " ", "bold"),
                (f" {gap.concept_id:05d} ", "$foreground-muted"),
                (label + " " * (room - cell_width(label)), "bold" if is_lit else ""),
                (f" {before:>4} {marks.arrow} {after} of {target}", "bold"),
                (" enough" if before >= target else "", "$foreground-muted"),
            )
        )
    if one.proposal.n_filled > _FILLED:
        parts.append(literal(f"  {one.proposal.n_filled} in all", "$foreground-muted"))
    return parts


def _checks(session: Session, one: Candidate, *, marks: Marks) -> list[Part]:
    analysis = session.analysis
    assert analysis is not None
    parts: list[Part] = ["", heading("Checks")] if one.proposal.checks else []
    for check in one.proposal.checks:
        state = "pass" if check.passed else "warn"
        parts.append(marked_line(state, literal(check.message), marks=marks))
    if one.proposal.n_similar:
        parts.append(f"    {one.proposal.n_similar} more of the pool say the same, left out")
    return parts


def item_page(
    session: Session,
    row: ItemRow,
    *,
    part: int,
    marks: Marks,
    width: int,
    first: int | None = None,
) -> Content:
    """Return one item with its strongest concepts and where it comes from.

    One concept is lit at a time, the `part`-th strongest; `first` is a concept that was asked for.
    """
    analysis = session.analysis
    assert analysis is not None
    ids = [int(one) for one in session.shown_concepts(row.row, in_pool=row.in_pool)]
    judged = [one for one in ids if session.concept_states[one] not in OUT]
    if first in ids:
        judged.sort(key=lambda one: one != first)
    listed = judged[:_LISTED]
    lit = listed[part % len(listed)] if listed else None
    is_as_read = (
        not row.in_pool
        or analysis.pool is None
        or analysis.pool.items[row.row].text == row.item.text
    )
    wanted = [lit] if lit is not None and is_as_read else []
    tokens = token_evidence(analysis, row.item, row.row, wanted, in_pool=row.in_pool)
    subject = Subject.ADD if row.in_pool else Subject.REMOVE
    origin = "added from the pool" if row.in_pool else "original"
    title = Content.assemble(
        literal(row.item.id, "bold"),
        literal(f"   {origin}, row {row.item.row + 1:,}", "$foreground-muted"),
    )
    text: list[Part] = [evidence_content(row.item.text, tokens, marks=marks, window=_LONGEST), ""]
    if row.item.answer is not None:
        letter = answer_key(row.item) if row.item.answer_index is not None else ""
        text.append(field_line("key", f"{letter}  {row.item.answer}".strip()))
    for name, value in (("category", row.item.category), ("source", row.item.source)):
        if value:
            text.append(field_line(name, value))
    if not is_as_read:
        text.append(literal(_BEFORE_EDIT, "$foreground-muted"))
    text += [] if row.in_pool else _repeats(session, row.row)
    said = session.log.standing(subject, row.item.id)
    if said is not None:
        text += said_lines(said)
        text += history_lines(session.log, subject, row.item.id)
    is_wide = width >= _WIDE
    concepts = _strongest(
        session, listed, lit, n=len(judged), marks=marks, width=width // 2 if is_wide else width
    )
    if not is_wide:
        return page_lines([title, "", *text, "", *concepts], width=width)
    columns = beside(text, concepts, width=width, share=0.55)
    return Content("\n").join([title, Content(""), columns])


def _repeats(session: Session, row: int) -> list[Part]:
    """Show the other item of a near-duplicate pair."""
    assert session.loaded is not None
    if row not in session.loaded.repeats:
        return []
    place, similarity = session.loaded.repeats[row]
    other = session.loaded.analysis.benchmark.items[place]
    is_out = session.log.verdict(Subject.REMOVE, other.id) is Verdict.ACCEPT
    state = ", left out" if is_out else ""
    said = f"{id_end(other.id, 24)} · similarity {similarity:.2f}{state}"
    return [field_line("repeats", said), field_line("", display(other.text, width=_REPEATED))]


_REPEATED = 240
"""Cells shown of an item that is repeated."""

_LISTED = 10
_WIDE = 90


def _strongest(
    session: Session, listed: list[int], lit: int | None, *, n: int, marks: Marks, width: int
) -> list[Part]:
    analysis = session.analysis
    assert analysis is not None
    turn = "   → lights the next" if len(listed) > 1 and not marks.use_ascii else ""
    title = heading(f"Strongest of {n} in scope")
    parts: list[Part] = [Content.assemble(title, (turn, "$foreground-muted"))]
    for concept_id in listed:
        is_lit = concept_id == lit
        state = session.concept_states[concept_id]
        word = marks.word(state) if marks.glyph(state) else ""
        label = display(analysis.dictionary.label(concept_id), width=max(width - 24, 12))
        parts.append(
            Content.assemble(
                (marks.glyph("cursor") if is_lit else " ", "bold"),
                (f" {concept_id:05d} ", "$foreground-muted"),
                (label, "bold" if is_lit else ""),
                (f"  {marks.glyph(state)} {word}".rstrip(), marks.style(state)),
            )
        )
    return parts
