"""What may be proposed, and what a proposal says.

Constraints, quotas, duplicates and contamination are looked at here, one item at a time and only
when its turn comes. Which item's turn it is, is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap
from benchdesign.duplicates import WordRuns, duplicate_key, nearest
from benchdesign.errors import UsageError
from benchdesign.items import Item

__all__ = [
    "Check",
    "Constraints",
    "GapFilled",
    "Gate",
    "Proposal",
    "RecordOf",
    "passed_over",
    "usual_parts",
]

_QUOTED = 0.8
"""Share of a benchmark item's prompt that a candidate may not repeat in one run of words."""

_USUAL = 0.95
"""Share of the benchmark's items that have a part, from which it belongs to the form."""

_WHOLE_FOR_EACH = 4
"""Candidates with every part that there must be for each item to add, or they are not asked for."""

RecordOf = Callable[[Item], Mapping[str, Any]]

_ITEM_FIELDS = ("prompt", "choices", "answer", "category", "source", "text")


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the designer allows; everything unset allows everything."""

    budget: int | None = None
    """Most items to add; None for the number asked for."""

    quotas_by_category: Mapping[str, int] = field(default_factory=dict)
    """Most items of each category; `*` is the quota of every category not named."""

    quotas_by_source: Mapping[str, int] = field(default_factory=dict)
    """Most items of each source; `*` is the quota of every source not named."""

    min_tokens: int | None = None
    """Shortest item, in content tokens."""

    max_tokens: int | None = None
    required_fields: tuple[str, ...] = ()
    """Fields that may not be empty: the item's (answer, choices, ...) or, dotted, its record's."""

    pinned: frozenset[str] = frozenset()
    """Ids of pool items that come first, whatever their gain."""

    excluded: frozenset[str] = frozenset()
    """Ids of pool items that are never proposed."""

    def __post_init__(self) -> None:
        both = sorted(self.pinned & self.excluded)
        if both:
            raise UsageError(f"Item {both[0]!r} is both pinned and excluded; drop one of the two.")
        low, high = self.min_tokens, self.max_tokens
        if low is not None and high is not None and low > high:
            raise UsageError(f"The shortest length {low} is above the longest {high}.")
        for quotas in (self.quotas_by_category, self.quotas_by_source):
            for name, quota in quotas.items():
                if quota < 0:
                    raise UsageError(f"The quota of {name!r} is {quota}; give 0 or more.")


@dataclass(frozen=True, slots=True)
class GapFilled:
    """What one proposal does for one concept."""

    concept_id: int
    gain: float
    """Its part of the proposal's gain; 0 for removals."""

    before: int
    """Items that show the concept, the benchmark's and the proposals' ranked before this one."""

    after: int
    target: int
    """Items that should show it in the grown set."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before proposing an item."""

    name: str
    """duplicate, length, answer, constraints."""

    passed: bool
    message: str
    """One line for people."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An item offered for addition or removal, with the reasons."""

    id: str
    """The item's id in the pool (add) or in the benchmark (remove)."""

    row: int
    """Position of the item in its set's items."""

    kind: str
    """add or remove."""

    rank: int
    """From 1."""

    gain: float
    """What it adds to coverage after those ranked before it, as a share of what the best of the
    proposals adds; for removals how redundant it is, from 0 to 1."""

    gaps: tuple[GapFilled, ...]
    """Gaps it fills, largest gain first, not more than are listed; for removals what would be lost:
    ideally nothing."""

    nearest_id: str | None
    """Id of the closest item of the benchmark; None without embeddings."""

    nearest_row: int | None
    nearest_similarity: float | None
    """Cosine similarity to it."""

    checks: tuple[Check, ...] = ()
    category: str | None = None
    source: str | None = None
    n_similar: int = 0
    """Other candidates left out because they repeat this one."""

    pinned: bool = False
    n_gaps: int | None = None
    """Gaps it fills, listed or not; None where all are listed, or before they were counted."""

    @property
    def n_filled(self) -> int:
        """Number of gaps it fills, those not listed included where they were counted."""
        return len(self.gaps) if self.n_gaps is None else self.n_gaps


def usual_parts(
    benchmark_items: Sequence[Item], pool_items: Sequence[Item], *, n: int
) -> tuple[str, ...]:
    """Name what a candidate must have because the benchmark's items do: choices, an answer.

    An item without them would be a row with holes. Where the pool has too few that are whole to
    choose `n` from, nothing is asked for.
    """
    enough = min(_WHOLE_FOR_EACH * n, len(pool_items) / 2)
    return tuple(
        part
        for part in ("choices", "answer")
        if _n_with(part, benchmark_items) >= _USUAL * len(benchmark_items)
        and _n_with(part, pool_items) >= enough
    )


def _n_with(part: str, items: Sequence[Item]) -> int:
    return sum(bool(getattr(item, part)) for item in items)


def passed_over(reason: str) -> str:
    """Say why candidates were passed over, after their number."""
    known = {
        "length": "too short or too long",
        "excluded": "excluded by hand",
        "contaminated": "on a list to keep out",
        "duplicate of the benchmark": "in the benchmark already",
        "near duplicate of the benchmark": "nearly the same as an item of the benchmark",
        "repeats the words of a benchmark item": "with the words of an item of the benchmark",
        "duplicate of a proposal": "chosen already",
        "near duplicate of a proposal": "nearly the same as one chosen before",
    }
    if reason.startswith("quota of "):
        return f"over the {reason.replace('quota of', 'quota of their')}"
    if reason.startswith("no "):
        return f"without {reason.removeprefix('no ')}"
    return known.get(reason, reason)


class Gate:
    """Who may be proposed: checked when an item's turn comes, so most are never looked at."""

    def __init__(
        self,
        benchmark_map: ConceptMap,
        pool_map: ConceptMap,
        *,
        pool_items: Sequence[Item],
        benchmark_items: Sequence[Item],
        constraints: Constraints,
        threshold: float,
        record_of: RecordOf | None,
        contaminated: frozenset[str],
    ) -> None:
        self.left_out: Counter[str] = Counter()
        self._items = pool_items
        self._benchmark_items = benchmark_items
        self._constraints = constraints
        self._threshold = threshold
        self._record_of = record_of
        self._contaminated = contaminated
        self._lengths = pool_map.n_tokens
        self._benchmark_lengths = benchmark_map.n_tokens
        self._embeddings = pool_map.embeddings
        self._benchmark_embeddings = benchmark_map.embeddings
        self._keys: dict[str, int | None] = {duplicate_key(item): None for item in benchmark_items}
        self._prompts = WordRuns([item.prompt for item in benchmark_items])
        self._similar: dict[int, tuple[int, float]] = {}
        self._admitted: list[int] = []
        self._n_similar: Counter[int] = Counter()
        self._used: dict[str, Counter[str]] = {"category": Counter(), "source": Counter()}
        rows = {
            item.id: row for row, item in enumerate(pool_items) if item.id in constraints.pinned
        }
        unknown = sorted(constraints.pinned - rows.keys())
        if unknown:
            raise UsageError(f"Pinned item {unknown[0]!r} is not in the pool; check its id.")
        self.pinned_rows = sorted(rows.values())
        self.candidates = self._find_candidates()

    def _find_candidates(self) -> NDArray[np.bool_]:
        """Mark the pool items that no per-item constraint rules out."""
        limits = self._constraints
        allowed = np.ones(len(self._items), dtype=bool)
        if limits.min_tokens is not None:
            allowed &= self._lengths >= limits.min_tokens
        if limits.max_tokens is not None:
            allowed &= self._lengths <= limits.max_tokens
        self._count_out("length", ~allowed)
        for reason, ids in (("excluded", limits.excluded), ("contaminated", self._contaminated)):
            if ids:
                ruled_out = np.fromiter((item.id in ids for item in self._items), dtype=bool)
                self._count_out(reason, allowed & ruled_out)
                allowed &= ~ruled_out
        allowed[self.pinned_rows] = False
        return allowed

    def _count_out(self, reason: str, mask: NDArray[np.bool_]) -> None:
        if mask.any():
            self.left_out[reason] += int(mask.sum())

    def admit(self, row: int, *, upcoming: NDArray[np.int64] | None) -> bool:
        """Tell whether an item may be proposed now, and reserve its place if so.

        A pinned item (`upcoming` is None) is admitted whatever it repeats; its checks tell.
        """
        item = self._items[row]
        pinned = upcoming is None
        reason = None if pinned else self._over_quota(item) or self._lacks_field(item)
        if reason is None:
            reason = self._repeats(row, upcoming)
        if reason is not None and not pinned:
            self.left_out[reason] += 1
            return False
        self._keys.setdefault(duplicate_key(item), row)
        self._admitted.append(row)
        self._used["category"][item.category or ""] += 1
        self._used["source"][item.source or ""] += 1
        return True

    def _over_quota(self, item: Item) -> str | None:
        for name, value, quotas in (
            ("category", item.category, self._constraints.quotas_by_category),
            ("source", item.source, self._constraints.quotas_by_source),
        ):
            quota = quotas.get(value or "", quotas.get("*"))
            if quota is not None and self._used[name][value or ""] >= quota:
                return f"quota of {name}"
        return None

    def _lacks_field(self, item: Item) -> str | None:
        for name in self._constraints.required_fields:
            if name in _ITEM_FIELDS:
                value = getattr(item, name)
            elif self._record_of is None:
                raise UsageError(f"Required field {name!r} cannot be looked up without records.")
            else:
                value = _lookup(self._record_of(item), name)
            if value is None or value == "" or value == () or value == []:
                return f"no {name}"
        return None

    def _repeats(self, row: int, upcoming: NDArray[np.int64] | None) -> str | None:
        """Return what an item repeats, or None; a benchmark item is looked for first."""
        key = duplicate_key(self._items[row])
        if key in self._keys:
            original = self._keys[key]
            if original is None:
                return "duplicate of the benchmark"
            self._n_similar[original] += 1
            return "duplicate of a proposal"
        quoted = self._prompts.longest_match(row, self._items[row], "benchmark")
        if quoted and quoted.n_words >= _QUOTED * self._prompts.n_words(quoted.known_row):
            return "repeats the words of a benchmark item"
        if self._embeddings is None:
            return None
        if self._nearest(row, upcoming)[1] >= self._threshold:
            return "near duplicate of the benchmark"
        if self._admitted:
            chosen = self._embeddings[self._admitted].astype(np.float32)
            cosines = chosen @ self._embeddings[row].astype(np.float32)
            closest = int(cosines.argmax())
            if cosines[closest] >= self._threshold:
                self._n_similar[self._admitted[closest]] += 1
                return "near duplicate of a proposal"
        return None

    def _nearest(self, row: int, upcoming: NDArray[np.int64] | None) -> tuple[int, float]:
        """Return the closest benchmark item of a pool item and the cosine; (-1, -1.0) if none."""
        if self._embeddings is None or self._benchmark_embeddings is None:
            return -1, -1.0
        if row not in self._similar:
            ahead = (
                [] if upcoming is None else [r for r in upcoming.tolist() if r not in self._similar]
            )
            rows = [row, *ahead]
            found = nearest(self._embeddings[rows], self._benchmark_embeddings)
            for one, place, value in zip(
                rows, found.rows[:, 0].tolist(), found.similarities[:, 0].tolist(), strict=True
            ):
                self._similar[one] = (place, value)
        return self._similar[row]

    def proposal(
        self, row: int, *, rank: int, gain: float, gaps: tuple[GapFilled, ...], n_gaps: int
    ) -> Proposal:
        """Return an admitted item as a proposal."""
        item = self._items[row]
        place, similarity = self._nearest(row, None)
        pinned = item.id in self._constraints.pinned
        return Proposal(
            id=item.id,
            row=row,
            kind="add",
            rank=rank,
            gain=gain,
            gaps=gaps,
            nearest_id=self._benchmark_items[place].id if place >= 0 else None,
            nearest_row=place if place >= 0 else None,
            nearest_similarity=similarity if place >= 0 else None,
            checks=self._checks(row, similarity),
            category=item.category,
            source=item.source,
            n_similar=self._n_similar[row],
            pinned=pinned,
            n_gaps=n_gaps,
        )

    def _checks(self, row: int, similarity: float) -> tuple[Check, ...]:
        item = self._items[row]
        key = duplicate_key(item)
        exact = self._keys.get(key, row) is None
        if exact:
            original = "repeats a benchmark item word for word"
        elif similarity < 0:
            original = "not a word-for-word duplicate; similarity was not measured"
        else:
            original = f"closest benchmark item {similarity:.2f}, limit {self._threshold:.2f}"
        checks = [Check("duplicate", not exact and similarity < self._threshold, original)]
        lengths = self._benchmark_lengths
        if len(lengths):
            low, high = np.quantile(lengths, (0.01, 0.99))
            inside = bool(low <= self._lengths[row] <= high)
            where = "within" if inside else "outside"
            message = (
                f"{self._lengths[row]} tokens, {where} the benchmark's {low:.0f} to {high:.0f}"
            )
            checks.append(Check("length", inside, message))
        if item.choices and item.answer is not None:
            known = item.answer_index is not None or item.answer in item.choices
            checks.append(
                Check("answer", known, f"the answer is {'' if known else 'not '}among the choices")
            )
        else:
            has_answer = item.answer is not None
            checks.append(
                Check("answer", has_answer, "has an answer" if has_answer else "no answer")
            )
        if item.id in self._contaminated:
            checks.append(Check("contamination", False, "found on a list to keep out"))
        return tuple(checks)


def _lookup(record: Mapping[str, Any], path: str) -> Any:
    """Return a dotted field of a record; None if it is not there."""
    value: Any = record
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
