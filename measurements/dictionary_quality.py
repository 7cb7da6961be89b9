"""How good a dictionary is on text it never saw: corpus text held out of training, and benchmarks.

Printed per level and set: explained variance, mean number of active concepts (L0), concepts that
fire nowhere and on more than a tenth of tokens or passages. Benchmarks were never in the corpus.

    python measurements/dictionary_quality.py CORPUS BENCHMARK ... --dictionary builtin
        --out measurements/results/dictionary_quality.md
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchdesign.dictionary import Level
from benchdesign.errors import BenchdesignError
from benchdesign.formats import load_benchmark
from benchdesign.mapping import load_dictionary
from benchdesign.mapping.activations import BankKey, Collected, collect_activations
from benchdesign.mapping.corpus import CorpusText, read_corpus
from benchdesign.mapping.recipe import LevelReport, LevelSpec
from benchdesign.mapping.reference import ReferenceModel
from benchdesign.mapping.train import measure_sae

HEAD = "| text | level | tokens or passages | explained | L0 | fire nowhere | on over 10% |"


def measure(collected: Collected, level: Level) -> LevelReport:
    """Measure one level on everything collected."""
    import torch
    from safetensors.torch import load_file

    if level.folder is None:
        raise SystemExit("The dictionary has no weights.")
    bank = collected.banks[BankKey(level.hook_point, level.unit)]
    tensors = load_file(level.folder / "sae_weights.safetensors")
    return measure_sae(
        bank,
        {name: tensor.float() for name, tensor in tensors.items()},
        LevelSpec(level.name, level.hook_point, level.unit, level.width, k=1),
        test_rows=torch.arange(len(bank)),
        more_rows=torch.arange(0),
        n_train=0,
        n_steps=0,
        seconds=0.0,
    )


def rows_of(name: str, texts: Sequence[CorpusText], reference: ReferenceModel,
            levels: Sequence[Level], max_tokens: int) -> list[str]:  # fmt: skip
    """Return table rows for one set of texts."""
    keys = [BankKey(level.hook_point, level.unit) for level in levels]
    collected = collect_activations(texts, reference, keys=keys, max_tokens=max_tokens)
    made = []
    for level in levels:
        one = measure(collected, level)
        made.append(
            f"| {name} | {level.name} | {one.n_held_out:,} | {one.explained_variance:.3f} "
            f"| {one.l0:.1f} | {one.dead_share:.1%} | {one.dense_share:.1%} |"
        )
    return made


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("benchmarks", nargs="*", type=Path)
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--max-tokens", type=int, default=100_000, help="per set")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    dictionary = load_dictionary(options.dictionary)
    hooks = tuple(dict.fromkeys(level.hook_point for level in dictionary.levels))
    reference = ReferenceModel.from_spec(dictionary.model, hook_points=hooks, dtype=options.dtype)
    random = np.random.default_rng(0)
    held = [text for text in read_corpus(options.corpus).texts if text.held_out]
    sets = [("held-out corpus", [held[row] for row in random.permutation(len(held))])]
    for path in options.benchmarks:
        try:
            items = load_benchmark(path).items
        except BenchdesignError as problem:
            print(f"left out: {problem}", file=sys.stderr)
            continue
        chosen = random.permutation(len(items))
        sets.append((path.name, [CorpusText(items[row].text, "", True) for row in chosen]))
    rows = []
    for name, texts in sets:
        rows += rows_of(name, texts, reference, dictionary.levels, options.max_tokens)
        print(*rows[-len(dictionary.levels) :], sep="\n", flush=True)
    shown = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    page = [
        f"# Quality of the dictionary `{dictionary.name}` on unseen text",
        "",
        f"`python measurements/dictionary_quality.py {shlex.join(shown)}`",
        "",
        f"At most {options.max_tokens:,} tokens of each set. Fingerprint "
        f"`{dictionary.fingerprint[:16]}`.",
        "",
        HEAD,
        "|---|---|---:|---:|---:|---:|---:|",
        *rows,
    ]
    if options.out is not None:
        options.out.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
