"""Checks before publishing: one line each, with its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from benchdesign.foundation.number_words import plural
from benchdesign.foundation.text import display
from benchdesign.workspace.decisions import Subject, Verdict

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Finding, Item
    from benchdesign.revision.plan import Revision
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decision_log import DecisionLog

__all__ = ["PublishCheck", "publish_checks"]

_MAX_FINDINGS = 5
_MAX_LICENCES = 4
_MAX_FIELDS = 3


class PublishCheck(NamedTuple):
    """One line of the checklist."""

    state: str
    """pass, estimate (worth knowing), warn or fail."""

    text: str
    name: str = ""
    """`duplicates` or `stale` if a front end can say where to mend it."""


def publish_checks(
    analysis: Analysis,
    log: DecisionLog,
    plan: Revision | None,
    *,
    is_stale: bool,
    problem: str = "",
) -> list[PublishCheck]:
    """Return the checks before publishing: passed, worth knowing, warnings and failures.

    `plan` is the revision as it would be written; None while it is being computed. `is_stale` is
    whether some results are out of date.
    """
    accepted_ids = set(log.accepted)
    # Scan the pool only if there is a reason: it may have a million items.
    pool = analysis.pool.items if analysis.pool and accepted_ids else ()
    accepted = [item for item in pool if item.id in accepted_ids]
    checks = _accepted_checks(log, accepted)
    if plan is not None:
        checks += _plan_checks(plan)
    checks += [_duplicate_check(analysis, log), *_review_checks(analysis, log)]
    if is_stale:
        checks.append(PublishCheck("warn", "some results are out of date", "stale"))
    findings = _finding_texts(analysis, accepted)[:_MAX_FINDINGS]
    checks += [PublishCheck("warn", text) for text in findings]
    if problem:
        checks.append(PublishCheck("fail", problem))
    return checks


def _accepted_checks(log: DecisionLog, accepted: list[Item]) -> list[PublishCheck]:
    n_keyless = sum(item.answer is None for item in accepted)
    if n_keyless:
        return [PublishCheck("warn", f"{plural(n_keyless, 'accepted item')} without a key")]
    if log.accepted:
        return [PublishCheck("pass", "every accepted item has a key")]
    if log.dropped:
        return []
    return [PublishCheck("estimate", "nothing accepted or dropped yet")]


def _duplicate_check(analysis: Analysis, log: DecisionLog) -> PublishCheck:
    dropped = set(log.dropped)
    n = sum(pair.id_a not in dropped and pair.id_b not in dropped for pair in analysis.duplicates)
    if not n:
        return PublishCheck("pass", "no near duplicates")
    return PublishCheck("warn", plural(n, "near-duplicate pair"), "duplicates")


def _review_checks(analysis: Analysis, log: DecisionLog) -> list[PublishCheck]:
    verdicts = [
        log.verdict(subject, proposal.id)
        for subject, proposals in (
            (Subject.ADD, analysis.proposals),
            (Subject.REMOVE, analysis.removals),
        )
        for proposal in proposals
    ]
    if n_open := verdicts.count(Verdict.OPEN):
        candidates = plural(n_open, "candidate was", "candidates were")
        return [PublishCheck("estimate", f"{candidates} never reviewed")]
    return [PublishCheck("pass", "every candidate was reviewed")] if verdicts else []


def _plan_checks(plan: Revision) -> list[PublishCheck]:
    checks = []
    if plan.empty_fields:
        checks.append(PublishCheck("warn", _empty_fields_text(plan.empty_fields)))
    failed = [addition for addition in plan.added if addition.failed_checks]
    if failed:
        reason = f": {failed[0].failed_checks[0]}" if len(failed) == 1 else ""
        checks.append(
            PublishCheck(
                "warn", f"{plural(len(failed), 'accepted item')} with a failed check{reason}"
            )
        )
    if plan.n_unread:
        checks.append(
            PublishCheck(
                "estimate", f"{plural(plan.n_unread, 'edited item')} mapped again when written"
            )
        )
    if plan.added:
        checks.append(_licence_check(Counter(addition.licence or "" for addition in plan.added)))
    return checks


def _licence_check(counts: Mapping[str, int]) -> PublishCheck:
    named = sorted((licence for licence in counts if licence), key=lambda licence: -counts[licence])
    entries = [f"{licence} {counts[licence]:,}" for licence in named[:_MAX_LICENCES]]
    if len(named) > _MAX_LICENCES:
        entries.append(f"{len(named) - _MAX_LICENCES} more")
    if unknown := counts.get("", 0):
        items = plural(unknown, "accepted item")
        return PublishCheck("estimate", "; ".join([f"no known licence for {items}", *entries]))
    return PublishCheck("pass", f"licences of accepted items: {', '.join(entries)}")


def _empty_fields_text(empty: Mapping[str, int]) -> str:
    """List the fields that are empty in most accepted items."""
    fields = sorted(empty, key=lambda name: -empty[name])
    entries = [f"{display(name, width=24)} {empty[name]:,}" for name in fields[:_MAX_FIELDS]]
    n_more = len(fields) - _MAX_FIELDS
    return (
        f"empty in accepted items: {', '.join(entries)}{f', {n_more} more' if n_more > 0 else ''}"
    )


def _finding_texts(analysis: Analysis, accepted: list[Item]) -> list[str]:
    """Count findings in the benchmark and in accepted items, most frequent first."""
    lines = []
    counts: Counter[tuple[str, bool]] = Counter()
    for finding in analysis.benchmark.findings:
        counts[_kind(finding), bool(finding.rows)] += finding.n_rows
    for (kind, has_rows), n in counts.most_common():
        place = f"{kind} in {plural(n, 'row')}" if has_rows else plural(n, kind)
        lines.append(f"{place} of the benchmark")
    if analysis.pool is None:
        return lines
    # Only accepted pool items are published.
    rows = {item.row for item in accepted}
    added: Counter[str] = Counter()
    for finding in analysis.pool.findings:
        added[_kind(finding)] += len(rows.intersection(finding.rows))
    lines += [f"{kind} in {plural(n, 'accepted item')}" for kind, n in added.most_common() if n]
    return lines


def _kind(finding: Finding) -> str:
    return finding.kind.replace("-", " ")
