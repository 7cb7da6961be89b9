"""Random concepts with their contexts, for a reader who judges the labels; and the verdicts' page.

A pack shows concepts without a flag: the label, eight of the strongest contexts across sources and
four middling ones; the strongest token stands in [[brackets]], a passage fires as a whole. Packs
hold corpus text and stay outside the repository. The reader writes one line a concept (CSV:
concept_id, verdict, note; verdict is right, partly or wrong; optionally broader, yes or no: is it
more than a word), and only labels and verdicts become a page of results.

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
    """Draw so many live concepts of each level at random."""
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
        found = contexts[concept]
        for name, shown in (
            ("strongest", found.strong[:N_STRONG]),
            ("middling", found.middle[:N_MIDDLE]),
        ):
            lines += [f"{name}:", "", *(f"- ({one.source}) {show(one)}" for one in shown), ""]
    return "\n".join(lines)


def write_verdicts(
    dictionary: Dictionary, concepts: Sequence[int], path: Path, *, command: str, drawn: str
) -> str:
    """Return the page of verdicts; every concept drawn must have one."""
    with path.open(encoding="utf-8", newline="") as file:
        judged = {int(row["concept_id"]): row for row in csv.DictReader(file)}
    missing = [concept for concept in concepts if concept not in judged]
    odd = [judged[c]["verdict"] for c in judged if judged[c]["verdict"] not in VERDICTS]
    if missing or odd:
        raise SystemExit(f"{path}: no verdict for {missing}; unknown verdicts {odd}.")
    rows, counts, n_broader = [], Counter[str](), 0
    labelled = [concept for concept in concepts if dictionary.table.label[concept]]
    n_right = sum(judged[concept]["verdict"] == "right" for concept in labelled)
    by_level: dict[str, Counter[str]] = {}
    for concept in concepts:
        level, verdict = dictionary.level_of(concept).name, judged[concept]["verdict"]
        counts[verdict] += 1
        by_level.setdefault(level, Counter())[verdict] += 1
        score = dictionary.table.label_score[concept]
        note = (judged[concept].get("note") or "").replace("|", "/")
        trust = "" if np.isnan(score) else f"{score:.2f}"
        broader = judged[concept].get("broader") or ""
        n_broader += broader == "yes"
        rows.append(
            f"| {concept} | {level} | {dictionary.label(concept)} | {trust} | {verdict} "
            f"| {broader} | {note} |"
        )
    n_asked = sum(bool(one.get("broader")) for one in judged.values())
    tally = [
        f"- {name}: " + ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS)
        for name, found in by_level.items()
    ]
    return "\n".join(
        [
            "# Labels of forty random concepts, judged by a reader",
            "",
            f"`{command}`",
            "",
            f"{drawn} The reader saw the label, {N_STRONG} of the strongest contexts across "
            f"sources and {N_MIDDLE} middling ones.",
            "",
            f"**{counts['right']} of {len(concepts)} right "
            f"({counts['right'] / len(concepts):.0%}).**",
            "",
            # A concept that nobody named can be judged right too: rightly left without a label.
            f"Of those that have a label, {n_right} of {len(labelled)} "
            f"({n_right / max(len(labelled), 1):.0%}).",
            "",
            *tally,
            *([f"- {n_broader} of {n_asked} are broader than a word"] if n_asked else []),
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
    take = {name: int(n) for name, n in (one.split("=") for one in options.take)}
    concepts = draw(dictionary, take, options.seed)
    if options.pack is not None:
        placed = {
            one.concept_id: one
            for path in options.contexts
            for one in assign_concept_ids(read_contexts(path), dictionary, path=path)
        }
        options.pack.write_text(write_pack(dictionary, concepts, placed), encoding="utf-8")
    if options.verdicts is not None:
        shown = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
        drawn = (
            f"Drawn at random among concepts without a flag (seed {options.seed}): "
            + ", ".join(f"{n} {name}" for name, n in take.items())
            + "."
        )
        page = write_verdicts(
            dictionary,
            concepts,
            options.verdicts,
            command=f"python measurements/label_packs.py {' '.join(shown)}",
            drawn=drawn,
        )
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
