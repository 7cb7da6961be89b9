"""Limits on the coverage of a benchmark, for continuous integration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.coverage.figures import CoverageFigures
from benchdesign.errors import UsageError
from benchdesign.foundation.number_words import noun, percent
from benchdesign.foundation.serialization import read_json

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroups

__all__ = ["Baseline", "CheckLimits", "LimitCheck", "check_limits", "read_baseline"]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What may not be exceeded; None is no limit."""

    baseline: Path | None = None
    fail_under: float | None = None
    """Share of the judged concepts that must be covered, in percent (80) or as a share (0.8)."""

    fail_missing_groups: int | None = None
    """Groups of similar items that may be lacking for certain."""

    max_missing: int | None = None
    max_duplicates: int | None = None
    max_findings: int | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """Figures of an earlier state, which must not get worse."""

    covered_share: float | None
    n_missing: int


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit, and whether it is kept."""

    name: str
    passed: bool
    found: float | int | None
    limit: float | int | None
    message: str
    could_tell: bool = True
    """Whether this could be judged; if not, the limit is not kept either."""


def check_limits(
    figures: CoverageFigures,
    limits: CheckLimits,
    *,
    baseline: Baseline | None,
    n_duplicates: int | None,
    n_findings: int,
    groups: GapGroups | None = None,
) -> list[LimitCheck]:
    """Compare figures with the limits that are set; `n_duplicates` is None if not counted."""
    checks = []
    if limits.fail_missing_groups is not None:
        checks.append(_group_check(groups, limits.fail_missing_groups))
    if limits.fail_under is not None:
        # 0.8 means 80 percent: nobody sets a limit of less than 1 percent.
        threshold = limits.fail_under / (1 if limits.fail_under <= 1 else 100)
        checks.append(_share_check("fail-under", figures, threshold))
    if baseline is not None:
        checks.append(_baseline_check(figures, baseline.covered_share))
        checks.append(
            _at_most(
                "baseline-missing",
                figures.n_missing,
                baseline.n_missing,
                "missing concepts (baseline)",
            )
        )
    counted = (
        ("max-missing", figures.n_missing, limits.max_missing, "missing concepts"),
        ("max-duplicates", n_duplicates, limits.max_duplicates, "pairs of duplicates"),
        ("max-findings", n_findings, limits.max_findings, "rows with findings"),
    )
    checks += [
        _at_most(name, n, limit, what)
        for name, n, limit, what in counted
        if limit is not None and n is not None
    ]
    return checks


def read_baseline(path: Path) -> Baseline:
    """Read the figures of a revision.json (after) or of an earlier check."""
    try:
        data = read_json(path)
        figures = data.get("coverage_after") or data["coverage"]
        covered, n_missing = figures["covered_share"], int(figures["n_missing"])
        if covered is not None and not math.isfinite(float(covered)):
            raise ValueError("covered_share is not a number")
    except OSError as problem:
        raise UsageError(f"--baseline {path}: cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(
            f"--baseline {path}: not a revision.json and not the output of `check --json` "
            f"({problem})."
        ) from None
    return Baseline(covered, n_missing)


def _group_check(groups: GapGroups | None, limit: int) -> LimitCheck:
    name = "fail-missing-groups"
    if groups is None or groups.could_not_tell is not None:
        reason = "" if groups is None else f": {groups.could_not_tell}"
        return LimitCheck(
            name, False, None, limit, f"groups could not be judged{reason}", could_tell=False
        )
    n = len(groups.gaps)
    return _at_most(name, n, limit, f"{noun(n, 'group')} of similar items lacking")


def _share_check(name: str, figures: CoverageFigures, threshold: float) -> LimitCheck:
    covered = figures.covered_share
    return LimitCheck(
        name,
        covered is not None and covered >= threshold - _ROUNDING,
        covered,
        threshold,
        f"covered share is {_share(covered)}, at least {_share(threshold)} wanted",
    )


def _baseline_check(figures: CoverageFigures, before: float | None) -> LimitCheck:
    covered = figures.covered_share
    return LimitCheck(
        "baseline",
        before is None or (covered is not None and covered >= before - _ROUNDING),
        covered,
        before,
        f"covered share is {_share(covered)}, the baseline had {_share(before)}",
    )


def _at_most(name: str, n: int, limit: int, what: str) -> LimitCheck:
    return LimitCheck(name, n <= limit, n, limit, f"{n} {what}, at most {limit} allowed")


def _share(value: float | None) -> str:
    return percent(value, 1, unknown="not known")
