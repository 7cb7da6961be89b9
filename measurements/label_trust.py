"""Measure how far the labels of a dictionary can be trusted, compared with chance.

A label's score is an area under the curve: its similarity to held-out contexts (of sentence
embeddings, and of the words it names) separates contexts where its concept fires from contexts
where it does not (`benchdesign dictionary label --score`). The writer of the label did not see
these contexts. The baseline assigns each concept of a random sample the label of another concept of
its level.

    benchdesign dictionary label FOLDER --score --contexts contexts.jsonl.gz
    python measurements/label_trust.py FOLDER --contexts contexts.jsonl.gz
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.dictionary import Dictionary, Level
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.labels.labels import ConceptLabel, shared_labels
from benchdesign.concepts.labels.score import Embedder, builtin_embedder, score_labels
from benchdesign.concepts.training.context_files import assign_concept_ids, read_contexts
from benchdesign.concepts.training.contexts import ConceptContexts

HERE = Path(__file__).resolve().parent
CHANCE = 0.6
"""Scores below this count as chance: ten contexts against ten scatter by 0.13 around 0.5."""

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001)


def labelled(dictionary: Dictionary, level: Level) -> list[int]:
    """Return the concepts of a level that have a label and no flag."""
    table = dictionary.table
    return [
        concept
        for concept in range(level.offset, level.offset + level.width)
        if table.label[concept] and not table.flags[concept]
    ]


def shuffled_scores(
    dictionary: Dictionary,
    contexts: Sequence[ConceptContexts],
    concepts: Sequence[int],
    *,
    n: int,
    embed: Embedder,
) -> NDArray[np.float64]:
    """Return the scores of a sample of concepts under another concept's label."""
    random = np.random.default_rng(0)
    sample = random.permutation(concepts)[:n]
    # Labels rotate by one place in the random order, so that no concept keeps its own.
    labels = [
        ConceptLabel(int(concept), dictionary.table.label[other], "written")
        for concept, other in zip(sample, np.roll(sample, 1), strict=True)
    ]
    scored = score_labels(labels, contexts, embed=embed)
    return np.asarray([label.score for label in scored if label.score is not None])


def row(name: str, scores: NDArray[np.float64]) -> str:
    """Return a row of the table of distributions."""
    if not len(scores):
        return f"| {name} | 0 | | | | | |"
    low, tenth, median = np.quantile(scores, (0.05, 0.1, 0.5))
    return (
        f"| {name} | {len(scores):,} | {scores.mean():.3f} | {median:.3f} | {tenth:.2f} | "
        f"{low:.2f} | {(scores < CHANCE).mean():.1%} |"
    )


def without_score(
    dictionary: Dictionary, concepts: Sequence[int], scorable: Collection[int]
) -> tuple[int, int]:
    """Count labels without a score: too few held-out contexts, and other reasons."""
    unscored = [
        concept for concept in concepts if not np.isfinite(dictionary.table.label_score[concept])
    ]
    n_lacking = sum(concept not in scorable for concept in unscored)
    return n_lacking, len(unscored) - n_lacking


def doubtful(dictionary: Dictionary) -> dict[int, str]:
    """Return concepts without a flag whose label should be rewritten, with the reasons."""
    table = dictionary.table
    live = [concept for concept, flags in enumerate(table.flags) if not flags]
    shared = shared_labels(dictionary)
    doubts = {}
    for concept in live:
        label, score = table.label[concept], float(table.label_score[concept])
        reasons = []
        if not label:
            reasons.append("no label")
        else:
            if score < CHANCE:
                reasons.append(f"score {score:.2f}")
            if len(label.split()) == 1:
                reasons.append("one word")
            if concept in shared:
                reasons.append(f"{shared[concept]} concepts share this label")
        if reasons:
            doubts[concept] = "; ".join(reasons)
    return doubts


def main() -> None:
    """Measure, print, and write the page and the list of doubtful labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dictionary")
    parser.add_argument("--contexts", type=Path, action="append", required=True)
    parser.add_argument(
        "--sample", type=int, default=400, help="concepts for the baseline, per level"
    )
    parser.add_argument("--dtype", default=None, help="precision of the embeddings")
    parser.add_argument("--doubtful", type=Path, help="file for doubtful concepts")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "label_trust.md")
    options = parser.parse_args()
    dictionary = load_dictionary(options.dictionary)
    contexts: list[ConceptContexts] = []
    for path in options.contexts:
        contexts += assign_concept_ids(read_contexts(path), dictionary, path=path)
    # Keep only what scoring reads: a file of contexts is large.
    contexts = [replace(entry, strong=(), middle=(), absent=()) for entry in contexts]
    embed = builtin_embedder(dtype=options.dtype)
    scorable = {
        entry.concept_id for entry in contexts if entry.scored_present and entry.scored_absent
    }
    rows, bars, unscored = [], [], []
    for level in dictionary.levels:
        concepts = labelled(dictionary, level)
        n_lacking, n_other = without_score(dictionary, concepts, scorable)
        unscored.append(
            f"- {level.name}: {n_lacking + n_other:,} of {len(concepts):,} labels; {n_lacking:,} "
            "for too few held-out contexts"
            + (f", {n_other:,} unscored for other reasons" if n_other else "")
        )
        scores = dictionary.table.label_score[concepts].astype(np.float64)
        scores = scores[np.isfinite(scores)]
        chance = shuffled_scores(dictionary, contexts, concepts, n=options.sample, embed=embed)
        rows += [row(level.name, scores), row(f"{level.name}, labels shuffled", chance)]
        bars.append((level.name, np.histogram(scores, EDGES)[0], np.histogram(chance, EDGES)[0]))
    doubts = doubtful(dictionary)
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    page = [
        "# Trust in the labels of the built-in dictionary",
        "",
        f"`python measurements/label_trust.py {shlex.join(words)}`",
        "",
        (__doc__ or "").split("\n\n")[1],
        "",
        f"| | labels | mean | median | a tenth below | a twentieth below | below {CHANCE} |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
        "Labels without a score, in none of these rows: a label is scored on contexts that its "
        "writer did not see, and a concept that fires in few texts has none left.",
        "",
        *unscored,
        "",
        "## Distribution",
        "",
        "Share of labels by score.",
        "",
        "| score | " + " | ".join(f"{name} | {name}, shuffled" for name, _, _ in bars) + " |",
        "|---" + "|---:|---:" * len(bars) + "|",
        *(
            f"| {low:g} to {min(high, 1):g} | "
            + " | ".join(
                f"{true[place] / max(true.sum(), 1):.1%} | {false[place] / max(false.sum(), 1):.1%}"
                for _, true, false in bars
            )
            + " |"
            for place, (low, high) in enumerate(pairwise(EDGES))
        ),
        "",
        f"Live concepts without a label: "
        f"{sum('no label' in reason for reason in doubts.values()):,}. Labels that score below "
        f"{CHANCE}: {sum('score' in reason for reason in doubts.values()):,}.",
    ]
    print("\n".join(page))
    options.out.write_text("\n".join(page) + "\n", encoding="utf-8")
    if options.doubtful is not None:
        options.doubtful.write_text(
            "".join(
                f"{concept}\t{dictionary.level_of(concept).name}\t{reason}\t"
                f"{dictionary.table.label[concept] or ''}\n"
                for concept, reason in doubts.items()
            ),
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
