"""Detail pages of one concept and of one area."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.content import Content

from benchdesign.benchmarks.items import Item
from benchdesign.foundation.number_words import percent, rate_percent, signed
from benchdesign.foundation.text import display
from benchdesign.tui.marks import Marks
from benchdesign.tui.pages.neighbours import closest_row, neighbours
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
from benchdesign.tui.rows.concept_states import is_gap_state
from benchdesign.tui.session.session import Session
from benchdesign.tui.session.session_data import token_evidence
from benchdesign.tui.widgets.detail import heading
from benchdesign.tui.widgets.evidence import evidence_content, literal
from benchdesign.workspace.decisions import Subject

__all__ = ["area_page", "concept_page"]

_EXAMPLES = 6
_NEIGHBOURS = 2


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else signed(value)


def _q_text(value: float) -> str:
    if math.isnan(value):
        return "not tested"
    return "q < 0.0001" if value < 0.0001 else f"q {value:.2g}"


def concept_page(
    session: Session,
    concept_id: int,
    *,
    part: int,
    marks: Marks,
    width: int,
    is_short: bool = False,
) -> Content:
    """Return the page of a concept, with the items that show it most strongly."""
    analysis = session.analysis
    assert analysis is not None
    row = analysis.gaps.row(concept_id)
    table = analysis.dictionary.table
    state = session.view.concept_states[concept_id]
    source = table.label_source[concept_id] or "none"
    score = float(table.label_score[concept_id])
    trust = (
        " · label fit not measured"
        if math.isnan(score)
        else f" · label fit {score:.2f} (chance 0.50)"
    )
    if table.label[concept_id] is None:
        trust = ""
    added = int(session.view.added_counts[concept_id])
    target = session.target(concept_id)
    area = analysis.areas.name_of(concept_id)
    more = f" + {added} accepted" if added else " items"
    by_hand = " (manual)" if analysis.gaps.has_target_by_hand(concept_id) else ""
    against = "the pool" if session.loaded and session.loaded.pool_count is not None else "text"
    parts: list[PagePart] = [
        Content.assemble((f"{concept_id:05d} ", "$foreground-muted"), literal(row.label, "bold")),
        _state_line(state, row.reason, marks=marks),
        "",
        field_line("have", f"{row.count} of {row.n_items:,}{more}   want {target}{by_hand}"),
        field_line(
            "rate",
            f"{rate_percent(row.rate)} here, {rate_percent(row.base_rate)} in {against} "
            "at these lengths",
        ),
        field_line(
            "lift",
            f"{_number(row.lift)}  ({_number(row.lift_low)} to {_number(row.lift_high)})   "
            f"{_q_text(row.q_value)}",
        ),
    ]
    if row.items_needed is not None and state == "untestable":
        parts.append(field_line("needs", f"{row.items_needed:,} items to detect a gap"))
    parts.append(field_line("label", f"{source}{trust}"))
    parts += _merged_lines(session, concept_id)
    parts.append(field_line("level", row.level + (f" · area {area}" if area else "")))
    if analysis.relevance is not None:
        evidence = analysis.relevance.evidence(concept_id, analysis.dictionary)
        scope = evidence.overridden or ("in scope" if evidence.in_scope else "out of scope")
        parts.append(field_line("scope", f"{evidence.score:.2f} · {scope}"))
    parts += [field_line(*field) for field in _queue_lines(session, concept_id)]
    parts += _nearby_lines(session, concept_id, width=width)
    standing = session.log.standing(Subject.CONCEPT, str(concept_id))
    if standing is not None:
        parts += decision_lines(standing)
    parts += ["", *_examples(session, concept_id, part=part, marks=marks, width=width)]
    return page_lines(without_blank_lines(parts) if is_short else parts, width=width)


def _state_line(state: str, reason: str | None, *, marks: Marks) -> Content:
    text = f"{marks.glyph(state)} {marks.word(state)}".strip()
    if reason and state == "kept_out":
        text += f": {reason}"
    return literal(text, marks.style(state))


def _merged_lines(session: Session, concept_id: int) -> list[HangingLine]:
    assert session.loaded is not None
    label, merged = session.loaded.analysis.dictionary.label, session.loaded.merged
    if concept_id in merged:
        keeper = merged[concept_id]
        return [field_line("counted as", f"{keeper:05d} {label(keeper)}   m separates them again")]
    names = [f"{member:05d} {label(member)}" for member in session.members(concept_id)]
    heads = ["includes", *[""] * len(names)]
    return [field_line(head, name) for head, name in zip(heads, names, strict=False)]


def _nearby_lines(session: Session, concept_id: int, *, width: int) -> list[PagePart]:
    analysis = session.analysis
    assert analysis is not None
    label = analysis.dictionary.label
    parts: list[PagePart] = []
    heads = ["often with", *[""] * _NEIGHBOURS]
    nearest = neighbours(session, concept_id, _NEIGHBOURS)
    for head, (neighbour, shared) in zip(heads, nearest, strict=False):
        name = display(label(neighbour), width=max(width - 31, 12))
        parts.append(
            field_line(head, f"{neighbour:05d} {name} · {percent(shared, gap=' ')} shared")
        )
    if is_gap_state(session.view.concept_states[concept_id]):
        row = closest_row(session, concept_id)
        if row is not None:
            item = analysis.benchmark.items[row]
            parts.append(
                field_line("closest", f"{shortened_id(item.id, 16)}  {_item_excerpt(item)}")
            )
    return parts


def _item_excerpt(item: Item) -> str:
    return display(item.prompt or item.text, width=90, newline=" ")


def _queue_lines(session: Session, concept_id: int) -> list[tuple[str, str]]:
    loaded = session.loaded
    assert loaded is not None
    lines = []
    if loaded.pool_count is not None:
        n = int(loaded.pool_count[concept_id])
        lines.append(("pool", f"{n:,} items show it" if n else "0 items show it: nothing to add"))
    positions = loaded.by_concept.get(concept_id, ())
    if positions:
        lines.append(("candidates", queue_text(session, positions)))
    return lines


def _examples(
    session: Session, concept_id: int, *, part: int, marks: Marks, width: int
) -> list[PagePart]:
    analysis = session.analysis
    assert analysis is not None
    examples: list[tuple[float, Item, int, bool]] = []
    for source, in_pool in ((analysis.benchmark, False), (analysis.pool, True)):
        if source is not None:
            rows = session.top_rows(concept_id, _EXAMPLES, in_pool=in_pool)
            examples += [(peak, source.items[row], row, in_pool) for row, peak in rows]
    # Strongest first, from either source: benchmark items rarely show a gap.
    ranked = [example[1:] for example in sorted(examples, key=lambda example: -example[0])]
    if not ranked:
        return [
            heading("Evidence"),
            literal("No item of the benchmark or the pool shows it.", "$foreground-muted"),
        ]
    first = part % len(ranked)
    parts: list[PagePart] = []
    for position in range(first, min(first + 2, len(ranked))):
        item, row, in_pool = ranked[position]
        tokens = token_evidence(analysis, item, row, [concept_id], in_pool=in_pool)
        head = f"Evidence {position + 1} of {len(ranked)}"
        origin = f"   {'pool' if in_pool else 'benchmark'} · "
        id_width = max(width - len(head) - len(origin), 8)
        parts += [
            Content.assemble(
                (head, "bold $text-accent"),
                (origin, "$foreground-muted"),
                (shortened_id(item.id, id_width), "$foreground-muted"),
            ),
            evidence_content(item.text, tokens, marks=marks),
            "",
        ]
    if len(ranked) > 2:
        hint = "right shows the next evidence, left the previous one"
        parts.append(literal(hint, "$foreground-muted"))
    return parts


def area_page(
    session: Session, name: str, ids: Sequence[int], *, marks: Marks, width: int
) -> Content:
    """Return the page of an area, with its gaps."""
    analysis, loaded = session.analysis, session.loaded
    assert analysis is not None and loaded is not None
    parts: list[PagePart] = [literal(name, "bold"), ""]
    if loaded.area_gaps is not None and name in analysis.areas.names:
        area = loaded.area_gaps.row(analysis.areas.names.index(name))
        state = area.status.value
        n_members = len(analysis.areas.members(area.area))
        parts.append(
            HangingLine(
                Content.styled(f"{'state':<11}", "$foreground-muted"),
                Content.assemble(
                    (f"{marks.glyph(state)} {marks.word(state)}".strip(), marks.style(state)),
                    f", all {n_members:,} concepts taken together: "
                    f"lift {signed(area.lift)}, {_q_text(area.q_value)}",
                ),
            )
        )
    missing = sum(session.view.concept_states[concept_id] == "missing" for concept_id in ids)
    parts.append(field_line("gaps", f"{len(ids)}: {missing} missing, {len(ids) - missing} under"))
    if ids:
        gaps = analysis.gaps
        count = int(gaps.count[list(ids)].sum())
        want = sum(session.target(concept_id) for concept_id in ids)
        lift = signed(gaps.coverage.joint_lift(ids, prior=gaps.settings.prior))
        parts.append(field_line("gaps have", f"{count:,}, want {want:,}, lift {lift}"))
    standing = session.log.standing(Subject.AREA, name)
    if standing is not None:
        parts += decision_lines(standing)
    parts += ["", heading("Its gaps, largest first")]
    for concept_id in ids[:24]:
        row = analysis.gaps.row(concept_id)
        glyph = marks.glyph(session.view.concept_states[concept_id])
        n_items = row.count + int(session.view.added_counts[concept_id])
        parts.append(
            HangingLine(
                Content.assemble(
                    (f"{glyph:<3}", marks.style(session.view.concept_states[concept_id])),
                    f"{n_items:>4} of {session.target(concept_id):<5}",
                ),
                literal(row.label),
            )
        )
    if len(ids) > 24:
        parts.append(f"... {len(ids) - 24} more")
    parts += [
        "",
        literal("right opens the area, enter reviews its candidates", "$foreground-muted"),
    ]
    return page_lines(parts, width=width)
