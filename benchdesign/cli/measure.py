"""`coverage`: what one benchmark covers, or how several overlap; mapping without a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.cli.options import stopping
from benchdesign.cli.output import (
    TRUST_NOTE,
    Talk,
    print_json,
    print_lines,
    print_table,
    share,
    trust,
)
from benchdesign.config import Settings, cache_folder, load_preferences
from benchdesign.errors import UsageError
from benchdesign.records import plain
from benchdesign.text import display

if TYPE_CHECKING:
    from benchdesign.areas import AreaGaps, Areas
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.coverage import Reference
    from benchdesign.dictionary import Dictionary
    from benchdesign.gaps import Gaps
    from benchdesign.items import Benchmark, Item
    from benchdesign.suites import NearDuplicate, Suite

__all__ = ["Measured", "coverage_job", "distinct_names", "figures_of", "measure", "print_gaps"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Benchmarks with their maps, and what they are compared with."""

    benchmarks: tuple[Benchmark, ...]
    maps: tuple[ConceptMap, ...]
    pool_map: ConceptMap | None
    dictionary: Dictionary
    reference: Reference

    def gaps(self, place: int = 0) -> Gaps:
        """Judge the coverage of one benchmark."""
        from benchdesign.coverage import measure_coverage
        from benchdesign.gaps import find_gaps

        coverage = measure_coverage(self.maps[place], self.dictionary, reference=self.reference)
        return find_gaps(coverage, self.dictionary)

    def areas(self) -> Areas:
        """Group the concepts by everything that was mapped."""
        from benchdesign.areas import group_areas
        from benchdesign.conceptmap import ConceptMap

        maps = [*self.maps, *([] if self.pool_map is None else [self.pool_map])]
        return group_areas(self.dictionary, concept_map=ConceptMap.concatenate(maps))


def measure(paths: Sequence[str], pool: str | None, settings: Settings, *, talk: Talk) -> Measured:
    """Read and map benchmarks and pool; maps are kept in the cache folder for next time."""
    from benchdesign.formats import load_benchmark
    from benchdesign.pipeline import reference_of
    from benchdesign.reader import Reader

    preferences, _ = load_preferences({"device": settings.device})
    settings = replace(settings, device=preferences.device)

    def read(path: str, *, is_pool: bool = False) -> Benchmark:
        return load_benchmark(
            path,
            fields=None if is_pool else (dict(settings.fields) or None),
            template=settings.template_of_pool if is_pool else settings.template,
            split=None if is_pool else settings.split,
            limit=None if is_pool else settings.limit,
        )

    talk.say("reading items")
    benchmarks = tuple(read(path) for path in paths)
    pool_items = None if pool is None else read(pool, is_pool=True)
    with stopping(talk.say) as stop:
        reader = Reader(
            settings, cache=cache_folder(preferences), progress=talk.progress, stop=stop
        )
        everything = [*benchmarks, *([] if pool_items is None else [pool_items])]
        maps = [reader.map(one.items) for one in everything]
    talk.done()
    pool_map = None if pool_items is None else maps.pop()
    return Measured(
        benchmarks,
        tuple(maps),
        pool_map,
        reader.dictionary,
        reference_of(pool_map, reader.dictionary),
    )


def coverage_job(
    paths: Sequence[str],
    pool: str | None,
    settings: Settings,
    *,
    top: int,
    as_json: bool,
    quiet: bool,
    report: Path | None = None,
    force: bool = False,
) -> None:
    """Print coverage and gaps of one benchmark, or the overlap of several."""
    if report is not None:
        if len(paths) < 2:
            raise UsageError("--report of coverage compares several benchmarks; give two or more.")
        from benchdesign.report_files import refuse_existing
        from benchdesign.report_suite import SUITE_FILES

        refuse_existing(report, SUITE_FILES, force=force)
    talk = Talk(quiet=quiet)
    measured = measure(paths, pool, settings, talk=talk)
    for one in measured.benchmarks:
        talk.say_findings(one.findings, rest="listed with --json")
    if len(paths) > 1:
        _report_suite(measured, top=top, as_json=as_json, report=report, force=force, talk=talk)
        return
    benchmark, gaps = measured.benchmarks[0], measured.gaps()
    area_gaps = _area_gaps(measured, gaps)
    if as_json:
        print_json(
            {
                "benchmark": _identity(benchmark),
                "dictionary": measured.dictionary.name,
                "reference": gaps.coverage.reference,
                "coverage": figures_of(gaps),
                "kept_out": gaps.kept_out_counts(),
                "areas": [_area_row(one) for one in area_gaps.rows()],
                "gaps": [plain(row) for row in gaps.rows()],
            }
        )
        return
    print_gaps(benchmark, gaps, area_gaps, top=top)


def figures_of(gaps: Gaps) -> dict[str, Any]:
    """Return the counts of the contract for one set."""
    from benchdesign.revision import CoverageFigures

    figures: dict[str, Any] = plain(CoverageFigures.from_gaps(gaps))
    return figures


def print_gaps(benchmark: Benchmark, gaps: Gaps, area_gaps: AreaGaps, *, top: int) -> None:
    """Print one benchmark's coverage for people."""
    figures = figures_of(gaps)
    against = {"pool": "the pool", "dictionary": "the dictionary's corpus"}
    print_lines(
        f"{display(benchmark.name)}: {figures['n_items']:,} items against "
        f"{against.get(gaps.coverage.reference, gaps.coverage.reference)}",
        f"  covered {share(figures['covered_share'])} of the concepts that can be judged",
        f"  {figures['n_missing']} missing, {figures['n_under']} under, {figures['n_over']} over, "
        f"{figures['n_in_scope']:,} in scope of {figures['n_concepts']:,}",
    )
    lacking = [one for one in area_gaps.rows() if one.n_gaps][:top]
    if lacking:
        print_lines("", "Areas with gaps")
        print_table(
            ("AREA", "STATUS", "GAPS", "CONCEPTS"),
            [
                [display(one.name), one.status.value, str(one.n_gaps), str(one.n_concepts)]
                for one in lacking
            ],
            right="llrr",
        )
    rows = list(gaps.rows())[:top]
    if rows:
        print_lines("", "Concepts most lacking")
        print_table(
            ("ID", "STATUS", "HAS", "WANT", "Q", "TRUST", "CONCEPT"),
            [
                [
                    str(row.concept_id),
                    row.status.value,
                    str(row.count),
                    str(row.target),
                    f"{row.q_value:.2g}",
                    trust(row.label_score),
                    display(row.label),
                ]
                for row in rows
            ],
            right="rlrrrrl",
        )
        print_lines(TRUST_NOTE)
    if not rows:
        print_lines("", "No concept is significantly lacking.")


def _area_gaps(measured: Measured, gaps: Gaps) -> AreaGaps:
    from benchdesign.areas import find_area_gaps

    return find_area_gaps(
        measured.areas(), gaps, concept_map=measured.maps[0], reference_map=measured.pool_map
    )


def _area_row(one: Any) -> dict[str, Any]:
    return {
        "area": one.name,
        "status": one.status,
        "n_gaps": one.n_gaps,
        "n_concepts": one.n_concepts,
        "lift": one.lift,
        "q_value": one.q_value,
    }


def _identity(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "path": str(benchmark.path),
        "sha256": benchmark.sha256,
        "n_items": len(benchmark),
        "n_findings": len(benchmark.findings),
        "findings": [one.message for one in benchmark.findings],
    }


def _report_suite(
    measured: Measured,
    *,
    top: int,
    as_json: bool,
    report: Path | None,
    force: bool,
    talk: Talk,
) -> None:
    from benchdesign.suites import compare_areas, compare_suite

    suite = compare_suite(
        measured.maps,
        measured.dictionary,
        names=distinct_names(measured.benchmarks),
        reference=measured.reference,
    )
    area_gaps = compare_areas(
        suite, measured.maps, measured.areas(), reference_map=measured.pool_map
    )
    figures = _suite_figures(measured, suite, area_gaps) if as_json or report is not None else {}
    if report is not None:
        from benchdesign.report_suite import collect_suite, write_suite_report

        data = collect_suite(
            suite, area_gaps, measured.benchmarks, measured.dictionary, measured.reference
        )
        for path in write_suite_report(report, data, figures, force=force):
            talk.say(f"wrote {display(str(path))}")
    if as_json:
        print_json(figures)
        return
    _print_suite_tables(suite, measured.benchmarks, top=top)


def _suite_figures(
    measured: Measured, suite: Suite, area_gaps: Sequence[AreaGaps]
) -> dict[str, Any]:
    label = measured.dictionary.label
    added = zip(suite.only_here, suite.closed, strict=True)
    return {
        "benchmarks": [
            {
                **_identity(benchmark),
                **plain(row),
                "share_missing": row.share_missing,
                "only_here": [label(int(one)) for one in only_here.nonzero()[0]],
                "closed": [label(int(one)) for one in closed.nonzero()[0]],
                "areas": [_area_row(one) for one in areas.rows()],
            }
            for benchmark, row, areas, (only_here, closed) in zip(
                measured.benchmarks, suite.rows(), area_gaps, added, strict=True
            )
        ],
        "dictionary": measured.dictionary.name,
        "reference": measured.reference.kind,
        "coverage": figures_of(suite.joint),
        "overlap": suite.overlap,
        "near_duplicates": suite.near_duplicates,
        "pairs": [
            {
                "benchmark_a": suite.names[pair.benchmark_a],
                "item_a": measured.benchmarks[pair.benchmark_a].items[pair.row_a].id,
                "benchmark_b": suite.names[pair.benchmark_b],
                "item_b": measured.benchmarks[pair.benchmark_b].items[pair.row_b].id,
                "similarity": pair.similarity,
            }
            for pair in suite.pairs
        ],
        "gaps": [plain(row) for row in suite.joint.rows()],
    }


def _print_suite_tables(suite: Suite, benchmarks: Sequence[Benchmark], *, top: int) -> None:
    figures = figures_of(suite.joint)
    print_lines(
        f"{len(suite)} benchmarks, {figures['n_items']:,} items together",
        f"  covered {share(figures['covered_share'])} of the concepts that can be judged; "
        f"{figures['n_missing']} missing, {figures['n_under']} under",
        "",
    )
    print_table(
        (
            "BENCHMARK",
            "ITEMS",
            "SHOWN",
            "MISSING",
            "UNDER",
            "LACKING",
            "ONLY HERE",
            "CLOSES",
            "REPEATS",
        ),
        [
            [
                display(row.name),
                f"{row.n_items:,}",
                str(row.n_present),
                str(row.n_missing),
                str(row.n_under),
                share(row.share_missing),
                str(row.n_only_here),
                str(row.n_closed),
                "-" if row.n_near_duplicates is None else str(row.n_near_duplicates),
            ]
            for row in suite.rows()
        ],
        right="lrrrrrrrr",
    )
    print_lines(
        "  Lacking: share of what could be tested at its lengths and size; closes: gaps of the rest"
    )
    print_lines("", "Overlap (share of the concepts that either shows)")
    print_table(
        ("", *(display(name) for name in suite.names)),
        [
            [display(name), *(f"{value:.2f}" for value in suite.overlap[place])]
            for place, name in enumerate(suite.names)
        ],
        right="l" + "r" * len(suite),
    )
    if suite.pairs:
        print_lines("", f"Almost the same item in two of them ({len(suite.pairs):,} pairs)")
        print_table(
            ("ALIKE", "ONE", "OTHER", "QUESTION"),
            [
                [
                    f"{pair.similarity:.2f}",
                    f"{display(suite.names[pair.benchmark_a])} {_item(benchmarks, pair, 0).id}",
                    f"{display(suite.names[pair.benchmark_b])} {_item(benchmarks, pair, 1).id}",
                    display(_item(benchmarks, pair, 0).prompt, width=60, newline=" "),
                ]
                for pair in suite.pairs[: max(top // 2, 1)]
            ],
            right="rlll",
        )
    rows = list(suite.joint.rows())[:top]
    if rows:
        print_lines("", "Concepts that all of them lack")
        print_table(
            ("ID", "STATUS", "HAS", "WANT", "TRUST", "CONCEPT"),
            [
                [
                    str(row.concept_id),
                    row.status.value,
                    str(row.count),
                    str(row.target),
                    trust(row.label_score),
                    display(row.label),
                ]
                for row in rows
            ],
            right="rlrrrl",
        )
        print_lines(TRUST_NOTE)


def _item(benchmarks: Sequence[Benchmark], pair: NearDuplicate, side: int) -> Item:
    places = ((pair.benchmark_a, pair.row_a), (pair.benchmark_b, pair.row_b))
    benchmark, row = places[side]
    return benchmarks[benchmark].items[row]


def distinct_names(benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Name benchmarks, with their folders where files are called alike."""
    names = [one.name for one in benchmarks]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{Path(one.path).parent.name}/{one.name}" for one in benchmarks)
