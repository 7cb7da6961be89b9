"""Write synthetic results of three models with planted weaknesses, as input for the report.

    python measurements/models_report.py OUT
    benchdesign models examples/benchmark.jsonl --results OUT --report OUT/report

Every item has a difficulty that all models share. The chance of solving an item is 0.5 lower where
a weakness is planted, and 0.4 higher where a strength is planted. The two better models always fail
three items, as if their answer keys were wrong.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from benchdesign.benchmarks.load import load_benchmark

BENCHMARK = Path(__file__).parents[1] / "examples" / "benchmark.jsonl"
PLANTED: dict[str, tuple[float, tuple[str, ...], tuple[str, ...]]] = {
    "atlas-70b": (0.85, ("units and measurement", "algebra and geometry", "arithmetic"), ()),
    "birch-13b": (
        0.75,
        ("history", "literature", "law and civics", "visual art", "geography"),
        ("arithmetic", "calendar and time"),
    ),
    "cedar-2b": (
        0.45,
        ("computing", "logic"),
        ("biology", "chemistry", "physics", "astronomy", "earth science"),
    ),
}
"""By model: its chance of solving an item, its weak subjects, its strong subjects."""

WRONG_KEYS = (20, 120, 220)
SEED = 11


def main() -> None:
    """Write a table for each model."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    benchmark = load_benchmark(BENCHMARK)
    rng = np.random.default_rng(SEED)
    difficulty = rng.normal(0.0, 0.08, len(benchmark))
    for place, (model, (base, weak, strong)) in enumerate(PLANTED.items()):
        with (folder / f"{model}.csv").open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(("id", "model", "score"))
            for item, shift in zip(benchmark.items, difficulty, strict=True):
                subject = benchmark.record(item)["subject"]
                chance = base + shift - 0.5 * (subject in weak) + 0.4 * (subject in strong)
                is_solved = rng.random() < chance
                if item.row in WRONG_KEYS and place < 2:
                    is_solved = False
                rows.writerow((item.id, model, int(is_solved)))


if __name__ == "__main__":
    main()
