"""Passages of the corpus that show a concept, and passages that do not: what labels are made from.

They are corpus text: they go to a file of their own and never into a dictionary.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.dictionary import Dictionary, Level
from benchdesign.errors import InputError
from benchdesign.mapping.activations import ActivationBank, Collected
from benchdesign.mapping.active import ActiveBlock
from benchdesign.regular import is_gzip, open_lines
from benchdesign.whole_files import whole_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchdesign.mapping.statistics import Entries

__all__ = [
    "ConceptContexts",
    "Context",
    "ContextSettings",
    "digest_of",
    "find_contexts",
    "place_contexts",
    "read_contexts",
    "write_contexts",
]


@dataclass(frozen=True, slots=True)
class Context:
    """A stretch of corpus text, its strongest token marked."""

    text: str
    start: int
    """First character of the strongest token in `text`; equal to `end` where nothing fires."""

    end: int
    activation: float
    source: str


@dataclass(frozen=True, slots=True)
class ConceptContexts:
    """Contexts of one concept."""

    concept_id: int
    level: str
    strong: tuple[Context, ...]
    middle: tuple[Context, ...]
    absent: tuple[Context, ...]
    scored_present: tuple[Context, ...]
    """Never shown to whoever writes the label: they measure it."""

    scored_absent: tuple[Context, ...]
    weights: str = ""
    """Digest of the SAE's weights, so that contexts are not taken for another's; may be empty."""


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How many contexts of each kind, and how long."""

    n_strong: int = 12
    n_middle: int = 6
    n_absent: int = 6
    n_scored: int = 10
    n_around: int = 12
    """Tokens on either side of the strongest one."""

    most_per_source: int = 3
    seed: int = 0


def find_contexts(
    collected: Collected,
    bank: ActivationBank,
    block: ActiveBlock,
    entries: Entries,
    threshold: NDArray[np.float32],
    *,
    first: int,
    settings: ContextSettings,
) -> list[ConceptContexts]:
    """Choose contexts for the concepts of one block; `first` is the block's first concept."""
    import numpy as np

    made = []
    for place in range(len(threshold)):
        random = np.random.default_rng([settings.seed, first + place])
        low, high = int(entries.indptr[place]), int(entries.indptr[place + 1])
        fires = entries.text[low:high]
        n = int(np.count_nonzero(entries.peak[low:high] >= threshold[place]))
        strong = _spread(collected, fires[: min(n, 400)], settings.n_strong, settings)
        rest = np.setdiff1d(fires[:n], strong, assume_unique=False)
        middle_part = np.setdiff1d(fires[n // 3 : max(n * 4 // 5, 1)], strong)
        middle = _spread(
            collected, random.permutation(middle_part)[:200], settings.n_middle, settings
        )
        scored_part = random.permutation(np.setdiff1d(rest, middle))[:400]
        scored = _spread(collected, scored_part, settings.n_scored, settings)
        absent = _absent(collected, fires, strong, settings.n_absent + settings.n_scored, random)
        shown = _cut(collected, bank, block.only(place), [*strong, *middle, *scored], settings)
        silent = [_random_cut(collected, bank, text, settings, random) for text in absent]
        a, b = len(strong), len(strong) + len(middle)
        made.append(
            ConceptContexts(
                concept_id=first + place,
                level="",
                strong=tuple(shown[:a]),
                middle=tuple(shown[a:b]),
                absent=tuple(silent[: settings.n_absent]),
                scored_present=tuple(shown[b:]),
                scored_absent=tuple(silent[settings.n_absent :]),
            )
        )
    return made


def write_contexts(contexts: Iterable[ConceptContexts], path: Path, **also: Any) -> None:
    """Write one JSON line a concept (gzip where the name ends in .gz), all or nothing.

    `also` are per-concept columns (anything indexable by concept id) to add to each line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_files(path) as (fresh,), fresh.open("wb") as raw:
        # A fixed time in the header, so that the same run gives the same bytes.
        stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if is_gzip(path) else raw
        for one in contexts:
            record = asdict(one) | {name: column[one.concept_id] for name, column in also.items()}
            stream.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        if stream is not raw:
            stream.close()


def read_contexts(path: Path) -> Iterator[ConceptContexts]:
    """Read a file written by `write_contexts`."""
    try:
        with open_lines(path) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = json.loads(line)
                    yield ConceptContexts(
                        concept_id=int(record["concept_id"]),
                        level=str(record["level"]),
                        weights=str(record.get("weights", "")),
                        **{
                            name: tuple(Context(**one) for one in record[name])
                            for name in (
                                "strong",
                                "middle",
                                "absent",
                                "scored_present",
                                "scored_absent",
                            )
                        },
                    )
                except (ValueError, KeyError, TypeError):
                    raise InputError(
                        f"{path}:{number}: not a line of contexts; make the file with "
                        "`benchdesign dictionary train --contexts`."
                    ) from None
    except (OSError, EOFError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: cannot be read ({reason}); check the path.") from None


def place_contexts(
    contexts: Iterable[ConceptContexts], dictionary: Dictionary, *, path: Path
) -> list[ConceptContexts]:
    """Give contexts the ids their concepts have in a dictionary; `path` is named in errors.

    A level that was joined with others has other ids than in the run that wrote its contexts.
    """
    by_level: dict[str, list[ConceptContexts]] = {}
    for one in contexts:
        by_level.setdefault(one.level, []).append(one)
    levels = {level.name: level for level in dictionary.levels}
    placed: list[ConceptContexts] = []
    for name, found in by_level.items():
        level = levels.get(name)
        # A dictionary may have some of the levels that were trained together, or another of
        # the same name.
        if level is None or found[0].weights not in ("", digest_of(level)):
            continue
        lowest = min(one.concept_id for one in found)
        shift = level.offset - lowest if len(found) == level.width else 0
        placed += [replace(one, concept_id=one.concept_id + shift) for one in found]
        if any(
            not 0 <= one.concept_id - level.offset < level.width for one in placed[-len(found) :]
        ):
            raise InputError(f"{path}: made for another dictionary; make it again.")
    if not placed:
        raise InputError(
            f"{path}: made for another dictionary; name the file that was made with this one."
        )
    return sorted(placed, key=lambda one: one.concept_id)


def digest_of(level: Level) -> str:
    """Return what contexts of a level carry as `weights`; empty for a level without weights."""
    from benchdesign.mapping.dictionaries import WEIGHTS

    if level.folder is None:
        return ""
    with (level.folder / WEIGHTS).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _spread(
    collected: Collected, texts: NDArray[np.int64], n: int, settings: ContextSettings
) -> list[int]:
    """Take texts in order, few of one source and none that begin alike, as far as there are."""
    taken: list[int] = []
    spare: list[int] = []
    sources: Counter[str] = Counter()
    openings: set[str] = set()
    for number in texts.tolist():
        text = collected.texts[number]
        opening = text.text[:40]
        if sources[text.source] >= settings.most_per_source or opening in openings:
            spare.append(number)
            continue
        sources[text.source] += 1
        openings.add(opening)
        taken.append(number)
        if len(taken) == n:
            return taken
    return taken + spare[: n - len(taken)]


def _absent(
    collected: Collected,
    fires: NDArray[np.int64],
    strong: list[int],
    n: int,
    random: np.random.Generator,
) -> list[int]:
    """Texts where the concept does not fire; every second one from a source where it does."""
    import numpy as np

    firing = set(fires.tolist())
    wanted = {collected.texts[number].source for number in strong}
    draws = random.integers(0, len(collected.texts), size=min(400, 20 * len(collected.texts)))
    near: list[int] = []
    far: list[int] = []
    for number in dict.fromkeys(draws.tolist()):
        if number in firing or not collected.n_tokens[number]:
            continue
        (near if collected.texts[number].source in wanted else far).append(number)
    half = near[: n // 2]
    taken = half + far[: n - len(half)]
    taken += near[len(half) : len(half) + n - len(taken)]
    return [int(number) for number in random.permutation(np.asarray(taken, dtype=np.int64))]


def _cut(
    collected: Collected,
    bank: ActivationBank,
    concept: ActiveBlock,
    texts: list[int],
    settings: ContextSettings,
) -> list[Context]:
    """Cut the stretch around the strongest row out of each text."""
    import numpy as np
    import torch

    if not texts:
        return []
    spans = [(int(bank.indptr[text]), int(bank.indptr[text + 1])) for text in texts]
    index = torch.from_numpy(np.concatenate([np.arange(low, high) for low, high in spans]))
    acts = concept.at(index)[:, 0].cpu().numpy()
    made, place = [], 0
    for text, (low, high) in zip(texts, spans, strict=True):
        part = acts[place : place + high - low]
        place += high - low
        best = int(part.argmax())
        made.append(_context(collected, bank, text, low + best, float(part[best]), settings))
    return made


def _random_cut(
    collected: Collected,
    bank: ActivationBank,
    text: int,
    settings: ContextSettings,
    random: np.random.Generator,
) -> Context:
    row = int(random.integers(bank.indptr[text], bank.indptr[text + 1]))
    return _context(collected, bank, text, row, 0.0, settings)


def _context(
    collected: Collected,
    bank: ActivationBank,
    text: int,
    row: int,
    activation: float,
    settings: ContextSettings,
) -> Context:
    around = settings.n_around if bank.key.unit == "token" else 0
    low = max(row - around, int(bank.indptr[text]))
    high = min(row + around, int(bank.indptr[text + 1]) - 1)
    first, last = int(bank.starts[low]), int(bank.ends[high])
    whole = collected.texts[text]
    fires = activation > 0
    return Context(
        text=whole.text[first:last],
        start=int(bank.starts[row]) - first if fires else 0,
        end=int(bank.ends[row]) - first if fires else 0,
        activation=round(activation, 4),
        source=whole.source,
    )
