"""Pool items with the designer's edits, and the ones that must be mapped again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from benchdesign.benchmarks.load import reread_item
from benchdesign.workspace.decisions import Subject

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark, Item
    from benchdesign.revision.choice import Choice
    from benchdesign.workspace.analysis import Analysis
    from benchdesign.workspace.decisions import DecisionState

__all__ = ["EditedItem", "apply_edits", "edited_items"]


class EditedItem(NamedTuple):
    """A pool item with the designer's edits."""

    item: Item
    record: Mapping[str, Any]


def apply_edits(pool: Benchmark, item: Item, standing: DecisionState | None) -> EditedItem:
    """Return an item and its record with the decided edits applied, if any."""
    record = pool.record(item)
    if standing is None or not standing.edits:
        return EditedItem(item, record)
    record = {**record, **standing.edits}
    return EditedItem(reread_item(pool, item, record), record)


def edited_items(analysis: Analysis, choice: Choice) -> tuple[Item, ...]:
    """Return the items to add whose text differs from the mapped text."""
    pool = analysis.pool
    if pool is None:
        return ()
    changed = {
        pool_id: standing
        for (subject, pool_id), standing in choice.standings.items()
        if subject is Subject.ADD and standing.edits and pool_id in choice.added
    }
    if not changed:
        return ()
    items = {item.id: item for item in pool.items if item.id in changed}
    edited = [
        (items[pool_id], apply_edits(pool, items[pool_id], standing).item)
        for pool_id, standing in changed.items()
        if pool_id in items
    ]
    return tuple(after for before, after in edited if after.digest != before.digest)
