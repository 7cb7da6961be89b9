"""The results of a workspace, loaded when they are needed and kept in memory."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from benchdesign.benchmarks.items import Benchmark
from benchdesign.concepts.mapping.item_mapper import ItemMapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.merged_concepts import merge_concepts, merged_dictionary
from benchdesign.coverage.areas import Areas
from benchdesign.coverage.coverage import Coverage, measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.groups.gap_group import GapGroups
from benchdesign.coverage.reference import Reference, reference_of
from benchdesign.coverage.relevance import Relevance
from benchdesign.coverage.share_interval import ShareInterval
from benchdesign.errors import WorkspaceError
from benchdesign.pipeline.stage_results import ItemEvidence, ProposeResult, StoredGaps
from benchdesign.selection.model_emphasis import ModelWeighting
from benchdesign.workspace.analysis import Analysis, Summary
from benchdesign.workspace.decision_effects import (
    ConceptMerges,
    target_counts,
)
from benchdesign.workspace.load_sets import SetRole
from benchdesign.workspace.stage_record import STAGES
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary

__all__ = ["WorkspaceResults"]


class WorkspaceResults:
    """The sets, maps and results of a workspace, with the current decisions on concepts."""

    def __init__(self, workspace: Workspace, mapper: ItemMapper) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.mapper = mapper

    @cached_property
    def benchmark(self) -> Benchmark:
        """The benchmark's items."""
        return self.workspace.load_benchmark()

    @cached_property
    def pool(self) -> Benchmark | None:
        """The pool's items; None without a pool."""
        return self.workspace.load_pool()

    @cached_property
    def merged(self) -> ConceptMerges:
        """The current merges of concepts."""
        return ConceptMerges.from_log(self.workspace.decisions, self.mapper.dictionary.n_concepts)

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary with merged concepts as one."""
        return merged_dictionary(self.mapper.dictionary, self.merged.concepts)

    @cached_property
    def benchmark_map(self) -> ConceptMap:
        """The finished map of the benchmark."""
        return self.merge(self._load_map("benchmark", self.benchmark))

    @cached_property
    def pool_map(self) -> ConceptMap | None:
        """The finished map of the pool; None without a pool."""
        return None if self.pool is None else self.merge(self._load_map("pool", self.pool))

    def summary(self, *, with_proposals: bool = True) -> Summary:
        """Return the results without items and maps; read these only if the merges changed."""
        workspace = self.workspace
        coverage = self.coverage()
        areas = workspace.load_result("areas", Areas)
        relevance = None
        if workspace.has_result("relevance"):
            relevance = workspace.load_result("relevance", Relevance)
        proposed = ProposeResult((), (), ())
        weighting: ModelWeighting | None = None
        share_interval: ShareInterval | None = None
        fresh = self._fresh()
        # Groups of earlier settings stay on view until the stage runs again. Those of an outdated
        # map are dropped: their rows may be other items.
        groups = None
        if "map" in fresh and workspace.has_result("groups"):
            groups = workspace.load_result("groups", GapGroups)
        if "gaps" in fresh and workspace.has_result("gaps"):
            gaps = workspace.load_result("gaps", StoredGaps).to_gaps(coverage, self.dictionary)
            if workspace.has_result("interval"):
                share_interval = workspace.load_result("interval", ShareInterval)
        else:
            # Settings have changed: recompute the gaps, which is fast and needs no mapping.
            gaps = self.judge(coverage, relevance)
        # Proposals from earlier settings or verdicts can still be reviewed. Proposals from an
        # outdated map are dropped, because items or concepts may differ.
        if with_proposals and "map" in fresh and workspace.has_result("proposals"):
            proposed = workspace.load_result("proposals", ProposeResult)
            if workspace.has_result("model_gaps"):
                weighting = workspace.load_result("model_gaps", ModelWeighting)
        typed_paths = {"benchmark": workspace.benchmark_file.given}
        if workspace.pool_file is not None:
            typed_paths["pool"] = workspace.pool_file.given
        return Summary(
            dictionary=self.dictionary,
            coverage_before=coverage,
            gaps=gaps,
            areas=areas,
            relevance=relevance,
            groups=groups,
            share_interval=share_interval,
            proposals=proposed.additions,
            removals=proposed.removals,
            duplicates=proposed.duplicates,
            left_out=proposed.left_out,
            required=proposed.required,
            near_duplicate=proposed.near_duplicate,
            contamination=proposed.contamination,
            weighting=weighting,
            settings=self.settings,
            typed_paths=typed_paths,
        )

    def analysis(self, summary: Summary | None = None, *, with_proposals: bool = True) -> Analysis:
        """Return the analysis: a summary (by default the current one) with items and maps."""
        summary = summary or self.summary(with_proposals=with_proposals)
        evidence, pool = ItemEvidence(), self.pool
        if with_proposals and "map" in self._fresh() and self.workspace.has_result("evidence"):
            evidence = self.workspace.load_result("evidence", ItemEvidence)
        values: dict[str, Any] = {
            field.name: getattr(summary, field.name) for field in fields(Summary)
        }
        return Analysis(
            **values,
            benchmark=self.benchmark,
            pool=pool,
            benchmark_map=self.benchmark_map,
            pool_map=self.pool_map,
            findings=self.benchmark.findings + (() if pool is None else pool.findings),
            evidence=evidence.items,
        )

    def _fresh(self) -> set[str]:
        return set(STAGES) - set(self.workspace.stale_stages())

    def trust_dictionary(self) -> None:
        """Skip the check of the dictionary's fingerprint if the map stage is up to date."""
        if "map" in self._fresh():
            coverage = self.workspace.load_result("coverage", Coverage)
            self.mapper.trust_dictionary(coverage.dictionary)

    def judge(self, coverage: Coverage, relevance: Relevance | None) -> Gaps:
        """Return the statuses of all concepts with the current settings and decisions."""
        return find_gaps(
            coverage,
            self.dictionary,
            relevance=relevance,
            settings=self.settings.gaps,
            wanted=target_counts(self.workspace.decisions, self.dictionary.n_concepts),
        )

    def coverage(self) -> Coverage:
        """Return the saved coverage, or measure it again if the merges have changed."""
        saved = ConceptMerges({})
        if self.workspace.has_result("merged"):
            saved = self.workspace.load_result("merged", ConceptMerges)
        if saved == self.merged:
            return self.workspace.load_result("coverage", Coverage)
        return measure_coverage(self.benchmark_map, self.dictionary, reference=self.reference())

    def reference(self) -> Reference:
        """Return the pool's rates, or the dictionary's if the pool is missing or too small."""
        return reference_of(self.pool_map, self.dictionary)

    def merge(self, concept_map: ConceptMap) -> ConceptMap:
        """Return a map with the merged concepts counted as one."""
        return merge_concepts(concept_map, self.dictionary, self.merged.concepts)

    def _load_map(self, role: SetRole, benchmark: Benchmark) -> ConceptMap:
        concept_map = self.workspace.load_map(role)
        if list(concept_map.digests) != list(benchmark.digests):
            raise WorkspaceError(
                f"{benchmark.path}: changed since it was mapped. "
                f"Run again: benchdesign open {self.workspace.folder}"
            )
        return concept_map
