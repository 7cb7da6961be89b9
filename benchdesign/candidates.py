"""Admission of pool items as proposals, and the proposals themselves.

Checks constraints, quotas, duplicates and contamination, one item at a time and only on demand.
The order of the items is decided elsewhere.
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
"""A candidate that repeats this share of a benchmark prompt in one run of words is rejected."""

_USUAL = 0.95
"""A part that this share of the benchmark's items have is required of candidates."""

_WHOLE_FOR_EACH = 4
"""Candidates with a part that the pool must offer per item to add, or it is not required."""

RecordOf = Callable[[Item], Mapping[str, Any]]

_ITEM_FIELDS = ("prompt", "choices", "answer", "category", "source", "text")


@dataclass(frozen=True, slots=True)
class Constraints:
    """Limits set by the designer; unset fields do not limit anything."""

    budget: int | None = None
    """Most items to add; None for the requested number."""

    quotas_by_category: Mapping[str, int] = field(default_factory=dict)
    """Most items of each category; `*` applies to every category without a quota."""

    quotas_by_source: Mapping[str, int] = field(default_factory=dict)
    """Most items of each source; `*` applies to every source without a quota."""

    min_tokens: int | None = None
    """Length of the shortest item allowed, in content tokens."""

    max_tokens: int | None = None
    required_fields: tuple[str, ...] = ()
    """Fields that must not be empty: of the item (answer, choices, ...) or its record (dotted)."""

    pinned: frozenset[str] = frozenset()
    """Ids of pool items that are proposed first, whatever their gain."""

    excluded: frozenset[str] = frozenset()
    """Ids of pool items that are never proposed."""

    def __post_init__(self) -> None:
        conflicts = sorted(self.pinned & self.excluded)
        if conflicts:
            raise UsageError(
                f"Item {conflicts[0]!r} is both pinned and excluded; drop one of them."
            )
        low, high = self.min_tokens, self.max_tokens
        if low is not None and high is not None and low > high:
            raise UsageError(f"The minimum length {low} is greater than the maximum {high}.")
        for quotas in (self.quotas_by_category, self.quotas_by_source):
            for name, quota in quotas.items():
                if quota < 0:
                    raise UsageError(f"The quota of {name!r} is {quota}; it must be 0 or more.")


@dataclass(frozen=True, slots=True)
class GapFilled:
    """The effect of one proposal on one concept."""

    concept_id: int
    gain: float
    """The concept's part of the proposal's gain; 0 for removals."""

    before: int
    """Items that show the concept: in the benchmark and in the proposals ranked above."""

    after: int
    target: int
    """Items that should show the concept in the extended set."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check of a candidate."""

    name: str
    """`duplicate`, `length`, `answer`, `contamination`, ..."""

    passed: bool
    message: str
    """One line that explains the result."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An item proposed for addition or removal, with the reasons."""

    id: str
    """The item's id in the pool (add) or in the benchmark (remove)."""

    row: int
    """Position of the item in its set's items."""

    kind: str
    """`add` or `remove`."""

    rank: int
    """From 1."""

    gain: float
    """Coverage added after the proposals ranked above, as a share of the best proposal's; for
    removals, redundancy from 0 to 1."""

    gaps: tuple[GapFilled, ...]
    """The listed part of the gaps it fills, largest gain first; for removals, the concepts lost
    (ideally none)."""

    nearest_id: str | None
    """Id of the closest benchmark item; None without embeddings."""

    nearest_row: int | None
    nearest_similarity: float | None
    """Cosine similarity to the closest benchmark item."""

    checks: tuple[Check, ...] = ()
    category: str | None = None
    source: str | None = None
    n_similar: int = 0
    """Other candidates rejected because they repeat this one."""

    pinned: bool = False
    n_gaps: int | None = None
    """Number of gaps it fills; None if `gaps` lists all, or if not counted yet."""

    @property
    def n_filled(self) -> int:
        """Number of gaps it fills, including unlisted ones if they were counted."""
        return len(self.gaps) if self.n_gaps is None else self.n_gaps


def usual_parts(
    benchmark_items: Sequence[Item], pool_items: Sequence[Item], *, n: int
) -> tuple[str, ...]:
    """Return the parts that candidates must have because benchmark items do: choices, an answer.

    An item without them would leave fields empty. A part is not required if too few pool items
    have it to choose `n` from.
    """
    min_candidates = min(_WHOLE_FOR_EACH * n, len(pool_items) / 2)
    return tuple(
        part
        for part in ("choices", "answer")
        if _n_with(part, benchmark_items) >= _USUAL * len(benchmark_items)
        and _n_with(part, pool_items) >= min_candidates
    )


def _n_with(part: str, items: Sequence[Item]) -> int:
    return sum(bool(getattr(item, part)) for item in items)


def passed_over(reason: str) -> str:
    """Return the text that follows the number of candidates rejected for a reason."""
    texts = {
        "length": "too short or too long",
        "excluded": "excluded by hand",
        "contaminated": "on a keep-out list",
        "duplicate of the benchmark": "already in the benchmark",
        "near duplicate of the benchmark": "nearly the same as a benchmark item",
        "repeats the words of a benchmark item": "repeating the words of a benchmark item",
        "duplicate of a proposal": "already chosen",
        "near duplicate of a proposal": "nearly the same as an item already chosen",
    }
    if reason.startswith("quota of "):
        return f"over the {reason.replace('quota of', 'quota for their')}"
    if reason.startswith("no "):
        return f"without {reason.removeprefix('no ')}"
    return texts.get(reason, reason)


class Gate:
    """Checks whether a pool item may be proposed, on demand: most items are never checked."""

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
            raise UsageError(f"Pinned item {unknown[0]!r} is not in the pool; check the ID.")
        self.pinned_rows = sorted(rows.values())
        self.candidates = self._find_candidates()

    def _find_candidates(self) -> NDArray[np.bool_]:
        """Return a mask of the pool items that satisfy every per-item constraint."""
        limits = self._constraints
        allowed = np.ones(len(self._items), dtype=bool)
        if limits.min_tokens is not None:
            allowed &= self._lengths >= limits.min_tokens
        if limits.max_tokens is not None:
            allowed &= self._lengths <= limits.max_tokens
        self._count_rejected("length", ~allowed)
        for reason, ids in (("excluded", limits.excluded), ("contaminated", self._contaminated)):
            if ids:
                rejected = np.fromiter((item.id in ids for item in self._items), dtype=bool)
                self._count_rejected(reason, allowed & rejected)
                allowed &= ~rejected
        allowed[self.pinned_rows] = False
        return allowed

    def _count_rejected(self, reason: str, mask: NDArray[np.bool_]) -> None:
        if mask.any():
            self.left_out[reason] += int(mask.sum())

    def admit(self, row: int, *, upcoming: NDArray[np.int64] | None) -> bool:
        """Return whether an item may be proposed now; if so, count it towards the quotas.

        A pinned item (`upcoming` is None) is always admitted; its checks report repetitions.
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
                raise UsageError(f"Required field {name!r} cannot be checked without records.")
            else:
                value = _lookup(self._record_of(item), name)
            if value is None or value == "" or value == () or value == []:
                return f"no {name}"
        return None

    def _repeats(self, row: int, upcoming: NDArray[np.int64] | None) -> str | None:
        """Return what an item repeats, or None; benchmark items are checked first."""
        key = duplicate_key(self._items[row])
        if key in self._keys:
            original = self._keys[key]
            if original is None:
                return "duplicate of the benchmark"
            self._n_similar[original] += 1
            return "duplicate of a proposal"
        quotation = self._prompts.longest_match(row, self._items[row], "benchmark")
        if quotation and quotation.n_words >= _QUOTED * self._prompts.n_words(quotation.known_row):
            return "repeats the words of a benchmark item"
        if self._embeddings is None:
            return None
        if self._nearest(row, upcoming)[1] >= self._threshold:
            return "near duplicate of the benchmark"
        if self._admitted:
            admitted = self._embeddings[self._admitted].astype(np.float32)
            cosines = admitted @ self._embeddings[row].astype(np.float32)
            closest = int(cosines.argmax())
            if cosines[closest] >= self._threshold:
                self._n_similar[self._admitted[closest]] += 1
                return "near duplicate of a proposal"
        return None

    def _nearest(self, row: int, upcoming: NDArray[np.int64] | None) -> tuple[int, float]:
        """Return row and cosine of the closest benchmark item; (-1, -1.0) without embeddings."""
        if self._embeddings is None or self._benchmark_embeddings is None:
            return -1, -1.0
        if row not in self._similar:
            candidates = [] if upcoming is None else upcoming.tolist()
            rows = [row, *(other for other in candidates if other not in self._similar)]
            neighbours = nearest(self._embeddings[rows], self._benchmark_embeddings)
            for pool_row, benchmark_row, cosine in zip(
                rows,
                neighbours.rows[:, 0].tolist(),
                neighbours.similarities[:, 0].tolist(),
                strict=True,
            ):
                self._similar[pool_row] = (benchmark_row, cosine)
        return self._similar[row]

    def proposal(
        self, row: int, *, rank: int, gain: float, gaps: tuple[GapFilled, ...], n_gaps: int
    ) -> Proposal:
        """Return an admitted item as a proposal."""
        item = self._items[row]
        nearest_row, similarity = self._nearest(row, None)
        pinned = item.id in self._constraints.pinned
        return Proposal(
            id=item.id,
            row=row,
            kind="add",
            rank=rank,
            gain=gain,
            gaps=gaps,
            nearest_id=self._benchmark_items[nearest_row].id if nearest_row >= 0 else None,
            nearest_row=nearest_row if nearest_row >= 0 else None,
            nearest_similarity=similarity if nearest_row >= 0 else None,
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
            message = "repeats a benchmark item word for word"
        elif similarity < 0:
            message = "not a word-for-word duplicate; similarity not measured"
        else:
            message = (
                f"similarity to the closest benchmark item {similarity:.2f}, "
                f"limit {self._threshold:.2f}"
            )
        checks = [Check("duplicate", not exact and similarity < self._threshold, message)]
        lengths = self._benchmark_lengths
        if len(lengths):
            low, high = np.quantile(lengths, (0.01, 0.99))
            inside = bool(low <= self._lengths[row] <= high)
            position = "within" if inside else "outside"
            message = (
                f"{self._lengths[row]} tokens, {position} the benchmark's range "
                f"of {low:.0f} to {high:.0f}"
            )
            checks.append(Check("length", inside, message))
        if item.choices and item.answer is not None:
            is_choice = item.answer_index is not None or item.answer in item.choices
            message = f"the answer is {'' if is_choice else 'not '}among the choices"
            checks.append(Check("answer", is_choice, message))
        else:
            has_answer = item.answer is not None
            checks.append(
                Check("answer", has_answer, "has an answer" if has_answer else "no answer")
            )
        if item.id in self._contaminated:
            checks.append(Check("contamination", False, "on a keep-out list"))
        return tuple(checks)


def _lookup(record: Mapping[str, Any], path: str) -> Any:
    """Return a dotted field of a record; None if it is missing."""
    value: Any = record
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
