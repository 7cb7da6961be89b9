"""The pages about one concept, one candidate, one item: content made from the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textual.content import Content

from benchdesign.decisions import Subject, Verdict
from benchdesign.items import Item
from benchdesign.proposals import GapFilled
from benchdesign.text import cell_width, display
from benchdesign.tui.marks import Marks
from benchdesign.tui.model import Candidate, Session, token_evidence
from benchdesign.tui.rows import ItemRow, answer_key
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import evidence_content, literal

__all__ = ["area_page", "candidate_page", "concept_page", "item_page"]

_EXAMPLES = 6
_FILLED = 8
"""Gaps listed on the page of a candidate."""

_LONGEST = 2_400
"""Characters of an item shown on its own page."""


class _Hung(NamedTuple):
    """A line whose continuations start below its body, not below its head."""

    head: Content
    body: Content

    def lines(self, width: int) -> list[Content]:
        indent = self.head.cell_length
        rest = self.body.wrap(max(width - indent, 12))
        return [Content.assemble(self.head, rest[0])] + [
            Content.assemble(" " * indent, one) for one in rest[1:]
        ]


_Part = Content | str | _Hung


def _lines(parts: Iterable[_Part], *, width: int) -> Content:
    lines: list[Content] = []
    for one in parts:
        if isinstance(one, _Hung):
            lines += one.lines(width)
        else:
            lines.append(Content(one) if isinstance(one, str) else one)
    return Content("\n").join(lines)


def _field(name: str, value: str, *, indent: int = 11) -> _Hung:
    return _Hung(Content.styled(f"{name:<{indent}}", "$foreground-muted"), literal(value))


def _marked(state: str, text: Content, *, marks: Marks) -> _Hung:
    return _Hung(Content.styled(f"  {marks.glyph(state) or ' '} ", marks.style(state)), text)


def _number(value: float, pattern: str = ".1f") -> str:
    return "unknown" if math.isnan(value) else format(value, pattern)


def _q(value: float) -> str:
    if math.isnan(value):
        return "not tested"
    return "q < 0.0001" if value < 0.0001 else f"q {value:.2g}"


def _percent(rate: float) -> str:
    return "unknown" if math.isnan(rate) else f"{100 * rate:.3g} %"


def concept_page(
    session: Session, concept_id: int, *, part: int, marks: Marks, width: int
) -> Content:
    """Return what is known of a concept, with the items that show it most."""
    analysis = session.analysis
    assert analysis is not None
    row = analysis.gaps.row(concept_id)
    table = analysis.dictionary.table
    state = session.concept_states[concept_id]
    source = table.label_source[concept_id] or "none"
    score = float(table.label_score[concept_id])
    trust = "" if math.isnan(score) else f" · picks its contexts with AUC {score:.2f}"
    added = int(session.added_counts[concept_id])
    target = session.target(concept_id)
    area = analysis.areas.name_of(concept_id)
    more = f" + {added} accepted" if added else ""
    by_hand = " by hand" if analysis.gaps.is_wanted(concept_id) else ""
    against = "the pool" if session.loaded and session.loaded.pool_count is not None else "text"
    parts: list[_Part] = [
        Content.assemble((f"{concept_id:05d} ", "$foreground-muted"), literal(row.label, "bold")),
        _state_line(state, row.reason, marks=marks),
        "",
        _field("have", f"{row.count} of {row.n_items:,} items{more}   want {target}{by_hand}"),
        _field("rate", f"{_percent(row.rate)} here, {_percent(row.base_rate)} in {against}"),
        _field(
            "lift",
            f"{_number(row.lift, '+.1f')}  ({_number(row.lift_low, '+.1f')} to "
            f"{_number(row.lift_high, '+.1f')})   {_q(row.q_value)}",
        ),
    ]
    if row.items_needed is not None and state == "untestable":
        parts.append(_field("needs", f"{row.items_needed:,} items before a gap could show"))
    parts.append(_field("label", f"{source}{trust}"))
    parts += _merged_lines(session, concept_id)
    parts.append(_field("level", row.level + (f" · area {area}" if area else "")))
    if analysis.relevance is not None:
        evidence = analysis.relevance.evidence(concept_id, analysis.dictionary)
        where = evidence.overridden or ("in scope" if evidence.in_scope else "out of scope")
        parts.append(_field("scope", f"{evidence.score:.2f} · {where}"))
    parts += [_field(*one) for one in _queue_lines(session, concept_id)]
    said = session.log.standing(Subject.CONCEPT, str(concept_id))
    if said is not None:
        parts += _said(said.verdict, said.reason, said.note, said.who, said.when)
    parts += ["", *_examples(session, concept_id, part=part, marks=marks)]
    return _lines(parts, width=width)


def _state_line(state: str, reason: str | None, *, marks: Marks) -> Content:
    text = f"{marks.glyph(state)} {marks.word(state)}".strip()
    if reason and state == "kept_out":
        text += f": {reason}"
    return literal(text, marks.style(state))


def _merged_lines(session: Session, concept_id: int) -> list[_Hung]:
    assert session.loaded is not None
    label, merged = session.loaded.analysis.dictionary.label, session.loaded.merged
    if concept_id in merged:
        keeper = merged[concept_id]
        return [_field("counted as", f"{keeper:05d} {label(keeper)}   m counts it apart again")]
    names = [f"{one:05d} {label(one)}" for one in session.members(concept_id)]
    heads = ["with", *[""] * len(names)]
    return [_field(head, name) for head, name in zip(heads, names, strict=False)]


def _queue_lines(session: Session, concept_id: int) -> list[tuple[str, str]]:
    loaded = session.loaded
    assert loaded is not None
    lines = []
    if loaded.pool_count is not None:
        n = int(loaded.pool_count[concept_id])
        lines.append(("pool", f"{n:,} items show it" if n else "0 items show it: nothing to add"))
    places = loaded.by_concept.get(concept_id, ())
    if places:
        counts = session.verdict_counts([loaded.candidates[one] for one in places])
        words = {Verdict.OPEN: "open", Verdict.ACCEPT: "accepted", Verdict.REJECT: "rejected"}
        said = ", ".join(f"{counts[one]} {word}" for one, word in words.items() if counts[one])
        lines.append(("candidates", said or f"{len(places)} deferred"))
    return lines


def _said(verdict: Verdict, reason: str, note: str, who: str, when: str) -> list[_Part]:
    by = f" · {who}" if who else ""
    parts: list[_Part] = [
        "",
        _field("decision", f"{verdict.value}{f' ({reason})' if reason else ''}{by} · {when}"),
    ]
    if note:
        parts.append(_field("note", note))
    return parts


def _examples(session: Session, concept_id: int, *, part: int, marks: Marks) -> list[_Part]:
    analysis = session.analysis
    assert analysis is not None
    found: list[tuple[float, Item, int, bool]] = []
    for source, in_pool in ((analysis.benchmark, False), (analysis.pool, True)):
        if source is not None:
            rows = session.top_rows(concept_id, _EXAMPLES, in_pool=in_pool)
            found += [(peak, source.items[row], row, in_pool) for row, peak in rows]
    # The strongest first, wherever it is: of a gap, the benchmark's own items show little.
    shown = [one[1:] for one in sorted(found, key=lambda one: -one[0])]
    if not shown:
        return [
            heading("Evidence"),
            literal("No item here or in the pool shows it.", "$foreground-muted"),
        ]
    first = part % len(shown)
    parts: list[_Part] = []
    for place in range(first, min(first + 2, len(shown))):
        item, row, in_pool = shown[place]
        where = "pool" if in_pool else "benchmark"
        tokens = token_evidence(analysis, item, row, [concept_id], in_pool=in_pool)
        parts += [
            Content.assemble(
                (f"Evidence {place + 1} of {len(shown)}", "bold $text-accent"),
                (f"   {where} · ", "$foreground-muted"),
                literal(item.id, "$foreground-muted"),
            ),
            evidence_content(item.text, tokens, marks=marks),
            "",
        ]
    if len(shown) > 2:
        parts.append(literal("right shows the next, left the one before", "$foreground-muted"))
    return parts


def area_page(
    session: Session, name: str, ids: Sequence[int], *, marks: Marks, width: int
) -> Content:
    """Return what is known of an area and its gaps."""
    analysis, loaded = session.analysis, session.loaded
    assert analysis is not None and loaded is not None
    parts: list[_Part] = [literal(name, "bold"), ""]
    if loaded.area_gaps is not None and name in analysis.areas.names:
        area = analysis.areas.names.index(name)
        parts.append(
            _field(
                "together",
                f"lift {float(loaded.area_gaps.lift[area]):+.1f} over all its concepts, "
                f"{_q(float(loaded.area_gaps.q_value[area]))}",
            )
        )
        parts.append(_field("concepts", f"{len(analysis.areas.members(area)):,}"))
    missing = sum(session.concept_states[one] == "missing" for one in ids)
    parts.append(_field("gaps", f"{len(ids)}: {missing} missing, {len(ids) - missing} under"))
    said = session.log.standing(Subject.AREA, name)
    if said is not None:
        parts += _said(said.verdict, said.reason, said.note, said.who, said.when)
    parts += ["", heading("Its gaps, largest first")]
    for concept_id in ids[:24]:
        row = analysis.gaps.row(concept_id)
        glyph = marks.glyph(session.concept_states[concept_id])
        parts.append(
            Content.assemble(
                (f"{glyph:<3}", marks.style(session.concept_states[concept_id])),
                (f"{row.count:>4} of {session.target(concept_id):<5}", ""),
                literal(row.label),
            )
        )
    if len(ids) > 24:
        parts.append(f"... {len(ids) - 24} more")
    parts += [
        "",
        literal("right opens the area, enter reviews what would fill it", "$foreground-muted"),
    ]
    return _lines(parts, width=width)


def candidate_page(
    session: Session, one: Candidate, *, part: int, marks: Marks, closest: bool, width: int
) -> Content:
    """Return one candidate in full: text, key, what it adds, checks, closest item, decision.

    One concept is lit at a time, the `part`-th of those it fills: a good candidate fills so many
    that all of them together would light the whole text.
    """
    analysis = session.analysis
    assert analysis is not None
    proposal, item = one.proposal, one.item
    is_add = one.subject is Subject.ADD
    shown = gap_order(session, one)
    lit = shown[part % len(shown)].concept_id if shown else None
    ids = [] if lit is None else [lit]
    tokens = token_evidence(analysis, item, proposal.row, ids, in_pool=is_add)
    origin = f"row {item.row + 1:,}" + (f" · {item.source}" if item.source else "")
    verdict = session.verdict(one)
    parts: list[_Part] = [
        Content.assemble(
            (
                f"{marks.glyph(verdict.value)} {marks.word(verdict.value)}",
                marks.style(verdict.value),
            ),
            "   ",
            literal(item.id, "bold"),
            literal(f"   {origin}", "$foreground-muted"),
        ),
        "",
        evidence_content(item.text, tokens, marks=marks, window=_LONGEST),
        "",
    ]
    if item.answer is not None:
        letter = answer_key(item) if item.answer_index is not None else ""
        parts.append(_field("key", f"{letter}  {item.answer}".strip()))
    edited = session.standing(one)
    if edited is not None and edited.edits:
        parts.append(_field("edited", ", ".join(sorted(edited.edits))))
    parts += _adds(session, one, lit=lit, marks=marks, width=width)
    parts += _checks(session, one, marks=marks)
    if edited is not None and (edited.note or edited.reason or edited.verdict is not Verdict.OPEN):
        parts += _said(edited.verdict, edited.reason, edited.note, edited.who, edited.when)
    if proposal.nearest_row is not None:
        near = analysis.benchmark.items[proposal.nearest_row]
        text = near.text if closest else near.text[:300] + (" …" if len(near.text) > 300 else "")
        parts += [
            "",
            Content.assemble(
                ("Closest item of the benchmark", "bold $text-accent"),
                literal(f"   {near.id} · similarity {proposal.nearest_similarity or 0:.2f}"),
            ),
            literal(text),
        ]
    return _lines(parts, width=width)


def gap_order(session: Session, one: Candidate) -> list[GapFilled]:
    """Return what a candidate fills, the gaps in focus first, else as much as each gains."""
    return sorted(one.proposal.gaps, key=lambda gap: gap.concept_id not in session.focus_concepts)


def _adds(
    session: Session, one: Candidate, *, lit: int | None, marks: Marks, width: int
) -> list[_Part]:
    analysis = session.analysis
    assert analysis is not None
    is_add = one.subject is Subject.ADD
    title = "Adds to" if is_add else "Would take from"
    shown = gap_order(session, one)
    if not shown:
        nothing = "no gap" if is_add else "no concept: it repeats others"
        return [_field(title.lower(), nothing, indent=17)]
    turn = "   → lights the next" if len(shown) > 1 and not marks.use_ascii else ""
    parts: list[_Part] = ["", Content.assemble(heading(title), (turn, "$foreground-muted"))]
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
    if len(shown) > _FILLED:
        parts.append(literal(f"  {len(shown)} in all", "$foreground-muted"))
    return parts


def _checks(session: Session, one: Candidate, *, marks: Marks) -> list[_Part]:
    analysis = session.analysis
    assert analysis is not None
    parts: list[_Part] = ["", heading("Checks")] if one.proposal.checks else []
    for check in one.proposal.checks:
        state = "pass" if check.passed else "warn"
        parts.append(_marked(state, literal(check.message), marks=marks))
    if one.proposal.n_similar:
        parts.append(f"    {one.proposal.n_similar} more of the pool say the same, left out")
    return parts


def item_page(session: Session, row: ItemRow, *, marks: Marks, width: int) -> Content:
    """Return one item with its strongest concepts and where it comes from."""
    analysis = session.analysis
    assert analysis is not None
    ids = [int(one) for one in session.shown_concepts(row.row, in_pool=row.in_pool)]
    judged = [one for one in ids if session.concept_states[one] not in ("kept_out", "ignored")]
    tokens = token_evidence(analysis, row.item, row.row, judged[:1], in_pool=row.in_pool)
    subject = Subject.ADD if row.in_pool else Subject.REMOVE
    origin = "added from the pool" if row.in_pool else "original"
    parts: list[_Part] = [
        Content.assemble(
            literal(row.item.id, "bold"),
            literal(f"   {origin}, row {row.item.row + 1:,}", "$foreground-muted"),
        ),
        "",
        evidence_content(row.item.text, tokens, marks=marks, window=_LONGEST),
        "",
    ]
    if row.item.answer is not None:
        letter = answer_key(row.item) if row.item.answer_index is not None else ""
        parts.append(_field("key", f"{letter}  {row.item.answer}".strip()))
    for name, value in (("category", row.item.category), ("source", row.item.source)):
        if value:
            parts.append(_field(name, value))
    parts += ["", heading(f"Strongest concepts (of {len(judged)})")]
    for concept_id in judged[:10]:
        parts.append(
            Content.assemble(
                (f"  {concept_id:05d} ", "$foreground-muted"),
                literal(analysis.dictionary.label(concept_id)),
            )
        )
    said = session.log.standing(subject, row.item.id)
    if said is not None:
        parts += _said(said.verdict, said.reason, said.note, said.who, said.when)
    return _lines(parts, width=width)
