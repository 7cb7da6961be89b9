"""`models`: where models are weak, from their results on each item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchdesign.cli.measure import measure
from benchdesign.cli.output import Talk, print_json, print_lines, print_table
from benchdesign.config import Settings
from benchdesign.records import plain
from benchdesign.text import display

if TYPE_CHECKING:
    from benchdesign.formats.results import JoinedResults
    from benchdesign.modelgaps import ModelGaps
    from benchdesign.scoring import ScoreRow

__all__ = ["models_job"]

_FEW = 30
"""Below this many items a share would say more than is known, so counts stand beside it."""


def models_job(
    path: str,
    results: Sequence[str],
    settings: Settings,
    *,
    top: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Join results to the benchmark, measure every model, print the weak areas and concepts."""
    import numpy as np

    from benchdesign.formats.results import join_results, read_results
    from benchdesign.modelgaps import measure_models

    talk = Talk(quiet=quiet)
    rows = read_results(*results)
    measured = measure([path], None, settings, talk=talk)
    benchmark = measured.benchmarks[0]
    joined = join_results(rows, benchmark)
    for problem in joined.problems[:5]:
        talk.say(f"note: {display(problem.message)}")
    talk.say("measuring models")
    found = measure_models(
        measured.maps[0],
        joined.scores,
        measured.dictionary,
        rng=np.random.default_rng(settings.seed),
        areas=measured.areas(),
    )
    if as_json:
        print_json(
            {
                "benchmark": {
                    "path": str(benchmark.path),
                    "sha256": benchmark.sha256,
                    "n_items": len(benchmark),
                },
                "dictionary": measured.dictionary.name,
                "seed": settings.seed,
                "results": _joined_figures(joined),
                "models": [_model_figures(one) for one in found],
            }
        )
        return
    _print_joined(joined)
    for one in found:
        _print_model(one, top=top)


def _joined_figures(joined: JoinedResults) -> dict[str, Any]:
    return {
        "n_rows": joined.n_rows,
        "n_joined": joined.n_joined,
        "n_unmatched": joined.n_unmatched,
        "n_missing": joined.n_missing,
        "n_repeated": joined.n_repeated,
        "n_conflicting": joined.n_conflicting,
        "problems": [plain(one) for one in joined.problems],
    }


def _model_figures(one: ModelGaps) -> dict[str, Any]:
    return {
        "model": one.model,
        "n_items": one.n_items,
        "overall": one.overall,
        "controls": list(one.controls),
        "weak_areas": [
            {**plain(area), "concepts": [plain(concept) for concept in concepts]}
            for area, concepts in one.profile()
        ],
        "weak_concepts": [plain(row) for row in one.concepts.rows(one.concepts.weak())],
        "held_out": [plain(row) for row in one.held_out],
    }


def _print_joined(joined: JoinedResults) -> None:
    others = {
        "about no item": joined.n_unmatched,
        "without a score": joined.n_missing,
        "said twice": joined.n_repeated,
        "conflicting items": joined.n_conflicting,
    }
    told = ", ".join(f"{count} {what}" for what, count in others.items() if count)
    print_lines(
        f"{joined.n_joined:,} of {joined.n_rows:,} results joined" + (f"; {told}" if told else "")
    )


def _print_model(one: ModelGaps, *, top: int) -> None:
    print_lines(
        "",
        f"{display(one.model)}: {one.overall:.3f} over {one.n_items:,} items "
        f"(controlled for {' and '.join(one.controls)})",
    )
    weak = list(one.profile())
    if not weak:
        print_lines("  No area is significantly weak.")
    else:
        _print_scores("WEAK AREA", [area for area, _ in weak][:top])
    concepts = list(one.concepts.rows(one.concepts.weak()))[:top]
    if concepts:
        _print_scores("WEAK CONCEPT", concepts)
    for held in one.held_out:
        print_lines(
            f"  Held-out check: {display(held.name)} was {held.gap_found:+.2f} on one half, "
            f"{held.gap_held_out:+.2f} on the other ({held.n_held_out} items)"
        )


def _print_scores(title: str, rows: Sequence[ScoreRow]) -> None:
    print_table(
        (title, "SCORE", "90 %", "AGAINST OVERALL", "ITEMS", "Q"),
        [
            [
                display(row.name, width=48),
                _score(row),
                f"{row.low:.2f}-{row.high:.2f}",
                f"{row.gap:+.2f}",
                str(row.n_items),
                f"{row.q_value:.2g}",
            ]
            for row in rows
        ],
        right="lrrrrr",
    )


def _score(row: ScoreRow) -> str:
    if row.n_items < _FEW:
        return f"{row.chi_model * row.n_items:.0f} of {row.n_items}"
    return f"{row.chi_model:.2f}"
