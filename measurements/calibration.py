"""Measure whether reported gaps are real: null runs, and the stability of the figures.

null        one set is split at random into benchmark and reference; every concept or area that is
            reported missing or under is a false positive. At most 5% of those tested may be.
stability   100 subsamples of 80% of the items against the same reference: spread of the paper's
            score and of the lift, and the share of concepts that keep their status

python measurements/calibration.py                      4,000 pool items, built-in dictionary
python measurements/calibration.py --items 2000 --dictionary FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.coverage.areas import group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.null_run import run_null
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.status import Status

HERE = Path(__file__).resolve().parent
POOL = HERE.parent.parent / "shared" / "data" / "pool" / "pool.jsonl.gz"
SIZES = (100, 300, 1000)
SPLITS = 20
SUBSAMPLES = 100


def read_items(path: Path, n: int) -> list[Item]:
    """Draw n items of the pool: the prompt with its choices, all of it content."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        lines = list(stream)
    chosen = np.sort(np.random.default_rng(0).permutation(len(lines))[:n])
    items = []
    for row in chosen.tolist():
        record = json.loads(lines[row])
        text = "\n".join([record["prompt"], *map(str, record.get("choices") or ())])
        items.append(Item(str(record["id"]), row, text, ((0, len(text)),), text))
    return items


def sizes(concept_map: ConceptMap) -> list[int]:
    """Return the benchmark sizes to measure, none above half of the items."""
    return [*(size for size in SIZES if size < len(concept_map) // 2), len(concept_map) // 2]


def concept_null(concept_map: ConceptMap, dictionary: Dictionary) -> list[str]:
    """Return the rows of the table of null runs over concepts."""
    rows = []
    for size in sizes(concept_map):
        for effect in (GapSettings().min_effect, 0.0):
            null = run_null(
                concept_map,
                dictionary,
                rng=np.random.default_rng(1),
                n_items=size,
                n_splits=SPLITS,
                settings=GapSettings(min_effect=effect),
            )
            over = int(null.n_over.sum())
            rows.append(
                f"| concepts | {null.n_items} | {effect:g} | {null.n_tested.mean():.0f} "
                f"| {int(null.n_gaps.sum())} of {int(null.n_tested.sum())} | {null.share:.2%} "
                f"| {null.largest_share:.2%} | {over} |"
            )
    return rows


def area_null(concept_map: ConceptMap, dictionary: Dictionary) -> list[str]:
    """Return the rows of the table of null runs over areas."""
    areas = group_areas(dictionary, concept_map=concept_map)
    rows = []
    for size in sizes(concept_map):
        rng = np.random.default_rng(2)
        tested = under = over = 0
        for _ in range(SPLITS):
            order = rng.permutation(len(concept_map))
            half = concept_map.take(np.sort(order[:size]))
            rest = concept_map.take(np.sort(order[size:]))
            reference = Reference.from_map(rest, dictionary, kind="sample")
            gaps = find_gaps(measure_coverage(half, dictionary, reference=reference), dictionary)
            area_gaps = find_area_gaps(areas, gaps, concept_map=half, reference_map=rest)
            for row in area_gaps.rows():
                tested += row.status not in (Status.UNTESTABLE, Status.KEPT_OUT)
                under += row.status in (Status.MISSING, Status.UNDER)
                over += row.status == Status.OVER
        rows.append(
            f"| areas | {size} | {GapSettings().min_effect / 2:g} | {tested / SPLITS:.0f} "
            f"| {under} of {tested} | {under / max(tested, 1):.2%} | | {over} |"
        )
    return rows


def stability(concept_map: ConceptMap, dictionary: Dictionary) -> list[str]:
    """Return lines on how much the figures change when a fifth of the items is left out."""
    rng = np.random.default_rng(3)
    order = rng.permutation(len(concept_map))
    n = min(1000, len(concept_map) // 3)
    benchmark = concept_map.take(np.sort(order[:n]))
    reference = Reference.from_map(concept_map.take(np.sort(order[n:])), dictionary)
    whole = find_gaps(measure_coverage(benchmark, dictionary, reference=reference), dictionary)
    scores, lifts, same = [], [], []
    for _ in range(SUBSAMPLES):
        part = benchmark.take(np.sort(rng.permutation(n)[: int(0.8 * n)]))
        gaps = find_gaps(measure_coverage(part, dictionary, reference=reference), dictionary)
        scores.append(gaps.coverage.chi_bench)
        lifts.append(gaps.lift)
        tested_twice = whole.is_tested & gaps.is_tested
        same.append((gaps.status_codes == whole.status_codes)[tested_twice].mean())
    tested = whole.is_tested
    score_spread, lift_spread = np.std(scores, axis=0), np.std(lifts, axis=0)[tested]
    return [
        f"{SUBSAMPLES} subsamples of 80% of {n} items; standard deviation over subsamples:",
        "",
        "| figure | mean over concepts | median | 95th percentile |",
        "|---|---|---|---|",
        spread_row("chi_bench, all concepts", score_spread),
        spread_row("chi_bench, tested concepts", score_spread[tested]),
        spread_row("lift (log2), tested concepts", lift_spread),
        "",
        f"Concepts tested both times that keep their status: {np.mean(same):.1%} on average, "
        f"{np.min(same):.1%} in the worst subsample. The paper reports 0.025 for chi_bench.",
    ]


def spread_row(name: str, values: np.ndarray) -> str:
    """Return a row of the table of spreads."""
    return (
        f"| {name} | {values.mean():.4f} | {np.median(values):.4f} "
        f"| {np.quantile(values, 0.95):.4f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--pool", type=Path, default=POOL)
    parser.add_argument("--cache", type=Path, help="folder in which maps are cached between runs")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "calibration.md")
    arguments = parser.parse_args()
    if not arguments.pool.exists():
        print(f"{arguments.pool} does not exist. Name a pool with --pool.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    mapper = open_mapper(arguments.model, arguments.dictionary)
    items = read_items(arguments.pool, arguments.items)
    concept_map = map_items(items, mapper, cache=arguments.cache)
    dictionary = mapper.dictionary
    print(f"mapped {len(concept_map)} items in {time.perf_counter() - started:.0f} s", flush=True)
    lines = [
        "# Calibration",
        "",
        f"Command: `python measurements/calibration.py --items {arguments.items}"
        f" --dictionary {Path(arguments.dictionary).name}`; {len(concept_map)} pool items, "
        f"dictionary {dictionary.name} ({dictionary.n_concepts} concepts, fingerprint "
        f"{dictionary.fingerprint[:12]}), FDR {GapSettings().fdr:g}.",
        "",
        "## Null: benchmark and reference from one distribution",
        "",
        f"{SPLITS} random splits a row; the benchmark has the stated size, the reference the rest.",
        "",
        "| what | items | least effect (log2) | tested | called missing or under | share "
        "| largest share | called over |",
        "|---|---|---|---|---|---|---|---|",
        *concept_null(concept_map, dictionary),
        *area_null(concept_map, dictionary),
        "",
        "## Stability",
        "",
        *stability(concept_map, dictionary),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
