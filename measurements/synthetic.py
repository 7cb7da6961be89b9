"""Build complete synthetic workspaces without a model, with every stage up to date.

Items are lines of random words in one of 40 categories. Their maps are as large as real maps: about
600 concepts per item, few of them common and most rare, a third strong enough to be present.
One concept in twelve is very rare in the benchmark, so that there are gaps, and items that fill
them. Gaps and candidates are computed as usual; duplicates are not searched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.folder import blank_table, save_dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.map_file import MapWriter
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.pipeline.run import run_pipeline
from benchdesign.pipeline.stage_results import ItemEvidence, ProposeResult
from benchdesign.selection.additions import plan_additions
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace

__all__ = ["make_dictionary", "make_workspace"]

N_AREAS = 40
N_ADD = 500
LACKING = 12
"""One concept in this many is very rare in the benchmark."""

WORDS_AN_ITEM = 40
DRAWS_AN_ITEM = 1_700
"""Draws of a concept per item; repeated draws of a concept are one entry."""

STEEPNESS = 1.3
EMBEDDING = 384
BLOCK = 4_096
DISTINCT_BLOCKS = 4
MODEL_WIDTH = 768
LENGTH_EDGES = (8, 16, 32, 64, 128, 256, 512)


def make_words(rng: np.random.Generator, n: int) -> list[str]:
    """Return words of three syllables."""
    syllables = np.asarray([a + b for a in "bdfgklmnprstvz" for b in "aeiou"])
    return ["".join(parts) for parts in rng.choice(syllables, (n, 3))]


def make_set(path: Path, n: int, *, prefix: str, seed: int) -> None:
    """Write questions as JSONL; no two are equal."""
    rng = np.random.default_rng(seed)
    words = make_words(rng, 5_000)
    with path.open("w", encoding="ascii") as stream:
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            chosen = rng.integers(0, len(words), (size, WORDS_AN_ITEM)).tolist()
            for row, places in enumerate(chosen, start):
                text = " ".join([words[place] for place in places])
                record = {
                    "id": f"{prefix}-{row:06d}",
                    "question": f"{text}?",
                    "answer": words[places[0]],
                    "category": f"subject {row % N_AREAS}",
                }
                stream.write(json.dumps(record) + "\n")


def make_dictionary(folder: Path, n_concepts: int) -> None:
    """Write a dictionary with statistics, labels and areas; its weights are all zero."""
    rng = np.random.default_rng(0)
    level_folder = folder / "terms"
    level_folder.mkdir(parents=True)
    config = {"d_in": MODEL_WIDTH, "d_sae": n_concepts, "architecture": "standard"}
    (level_folder / "cfg.json").write_text(json.dumps(config), "utf-8")
    # Opening a dictionary reads its weights once; the file is as large as encoder and decoder.
    with (level_folder / "sae_weights.safetensors").open("wb") as stream:
        stream.truncate(2 * 4 * MODEL_WIDTH * n_concepts)
    level = Level("terms", "token", "blocks.4.hook_resid_post", 0, n_concepts, level_folder)
    table = blank_table([level], n_bins=len(LENGTH_EDGES) + 1)
    rate = np.clip(shares(n_concepts) * DRAWS_AN_ITEM / 3, 1e-6, 0.9)
    words = make_words(rng, 5_000)
    names = [f"area of {word}" for word in make_words(rng, N_AREAS)]
    table.threshold[:] = 1.0
    table.base_rates[:] = rate[:, None]
    table.mean_activation[:], table.max_activation[:], table.q90[:] = 0.8, 4.0, 0.5
    table.density[:] = rate / 10
    table.label_score[:] = rng.uniform(0.6, 1.0, n_concepts)
    dead = frozenset({"dead"})
    columns = {
        "flags": tuple(dead if concept % 50 == 0 else frozenset() for concept in range(n_concepts)),
        "label": tuple(
            ", ".join(label_words) for label_words in rng.choice(words, (n_concepts, 3)).tolist()
        ),
        "label_source": ("keywords",) * n_concepts,
        "area": tuple(names[area] for area in rng.integers(0, N_AREAS, n_concepts).tolist()),
    }
    for name, values in columns.items():
        object.__setattr__(table, name, values)
    dictionary = Dictionary(folder.name, "builtin", (level,), table, LENGTH_EDGES, "")
    save_dictionary(dictionary, folder)


def shares(n_concepts: int) -> NDArray[np.float64]:
    """Return the share of draws of each concept; the order is fixed by a seed."""
    weight = 1.0 / (np.arange(n_concepts) + 20.0) ** STEEPNESS
    return np.random.default_rng(1).permutation(weight / weight.sum())


def map_blocks(
    digests: list[str], dictionary: Dictionary, *, lacks: bool, seed: int
) -> Iterator[ConceptMap]:
    """Yield the map of the items with these digests in blocks."""
    rng = np.random.default_rng(seed)
    share = shares(dictionary.n_concepts)
    if lacks:
        share[::LACKING] /= 1_000
        share[1::LACKING] *= 1.5
    edges = np.cumsum(share / share.sum())
    blocks: list[ConceptMap] = []
    for place, start in enumerate(range(0, len(digests), BLOCK)):
        part = tuple(digests[start : start + BLOCK])
        if place < DISTINCT_BLOCKS:
            blocks.append(map_block(part, dictionary, edges, rng))
        block = blocks[place % DISTINCT_BLOCKS]
        yield replace(block.slice(0, len(part)), digests=part)


def map_block(
    digests: tuple[str, ...],
    dictionary: Dictionary,
    edges: NDArray[np.float64],
    rng: np.random.Generator,
) -> ConceptMap:
    """Return the map of a block of items; `edges` are cumulative shares of the concepts."""
    n, size = dictionary.n_concepts, len(digests)
    draws = np.searchsorted(edges, rng.random((size, DRAWS_AN_ITEM)) * edges[-1])
    draws = np.minimum(draws, n - 1) + n * np.arange(size)[:, None]
    rows, ids = np.divmod(np.unique(draws), n)
    strength = np.exp(rng.normal(-0.26, 0.66, len(ids))).astype(np.float32)
    begin = rng.integers(0, WORDS_AN_ITEM * 6, len(ids), dtype=np.int32)
    vectors = rng.standard_normal((size, EMBEDDING)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return ConceptMap(
        digests=digests,
        n_concepts=n,
        dictionary=dictionary.fingerprint,
        indptr=np.searchsorted(rows, np.arange(size + 1)).astype(np.int64),
        indices=ids.astype(np.int32),
        saliency=0.3 * strength,
        peak=np.maximum(dictionary.table.threshold[ids], np.float32(1e-3)) * strength,
        start=begin,
        end=begin + 6,
        n_tokens=np.full(size, 2 * WORDS_AN_ITEM, dtype=np.int32),
        embeddings=vectors.astype(np.float16),
    )


def write_map(
    workspace: Workspace, name: str, items: Benchmark, dictionary: Dictionary, *, seed: int
) -> None:
    """Write the map of the benchmark or the pool to the file that mapping would write."""
    with MapWriter(workspace.folder / "maps" / f"{name}.parquet") as writer:
        digests = list(items.digests)
        for block in map_blocks(digests, dictionary, lacks=name == "benchmark", seed=seed):
            writer.write(block)


def make_workspace(folder: Path, *, n_items: int, n_pool: int, dictionary: str = "builtin") -> Path:
    """Create a workspace in which every stage is up to date; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    benchmark, pool = folder / "benchmark.jsonl", folder / "pool.jsonl"
    make_set(benchmark, n_items, prefix="item", seed=2)
    make_set(pool, n_pool, prefix="pool", seed=3)
    settings = Settings(n_add=N_ADD, dictionary=dictionary)
    path = folder / "workspace"
    with Workspace.create(path, benchmark, pool=pool, settings=settings) as workspace:
        run_pipeline(workspace, until="read")
        loaded_dictionary = load_dictionary(dictionary)
        sets = (("benchmark", workspace.load_benchmark()), ("pool", workspace.load_pool()))
        for seed, (name, items) in enumerate(sets):
            assert items is not None
            write_map(workspace, name, items, loaded_dictionary, seed=seed)
        workspace.record_stage("map")
        analysis = run_pipeline(workspace, until="gaps")
        assert analysis is not None and analysis.pool is not None
        assert analysis.pool_map is not None
        plan = plan_additions(
            analysis.benchmark_map,
            analysis.pool_map,
            analysis.gaps,
            analysis.dictionary,
            n=N_ADD,
            pool_items=analysis.pool.items,
            benchmark_items=analysis.benchmark.items,
            rng=np.random.default_rng(0),
        )
        workspace.save_result("proposals", ProposeResult(plan.proposals, (), (), plan.left_out))
        workspace.record_stage("propose")
        evidence = {
            analysis.pool.items[proposal.row].digest: {
                gap.concept_id: tuple(TokenEvidence(start, start + 6, 2.0) for start in (7, 49, 91))
                for gap in proposal.gaps
            }
            for proposal in plan.proposals
        }
        workspace.save_result("evidence", ItemEvidence(evidence))
        workspace.record_stage("evidence")
    return path
