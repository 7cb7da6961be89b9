"""Which pool items to add: those that fill the most of what is missing, under constraints.

Lazy greedy over the sparse map. An item's gain only falls as others are chosen, so an item whose
stale gain is already too small is never looked at again, and a pool of a million costs one sparse
product and a few thousand row reads. Every proposal carries its reasons: the gaps it fills, its
closest relative in the benchmark, and what was checked. Nothing here decides; a designer does.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.candidates import Check, Constraints, GapFilled, Gate, Proposal, RecordOf
from benchdesign.conceptmap import ConceptMap
from benchdesign.dictionary import Dictionary
from benchdesign.duplicates import duplicate_threshold
from benchdesign.gains import Emphasis, GainSettings, GainTable, calibrate_zmin
from benchdesign.gaps import Gaps, whole_items
from benchdesign.items import Item
from benchdesign.removals import RemovalSettings, propose_removals

__all__ = [
    "AdditionPlan",
    "Check",
    "Constraints",
    "GapFilled",
    "Proposal",
    "ProposalSettings",
    "RemovalSettings",
    "plan_additions",
    "propose_additions",
    "propose_removals",
]


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """Where the lines are drawn when proposing."""

    near_duplicate: float | None = None
    """Cosine similarity from which an item repeats another and is not proposed; None for 0.95,
    or more where the benchmark's own items are closer than that."""

    max_gaps: int = 60
    """Most gaps kept with a proposal, by gain; whoever looks for what fills one finds no others."""

    gains: GainSettings = field(default_factory=GainSettings)


@dataclass(frozen=True, slots=True)
class AdditionPlan:
    """Proposals for addition and how they came about."""

    proposals: tuple[Proposal, ...]
    left_out: Mapping[str, int]
    """Pool items not proposed, by reason; those never reached are not counted."""

    zmin: float
    """Deficits up to this many standard deviations weighed nothing."""

    near_duplicate: float
    """Cosine similarity from which an item counted as a repetition."""

    n_weighted: int
    """Concepts with a weight."""

    settings: ProposalSettings


def propose_additions(
    benchmark_map: ConceptMap,
    pool_map: ConceptMap,
    gaps: Gaps,
    dictionary: Dictionary,
    *,
    n: int,
    pool_items: Sequence[Item],
    benchmark_items: Sequence[Item],
    constraints: Constraints | None = None,
    settings: ProposalSettings | None = None,
    rng: np.random.Generator | None = None,
    record_of: RecordOf | None = None,
    contaminated: frozenset[str] = frozenset(),
) -> tuple[Proposal, ...]:
    """Propose at most `n` pool items to add, best first; see `plan_additions` for the rest."""
    return plan_additions(
        benchmark_map,
        pool_map,
        gaps,
        dictionary,
        n=n,
        pool_items=pool_items,
        benchmark_items=benchmark_items,
        constraints=constraints,
        settings=settings,
        rng=rng,
        record_of=record_of,
        contaminated=contaminated,
    ).proposals


def plan_additions(
    benchmark_map: ConceptMap,
    pool_map: ConceptMap,
    gaps: Gaps,
    dictionary: Dictionary,
    *,
    n: int,
    pool_items: Sequence[Item],
    benchmark_items: Sequence[Item],
    constraints: Constraints | None = None,
    settings: ProposalSettings | None = None,
    rng: np.random.Generator | None = None,
    record_of: RecordOf | None = None,
    contaminated: frozenset[str] = frozenset(),
    emphasis: Emphasis | None = None,
) -> AdditionPlan:
    """Choose at most `n` pool items to add, and say what was left out and why.

    Fewer come back when nothing is left that fills a gap within the constraints. `contaminated`
    holds ids of pool items found on a list to keep out; `record_of` is needed only where a required
    field is one of the original record. `rng` draws the splits that calibrate the weights.
    `emphasis` prefers items that probe what models are weak at.
    """
    allowed = constraints or Constraints()
    chosen_settings = settings or ProposalSettings()
    wanted = max(n if allowed.budget is None else min(n, allowed.budget), 0)
    zmin = chosen_settings.gains.zmin
    if zmin is None:
        zmin = calibrate_zmin(pool_map, gaps, dictionary, rng=rng or np.random.default_rng(0))
    table = GainTable.build(
        benchmark_map,
        pool_map,
        gaps,
        dictionary,
        n=wanted,
        zmin=zmin,
        settings=chosen_settings.gains,
        emphasis=emphasis,
    )
    threshold = chosen_settings.near_duplicate
    if threshold is None:
        threshold = duplicate_threshold(benchmark_map.embeddings)
    gate = Gate(
        benchmark_map,
        pool_map,
        pool_items=pool_items,
        benchmark_items=benchmark_items,
        constraints=allowed,
        threshold=threshold,
        record_of=record_of,
        contaminated=contaminated,
    )
    ledger = _Ledger(gaps, table, max_gaps=chosen_settings.max_gaps)
    _choose(table, gate, ledger, wanted=wanted)
    # The unit of a gain means nothing to anybody; how it compares with the best one does.
    best = max((entry.gain for entry in ledger.entries), default=0.0) or 1.0
    proposals = tuple(
        gate.proposal(
            entry.row,
            rank=rank,
            gain=entry.gain / best,
            gaps=tuple(replace(gap, gain=gap.gain / best) for gap in entry.gaps),
            n_gaps=entry.n_gaps,
        )
        for rank, entry in enumerate(ledger.entries, start=1)
    )
    return AdditionPlan(
        proposals,
        dict(gate.left_out),
        zmin,
        threshold,
        len(table.concept_ids),
        chosen_settings,
    )


def _choose(table: GainTable, gate: Gate, ledger: _Ledger, *, wanted: int) -> None:
    """Take pinned items, then the item with the largest gain until there is none or enough."""
    for row in gate.pinned_rows:
        if len(ledger.entries) < wanted and gate.admit(row, upcoming=None):
            ledger.take(row)
    bounds = np.where(gate.candidates, table.bounds, 0.0)
    order = np.argsort(-bounds, kind="stable")
    order = order[bounds[order] > 0]
    # Two queues instead of one heap over the pool: untouched rows by their upper bound, and the
    # few that were evaluated again, with the number of choices their gain was computed at.
    waiting: list[tuple[float, int, int]] = []
    cursor = 0
    while len(ledger.entries) < wanted and (cursor < len(order) or waiting):
        n_chosen = len(ledger.entries)
        if waiting and (cursor == len(order) or -waiting[0][0] >= bounds[order[cursor]]):
            _, row, age = heapq.heappop(waiting)
            if age == n_chosen:
                if gate.admit(row, upcoming=order[cursor : cursor + _LOOK_AHEAD]):
                    ledger.take(row)
                continue
        else:
            row = int(order[cursor])
            cursor += 1
        gain = float(ledger.gains(row)[1].sum())
        if gain > _NEGLIGIBLE:
            heapq.heappush(waiting, (-gain, row, n_chosen))


_LOOK_AHEAD = 511
"""Candidates compared with the benchmark together, because one product serves them all."""

_NEGLIGIBLE = 1e-9


class _Entry(NamedTuple):
    row: int
    gain: float
    gaps: tuple[GapFilled, ...]
    """The largest."""

    n_gaps: int


class _Ledger:
    """What is still needed, and what each choice did for it."""

    def __init__(self, gaps: Gaps, table: GainTable, *, max_gaps: int) -> None:
        self.entries: list[_Entry] = []
        self._table = table
        self._left = table.needs.copy()
        self._counts = gaps.count[table.concept_ids].copy()
        self._targets = whole_items(table.targets)
        self._max_gaps = max_gaps

    def gains(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the weighted concepts a pool item shows and its gain in each now."""
        return self._table.row_gains(row, self._left)

    def take(self, row: int) -> None:
        """Choose an item: record what it fills and lower the needs."""
        columns, gains = self.gains(row)
        order = np.argsort(-gains, kind="stable")
        order = order[gains[order] > _NEGLIGIBLE]
        filled = tuple(
            GapFilled(
                concept_id=int(self._table.concept_ids[columns[place]]),
                gain=float(gains[place]),
                before=int(self._counts[columns[place]]),
                after=int(self._counts[columns[place]]) + 1,
                target=int(self._targets[columns[place]]),
            )
            for place in order[: self._max_gaps]
        )
        self.entries.append(_Entry(row, float(gains.sum()), filled, len(order)))
        self._counts[columns] += 1
        presence = self._table.presences.row(row)[1]
        self._left[columns] = np.maximum(self._left[columns] - presence, 0.0)
