"""Measure a dictionary on text outside its training set: held-out corpus text, and benchmarks.

Measured per level and set: explained variance, mean number of active concepts (L0), and concepts
that fire on more than a tenth of tokens or passages. Dead concepts never fired in up to two million
rows of training text and all held-out text (recorded by training). Benchmarks were never in the
corpus. Every file that loads counts; the files of a folder are one set.

    python measurements/dictionary_quality.py CORPUS BENCHMARK_FILE ... --dictionary builtin
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.concepts.training.activation_bank import (
    BankKey,
    CorpusActivations,
    collect_activations,
)
from benchdesign.concepts.training.corpus import CorpusReader, CorpusText
from benchdesign.concepts.training.recipe import LevelReport, LevelSpec
from benchdesign.concepts.training.train_sae import measure_sae
from benchdesign.errors import BenchdesignError

HERE = Path(__file__).resolve().parent
HELD_OUT = "corpus, held out"
MOST_MEGABYTES = 16


def measure(collected: CorpusActivations, level: Level) -> LevelReport:
    """Measure one level on the collected activations."""
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


def read_sets(corpus: Path, benchmarks: Sequence[Path]) -> dict[str, list[CorpusText]]:
    """Return shuffled texts by set: the held-out corpus text, and each folder of benchmarks."""
    random = np.random.default_rng(0)
    held_out = [text for text in CorpusReader.open(corpus) if text.held_out]
    sets = {HELD_OUT: held_out}
    for path in benchmarks:
        try:
            items = load_benchmark(path).items
        except BenchdesignError as problem:
            print(f"skipped: {problem}", file=sys.stderr)
            continue
        sets.setdefault(path.parent.name, []).extend(
            CorpusText(item.text, "", True) for item in items
        )
    return {
        name: [texts[row] for row in random.permutation(len(texts))] for name, texts in sets.items()
    }


def describe(
    reports_by_set: Mapping[str, Sequence[LevelReport]], levels: Sequence[Level]
) -> list[str]:
    """Return a table for each level: every set, and the mean over benchmarks."""
    lines = []
    for place, level in enumerate(levels):
        unit = {"token": "tokens", "passage": "passages"}[level.unit]
        lines += [
            f"## {level.name}",
            "",
            f"| text | {unit} | explained | L0 | on over 10% |",
            "|---|---:|---:|---:|---:|",
        ]
        reports = {name: set_reports[place] for name, set_reports in reports_by_set.items()}
        for name, report in reports.items():
            lines.append(
                f"| {name} | {report.n_held_out:,} | {report.explained_variance:.3f} "
                f"| {report.l0:.1f} | {report.dense_share:.1%} |"
            )
        unseen = [report for name, report in reports.items() if name != HELD_OUT]
        if unseen:
            explained, l0, dense = np.mean(
                [[report.explained_variance, report.l0, report.dense_share] for report in unseen],
                axis=0,
            )
            n = sum(report.n_held_out for report in unseen)
            lines.append(
                f"| mean of benchmarks | {n:,} | {explained:.3f} | {l0:.1f} | {dense:.1%} |"
            )
        lines.append("")
    return lines


def compare(
    dictionary: Dictionary, folder: Path, reports_by_set: Mapping[str, Sequence[LevelReport]]
) -> list[str]:
    """Return the table of targets and measured values."""
    dead = {level.name: _recorded(folder, level.name)["dead_share"] for level in dictionary.levels}
    lines = ["| what | target | measured | met |", "|---|---:|---:|---|"]

    def row(quantity: str, target: str, value: str, met: bool) -> None:
        lines.append(f"| {quantity} | {target} | {value} | {'yes' if met else 'no'} |")

    for place, level in enumerate(dictionary.levels):
        flags = dictionary.table.flags[level.offset : level.offset + level.width]
        held_out = reports_by_set[HELD_OUT][place]
        if level.unit == "passage":
            row(f"{level.name}: dead", "0", f"{dead[level.name]:.1%}", dead[level.name] == 0)
            n = sum("structural:template" in concept_flags for concept_flags in flags)
            lines.append(f"| {level.name}: flagged as template detectors | flagged | {n} | yes |")
            continue
        unseen = [
            set_reports[place].explained_variance
            for name, set_reports in reports_by_set.items()
            if name != HELD_OUT
        ]
        explained, mean = held_out.explained_variance, float(np.mean(unseen))
        row(f"{level.name}: explained, held-out", "≥ 0.88", f"{explained:.4f}", explained >= 0.88)
        row(f"{level.name}: explained, benchmarks", "≥ 0.84", f"{mean:.4f}", mean >= 0.84)
        row(f"{level.name}: mean L0, held-out", "≤ 32", f"{held_out.l0:.2f}", held_out.l0 <= 32)
        row(f"{level.name}: dead", "< 5%", f"{dead[level.name]:.2%}", dead[level.name] < 0.05)
        row(
            f"{level.name}: on over 10% of tokens",
            "< 1.5%",
            f"{held_out.dense_share:.2%}",
            held_out.dense_share < 0.015,
        )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    row("size", f"≤ {MOST_MEGABYTES} MB", f"{size:.1f} MB", size <= MOST_MEGABYTES)
    return lines


def _recorded(folder: Path, level: str) -> dict[str, Any]:
    """Return the training report of a level."""
    recipe = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))["recipe"]
    level_recipe = recipe["joined"][level] if "joined" in recipe else recipe
    report: dict[str, Any] = next(
        entry
        for entry in level_recipe["report"]["levels"]
        if len(level_recipe["levels"]) == 1 or entry["level"] == level
    )
    return report


def flag_counts(dictionary: Dictionary) -> list[str]:
    """Return a table of flags by level."""
    names = sorted({flag for flags in dictionary.table.flags for flag in flags})
    lines = [
        "| | " + " | ".join(level.name for level in dictionary.levels) + " |",
        "|---" + "|---:" * len(dictionary.levels) + "|",
    ]
    parts = [
        dictionary.table.flags[level.offset : level.offset + level.width]
        for level in dictionary.levels
    ]
    for name in names:
        cells = " | ".join(f"{sum(name in flags for flags in part):,}" for part in parts)
        lines.append(f"| {name} | {cells} |")
    cells = " | ".join(f"{sum(not flags for flags in part):,}" for part in parts)
    return [*lines, f"| without a flag | {cells} |"]


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("benchmarks", nargs="*", type=Path)
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--max-tokens", type=int, default=50_000, help="per set")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "dictionary_quality.md")
    options = parser.parse_args()
    dictionary = load_dictionary(options.dictionary)
    levels = dictionary.levels
    hooks = tuple(dict.fromkeys(level.hook_point for level in levels))
    reference = ReferenceModel.from_spec(dictionary.model, hook_points=hooks, dtype=options.dtype)
    keys = [BankKey(level.hook_point, level.unit) for level in levels]
    reports_by_set: dict[str, list[LevelReport]] = {}
    for name, texts in read_sets(options.corpus, options.benchmarks).items():
        collected = collect_activations(texts, reference, keys=keys, max_tokens=options.max_tokens)
        reports_by_set[name] = [measure(collected, level) for level in levels]
        summary = "  ".join(
            f"{report.explained_variance:.3f} L0 {report.l0:.1f}" for report in reports_by_set[name]
        )
        print(f"{name:24s} {summary}", flush=True)
    if levels[0].folder is None:
        raise SystemExit("The dictionary has no weights.")
    page = [
        "# Quality of the built-in dictionary on text it never saw",
        "",
        f"`{_command()}`",
        "",
        (__doc__ or "").split("\n\n")[1],
        "",
        f"At most {options.max_tokens:,} tokens of each set. Fingerprint "
        f"`{dictionary.fingerprint[:16]}`.",
        "",
        "## Targets",
        "",
        *compare(dictionary, levels[0].folder.parent, reports_by_set),
        "",
        *describe(reports_by_set, levels),
        "## Flags",
        "",
        "Concepts excluded from every count, by the rules in `dictionary.json`.",
        "",
        *flag_counts(dictionary),
    ]
    options.out.write_text("\n".join(page) + "\n", encoding="utf-8")


def _command() -> str:
    """Return the command without folders; the benchmark files become one pattern."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    files = {Path(word).name for word in sys.argv[2:] if "/benchmarks/" in word}
    arguments = [word for word in words if word not in files]
    pattern = " benchmarks/*/*" if files else ""
    return f"python measurements/dictionary_quality.py {shlex.join(arguments[:1])}{pattern} " + (
        shlex.join(arguments[1:])
    )


if __name__ == "__main__":
    main()
