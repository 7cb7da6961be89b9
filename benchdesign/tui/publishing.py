"""What to look at before publishing: one line each, with the state it is marked by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from benchdesign.decisions import Verdict
from benchdesign.text import display

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis
    from benchdesign.items import Finding
    from benchdesign.revision import Revision
    from benchdesign.tui.model import Session

__all__ = ["Check", "counted_items", "publish_checks"]

_FINDINGS = 5
_LICENCES = 4
_FIELDS = 3


class Check(NamedTuple):
    """One line of the list."""

    state: str
    """pass, estimate (worth knowing), warn or fail."""

    text: str


def publish_checks(session: Session, plan: Revision | None, *, problem: str = "") -> list[Check]:
    """Return what holds, what is worth knowing and what speaks against publishing.

    `plan` is the revision as it would be written; None while it is worked out.
    """
    analysis = session.analysis
    assert analysis is not None
    checks = _accepted(session, analysis)
    if plan is not None:
        checks += _planned(plan)
    dropped = set(session.log.dropped)
    n_pairs = sum(
        one.id_a not in dropped and one.id_b not in dropped for one in analysis.duplicates
    )
    if n_pairs:
        pairs = "pair" if n_pairs == 1 else "pairs"
        checks.append(Check("warn", f"{n_pairs:,} near-duplicate {pairs}: 6, f shows repeats"))
    else:
        checks.append(Check("pass", "no near duplicates"))
    n_open = session.verdict_counts()[Verdict.OPEN]
    if n_open:
        was = "candidate was" if n_open == 1 else "candidates were"
        checks.append(Check("estimate", f"{n_open:,} {was} never reviewed"))
    elif session.loaded is not None and session.loaded.candidates:
        checks.append(Check("pass", "every candidate was reviewed"))
    if session.workspace.is_stale:
        checks.append(Check("warn", "some numbers are out of date; R computes them"))
    checks += [Check("warn", one) for one in _found(session, analysis)[:_FINDINGS]]
    if problem:
        checks.append(Check("fail", problem))
    return checks


def counted_items(n: int, kind: str) -> str:
    """Return `1 accepted item`, `2 accepted items`."""
    return f"{n:,} {kind} item{'' if n == 1 else 's'}"


def _accepted(session: Session, analysis: Analysis) -> list[Check]:
    accepted = set(session.log.accepted)
    pool = analysis.pool.items if analysis.pool else ()
    n_keyless = sum(item.answer is None for item in pool if item.id in accepted)
    if n_keyless:
        return [Check("warn", f"{counted_items(n_keyless, 'accepted')} without a key")]
    if accepted:
        return [Check("pass", "every accepted item has a key")]
    if session.log.dropped:
        return []
    return [Check("estimate", "nothing is accepted or dropped so far")]


def _planned(plan: Revision) -> list[Check]:
    checks = []
    if plan.empty_fields:
        checks.append(Check("warn", _empty(plan.empty_fields)))
    failed = [one for one in plan.added if one.failed_checks]
    if failed:
        why = f": {failed[0].failed_checks[0]}" if len(failed) == 1 else ""
        checks.append(
            Check("warn", f"{counted_items(len(failed), 'accepted')} with a failed check{why}")
        )
    if plan.n_unread:
        checks.append(
            Check("estimate", f"{counted_items(plan.n_unread, 'edited')} mapped again when written")
        )
    if plan.added:
        checks.append(_licences(Counter(one.licence or "" for one in plan.added)))
    return checks


def _licences(counts: Mapping[str, int]) -> Check:
    named = sorted((one for one in counts if one), key=lambda one: -counts[one])
    shown = [f"{one} {counts[one]:,}" for one in named[:_LICENCES]]
    if len(named) > _LICENCES:
        shown.append(f"{len(named) - _LICENCES} more")
    if unknown := counts.get("", 0):
        said = counted_items(unknown, "accepted")
        return Check("estimate", "; ".join([f"no licence known of {said}", *shown]))
    return Check("pass", f"licences of what is accepted: {', '.join(shown)}")


def _empty(empty: Mapping[str, int]) -> str:
    """Name the fields that most accepted items leave empty."""
    fields = sorted(empty, key=lambda one: -empty[one])
    shown = [f"{display(one, width=24)} {empty[one]:,}" for one in fields[:_FIELDS]]
    more = len(fields) - _FIELDS
    return f"empty in accepted items: {', '.join(shown)}{f', {more} more' if more > 0 else ''}"


def _found(session: Session, analysis: Analysis) -> list[str]:
    """Count what was noticed in the benchmark and in accepted items, what is most first."""
    said = []
    counts: Counter[tuple[str, bool]] = Counter()
    for finding in analysis.benchmark.findings:
        counts[_kind(finding), bool(finding.rows)] += finding.n_rows
    for (kind, has_rows), n in counts.most_common():
        many = "" if n == 1 else "s"
        if has_rows:
            said.append(f"{kind} in {n:,} row{many} of the benchmark")
        else:
            said.append(f"{n:,} {kind}{many} of the benchmark")
    if analysis.pool is None:
        return said
    # The rest of the pool is not published.
    accepted = {analysis.pool.items[one].row for one in session.accepted_rows()}
    added: Counter[str] = Counter()
    for finding in analysis.pool.findings:
        added[_kind(finding)] += len(accepted.intersection(finding.rows))
    said += [f"{kind} in {counted_items(n, 'accepted')}" for kind, n in added.most_common() if n]
    return said


def _kind(finding: Finding) -> str:
    return finding.kind.replace("-", " ")
