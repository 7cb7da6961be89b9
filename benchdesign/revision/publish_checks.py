"""Checks before publishing: one line each, with its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from benchdesign.foundation.text import display
from benchdesign.workspace.decisions import Verdict

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Finding
    from benchdesign.revision.plan import Revision
    from benchdesign.tui.session.session import Session
    from benchdesign.workspace.analysis import Analysis

__all__ = ["PublishCheck", "item_count_text", "publish_checks"]

_FINDINGS = 5
_LICENCES = 4
_FIELDS = 3


class PublishCheck(NamedTuple):
    """One line of the checklist."""

    state: str
    """pass, estimate (worth knowing), warn or fail."""

    text: str


def publish_checks(
    session: Session, plan: Revision | None, *, problem: str = ""
) -> list[PublishCheck]:
    """Return the checks before publishing: passed, worth knowing, warnings and failures.

    `plan` is the revision as it would be written; None while it is being computed.
    """
    analysis = session.analysis
    assert analysis is not None
    checks = _accepted_checks(session, analysis)
    if plan is not None:
        checks += _plan_checks(plan)
    dropped = set(session.log.dropped)
    n_pairs = sum(
        pair.id_a not in dropped and pair.id_b not in dropped for pair in analysis.duplicates
    )
    if n_pairs:
        pairs = "pair" if n_pairs == 1 else "pairs"
        checks.append(
            PublishCheck("warn", f"{n_pairs:,} near-duplicate {pairs}: 6, f shows repeats")
        )
    else:
        checks.append(PublishCheck("pass", "no near duplicates"))
    n_open = session.verdict_counts()[Verdict.OPEN]
    if n_open:
        noun = "candidate was" if n_open == 1 else "candidates were"
        checks.append(PublishCheck("estimate", f"{n_open:,} {noun} never reviewed"))
    elif session.loaded is not None and session.loaded.candidates:
        checks.append(PublishCheck("pass", "every candidate was reviewed"))
    if session.workspace.is_stale:
        checks.append(PublishCheck("warn", "some results are out of date; R recomputes them"))
    checks += [PublishCheck("warn", text) for text in _finding_texts(session, analysis)[:_FINDINGS]]
    if problem:
        checks.append(PublishCheck("fail", problem))
    return checks


def item_count_text(n: int, kind: str) -> str:
    """Return `1 accepted item`, `2 accepted items`."""
    return f"{n:,} {kind} item{'' if n == 1 else 's'}"


def _accepted_checks(session: Session, analysis: Analysis) -> list[PublishCheck]:
    accepted = set(session.log.accepted)
    pool = analysis.pool.items if analysis.pool else ()
    n_keyless = sum(item.answer is None for item in pool if item.id in accepted)
    if n_keyless:
        return [PublishCheck("warn", f"{item_count_text(n_keyless, 'accepted')} without a key")]
    if accepted:
        return [PublishCheck("pass", "every accepted item has a key")]
    if session.log.dropped:
        return []
    return [PublishCheck("estimate", "nothing accepted or dropped yet")]


def _plan_checks(plan: Revision) -> list[PublishCheck]:
    checks = []
    if plan.empty_fields:
        checks.append(PublishCheck("warn", _empty_fields_text(plan.empty_fields)))
    failed = [addition for addition in plan.added if addition.failed_checks]
    if failed:
        reason = f": {failed[0].failed_checks[0]}" if len(failed) == 1 else ""
        checks.append(
            PublishCheck(
                "warn", f"{item_count_text(len(failed), 'accepted')} with a failed check{reason}"
            )
        )
    if plan.n_unread:
        checks.append(
            PublishCheck(
                "estimate", f"{item_count_text(plan.n_unread, 'edited')} mapped again when written"
            )
        )
    if plan.added:
        checks.append(_licence_check(Counter(addition.licence or "" for addition in plan.added)))
    return checks


def _licence_check(counts: Mapping[str, int]) -> PublishCheck:
    named = sorted((licence for licence in counts if licence), key=lambda licence: -counts[licence])
    entries = [f"{licence} {counts[licence]:,}" for licence in named[:_LICENCES]]
    if len(named) > _LICENCES:
        entries.append(f"{len(named) - _LICENCES} more")
    if unknown := counts.get("", 0):
        items = item_count_text(unknown, "accepted")
        return PublishCheck("estimate", "; ".join([f"no known licence for {items}", *entries]))
    return PublishCheck("pass", f"licences of accepted items: {', '.join(entries)}")


def _empty_fields_text(empty: Mapping[str, int]) -> str:
    """List the fields that are empty in most accepted items."""
    fields = sorted(empty, key=lambda name: -empty[name])
    entries = [f"{display(name, width=24)} {empty[name]:,}" for name in fields[:_FIELDS]]
    n_more = len(fields) - _FIELDS
    return (
        f"empty in accepted items: {', '.join(entries)}{f', {n_more} more' if n_more > 0 else ''}"
    )


def _finding_texts(session: Session, analysis: Analysis) -> list[str]:
    """Count findings in the benchmark and in accepted items, most frequent first."""
    lines = []
    counts: Counter[tuple[str, bool]] = Counter()
    for finding in analysis.benchmark.findings:
        counts[_kind(finding), bool(finding.rows)] += finding.n_rows
    for (kind, has_rows), n in counts.most_common():
        many = "" if n == 1 else "s"
        if has_rows:
            lines.append(f"{kind} in {n:,} row{many} of the benchmark")
        else:
            lines.append(f"{n:,} {kind}{many} of the benchmark")
    if analysis.pool is None:
        return lines
    # Only accepted pool items are published.
    accepted = {analysis.pool.items[row].row for row in session.accepted_rows()}
    added: Counter[str] = Counter()
    for finding in analysis.pool.findings:
        added[_kind(finding)] += len(accepted.intersection(finding.rows))
    lines += [f"{kind} in {item_count_text(n, 'accepted')}" for kind, n in added.most_common() if n]
    return lines


def _kind(finding: Finding) -> str:
    return finding.kind.replace("-", " ")
