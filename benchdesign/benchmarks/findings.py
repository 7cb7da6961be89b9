"""Findings about a set on load; none of them stops it from being used."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from benchdesign.benchmarks.formats.source import Source
from benchdesign.benchmarks.items import FieldMapping, Finding, Item

__all__ = ["duplicate_id_findings", "find_problems", "has_control"]

N_NAMED = 3
"""Rows named in a message; the finding has them all."""

IMBALANCE_P = 0.001
MIN_LEAK = 12
"""Characters; shorter keys occur in prompts by chance."""

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def find_problems(
    items: Sequence[Item],
    source: Source,
    mapping: FieldMapping,
    *,
    outside_rows: Sequence[int] = (),
    control_rows: Sequence[int] = (),
) -> list[Finding]:
    """Return the findings about items; in `outside_rows` the key is not one of the choices."""
    findings: list[Finding] = []

    for kind, rows, problem in (
        ("empty-text", [item.row for item in items if not item.content], "the text is empty."),
        (
            "answer-not-in-choices",
            outside_rows,
            f"the answer (field {mapping.answer!r}) is not among the choices.",
        ),
        ("answer-in-prompt", _leaks(items, mapping), "the prompt contains the answer."),
        (
            "control-characters",
            control_rows,
            "the text contains control or bidirectional formatting characters.",
        ),
    ):
        if rows:
            findings.append(Finding(kind, f"{_places(source, rows)}: {problem}", tuple(rows)))
    findings.extend(_duplicates(items, source))
    if mapping.choices_kind not in {"distractors", "targets"}:
        findings.extend(_imbalance(items, source))
    return findings


def has_control(text: str) -> bool:
    """Whether a text contains control, bidirectional formatting or surrogate characters."""
    return _CONTROL.search(text) is not None


def duplicate_id_findings(source: Source, rows: Sequence[int], ids: Sequence[str]) -> list[Finding]:
    """Return a finding on ids that occur more than once and get a suffix."""
    if not rows:
        return []
    examples = ", ".join(repr(name) for name in ids[:N_NAMED])
    problem = f"id used more than once ({examples}); a suffix was added."
    return [Finding("duplicate-id", f"{_places(source, rows)}: {problem}", tuple(rows))]


def _places(source: Source, rows: Sequence[int]) -> str:
    first = source.place(rows[0])
    others = [str(_number(source.place(row))) for row in rows[1:N_NAMED]]
    more = len(rows) - 1 - len(others)
    if not others:
        return first
    return f"{first} (also {', '.join(others)}{f' and {more} more' if more else ''})"


def _number(place: str) -> str:
    match = re.search(r"(\d+)\Z", place)
    return match[1] if match else place


def _duplicates(items: Sequence[Item], source: Source) -> list[Finding]:
    first: dict[str, int] = {}
    repeats: list[int] = []
    originals: list[int] = []
    for item in items:
        if not item.text:
            continue
        digest = item.digest
        if digest in first:
            repeats.append(item.row)
            originals.append(first[digest])
        else:
            first[digest] = item.row
    if not repeats:
        return []
    problem = f"same text as {_number(source.place(originals[0]))}."
    if len(repeats) > 1:
        problem = f"same text as an earlier row (first: {_number(source.place(originals[0]))})."
    return [Finding("duplicate-text", f"{_places(source, repeats)}: {problem}", tuple(repeats))]


def _leaks(items: Sequence[Item], mapping: FieldMapping) -> list[int]:
    rows = []
    for item in items:
        if item.answer is None or len(item.answer) < MIN_LEAK:
            continue
        # A prompt that also contains another choice does not reveal the answer.
        prompt = item.prompt.casefold()
        if item.answer.casefold() not in prompt:
            continue
        others = [choice for at, choice in enumerate(item.choices) if at != item.answer_index]
        if not any(choice.casefold() in prompt for choice in others):
            rows.append(item.row)
    return rows


def _imbalance(items: Sequence[Item], source: Source) -> list[Finding]:
    """Return findings on uneven key positions, among items with equally many choices."""
    by_size: dict[int, Counter[int]] = {}
    for item in items:
        if item.answer_index is not None and len(item.choices) > 1:
            by_size.setdefault(len(item.choices), Counter())[item.answer_index] += 1
    findings = []
    for n_choices, counts in sorted(by_size.items()):
        n_items = sum(counts.values())
        expected = n_items / n_choices
        if expected < 5:
            continue
        chi2 = sum((counts[at] - expected) ** 2 / expected for at in range(n_choices))
        if _chi2_tail(chi2, n_choices - 1) >= IMBALANCE_P:
            continue
        spread = ", ".join(f"{_letter(at)} {counts[at]}" for at in range(n_choices))
        findings.append(
            Finding(
                "answer-imbalance",
                f"{source.path}: key positions are uneven among the {n_items} items with "
                f"{n_choices} choices ({spread}).",
            )
        )
    return findings


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def _chi2_tail(value: float, freedom: int) -> float:
    """Return P(chi-square > value), by Wilson and Hilferty, so that loading needs no scipy."""
    if value <= 0:
        return 1.0
    spread = 2 / (9 * freedom)
    z = ((value / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))
