"""`check`: limits on a benchmark, for continuous integration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benchdesign.cli.actions.set_figures import figures_of
from benchdesign.cli.output import Messages, print_json, print_lines, share
from benchdesign.errors import UsageError
from benchdesign.foundation.serialization import read_json
from benchdesign.foundation.text import display
from benchdesign.pipeline.measure_sets import measure
from benchdesign.selection.duplicates import find_duplicates
from benchdesign.workspace.settings import Settings

if TYPE_CHECKING:
    from benchdesign.pipeline.measure_sets import Measured

__all__ = ["CheckLimits", "check_job"]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What may not be exceeded; None is no limit."""

    baseline: Path | None = None
    fail_under: float | None = None
    """Share of the judged concepts that must be covered, in percent (80) or as a share (0.8)."""

    max_missing: int | None = None
    max_duplicates: int | None = None
    max_findings: int | None = None


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit and how it went."""

    name: str
    passed: bool
    found: float | int | None
    limit: float | int | None
    message: str


def check_job(
    path: str,
    pool: str | None,
    settings: Settings,
    limits: CheckLimits,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a benchmark, compare it with the limits, and leave with 1 if one is broken."""
    baseline = None if limits.baseline is None else _read_baseline(limits.baseline)
    measured = measure([path], pool, settings, talk=Messages(quiet=quiet))
    benchmark = measured.benchmarks[0]
    figures = figures_of(measured.gaps())
    checks = _compare(measured, figures, limits, baseline)
    passed = all(one.passed for one in checks)
    if as_json:
        print_json(
            {
                "passed": passed,
                "benchmark": {
                    "path": str(benchmark.path),
                    "sha256": benchmark.sha256,
                    "n_items": len(benchmark),
                },
                "dictionary": measured.dictionary.name,
                "reference": measured.reference.kind,
                "coverage": figures,
                "checks": [
                    {
                        "name": one.name,
                        "passed": one.passed,
                        "found": one.found,
                        "limit": one.limit,
                        "message": one.message,
                    }
                    for one in checks
                ],
                "findings": [one.message for one in benchmark.findings],
            }
        )
    else:
        for one in checks:
            print_lines(f"{'ok  ' if one.passed else 'FAIL'}  {one.message}")
        for finding in benchmark.findings[:20]:
            print_lines(f"note  {display(finding.message)}")
        if not checks:
            print_lines(
                f"ok    covered {share(figures['covered_share'])}, {figures['n_missing']} missing, "
                f"{figures['n_under']} under; no limit was set"
            )
    if not passed:
        raise typer.Exit(1)


def _compare(
    measured: Measured,
    figures: dict[str, Any],
    limits: CheckLimits,
    baseline: dict[str, Any] | None,
) -> list[LimitCheck]:
    benchmark, covered = measured.benchmarks[0], figures["covered_share"]
    checks = []
    if limits.fail_under is not None:
        # 0.8 is meant as 80 percent: nobody wants to be told when less than 1 percent is covered.
        wanted = limits.fail_under / (1 if limits.fail_under <= 1 else 100)
        checks.append(
            LimitCheck(
                "fail-under",
                covered is not None and covered >= wanted - _ROUNDING,
                covered,
                wanted,
                f"covered share is {share(covered)}, at least {share(wanted)} wanted",
            )
        )
    if baseline is not None:
        before = baseline["covered_share"]
        checks.append(
            LimitCheck(
                "baseline",
                before is None or (covered is not None and covered >= before - _ROUNDING),
                covered,
                before,
                f"covered share is {share(covered)}, the baseline had {share(before)}",
            )
        )
        checks.append(
            _at_most(
                "baseline-missing",
                figures["n_missing"],
                baseline["n_missing"],
                "missing concepts (baseline)",
            )
        )
    if limits.max_missing is not None:
        checks.append(
            _at_most("max-missing", figures["n_missing"], limits.max_missing, "missing concepts")
        )
    if limits.max_duplicates is not None:
        pairs = find_duplicates(benchmark.items, embeddings_a=measured.maps[0].embeddings)
        checks.append(
            _at_most("max-duplicates", len(pairs), limits.max_duplicates, "pairs of duplicates")
        )
    if limits.max_findings is not None:
        checks.append(
            _at_most(
                "max-findings",
                sum(one.n_rows for one in benchmark.findings),
                limits.max_findings,
                "rows with findings",
            )
        )
    return checks


def _at_most(name: str, found: int, limit: int, what: str) -> LimitCheck:
    return LimitCheck(
        name, found <= limit, found, limit, f"{found} {what}, at most {limit} allowed"
    )


def _read_baseline(path: Path) -> dict[str, Any]:
    """Return the figures of a revision.json (after) or of an earlier check."""
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
    return {"covered_share": covered, "n_missing": n_missing}
