"""Collect the data of the coverage report from an analysis and a revision.

Only what no other part needs is computed here: displayed evidence, and what got worse.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchdesign.coverage.area_gaps import AreaGaps, find_area_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.status import STATUSES, Status
from benchdesign.report.charts import StackedBar, histogram_of_lengths, histogram_of_lifts, stack
from benchdesign.report.collect_areas import GAP_STATUSES, area_sections, is_area_gap
from benchdesign.report.collect_changes import (
    added_lines,
    category_lines,
    listed_line,
    removed_line,
    worsened_concepts,
)
from benchdesign.report.collect_groups import groups_section
from benchdesign.report.collect_provenance import (
    changed_limits,
    findings_of,
    provenance_of,
    set_facts,
)
from benchdesign.report.coverage_data import ReportData, WeightingFacts
from benchdesign.report.robustness import measure_reliability
from benchdesign.selection.model_emphasis import PROBE_THRESHOLD
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.concepts.maps.concept_map import ConceptMap
    from benchdesign.revision.plan import Revision

__all__ = ["collect_report"]


_MAX_EXPANDED_AREAS = 15
"""With more areas, only those that are gaps as a whole are expanded."""


_MAX_REMOVED = 100


_MAX_LISTED = 20


def collect_report(analysis: Analysis, revision: Revision) -> ReportData:
    """Collect the report's data from an analysis and its revision."""
    before, after = analysis.gaps, revision.gaps_after
    area_before = _area_gaps(analysis, before, analysis.benchmark_map)
    area_after = _area_gaps(analysis, after, revision.concept_map)
    lengths = analysis.benchmark_map.n_tokens, revision.concept_map.n_tokens
    tested = before.is_judged
    n_under_before, n_under_after = (
        int(_is_gap_code(gaps.status_codes).sum()) for gaps in (area_before, area_after)
    )
    areas = area_sections(analysis, revision, area_before, area_after)
    first = (
        [area for area in areas if is_area_gap(area)]
        if len(areas) > _MAX_EXPANDED_AREAS
        else list(areas)
    )
    added = added_lines(analysis, revision)
    manifest = revision.manifest
    revised = manifest.get("revised", {}) if manifest else {}
    return ReportData(
        title=analysis.benchmark.name,
        sets=tuple(set_facts(analysis)),
        revised_name=revised.get("file"),
        choice=revision.choice.made_by,
        reference=analysis.coverage_before.reference,
        before=revision.figures_before,
        after=revision.figures_after,
        how_sure=analysis.current_share_interval,
        n_gaps=int(before.is_gap.sum()),
        n_gaps_closed=revision.n_gaps_closed,
        n_gaps_lapsed=revision.n_gaps_lapsed,
        n_untestable=before.n_rare,
        n_over_untestable=before.n_rare_over,
        kept_out=before.kept_out_counts(),
        levels=tuple((level.name, level.width) for level in analysis.dictionary.levels),
        scope="" if analysis.relevance is None else analysis.relevance.scope.description_line(),
        settings=before.settings,
        bars=(_status_bar("Before", before), _status_bar("After", after)),
        lift_chart=histogram_of_lifts(before.lift[tested], after.lift[tested]),
        length_chart=histogram_of_lengths(*lengths),
        areas=(*first, *(area for area in areas if area not in first)),
        n_areas_first=len(first),
        n_areas=len(analysis.areas),
        n_areas_under=n_under_before,
        n_areas_under_after=n_under_after,
        added=added,
        n_added=len(revision.added),
        required=analysis.required,
        limits_set=tuple(changed_limits(analysis)),
        near_duplicate=analysis.near_duplicate,
        listed=tuple(
            listed_line(analysis, match) for match in analysis.contamination[:_MAX_LISTED]
        ),
        n_listed=len({match.item_id for match in analysis.contamination}),
        left_out=dict(Counter(analysis.left_out).most_common()),
        removed=tuple(
            removed_line(analysis, removal) for removal in revision.removed[:_MAX_REMOVED]
        ),
        n_removed=len(revision.removed),
        n_lost=len({concept_id for removal in revision.removed for concept_id in removal.lost}),
        categories=category_lines(analysis, revision),
        empty_fields=revision.empty_fields,
        worse=worsened_concepts(analysis, revision),
        limits=measure_reliability(analysis),
        findings=findings_of(analysis),
        n_duplicates=len(analysis.duplicates),
        provenance=tuple(provenance_of(analysis, revision)),
        weighting=_weighting(analysis, revision),
        groups=groups_section(analysis, revision, added),
    )


def _weighting(analysis: Analysis, revision: Revision) -> WeightingFacts | None:
    weighting = analysis.weighting
    if weighting is None:
        return None
    return WeightingFacts(
        tuple(Path(file).name for file in weighting.files),
        weighting.models,
        weighting.strongest(analysis.dictionary),
        sum(
            any(weighting.weights[fill.concept_id] >= PROBE_THRESHOLD for fill in addition.fills)
            for addition in revision.added
        ),
    )


def _area_gaps(analysis: Analysis, gaps: Gaps, concept_map: ConceptMap) -> AreaGaps:
    return find_area_gaps(
        analysis.areas, gaps, concept_map=concept_map, reference_map=analysis.pool_map
    )


def _is_gap_code(codes: np.ndarray) -> np.ndarray:
    return np.isin(codes, [STATUSES.index(status) for status in GAP_STATUSES])


def _status_bar(name: str, gaps: Gaps) -> StackedBar:
    statuses = (Status.MISSING, Status.UNDER, Status.ADEQUATE, Status.OVER)
    counts = {
        status.value: int((gaps.is_status(status) & gaps.is_judged).sum()) for status in statuses
    }
    return stack(name, counts)
