"""Map edited items again, so that coverage counts them as they will be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.merged_concepts import merge_concepts
from benchdesign.foundation.progress import ProgressCallback, StopCheck
from benchdesign.revision.edited_items import edited_items
from benchdesign.workspace.analysis import Analysis
from benchdesign.workspace.decision_effects import ConceptMerges
from benchdesign.workspace.open_item_mapper import open_item_mapper
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.revision.choice import Choice

__all__ = ["map_edited_items"]


def map_edited_items(
    workspace: Workspace,
    analysis: Analysis,
    choice: Choice,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ConceptMap | None:
    """Map the additions whose text was edited; return None if there are none."""
    items = edited_items(analysis, choice)
    if not items:
        return None
    concept_map = open_item_mapper(workspace, cache=cache, progress=progress, stop=stop).map(items)
    merged = ConceptMerges.from_log(workspace.decisions, analysis.dictionary.n_concepts)
    return merge_concepts(concept_map, analysis.dictionary, merged.concepts)
