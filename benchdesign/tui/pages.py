"""The pages about one concept, one candidate, one item: content made from the model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.content import Content

from benchdesign.decisions import Subject, Verdict
from benchdesign.items import Item
from benchdesign.tui.marks import Marks
from benchdesign.tui.model import Candidate, Session, token_evidence
from benchdesign.tui.rows import ItemRow, answer_key
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import evidence_content, literal

__all__ = ["area_page", "candidate_page", "concept_page", "item_page"]

_EXAMPLES = 6
_LONGEST = 2_400
"""Characters of an item shown on its own page."""


def _lines(*parts: Content | str) -> Content:
    return Content("\n").join(Content(one) if isinstance(one, str) else one for one in parts)


def _field(name: str, value: Content | str, *, width: int = 11) -> Content:
    text = literal(value) if isinstance(value, str) else value
    return Content.assemble((f"{name:<{width}}", "$foreground-muted"), text)


def _number(value: float, pattern: str = ".1f") -> str:
    return "unknown" if math.isnan(value) else format(value, pattern)


def _q(value: float) -> str:
    if math.isnan(value):
        return "not tested"
    return "q < 0.0001" if value < 0.0001 else f"q {value:.2g}"


def _percent(rate: float) -> str:
    return "unknown" if math.isnan(rate) else f"{100 * rate:.3g} %"


def concept_page(session: Session, concept_id: int, *, part: int, marks: Marks) -> Content:
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
    against = "the pool" if session.loaded and session.loaded.pool_count is not None else "text"
    parts: list[Content | str] = [
        Content.assemble((f"{concept_id:05d} ", "$foreground-muted"), literal(row.label, "bold")),
        _state_line(state, row.reason, marks=marks),
        "",
        _field("have", f"{row.count} of {row.n_items:,} items{more}   want {target}"),
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
    return _lines(*parts)


def _state_line(state: str, reason: str | None, *, marks: Marks) -> Content:
    text = f"{marks.glyph(state)} {marks.word(state)}".strip()
    if reason and state == "kept_out":
        text += f": {reason}"
    return literal(text, marks.style(state))


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
        lines.append(
            (
                "candidates",
                f"{len(places)}: {counts[Verdict.ACCEPT]} accepted, "
                f"{counts[Verdict.REJECT]} rejected, {counts[Verdict.OPEN]} open",
            )
        )
    return lines


def _said(verdict: Verdict, reason: str, note: str, who: str, when: str) -> list[Content | str]:
    by = f" · {who}" if who else ""
    parts: list[Content | str] = [
        "",
        _field("decision", f"{verdict.value}{f' ({reason})' if reason else ''}{by} · {when}"),
    ]
    if note:
        parts.append(_field("note", note))
    return parts


def _examples(session: Session, concept_id: int, *, part: int, marks: Marks) -> list[Content | str]:
    analysis = session.analysis
    assert analysis is not None
    shown: list[tuple[Item, int, bool]] = [
        (analysis.benchmark.items[row], row, False)
        for row in session.top_rows(concept_id, _EXAMPLES, in_pool=False)
    ]
    if analysis.pool is not None:
        shown += [
            (analysis.pool.items[row], row, True)
            for row in session.top_rows(concept_id, _EXAMPLES, in_pool=True)
        ]
    if not shown:
        return [
            heading("Evidence"),
            literal("No item here or in the pool shows it.", "$foreground-muted"),
        ]
    first = part % len(shown)
    parts: list[Content | str] = []
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


def area_page(session: Session, name: str, ids: Sequence[int], *, marks: Marks) -> Content:
    """Return what is known of an area and its gaps."""
    analysis, loaded = session.analysis, session.loaded
    assert analysis is not None and loaded is not None
    parts: list[Content | str] = [literal(name, "bold"), ""]
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
    return _lines(*parts)


def candidate_page(session: Session, one: Candidate, *, marks: Marks, closest: bool) -> Content:
    """Return one candidate in full: text, key, what it adds, checks, closest item, decision."""
    analysis = session.analysis
    assert analysis is not None
    proposal, item = one.proposal, one.item
    is_add = one.subject is Subject.ADD
    ids = [gap.concept_id for gap in proposal.gaps]
    # Coming from one gap, only what shows that gap is lit.
    ids = [one for one in ids if one in session.focus_concepts] or ids
    tokens = token_evidence(analysis, item, proposal.row, ids, in_pool=is_add)
    origin = f"row {item.row + 1:,}" + (f" · {item.source}" if item.source else "")
    verdict = session.verdict(one)
    parts: list[Content | str] = [
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
    parts += _adds(session, one, marks=marks)
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
    return _lines(*parts)


def _adds(session: Session, one: Candidate, *, marks: Marks) -> list[Content | str]:
    analysis = session.analysis
    assert analysis is not None
    title = "Adds to" if one.subject is Subject.ADD else "Would take from"
    if not one.proposal.gaps:
        nothing = "no gap" if one.subject is Subject.ADD else "no concept: it repeats others"
        return [_field(title.lower(), nothing, width=17)]
    parts: list[Content | str] = [heading(title)]
    added = session.added_counts
    accepted = session.verdict(one) is Verdict.ACCEPT
    for gap in one.proposal.gaps[:8]:
        have = int(analysis.gaps.count[gap.concept_id]) + int(added[gap.concept_id])
        before = have - 1 if accepted and one.subject is Subject.ADD else have
        after = before + 1 if one.subject is Subject.ADD else before - 1
        target = session.target(gap.concept_id)
        enough = before >= target
        parts.append(
            Content.assemble(
                (f"  {marks.glyph('open' if enough else 'pass')} ", marks.style("pass")),
                (f"{gap.concept_id:05d} ", "$foreground-muted"),
                literal(analysis.dictionary.label(gap.concept_id)),
                (f"   {before} {marks.arrow} {after} of {target}", "bold"),
                (" (enough)" if enough else "", "$foreground-muted"),
            )
        )
    if len(one.proposal.gaps) > 8:
        parts.append(f"    ... {len(one.proposal.gaps) - 8} more")
    return parts


def _checks(session: Session, one: Candidate, *, marks: Marks) -> list[Content | str]:
    analysis = session.analysis
    assert analysis is not None
    parts: list[Content | str] = [heading("Checks")] if one.proposal.checks else []
    for check in one.proposal.checks:
        state = "pass" if check.passed else "warn"
        parts.append(
            Content.assemble(
                (f"  {marks.glyph(state)} ", marks.style(state)), literal(check.message)
            )
        )
    if one.proposal.n_similar:
        parts.append(f"    {one.proposal.n_similar} more of the pool say the same, left out")
    return parts


def item_page(session: Session, row: ItemRow, *, marks: Marks) -> Content:
    """Return one item with its strongest concepts and where it comes from."""
    analysis = session.analysis
    assert analysis is not None
    ids = [int(one) for one in session.shown_concepts(row.row, in_pool=row.in_pool)]
    judged = [one for one in ids if session.concept_states[one] not in ("kept_out", "ignored")]
    tokens = token_evidence(analysis, row.item, row.row, judged[:1], in_pool=row.in_pool)
    subject = Subject.ADD if row.in_pool else Subject.REMOVE
    origin = "added from the pool" if row.in_pool else "original"
    parts: list[Content | str] = [
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
    return _lines(*parts)
