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
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.map_file import read_map
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.reference import Reference
from benchdesign.pipeline.load_analysis import load_analysis

HERE = Path(__file__).resolve().parent
STAGES = ("load", "coverage", "gaps", "proposals")
N_BENCHMARK = 2_000
N_PROPOSALS = 500
N_SUBJECTS = 40
LACKING = 3
SUBJECT_CONCEPTS = 60
BLOCK = 4_096
DISTINCT_BLOCKS = 16
WORDS_AN_ITEM = 30

SHARE_BY_RANK = (
    (0, 1.0),
    (10, 0.976),
    (30, 0.926),
    (100, 0.786),
    (200, 0.63),
    (500, 0.364),
    (1000, 0.17),
    (2000, 0.058),
    (3000, 0.022),
    (4000, 0.006),
    (4607, 0.001),
)
"""Share of real items in which the concept of a rank fires at all."""


def make_words(rng: np.random.Generator) -> list[str]:
    """Return random words of three syllables."""
    syllables = np.asarray([a + b for a in "bdfgklmnprstvz" for b in "aeiou"])
    return ["".join(rng.choice(syllables, 3)) for _ in range(5_000)]


def make_items(n: int, *, prefix: str, seed: int) -> Iterator[tuple[str, str]]:
    """Yield ids and texts of random words; no two texts are equal."""
    rng = np.random.default_rng(seed)
    words = make_words(rng)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        chosen = rng.integers(0, len(words), (size, WORDS_AN_ITEM)).tolist()
        for row, places in enumerate(chosen, start):
            yield f"{prefix}{row}", " ".join([words[place] for place in places])


def make_file(path: Path, gigabytes: float) -> None:
    """Write a JSONL benchmark of random words of the given size, unless it exists."""
    if path.exists():
        return
    rng = np.random.default_rng(3)
    words = make_words(rng)
    size = row = 0
    with path.open("w", encoding="ascii") as stream:
        while size < gigabytes * 1e9:
            for places in rng.integers(0, len(words), (1_000, 270)).tolist():
                spelled = [words[place] for place in places]
                record = {
                    "id": f"q{row}",
                    "question": " ".join(spelled[:60]) + "?",
                    "choices": [" ".join(spelled[at : at + 5]) for at in range(60, 80, 5)],
                    "answer": "ABCD"[row % 4],
                    "explanation": " ".join(spelled[80:]),
                }
                size += stream.write(json.dumps(record) + "\n")
                row += 1


def as_item(item_id: str, row: int, text: str) -> Item:
    """Return the item of a JSONL line that has only a prompt."""
    return Item(item_id, row, text, ((0, len(text)),), text)


class MapMaker:
    """Generator of maps with the sparsity of real maps, in blocks of items."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        rng = np.random.default_rng(0)
        n = dictionary.n_concepts
        ranks, shares = np.asarray(SHARE_BY_RANK).T
        share = np.exp(np.interp(np.arange(n), ranks * (n - 1) / ranks[-1], np.log(shares)))
        rate = -np.log1p(-np.minimum(rng.permutation(share), 0.999))
        self._rates = np.tile(rate, (N_SUBJECTS, 1)).astype(np.float32)
        for subject in range(N_SUBJECTS):
            subject_concepts = rng.permutation(np.flatnonzero(rate < 0.05))[:SUBJECT_CONCEPTS]
            self._rates[subject, subject_concepts] += 0.4
        centres = rng.standard_normal((N_SUBJECTS, 384)).astype(np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)

    def blocks(self, digests: list[str], *, subjects: int, seed: int) -> Iterator[ConceptMap]:
        """Yield the map of the items with these digests in blocks."""
        rng = np.random.default_rng(seed)
        blocks: list[ConceptMap] = []
        for place, start in enumerate(range(0, len(digests), BLOCK)):
            part = tuple(digests[start : start + BLOCK])
            if place < DISTINCT_BLOCKS:
                blocks.append(self._block(part, subjects, rng))
            block = blocks[place % DISTINCT_BLOCKS]
            yield replace(block.slice(0, len(part)), digests=part)

    def _block(
        self, digests: tuple[str, ...], subjects: int, rng: np.random.Generator
    ) -> ConceptMap:
        n, table = len(digests), self._dictionary.table
        tokens = np.clip(np.exp(rng.normal(3.93, 0.99, n)), 3, 2_000).astype(np.int32)
        subject = rng.integers(0, subjects, n)
        # Longer items have more concepts, with the exponent of real items.
        factor = ((tokens / 50) ** 0.7).astype(np.float32)[:, None]
        fires = rng.random((n, self._dictionary.n_concepts), dtype=np.float32) < -np.expm1(
            -self._rates[subject] * factor
        )
        rows, ids = np.nonzero(fires)
        strength = np.exp(rng.normal(-0.26, 0.66, len(ids))).astype(np.float32)
        peak = table.threshold[ids] * strength
        scale = np.nan_to_num(table.q90[ids], nan=1.0)
        saliency = scale * np.exp(rng.normal(-1.4, 0.8, len(ids))).astype(np.float32) * strength
        begin = (rng.random(len(ids), dtype=np.float32) * tokens[rows] * 4).astype(np.int32)
        noise = rng.standard_normal((n, 384)).astype(np.float32) / np.sqrt(384)
        vectors = self._centres[subject] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return ConceptMap(
            digests=digests,
            n_concepts=self._dictionary.n_concepts,
            dictionary=self._dictionary.fingerprint,
            indptr=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(
                np.int64
            ),
            indices=ids.astype(np.int32),
            saliency=saliency.astype(np.float32),
            peak=peak.astype(np.float32),
            start=begin,
            end=begin + 5,
            n_tokens=tokens,
            embeddings=vectors.astype(np.float16),
        )


def make_set(folder: Path, name: str, n: int, *, subjects: int, seed: int) -> int:
    """Write items as JSONL and their map as Parquet; return the number of entries of the map."""
    from benchdesign.concepts.maps.map_file import MapWriter

    digests = []
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as stream:
        for row, (item_id, text) in enumerate(make_items(n, prefix=name, seed=seed)):
            stream.write(json.dumps({"id": item_id, "prompt": text}) + "\n")
            digests.append(as_item(item_id, row, text).digest)
    maker = MapMaker(load_dictionary("builtin"))
    entries = 0
    with MapWriter(folder / f"{name}.parquet") as writer:
        for block in maker.blocks(digests, subjects=subjects, seed=seed):
            entries += len(block.indices)
            writer.write(block)
    return entries


def make_pool(folder: Path, n: int) -> dict[str, Any]:
    """Write pool and benchmark unless they exist; return the size of the pool's map."""
    path = folder / "facts.json"
    if path.exists():
        return dict(json.loads(path.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    entries = make_set(folder, "pool", n, subjects=N_SUBJECTS, seed=1)
    make_set(folder, "benchmark", N_BENCHMARK, subjects=N_SUBJECTS - LACKING, seed=2)
    facts = {"entries": entries, "megabytes": (folder / "pool.parquet").stat().st_size / 1e6}
    path.write_text(json.dumps(facts), "utf-8")
    return facts


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
