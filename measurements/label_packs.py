"""Write random concepts with contexts for a reader who judges labels, and the page of verdicts.

A pack shows concepts without a flag: the label, eight of the strongest contexts across sources and
four middling ones. The strongest token is in [[brackets]]; a passage fires as a whole. Packs
contain corpus text and stay outside the repository. The reader writes a CSV row for each concept
(concept_id, verdict, note; verdict is right, partly or wrong; optionally broader, yes or no:
whether it is more than a word). The page of results has only labels and verdicts.

    python measurements/label_packs.py FOLDER --contexts contexts.jsonl.gz --seed 1 \
        --take terms=30 --take themes=10 --pack pack.md
    python measurements/label_packs.py FOLDER --verdicts verdicts.csv --seed 1 \
        --take terms=30 --take themes=10
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.training.context_files import assign_concept_ids, read_contexts
from benchdesign.concepts.training.contexts import ConceptContexts, Context

HERE = Path(__file__).resolve().parent
N_STRONG, N_MIDDLE = 8, 4
VERDICTS = ("right", "partly", "wrong")


def draw(dictionary: Dictionary, take: Mapping[str, int], seed: int) -> list[int]:
    """Draw `take[level]` random concepts without a flag from each level."""
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for level in dictionary.levels:
        live = [
            concept
            for concept in range(level.offset, level.offset + level.width)
            if not dictionary.table.flags[concept]
        ]
        chosen += sorted(random.permutation(live)[: take.get(level.name, 0)].tolist())
    return chosen


def show(context: Context) -> str:
    """Return a context on one line with its strongest token marked."""
    text, start, end = context.text, context.start, context.end
    if start < end and (start > 0 or end < len(text)):
        text = f"{text[:start]}[[{text[start:end]}]]{text[end:]}"
    return " ".join(text.split())


def write_pack(
    dictionary: Dictionary, concepts: Sequence[int], contexts: Mapping[int, ConceptContexts]
) -> str:
    """Return the pack as Markdown."""
    lines = []
    for concept in concepts:
        level = dictionary.level_of(concept)
        lines += [f"## {concept} ({level.name}): {dictionary.label(concept)}", ""]
        concept_contexts = contexts[concept]
        for name, group in (
            ("strongest", concept_contexts.strong[:N_STRONG]),
            ("middling", concept_contexts.middle[:N_MIDDLE]),
        ):
            lines += [
                f"{name}:",
                "",
                *(f"- ({context.source}) {show(context)}" for context in group),
                "",
            ]
    return "\n".join(lines)


def write_verdicts(
    dictionary: Dictionary, concepts: Sequence[int], path: Path, *, command: str, sampling: str
) -> str:
    """Return the page of verdicts; every drawn concept must have a verdict."""
    with path.open(encoding="utf-8", newline="") as file:
        judgements = {int(row["concept_id"]): row for row in csv.DictReader(file)}
    missing = [concept for concept in concepts if concept not in judgements]
    unknown = [
        judgements[c]["verdict"] for c in judgements if judgements[c]["verdict"] not in VERDICTS
    ]
    if missing or unknown:
        raise SystemExit(f"{path}: verdict missing for {missing}; unknown verdicts: {unknown}.")
    rows, counts, n_broader = [], Counter[str](), 0
    labelled = [concept for concept in concepts if dictionary.table.label[concept]]
    n_right = sum(judgements[concept]["verdict"] == "right" for concept in labelled)
    by_level: dict[str, Counter[str]] = {}
    for concept in concepts:
        level, verdict = dictionary.level_of(concept).name, judgements[concept]["verdict"]
        counts[verdict] += 1
        by_level.setdefault(level, Counter())[verdict] += 1
        score = dictionary.table.label_score[concept]
        note = (judgements[concept].get("note") or "").replace("|", "/")
        trust = "" if np.isnan(score) else f"{score:.2f}"
        broader = judgements[concept].get("broader") or ""
        n_broader += broader == "yes"
        rows.append(
            f"| {concept} | {level} | {dictionary.label(concept)} | {trust} | {verdict} "
            f"| {broader} | {note} |"
        )
    n_answered = sum(bool(judgement.get("broader")) for judgement in judgements.values())
    tally = [
        f"- {name}: " + ", ".join(f"{level_counts[verdict]} {verdict}" for verdict in VERDICTS)
        for name, level_counts in by_level.items()
    ]
    return "\n".join(
        [
            "# Labels of forty random concepts, judged by a reader",
            "",
            f"`{command}`",
            "",
            f"{sampling} The reader saw the label, {N_STRONG} of the strongest contexts across "
            f"sources and {N_MIDDLE} middling ones.",
            "",
            f"**{counts['right']} of {len(concepts)} right "
            f"({counts['right'] / len(concepts):.0%}).**",
            "",
            # A concept without a label can be judged right as well.
            f"Of those that have a label, {n_right} of {len(labelled)} "
            f"({n_right / max(len(labelled), 1):.0%}).",
            "",
            *tally,
            *([f"- {n_broader} of {n_answered} are broader than a word"] if n_answered else []),
            "",
            "| concept | level | label | trust | verdict | broader | note |",
            "|---:|---|---|---:|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Write a pack, or the page of verdicts on one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dictionary")
    parser.add_argument("--contexts", type=Path, action="append", default=[])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--take", action="append", required=True, metavar="LEVEL=N")
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "label_verdicts.md")
    options = parser.parse_args()
    dictionary = load_dictionary(options.dictionary)
    take = {name: int(n) for name, n in (entry.split("=") for entry in options.take)}
    concepts = draw(dictionary, take, options.seed)
    if options.pack is not None:
        contexts = {
            entry.concept_id: entry
            for path in options.contexts
            for entry in assign_concept_ids(read_contexts(path), dictionary, path=path)
        }
        options.pack.write_text(write_pack(dictionary, concepts, contexts), encoding="utf-8")
    if options.verdicts is not None:
        words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
        sampling = (
            f"Drawn at random among concepts without a flag (seed {options.seed}): "
            + ", ".join(f"{n} {name}" for name, n in take.items())
            + "."
        )
        page = write_verdicts(
            dictionary,
            concepts,
            options.verdicts,
            command=f"python measurements/label_packs.py {' '.join(words)}",
            sampling=sampling,
        )
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
