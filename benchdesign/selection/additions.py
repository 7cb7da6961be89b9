"""Proposals for addition: the pool items that fill gaps best under the constraints.

Lazy greedy selection over the sparse map. An item's gain only falls as others are chosen, so an
item whose stale gain is already too small needs no second evaluation. A pool of a million items
takes one sparse product and a few thousand row reads. Every proposal carries its reasons: the gaps
it fills, the most similar benchmark item, and the checks. The user decides.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.coverage.gaps import Gaps, round_up_items
from benchdesign.coverage.groups.gap_group import GapGroups
from benchdesign.selection.constraints import Constraints
from benchdesign.selection.duplicates import duplicate_threshold
from benchdesign.selection.eligibility import OFF_SCOPE, OTHER_FORM, Gate, RecordOf
from benchdesign.selection.gain import GainTable
from benchdesign.selection.gain_calibration import calibrate_zmin
from benchdesign.selection.gain_settings import Emphasis, GainSettings
from benchdesign.selection.group_needs import GroupNeeds
from benchdesign.selection.proposal import GapFilled, Proposal, ProposalCheck
from benchdesign.selection.removals import RemovalSettings, propose_removals

__all__ = [
    "AdditionPlan",
    "Constraints",
    "GapFilled",
    "Proposal",
    "ProposalCheck",
    "ProposalSettings",
    "RemovalSettings",
    "plan_additions",
    "propose_additions",
    "propose_removals",
]


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """Thresholds and limits for proposals."""

    near_duplicate: float | None = None
    """Cosine similarity from which an item counts as a duplicate and is not proposed. None means
    0.95, or more if the benchmark's own items are more similar than that."""

    max_gaps: int = 60
    """Maximum number of gaps recorded with a proposal, those with the largest gain."""

    gains: GainSettings = field(default_factory=GainSettings)


@dataclass(frozen=True, slots=True)
class AdditionPlan:
    """Proposals for addition, with how they were chosen."""

    proposals: tuple[Proposal, ...]
    left_out: Mapping[str, int]
    """Number of pool items not proposed, by reason; items never reached are not counted."""

    zmin: float
    """Deficits of up to this many standard deviations have no weight."""

    near_duplicate: float
    """Cosine similarity from which an item counted as a duplicate."""

    n_weighted: int
    """Number of concepts with a weight."""

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
    """Propose at most `n` pool items to add, best first; see `plan_additions` for details."""
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
    groups: GapGroups | None = None,
) -> AdditionPlan:
    """Choose at most `n` pool items to add; report what was left out and why.

    Returns fewer if no other item fills a gap within the constraints. `contaminated` contains the
    ids of pool items on a list to keep out. `record_of` is needed only if a required field is one
    of the original record. `rng` draws the splits that calibrate the weights. `emphasis` prefers
    items that probe weaknesses of models. Items of `groups` that are lacking come first, each
    group in proportion to what it wants; items off its scope or of another form are left out.
    """
    limits = constraints or Constraints()
    chosen_settings = settings or ProposalSettings()
    n_wanted = max(n if limits.budget is None else min(n, limits.budget), 0)
    zmin = chosen_settings.gains.zmin
    if zmin is None:
        zmin = calibrate_zmin(pool_map, gaps, dictionary, rng=rng or np.random.default_rng(0))
    table = GainTable.build(
        benchmark_map,
        pool_map,
        gaps,
        dictionary,
        n=n_wanted,
        zmin=zmin,
        settings=chosen_settings.gains,
        emphasis=emphasis,
    )
    needs = None if groups is None else GroupNeeds.of(groups, n=n_wanted)
    threshold = chosen_settings.near_duplicate
    if threshold is None:
        threshold = duplicate_threshold(benchmark_map.embeddings)
    gate = Gate(
        benchmark_map,
        pool_map,
        pool_items=pool_items,
        benchmark_items=benchmark_items,
        constraints=limits,
        threshold=threshold,
        record_of=record_of,
        contaminated=contaminated,
        unfit=None if needs is None else {OFF_SCOPE: needs.off_scope, OTHER_FORM: needs.other_form},
    )
    ledger = _Ledger(gaps, table, max_gaps=chosen_settings.max_gaps, needs=needs)
    _choose(table, gate, ledger, n=n_wanted)
    # Express gains relative to the best; their unit is meaningless.
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


def _choose(table: GainTable, gate: Gate, ledger: _Ledger, *, n: int) -> None:
    """Choose pinned items, then the item with the largest gain until none is left or needed."""
    for row in gate.pinned_rows:
        if len(ledger.entries) < n and gate.admit(row, upcoming=None):
            ledger.take(row)
    bounds = np.where(gate.candidates, ledger.bounds, 0.0)
    order = np.argsort(-bounds, kind="stable")
    order = order[bounds[order] > 0]
    # Two queues instead of one heap over the pool: rows not yet evaluated, by upper bound, and the
    # few evaluated rows, with the number of choices at which their gain was computed.
    waiting: list[tuple[float, int, int]] = []
    cursor = 0
    while len(ledger.entries) < n and (cursor < len(order) or waiting):
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
        gain = ledger.gain(row)
        if gain > _NEGLIGIBLE:
            heapq.heappush(waiting, (-gain, row, n_chosen))


_LOOK_AHEAD = 511
"""Candidates that are compared with the benchmark in one matrix product."""

_NEGLIGIBLE = 1e-9
_FLOOR = 0.1
"""Gain of an item for its group alone, relative to the median gain."""


class _Entry(NamedTuple):
    row: int
    gain: float
    gaps: tuple[GapFilled, ...]
    """Those with the largest gain."""

    n_gaps: int


class _Ledger:
    """The remaining needs, and the effect of each choice on them."""

    def __init__(
        self, gaps: Gaps, table: GainTable, *, max_gaps: int, needs: GroupNeeds | None
    ) -> None:
        self.entries: list[_Entry] = []
        self._table = table
        self._needs = table.needs.copy()
        self._counts = gaps.count[table.concept_ids].copy()
        self._targets = round_up_items(table.targets)
        self._max_gaps = max_gaps
        self._groups = needs
        self._group_counts = np.zeros(0 if needs is None else len(needs.wanted), dtype=np.int64)
        self._floors = np.zeros(len(table.bounds))
        self.bounds = table.bounds
        if needs is not None:
            in_gain = table.bounds[table.bounds > 0]
            in_group = needs.group_of >= 0
            # An item of a group that is certain counts a little whatever its concepts.
            self._floors[in_group] = needs.is_certain[needs.group_of[in_group]]
            self._floors *= _FLOOR * float(np.median(in_gain)) if len(in_gain) else 1.0
            self.bounds = (table.bounds + self._floors) * needs.factor

    def gain(self, row: int) -> float:
        """Return the current gain of a pool item, with what its group still wants."""
        gain = float(self.gains(row)[1].sum())
        if self._groups is None:
            return gain
        group = int(self._groups.group_of[row])
        if group >= 0 and self._group_counts[group] < self._groups.wanted[group]:
            return (gain + float(self._floors[row])) * float(self._groups.factor[row])
        return gain * float(self._groups.rest[row])

    def gains(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the weighted concepts a pool item shows and its current gain in each."""
        return self._table.row_gains(row, self._needs)

    def take(self, row: int) -> None:
        """Record a chosen item and reduce the needs by what it fills."""
        columns, gains = self.gains(row)
        order = np.argsort(-gains, kind="stable")
        order = order[gains[order] > _NEGLIGIBLE]
        gaps = tuple(
            GapFilled(
                concept_id=int(self._table.concept_ids[columns[place]]),
                gain=float(gains[place]),
                before=int(self._counts[columns[place]]),
                after=int(self._counts[columns[place]]) + 1,
                target=int(self._targets[columns[place]]),
            )
            for place in order[: self._max_gaps]
        )
        self.entries.append(_Entry(row, self.gain(row), gaps, len(order)))
        if self._groups is not None and (group := int(self._groups.group_of[row])) >= 0:
            self._group_counts[group] += 1
        self._counts[columns] += 1
        presence = self._table.presences.row(row)[1]
        self._needs[columns] = np.maximum(self._needs[columns] - presence, 0.0)
