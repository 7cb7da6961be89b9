"""Run the whole workflow as a library, on the shipped data: `python examples/quickstart.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import benchdesign as bd
from benchdesign.coverage.reference import Reference

HERE = Path(__file__).parent


def main() -> None:
    # 1. Read. Fields are detected; `findings` lists problems of the file.
    benchmark = bd.load_benchmark(HERE / "benchmark.jsonl")
    pool = bd.load_benchmark(HERE / "pool.jsonl")
    print(f"{benchmark.name}: {len(benchmark)} items, {len(benchmark.findings)} findings")

    # 2. Map. The reference model reads each item once; `cache=` would cache the result.
    mapper = bd.open_mapper()
    benchmark_map = bd.map_items(benchmark.items, mapper)
    pool_map = bd.map_items(pool.items, mapper)

    # 3. Compare with the pool, matched for length.
    dictionary = mapper.dictionary
    reference = Reference.from_map(pool_map, dictionary)
    coverage = bd.measure_coverage(benchmark_map, dictionary, reference=reference)
    gaps = bd.find_gaps(coverage, dictionary)
    print(f"{int(gaps.is_gap.sum())} concepts are missing or under-covered; the largest gaps:")
    for row in list(gaps.rows())[:10]:
        print(f"  {row.label}: {row.count} items, {row.expected:.1f} expected ({row.status})")

    # 4. Propose what to add, each item with the gaps it fills.
    proposals = bd.propose_additions(
        benchmark_map,
        pool_map,
        gaps,
        dictionary,
        n=10,
        pool_items=pool.items,
        benchmark_items=benchmark.items,
        rng=np.random.default_rng(0),
    )
    for proposal in proposals:
        item = pool.items[proposal.row]
        print(f"  {proposal.rank:2}. [{item.category}] {item.prompt[:70]}")


if __name__ == "__main__":
    main()
