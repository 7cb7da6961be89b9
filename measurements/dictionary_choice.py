"""Compare candidate dictionaries by the product's own measure: do planted gaps come back?

For every categorised set a category is taken out of the benchmark and left in the pool at a
prevalence of 5%; the score of a pool item is the sum, over concepts, of its soft presence times the
concept's standardised deficit above a floor. Printed per candidate and set: precision at the number
planted (50, fewer in small sets), averaged over draws, beside two dense rankings of the same draws.

    python measurements/dictionary_choice.py --data ../shared/data --out choice.json \
        --terms NAME=FOLDER ... --themes NAME=FOLDER ... --hooks blocks.3.hook_resid_post ...

A candidate's folder is a sae-lens folder; its hook point is read from cfg.json's metadata.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

from benchdesign.items import Item
from benchdesign.mapping.reference import ReferenceModel, pool_passages

THEME_HOOK = "blocks.5.hook_resid_post"


class Draw(NamedTuple):
    """Rows of one planted-gap trial."""

    benchmark: torch.Tensor
    pool: torch.Tensor
    planted: torch.Tensor
    """Boolean over the pool."""


def read_sets(data: Path, per_category: int) -> dict[str, tuple[list[str], list[str]]]:
    """Return texts and categories of each set, at most `per_category` items of a category."""
    sets: dict[str, tuple[list[str], list[str]]] = {}

    def add(name: str, text: str, category: str) -> None:
        texts, categories = sets.setdefault(name, ([], []))
        texts.append(text)
        categories.append(category)

    with gzip.open(data / "pool" / "pool.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            source, category = row["source"].split("/")[0], row["category"]
            text = row["prompt"] + "".join(f"\n{choice}" for choice in row["choices"] or ())
            if category.startswith("trivia: "):
                add("trivia", text, category)
            elif source == "medquad":
                add("medquad", text, category)
            elif source == "medmcqa":
                add("medmcqa", text, category)
            elif category.startswith("intent: "):
                add("intents", text, category)
            elif category.startswith("mathematics: ") and "(" not in category:
                add("mathematics", text, category.lower())
    for path in sorted((data / "benchmarks" / "bbh").glob("*.json")):
        for example in json.loads(path.read_text())["examples"]:
            add("bbh", example["input"], path.stem)
    import csv

    with (data / "benchmarks" / "truthfulqa" / "TruthfulQA.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            add("truthfulqa", row["Question"], row["Category"])
    rng = np.random.default_rng(7)
    for name, (texts, categories) in sets.items():
        counts = Counter(categories)
        order = rng.permutation(len(texts))
        taken: Counter[str] = Counter()
        keep = []
        for place in order:
            category = categories[place]
            if counts[category] >= 24 and taken[category] < per_category:
                taken[category] += 1
                keep.append(int(place))
        sets[name] = ([texts[k] for k in keep], [categories[k] for k in keep])
    return sets


def draws(categories: list[str], n_draws: int, seed: int, n_removed: int = 1) -> Iterator[Draw]:
    """Yield trials: up to 20 categories each, planted at 5% of the pool."""
    rng = np.random.default_rng(seed)
    names = sorted(set(categories))
    labels = np.array([names.index(category) for category in categories])
    for _ in range(n_draws):
        chosen = rng.permutation(len(names))[:20]
        removed, others = chosen[:n_removed], chosen[n_removed:]
        other_rows = rng.permutation(np.flatnonzero(np.isin(labels, others)))
        planted_rows = rng.permutation(np.flatnonzero(np.isin(labels, removed)))
        n_planted = min(50, len(planted_rows), len(other_rows) // 30)
        n_pool = 19 * n_planted
        planted_rows = planted_rows[:n_planted]
        pool_rows = np.concatenate([planted_rows, other_rows[:n_pool]])
        benchmark_rows = other_rows[n_pool : n_pool + 1000]
        planted = np.zeros(len(pool_rows), dtype=bool)
        planted[:n_planted] = True
        order = rng.permutation(len(pool_rows))
        yield Draw(
            torch.from_numpy(benchmark_rows),
            torch.from_numpy(pool_rows[order]),
            torch.from_numpy(planted[order]),
        )


def precision(scores: torch.Tensor, planted: torch.Tensor) -> float:
    """Share of planted rows among as many top rows as were planted."""
    n = int(planted.sum())
    top = torch.topk(scores.float().cpu(), n).indices
    return float(planted[top].float().mean())


def concept_scores(
    soft: torch.Tensor, draw: Draw, zmin: float, weight: torch.Tensor
) -> torch.Tensor:
    """Score pool rows by weighted standardised deficits of the benchmark."""
    bench, pool = soft[draw.benchmark].float(), soft[draw.pool].float()
    spread = bench.var(0) / len(bench) + pool.var(0) / len(pool)
    z = (pool.mean(0) - bench.mean(0)) / (spread + 1e-6 / len(bench)).sqrt()
    return pool @ ((z - zmin).clamp(min=0) * weight)


def dense_scores(embedding: torch.Tensor, draw: Draw) -> dict[str, torch.Tensor]:
    """Score pool rows by two-sample directions on sentence embeddings."""
    bench, pool = embedding[draw.benchmark].double(), embedding[draw.pool].double()
    difference = pool.mean(0) - bench.mean(0)
    both = torch.cat([bench - bench.mean(0), pool - pool.mean(0)])
    scatter = both.T @ both / len(both)
    out = {"dense mean difference": pool @ difference}
    for ridge in (0.1, 1.0):
        eye = torch.eye(len(scatter), device=scatter.device, dtype=scatter.dtype)
        shrunk = scatter + ridge * scatter.diagonal().mean() * eye
        out[f"dense ridge {ridge}"] = pool @ torch.linalg.solve(shrunk, difference)
    similarity = pool.float() @ bench.float().T
    out["novelty"] = 1 - similarity.max(1).values
    return out


def encode(folder: Path, states: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (first row, activations) of a JumpReLU folder, in chunks."""
    weights = {
        k: v.float().to(states.device)
        for k, v in load_file(folder / "sae_weights.safetensors").items()
    }
    config = json.loads((folder / "cfg.json").read_text())
    for low in range(0, len(states), 8192):
        x = states[low : low + 8192].float()
        if config.get("apply_b_dec_to_input"):
            x = x - weights["b_dec"]
        pre = x @ weights["W_enc"] + weights["b_enc"]
        yield low, pre.relu() * (pre > weights["threshold"])


def item_saliency(
    folder: Path, states: torch.Tensor, owner: torch.Tensor, n_items: int
) -> torch.Tensor:
    """Return mean activations (n_items, width) of units that belong to items."""
    total: torch.Tensor | None = None
    for low, activations in encode(folder, states):
        if total is None:
            total = torch.zeros(n_items, activations.shape[1], device=states.device)
        total.index_add_(0, owner[low : low + len(activations)], activations)
    assert total is not None
    counts = torch.bincount(owner, minlength=n_items).clamp(min=1)
    return total / counts[:, None]


def soft_presence(saliency: torch.Tensor) -> torch.Tensor:
    """Return min(1, saliency / q90 of its positive values) in half precision."""
    q90 = torch.empty(saliency.shape[1], device=saliency.device)
    for low in range(0, saliency.shape[1], 256):
        block = saliency[:, low : low + 256]
        positive = torch.where(block > 0, block, torch.nan)
        q90[low : low + 256] = torch.nanquantile(positive, 0.9, dim=0)
    return (saliency / q90.nan_to_num(1.0).clamp(min=1e-6)).clamp(max=1).half()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--terms", nargs="*", default=[])
    parser.add_argument("--themes", nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-category", type=int, default=286)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    folders = {
        kind: {name: Path(folder) for name, folder in (one.split("=", 1) for one in given)}
        for kind, given in (("terms", arguments.terms), ("themes", arguments.themes))
    }
    hook_of = {
        name: json.loads((folder / "cfg.json").read_text())["metadata"]["hook_name"]
        for name, folder in folders["terms"].items()
    }
    hooks = sorted({*hook_of.values(), THEME_HOOK})
    model = ReferenceModel.from_spec(
        arguments.model, hook_points=hooks, device=arguments.device, dtype=arguments.dtype
    )
    results: dict[str, dict[str, float]] = {}
    for set_name, (texts, categories) in read_sets(arguments.data, arguments.per_category).items():
        start = time.monotonic()
        states, owner, embedding, passages, passage_owner = read_states(model, texts, hooks)
        trials = list(draws(categories, arguments.draws, arguments.seed))
        row = results.setdefault(set_name, {})

        def record(name: str, values: list[float], row: dict[str, float] = row) -> None:
            row[name] = float(np.mean(values))

        dense = [dense_scores(embedding, draw) for draw in trials]
        for name in dense[0]:
            record(
                name,
                [
                    precision(one[name], draw.planted)
                    for one, draw in zip(dense, trials, strict=True)
                ],
            )
        n = len(texts)
        softs = {
            name: soft_presence(item_saliency(folder, states[hook_of[name]], owner, n))
            for name, folder in folders["terms"].items()
        }
        theme_softs = {
            name: soft_presence(item_saliency(folder, passages, passage_owner, n))
            for name, folder in folders["themes"].items()
        }
        for zmin in (1.0, 1.5, 2.0):
            for name, soft in (softs | theme_softs).items():
                ones = torch.ones(soft.shape[1], device=soft.device)
                record(
                    f"{name} z{zmin}",
                    [
                        precision(concept_scores(soft, draw, zmin, ones), draw.planted)
                        for draw in trials
                    ],
                )
            for terms, soft in softs.items():
                for themes, theme_soft in theme_softs.items():
                    both = torch.cat([soft, theme_soft], dim=1)
                    for theme_weight in (1.0, 2.0):
                        weight = torch.ones(both.shape[1], device=both.device)
                        weight[soft.shape[1] :] = theme_weight
                        record(
                            f"{terms} + {themes} x{theme_weight:g} z{zmin}",
                            [
                                precision(concept_scores(both, draw, zmin, weight), draw.planted)
                                for draw in trials
                            ],
                        )
        print(
            f"{set_name}: {n} items, {len(owner)} tokens, {time.monotonic() - start:.1f} s",
            flush=True,
        )
    names = list(next(iter(results.values())))
    for name in names:
        mean = float(np.mean([row[name] for row in results.values()]))
        cells = "  ".join(f"{row[name]:.3f}" for row in results.values())
        print(f"{name:58s} mean {mean:.3f}   {cells}")
    arguments.out.write_text(json.dumps(results, indent=1))


def read_states(
    model: ReferenceModel, texts: list[str], hooks: list[str]
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return token states by hook, their items, item embeddings, passages and their items."""
    items = [
        Item(id=str(n), row=n, text=text, content=((0, len(text)),), prompt=text)
        for n, text in enumerate(texts)
    ]
    windows = sorted(model.windows(items), key=lambda window: len(window.token_ids))
    parts: dict[str, list[torch.Tensor]] = {hook: [] for hook in hooks}
    owners: list[int] = []
    passage_parts, passage_owners = [], []
    for low in range(0, len(windows), 256):
        batch = windows[low : low + 256]
        states = model.activations(batch)
        for hook in hooks:
            parts[hook].append(states[hook].half())
        for window in batch:
            owners += [window.item] * int(np.sum(window.content))
            passage_owners += [window.item] * len(window.passages)
        lengths = [high - first for window in batch for first, high in window.passages]
        passage_parts.append(pool_passages(states[THEME_HOOK].float(), lengths))
    joined = {hook: torch.cat(tensors) for hook, tensors in parts.items()}
    device = joined[THEME_HOOK].device
    owner = torch.tensor(owners, device=device)
    passages = torch.cat(passage_parts)
    passage_owner = torch.tensor(passage_owners, device=device)
    embedding = torch.zeros(len(texts), passages.shape[1], device=device)
    embedding.index_add_(0, passage_owner, passages)
    embedding = torch.nn.functional.normalize(embedding, dim=1)
    return joined, owner, embedding, passages, passage_owner


if __name__ == "__main__":
    main()
