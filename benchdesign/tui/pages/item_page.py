"""Detail pages of one candidate and of one item."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from benchdesign.foundation.text import display, fit
from benchdesign.selection.proposal import GapFilled
from benchdesign.tui.marks import Marks
from benchdesign.tui.pages.page_parts import (
    PagePart,
    decision_lines,
    field_line,
    history_lines,
    join_columns,
    marked_line,
    page_lines,
    pool_item_lines,
    shortened_id,
    without_blank_lines,
)
from benchdesign.tui.rows.concept_states import UNCOUNTED_STATES
from benchdesign.tui.rows.item_rows import ItemRow, answer_key
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.session_data import Candidate, token_evidence
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import evidence_content, literal
from benchdesign.workspace.decisions import Subject, Verdict

__all__ = ["CLOSEST_HEADING", "candidate_page", "item_page"]

CLOSEST_HEADING = "Closest benchmark item"
"""Heading of the last section of a candidate's page."""

_MAX_GAPS_LISTED = 8
"""Maximum number of gaps listed on the page of a candidate."""

_MAX_ITEM_CHARACTERS = 2_400
"""Maximum number of characters of an item shown on its own page."""

_BEFORE_EDIT = "Concepts and evidence refer to the text before the edit."


def candidate_page(
    session: Session,
    candidate: Candidate,
    *,
    part: int,
    marks: Marks,
    closest: bool,
    width: int,
    is_short: bool = False,
    is_blind: bool = False,
) -> Content:
    """Return the page of a candidate: text, key, gaps, checks, decision, closest item.

    Highlight only the `part`-th concept that it fills: a good candidate fills so many that all of
    them together would highlight the whole text. `is_blind` hides the key.
    """
    analysis = session.analysis
    assert analysis is not None
    proposal, item = candidate.proposal, session.item_of(candidate)
    is_add = candidate.subject is Subject.ADD
    gaps = gap_order(session, candidate)
    lit = gaps[part % len(gaps)].concept_id if gaps else None
    is_as_read = item.text == candidate.item.text
    concept_ids = [lit] if lit is not None and is_as_read else []
    tokens = token_evidence(analysis, item, proposal.row, concept_ids, in_pool=is_add)
    origin = f"row {item.row + 1:,}" + (f" · {item.source}" if item.source else "")
    verdict = session.verdict(candidate)
    parts: list[PagePart] = [
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
        evidence_content(item.text, tokens, marks=marks, window=_MAX_ITEM_CHARACTERS),
        "",
    ]
    if item.answer is not None:
        letter = answer_key(item) if item.answer_index is not None else ""
        shown_key = "hidden   B shows it" if is_blind else f"{letter}  {item.answer}".strip()
        parts.append(field_line("key", shown_key))
    standing = session.standing(candidate)
    if standing is not None and standing.edits:
        parts.append(field_line("edited", ", ".join(sorted(standing.edits))))
    if not is_as_read:
        parts.append(literal(_BEFORE_EDIT, "$foreground-muted"))
    if is_add:
        parts += pool_item_lines(session, proposal.row)
    parts += _filled_gap_lines(session, candidate, lit=lit, marks=marks, width=width)
    parts += _check_lines(session, candidate, marks=marks)
    if is_short:
        parts.append(field_line("from", origin))
    if standing is not None:
        parts += decision_lines(standing)
        parts += history_lines(session.log, candidate.subject, item.id)
    if proposal.nearest_row is not None:
        nearest = analysis.benchmark.items[proposal.nearest_row]
        similarity = proposal.nearest_similarity or 0.0
        text = (
            nearest.text
            if closest
            else nearest.text[:300] + (" …" if len(nearest.text) > 300 else "")
        )
        parts += [
            "",
            Content.assemble(
                (CLOSEST_HEADING, "bold $text-accent"),
                literal(
                    f"   {shortened_id(nearest.id, max(width - 45, 12))}"
                    f" · similarity {similarity:.2f}"
                ),
            ),
            literal(text),
        ]
    return page_lines(without_blank_lines(parts) if is_short else parts, width=width)


def gap_order(session: Session, candidate: Candidate) -> list[GapFilled]:
    """Return the gaps a candidate fills: those in focus first, then by gain."""
    return sorted(
        candidate.proposal.gaps, key=lambda gap: gap.concept_id not in session.focus_concepts
    )


def _filled_gap_lines(
    session: Session, candidate: Candidate, *, lit: int | None, marks: Marks, width: int
) -> list[PagePart]:
    analysis = session.analysis
    assert analysis is not None
    is_add = candidate.subject is Subject.ADD
    title = "Adds to" if is_add else "Removes from"
    gaps = gap_order(session, candidate)
    if not gaps:
        nothing = "no gap" if is_add else "no concept: other items show the same"
        return [field_line(title.lower(), nothing, indent=17)]
    hint = "   → highlights the next" if len(gaps) > 1 and not marks.use_ascii else ""
    parts: list[PagePart] = ["", Content.assemble(heading(title), (hint, "$foreground-muted"))]
    added = session.view.added_counts
    accepted = session.verdict(candidate) is Verdict.ACCEPT
    first = (
        max([gap.concept_id for gap in gaps].index(lit) - _MAX_GAPS_LISTED + 1, 0)
        if lit is not None
        else 0
    )
    rows = gaps[first : first + _MAX_GAPS_LISTED]
    label_width = min(
        max(cell_len(analysis.dictionary.label(gap.concept_id)) for gap in rows), width
    )
    label_width = min(label_width, max(width - 28, 12))
    for gap in rows:
        count = int(analysis.gaps.count[gap.concept_id]) + int(added[gap.concept_id])
        before = count - 1 if accepted and is_add else count
        after = before + 1 if is_add else before - 1
        target = session.target(gap.concept_id)
        label = fit(analysis.dictionary.label(gap.concept_id), label_width)
        is_lit = gap.concept_id == lit
        parts.append(
            Content.assemble(
                (marks.glyph("cursor") if is_lit else " ", "bold"),
                (f" {gap.concept_id:05d} ", "$foreground-muted"),
                (label, "bold" if is_lit else ""),
                (f" {before:>4} {marks.arrow} {after} of {target}", "bold"),
                (" enough" if before >= target else "", "$foreground-muted"),
            )
        )
    if candidate.proposal.n_filled > _MAX_GAPS_LISTED:
        parts.append(literal(f"  {candidate.proposal.n_filled} in total", "$foreground-muted"))
    return parts


def _check_lines(session: Session, candidate: Candidate, *, marks: Marks) -> list[PagePart]:
    analysis = session.analysis
    assert analysis is not None
    parts: list[PagePart] = ["", heading("Checks")] if candidate.proposal.checks else []
    for check in candidate.proposal.checks:
        state = "pass" if check.passed else "warn"
        parts.append(marked_line(state, literal(check.message), marks=marks))
    if candidate.proposal.n_similar:
        parts.append(f"    {candidate.proposal.n_similar} similar pool items left out")
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
    """Return the page of an item: text, origin, decision and strongest concepts.

    Highlight only the `part`-th strongest concept; `first` is a concept to list first.
    """
    analysis = session.analysis
    assert analysis is not None
    ids = [int(concept_id) for concept_id in session.shown_concepts(row.row, in_pool=row.in_pool)]
    judged = [
        concept_id
        for concept_id in ids
        if session.view.concept_states[concept_id] not in UNCOUNTED_STATES
    ]
    if first in ids:
        judged.sort(key=lambda concept_id: concept_id != first)
    listed = judged[:_MAX_CONCEPTS_LISTED]
    lit = listed[part % len(listed)] if listed else None
    is_as_read = (
        not row.in_pool
        or analysis.pool is None
        or analysis.pool.items[row.row].text == row.item.text
    )
    concept_ids = [lit] if lit is not None and is_as_read else []
    tokens = token_evidence(analysis, row.item, row.row, concept_ids, in_pool=row.in_pool)
    subject = Subject.ADD if row.in_pool else Subject.REMOVE
    origin = "added from the pool" if row.in_pool else "original"
    title = Content.assemble(
        literal(row.item.id, "bold"),
        literal(f"   {origin}, row {row.item.row + 1:,}", "$foreground-muted"),
    )
    text: list[PagePart] = [
        evidence_content(row.item.text, tokens, marks=marks, window=_MAX_ITEM_CHARACTERS),
        "",
    ]
    if row.item.answer is not None:
        letter = answer_key(row.item) if row.item.answer_index is not None else ""
        text.append(field_line("key", f"{letter}  {row.item.answer}".strip()))
    for name, value in (("category", row.item.category), ("source", row.item.source)):
        if value:
            text.append(field_line(name, value))
    if row.in_pool:
        text += pool_item_lines(session, row.row)
    if not is_as_read:
        text.append(literal(_BEFORE_EDIT, "$foreground-muted"))
    text += [] if row.in_pool else _duplicate_lines(session, row.row)
    standing = session.log.standing(subject, row.item.id)
    if standing is not None:
        text += decision_lines(standing)
        text += history_lines(session.log, subject, row.item.id)
    is_wide = width >= _MIN_TWO_COLUMN_WIDTH
    concepts = _strongest_concept_lines(
        session, listed, lit, n=len(judged), marks=marks, width=width // 2 if is_wide else width
    )
    if not is_wide:
        return page_lines([title, "", *text, "", *concepts], width=width)
    columns = join_columns(text, concepts, width=width, share=0.55)
    return Content("\n").join([title, Content(""), columns])


def _duplicate_lines(session: Session, row: int) -> list[PagePart]:
    """Return the lines about the near duplicate of an item."""
    assert session.loaded is not None
    if row not in session.loaded.duplicate_of_row:
        return []
    other_row, similarity = session.loaded.duplicate_of_row[row]
    other = session.loaded.analysis.benchmark.items[other_row]
    is_out = session.log.verdict(Subject.REMOVE, other.id) is Verdict.ACCEPT
    state = ", dropped" if is_out else ""
    description = f"{shortened_id(other.id, 24)} · similarity {similarity:.2f}{state}"
    return [
        field_line("repeats", description),
        field_line("", display(other.text, width=_DUPLICATE_WIDTH)),
    ]


_DUPLICATE_WIDTH = 240
"""Width in cells of the near duplicate's text."""

_MAX_CONCEPTS_LISTED = 10
_MIN_TWO_COLUMN_WIDTH = 90


def _strongest_concept_lines(
    session: Session, listed: list[int], lit: int | None, *, n: int, marks: Marks, width: int
) -> list[PagePart]:
    analysis = session.analysis
    assert analysis is not None
    hint = "   → highlights the next" if len(listed) > 1 and not marks.use_ascii else ""
    title = heading(f"Strongest of {n} in scope")
    parts: list[PagePart] = [Content.assemble(title, (hint, "$foreground-muted"))]
    for concept_id in listed:
        is_lit = concept_id == lit
        state = session.view.concept_states[concept_id]
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
