"""The verdict on a benchmark in sentences: what it lacks, and what could have been seen."""

from __future__ import annotations

from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups, GroupPower

__all__ = ["power_sentence", "reference_sentence", "verdict_sentence"]

_MAX_NAMED = 4


def verdict_sentence(groups: GapGroups) -> str:
    """Return what the benchmark lacks in one sentence, the worst first."""
    if groups.could_not_tell is not None:
        return f"Could not tell what is missing. {groups.could_not_tell}"
    if groups.gaps:
        named = [_named(group) for group in groups.gaps[:_MAX_NAMED]]
        n_more = len(groups.gaps) - len(named)
        more = f"; {n_more} more groups" if n_more > 1 else "; one more group" if n_more else ""
        return f"Rarely asks about {_listed(named)}{more}."
    if groups.suspected:
        named = [_named(group) for group in groups.suspected[:2]]
        return f"No group of items is missing for certain. Perhaps too few: {_listed(named)}."
    return "No group of items is missing, as far as this benchmark and pool can show."


def power_sentence(groups: GapGroups) -> str:
    """Return which absence would have been seen, or that none would."""
    power: GroupPower = groups.power
    if groups.could_not_tell is not None:
        return ""
    if power.smallest_share is None:
        return f"With {groups.n_items:,} items, no absence of a group could be shown."
    text = (
        f"With {groups.n_items:,} items, a group of {power.smallest_share:.1%} of the reference "
        "that is absent would be seen"
    )
    return text + (f"; {power.missed_share:.1%} would not." if power.missed_share else ".")


def reference_sentence(groups: GapGroups) -> str:
    """Return what the benchmark was compared with."""
    reference = groups.reference
    n, n_in = reference.n_items, reference.n_in_scope
    if reference.kind == "none":
        return ""
    if reference.scope == "benchmark":
        return (
            f"The pool is broader: {n - n_in:,} of {n:,} items look unlike this benchmark; judged "
            f"against the {n_in:,} that do not. --scope any takes all."
        )
    if reference.scope == "stated":
        return f"Judged against the {n_in:,} of {n:,} pool items in scope."
    return f"Judged against all {n:,} pool items."


def _named(group: GapGroup) -> str:
    return f"{group.name} ({group.count} of {group.expected:.0f} expected)"


def _listed(parts: list[str]) -> str:
    # Names hold commas themselves.
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])}; and {parts[-1]}"
