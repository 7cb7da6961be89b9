"""Measure how time and memory grow with the pool: 10,000, 100,000 and 1,000,000 items.

The maps are synthetic. Their sparsity is that of 500 items of a mixed pool of real benchmarks under
the built-in dictionary: 87 content tokens per item (median 50), and 582 concepts per item, of which
206 are present; concepts are as common as in that pool. Items have one of 40 subjects; the
benchmark lacks three of them. Rows of a map repeat after 65,536 items, with other ids and texts.

    load        the pool's map, from Parquet, and the benchmark's
    coverage    reference rates of the pool, coverage of the benchmark
    gaps        statuses of concepts, areas and their statuses
    proposals   500 items to add
    workspace   (--workspace) pool and benchmark as JSONL files in a workspace: `run` after mapping,
                then the data that `proposals` and `open` load, with the pool's items and digests
    file        (--file-gigabytes) a JSONL file of that size is loaded: items of 80 words, with
                another 190 words in a field that is not part of their text

Every stage runs in its own process, after the stages before it. Its time excludes them; its memory
is the peak of the process. Times are wall times with one thread for arithmetic.

python measurements/scale.py                              10,000 and 100,000 items
python measurements/scale.py --items 10000 100000 1000000 --workspace --file-gigabytes 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scaling.sets import as_item, make_file, make_pool

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.maps.map_file import read_map
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.pipeline.load_analysis import load_analysis

HERE = Path(__file__).resolve().parent
STAGES = ("load", "coverage", "gaps", "proposals")
N_PROPOSALS = 500


def peak_gigabytes() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def run_stage(folder: Path, stage: str) -> dict[str, float]:
    """Run the stages up to `stage`; return the time of `stage` and the peak memory."""
    from benchdesign.coverage.area_gaps import find_area_gaps
    from benchdesign.coverage.areas import group_areas
    from benchdesign.selection.additions import plan_additions

    dictionary = load_dictionary("builtin")
    state: dict[str, Any] = {}
    if stage == "proposals":
        for name in ("pool", "benchmark"):
            state[name] = read_items(folder / f"{name}.jsonl")

    def load() -> None:
        state["pool map"] = read_map(folder / "pool.parquet", thresholds=dictionary.table.threshold)
        state["benchmark map"] = read_map(folder / "benchmark.parquet")

    def coverage() -> None:
        state["coverage"] = measure_coverage(
            state["benchmark map"],
            dictionary,
            reference=Reference.from_map(state["pool map"], dictionary),
        )

    def gaps() -> None:
        state["gaps"] = find_gaps(state["coverage"], dictionary)
        areas = group_areas(dictionary, concept_map=state["pool map"])
        find_area_gaps(
            areas,
            state["gaps"],
            concept_map=state["benchmark map"],
            reference_map=state["pool map"],
        )

    def proposals() -> None:
        plan = plan_additions(
            state["benchmark map"],
            state["pool map"],
            state["gaps"],
            dictionary,
            n=N_PROPOSALS,
            pool_items=state["pool"],
            benchmark_items=state["benchmark"],
            rng=np.random.default_rng(0),
        )
        state["n"] = len(plan.proposals)

    steps: dict[str, Callable[[], None]] = dict(
        zip(STAGES, (load, coverage, gaps, proposals), strict=True)
    )
    seconds, processor = 0.0, 0.0
    for name in STAGES[: STAGES.index(stage) + 1]:
        started, used = time.perf_counter(), time.process_time()
        steps[name]()
        seconds, processor = time.perf_counter() - started, time.process_time() - used
    if stage == "gaps":
        state["n"] = int(state["gaps"].is_gap.sum())
    return {
        "seconds": seconds,
        "cpu": processor,
        "gigabytes": peak_gigabytes(),
        "n_results": state.get("n", 0),
    }


def read_items(path: Path) -> list[Item]:
    """Read items without the loader's checks."""
    with path.open(encoding="utf-8") as stream:
        return [
            as_item(record["id"], row, record["prompt"])
            for row, record in enumerate(map(json.loads, stream))
        ]


def run_workspace(folder: Path, stage: str) -> dict[str, float]:
    """Run or open a workspace whose maps exist, as a user's command would."""
    from benchdesign.pipeline.run import run_pipeline
    from benchdesign.workspace.settings import Settings
    from benchdesign.workspace.workspace import Workspace

    path = folder / "workspace"
    started, used = time.perf_counter(), time.process_time()
    if stage == "run":
        shutil.rmtree(path, ignore_errors=True)
        settings = Settings(n_add=N_PROPOSALS)
        with Workspace.create(
            path, folder / "benchmark.jsonl", pool=folder / "pool.jsonl", settings=settings
        ) as workspace:
            for name in ("benchmark", "pool"):
                os.link(folder / f"{name}.parquet", workspace.folder / "maps" / f"{name}.parquet")
            run_pipeline(workspace, until="read")
            workspace.record_stage("map")
            run_pipeline(workspace, until="propose")
        n = N_PROPOSALS
    else:
        with Workspace.open(path, access="read") as workspace:
            n = len(load_analysis(workspace).proposals)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "gigabytes": peak_gigabytes(),
        "n_results": n,
    }


def run_file(path: Path) -> dict[str, float]:
    """Load a file; return time, memory, and the size of the text of its items."""
    from benchdesign.benchmarks.load import load_benchmark

    started, used = time.perf_counter(), time.process_time()
    items = load_benchmark(path).items
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "gigabytes": peak_gigabytes(),
        "n_results": len(items),
        "text": sum(len(item.text) for item in items) / 1e9,
        "file": path.stat().st_size / 1e9,
    }


def measure(folder: Path, kind: str, stage: str) -> dict[str, float]:
    """Run one stage in its own process."""
    process = subprocess.run(
        [sys.executable, __file__, "--folder", str(folder), f"--{kind}", stage],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return dict(json.loads(process.stdout.splitlines()[-1]))


def growth(values: NDArray[np.float64] | list[float], sizes: list[int]) -> str:
    """Return the exponent of growth with the number of items over the last step."""
    if len(sizes) < 2 or not values[-2]:
        return "-"
    return f"{np.log(values[-1] / values[-2]) / np.log(sizes[-1] / sizes[-2]):.2f}"


def describe(
    sizes: list[int], facts: list[dict[str, Any]], results: dict[str, list[dict[str, float]]]
) -> list[str]:
    """Return the tables in Markdown."""
    header = " | ".join(f"{size:,} items" for size in sizes)
    lines = [
        f"| stage | {header} | exponent of growth |",
        "|---" * (len(sizes) + 2) + "|",
        "| entries of the pool's map, millions | "
        + " | ".join(f"{pool['entries'] / 1e6:.1f}" for pool in facts)
        + " | |",
        "| file of the map, MB | "
        + " | ".join(f"{pool['megabytes']:.0f}" for pool in facts)
        + " | |",
    ]
    for stage, runs in results.items():
        cells = [
            f"{run['seconds']:.1f} s ({run['cpu']:.1f} s), {run['gigabytes']:.2f} GB"
            for run in runs
        ]
        power = growth([run["cpu"] for run in runs], sizes)
        lines.append(f"| {stage} | " + " | ".join(cells) + f" | {power} |")
    stages = [results[stage] for stage in STAGES if stage in results]
    total = [sum(stage[at]["seconds"] for stage in stages) for at in range(len(sizes))]
    largest = [max(stage[at]["gigabytes"] for stage in stages) for at in range(len(sizes))]
    cells = [f"{s:.1f} s, {g:.2f} GB" for s, g in zip(total, largest, strict=True)]
    lines.append("| **load to proposals** | " + " | ".join(cells) + f" | {growth(total, sizes)} |")
    return lines


def describe_file(figures: dict[str, float]) -> str:
    """Return a sentence on the time and memory of loading a large file."""
    return (
        f"A JSONL file of {figures['file']:.2f} GB, {figures['n_results']:,} items whose texts are "
        f"{figures['text']:.2f} GB, loads in {figures['seconds']:.0f} s ({figures['cpu']:.0f} s of "
        f"processor) and {figures['gigabytes']:.2f} GB."
    )


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "scale-maps")
    parser.add_argument("--workspace", action="store_true", help="also measure the workspace")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "scale.md")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--file-gigabytes", type=float, help="also load a JSONL file of this size")
    parser.add_argument("--command", choices=("run", "open"), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage or options.command or options.file:
        if options.stage:
            figures = run_stage(options.folder, options.stage)
        elif options.command:
            figures = run_workspace(options.folder, options.command)
        else:
            figures = run_file(options.folder / options.file)
        print(json.dumps(figures))
        return
    facts: list[dict[str, Any]] = []
    results: dict[str, list[dict[str, float]]] = {}
    for size in options.items:
        folder = options.folder / str(size)
        facts.append(make_pool(folder, size))
        stages = [("stage", stage) for stage in STAGES]
        if options.workspace:
            stages += [("command", "run"), ("command", "open")]
        for kind, stage in stages:
            figures = measure(folder, kind, stage)
            results.setdefault(stage, []).append(figures)
            print(size, stage, json.dumps(figures), flush=True)
    lines = [
        "# Scale",
        "",
        f"Command: `python measurements/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`",
        "",
        f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} processors "
        "shared with other work; wall seconds (processor seconds), peak memory of the process.",
        "",
        *describe(options.items, facts, results),
        "",
    ]
    if options.file_gigabytes:
        make_file(options.folder / "large.jsonl", options.file_gigabytes)
        lines += [describe_file(measure(options.folder, "file", "large.jsonl")), ""]
    print("\n".join(lines))
    options.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
