"""Admission of pool items as proposals, and the proposals themselves.

Checks constraints, quotas, duplicates and contamination, one item at a time and only on demand.
The order of the items is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.item_templates import find_templates, is_templated
from benchdesign.benchmarks.items import Item
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.errors import UsageError
from benchdesign.foundation.nearest import nearest
from benchdesign.selection.constraints import Constraints
from benchdesign.selection.contamination import WordRuns
from benchdesign.selection.duplicates import duplicate_key
from benchdesign.selection.proposal import GapFilled, Proposal, ProposalCheck

__all__ = ["Gate", "RecordOf", "passed_over", "required_parts"]


_MAX_QUOTED_SHARE = 0.8
"""A candidate that repeats this share of a benchmark prompt in one run of words is rejected."""


_TYPICAL_SHARE = 0.95
"""A part that this share of the benchmark's items have is required of candidates."""


_MIN_CANDIDATES_PER_ITEM = 4
"""Candidates with a part that the pool must offer per item to add, or it is not required."""


RecordOf = Callable[[Item], Mapping[str, Any]]


_ITEM_FIELDS = ("prompt", "choices", "answer", "category", "source", "text")


def required_parts(
    benchmark_items: Sequence[Item], pool_items: Sequence[Item], *, n: int
) -> tuple[str, ...]:
    """Return the parts that candidates must have because benchmark items do: choices, an answer.

    An item without them would leave fields empty. A part is not required if too few pool items
    have it to choose `n` from.
    """
    min_candidates = min(_MIN_CANDIDATES_PER_ITEM * n, len(pool_items) / 2)
    return tuple(
        part
        for part in ("choices", "answer")
        if _n_with(part, benchmark_items) >= _TYPICAL_SHARE * len(benchmark_items)
        and _n_with(part, pool_items) >= min_candidates
    )


def _n_with(part: str, items: Sequence[Item]) -> int:
    return sum(bool(getattr(item, part)) for item in items)


OFF_SCOPE, OTHER_FORM, TEMPLATE_REPEATED = "off scope", "other form", "repeats a template"


def passed_over(reason: str) -> str:
    """Return the text that follows the number of candidates rejected for a reason."""
    texts = {
        "length": "too short or too long",
        "excluded": "excluded by hand",
        "contaminated": "on a keep-out list",
        "duplicate of the benchmark": "already in the benchmark",
        "near duplicate of the benchmark": "nearly the same as a benchmark item",
        "repeats the words of a benchmark item": "repeating the words of a benchmark item",
        OFF_SCOPE: "unlike what the benchmark is about",
        OTHER_FORM: "of a form that the benchmark has hardly any of",
        TEMPLATE_REPEATED: "of a template already chosen from",
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
        unfit: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        """Prepare the checks; `unfit` masks pool items that may not be proposed, by reason."""
        self.left_out: Counter[str] = Counter()
        self._unfit = unfit or {}
        self._templates = (
            np.full(len(pool_items), -1)
            if is_templated(benchmark_items)
            else find_templates(pool_items)
        )
        self._used_templates: set[int] = set()
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
        for reason, mask in self._unfit.items():
            self._count_rejected(reason, allowed & mask)
            allowed = allowed & ~mask
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
        if reason is None and self._templates[row] >= 0:
            is_used = int(self._templates[row]) in self._used_templates
            reason = TEMPLATE_REPEATED if is_used else None
        if reason is not None and not pinned:
            self.left_out[reason] += 1
            return False
        self._keys.setdefault(duplicate_key(item), row)
        self._admitted.append(row)
        self._used_templates.add(int(self._templates[row]))
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
        for name in self._constraints.required_fields or ():
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
        if quotation and quotation.n_words >= _MAX_QUOTED_SHARE * self._prompts.n_words(
            quotation.known_row
        ):
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

    def _checks(self, row: int, similarity: float) -> tuple[ProposalCheck, ...]:
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
        checks = [ProposalCheck("duplicate", not exact and similarity < self._threshold, message)]
        lengths = self._benchmark_lengths
        if len(lengths):
            low, high = np.quantile(lengths, (0.01, 0.99))
            inside = bool(low <= self._lengths[row] <= high)
            position = "within" if inside else "outside"
            message = (
                f"{self._lengths[row]} tokens, {position} the benchmark's range "
                f"of {low:.0f} to {high:.0f}"
            )
            checks.append(ProposalCheck("length", inside, message))
        if item.choices and item.answer is not None:
            is_choice = item.answer_index is not None or item.answer in item.choices
            message = f"the answer is {'' if is_choice else 'not '}among the choices"
            checks.append(ProposalCheck("answer", is_choice, message))
        else:
            has_answer = item.answer is not None
            checks.append(
                ProposalCheck("answer", has_answer, "has an answer" if has_answer else "no answer")
            )
        if item.id in self._contaminated:
            checks.append(ProposalCheck("contamination", False, "on a keep-out list"))
        return tuple(checks)


def _lookup(record: Mapping[str, Any], path: str) -> Any:
    """Return a dotted field of a record; None if it is missing."""
    value: Any = record
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
