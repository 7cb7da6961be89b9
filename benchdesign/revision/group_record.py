"""Gap groups as they stand in `revision.json` and in the JSON output of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchdesign.coverage.groups.verdict import verdict_sentence
from benchdesign.foundation.serialization import to_json
from benchdesign.revision.group_counts import GroupCount, count_groups, distinct_groups

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.coverage.groups.gap_group import GapGroup, GapGroups

__all__ = ["NOT_SEARCHED", "groups_record"]

NOT_SEARCHED = "Groups were not searched for yet; run the analysis again."


def groups_record(
    groups: GapGroups | None,
    *,
    benchmark_items: Sequence[Item],
    pool_items: Sequence[Item],
    counts: Mapping[str, GroupCount] | None = None,
) -> dict[str, Any]:
    """Return groups, power, reference and verdict under the keys of `revision.json`.

    Groups of None read as "could not tell". Without `counts` nothing is added or removed.
    """
    if groups is None:
        return {
            "gap_groups": [],
            "over_groups": [],
            "power": None,
            "reference_items": None,
            "could_not_tell": NOT_SEARCHED,
            "verdict": f"Could not tell what is missing. {NOT_SEARCHED}",
            "group_warnings": [],
        }
    own_ids = [item.id for item in benchmark_items]
    pool_ids = [item.id for item in pool_items]
    counts = count_groups(groups) if counts is None else counts
    power, reference = groups.power, groups.reference

    def row(group: GapGroup) -> dict[str, Any]:
        return _group_row(group, own_ids, pool_ids, counts[group.id])

    return {
        "gap_groups": [row(group) for group in distinct_groups(groups)],
        "over_groups": [row(group) for group in groups.over],
        "power": {"smallest_share": power.smallest_share, "at": power.at},
        "reference_items": {
            "kind": reference.kind,
            "n_items": reference.n_items,
            "n_in_scope": reference.n_in_scope,
            "n_of_form": reference.n_of_form,
            "scope": reference.scope,
        },
        "could_not_tell": groups.could_not_tell,
        "verdict": verdict_sentence(groups),
        "group_warnings": list(groups.warnings),
    }


def _group_row(
    group: GapGroup, own_ids: Sequence[str], pool_ids: Sequence[str], count: GroupCount
) -> dict[str, Any]:
    row = {
        "id": group.id,
        "name": group.name,
        "status": group.status,
        "parent": group.parent,
        "expected": group.expected,
        "count": group.count,
        "count_after": count.after,
        "closed": count.is_closed,
        "share": group.share,
        "lift": group.lift,
        "lift_low": group.lift_low,
        "lift_high": group.lift_high,
        "p_value": group.p_value,
        "relevance": group.relevance,
        "pool_items": [pool_ids[place] for place in group.pool_rows],
        "typical": [pool_ids[place] for place in group.typical],
        "nearest_own": [own_ids[place] for place in group.nearest_own],
        "concepts": [
            {
                "concept": concept.concept_id,
                "label": concept.label,
                "share_in": concept.share_in,
                "share_out": concept.share_out,
            }
            for concept in group.concepts
        ],
        "words": list(group.words),
    }
    return to_json(row)  # type: ignore[no-any-return]
