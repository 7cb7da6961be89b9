"""Write blind cases of what a designer sees first, and score the guesses of readers.

Every case is the verdict and the groups of one draw from which one category was taken out, with the
categories among which it is to be guessed. The key is written apart from the cases.

python measurements/names.py write --cache MAPS --cases CASES.md --key KEY.json
python measurements/names.py score --key KEY.json --guesses GUESSES.json      {"case 1": "category"}
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
from planted.groups import DOMAINS, draw_closed, draw_open, load_group_sets
from planted_groups import search

from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.coverage.groups.gap_group import GapGroups
from benchdesign.coverage.groups.verdict import verdict_sentence

CLOSED = {"trivia": 8, "medicine": 8, "mathematics": 8}
OPEN_DRAWS = 4
FIRST_SEED = 1000
MOST_CHOICES = 20
MOST_GROUPS = 8


def first_screen(groups: GapGroups) -> list[str]:
    """Return what leads the interface: the verdict, and the groups with their concepts."""
    lines = [verdict_sentence(groups), ""]
    for group in [group for group in groups.groups if group.parent is None][:MOST_GROUPS]:
        labels = "; ".join(concept.label for concept in group.concepts[:4])
        words = ", ".join(group.words[:8])
        lines.append(
            f"- {group.status}: {group.name} ({group.count} of {group.expected:.0f} expected, "
            f"by chance in {group.p_value:.0%} of runs). Concepts: {labels}. Words: {words}."
        )
    return lines


def write(cache: Path, cases: Path, key: Path) -> None:
    """Write the cases in random order, and their key."""
    mapper = open_mapper()
    sets = load_group_sets(mapper, cache)
    drawn = [
        (name, "closed", draw_closed(sets[name], FIRST_SEED + seed, n_removed=1))
        for name, n in CLOSED.items()
        for seed in range(n)
    ]
    drawn += [
        (name, "open", draw_open(sets["many"], name, FIRST_SEED + seed))
        for name in DOMAINS
        for seed in range(OPEN_DRAWS)
    ]
    order = random.Random(0)
    order.shuffle(drawn)
    lines: list[str] = []
    answers: dict[str, dict[str, str]] = {}
    for number, (name, kind, draw) in enumerate(drawn, start=1):
        categories = sorted({str(label) for label in draw.pool_labels[draw.in_domain]})
        removed = str(draw.pool_labels[draw.is_removed][0])
        others = [label for label in categories if label != removed]
        choices = sorted([removed, *order.sample(others, min(len(others), MOST_CHOICES - 1))])
        answers[f"case {number}"] = {"answer": removed, "set": name, "pool": kind}
        lines += [f"## case {number}", "", *first_screen(search(draw, mapper.dictionary, None))]
        lines += ["", f"Which of these was taken out? {' | '.join(choices)}", ""]
    cases.write_text("\n".join(lines), "utf-8")
    key.write_text(json.dumps(answers, indent=1), "utf-8")


def score(key: Path, guesses: Path) -> None:
    """Print the share of right first guesses by kind of pool and set."""
    answers = json.loads(key.read_text("utf-8"))
    given = json.loads(guesses.read_text("utf-8"))
    print("| pool | set | cases | named by the first guess |\n|---|---|---|---|")
    groups = sorted({(answer["pool"], answer["set"]) for answer in answers.values()})
    for pool, name in [*groups, ("closed", ""), ("open", "")]:
        right = [
            given.get(case, "").strip().casefold() == answer["answer"].casefold()
            for case, answer in answers.items()
            if answer["pool"] == pool and name in ("", answer["set"])
        ]
        print(f"| {pool} | {name or 'all'} | {len(right)} | {np.mean(right):.2f} |")


def main() -> None:
    """Write cases or score guesses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "score"])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--guesses", type=Path)
    chosen = parser.parse_args()
    if chosen.action == "write":
        write(chosen.cache, chosen.cases, chosen.key)
    else:
        score(chosen.key, chosen.guesses)


if __name__ == "__main__":
    main()
