"""The stages of a run, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.benchmarks.items import Benchmark, Item
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.coverage.areas import Areas, group_areas
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.groups.find_groups import find_gap_groups
from benchdesign.coverage.relevance import measure_relevance, top_items
from benchdesign.coverage.share_interval import measure_interval
from benchdesign.errors import Interrupted, UsageError
from benchdesign.foundation.progress import Progress, ProgressCallback, StopCheck, Ticker
from benchdesign.foundation.text import display
from benchdesign.pipeline.stage_results import ItemEvidence, ProposeResult, StoredGaps
from benchdesign.pipeline.workspace_results import WorkspaceResults
from benchdesign.selection.additions import plan_additions
from benchdesign.selection.contamination import ContaminationMatch, KnownList, find_contamination
from benchdesign.selection.duplicates import find_duplicates
from benchdesign.selection.eligibility import required_parts
from benchdesign.selection.model_emphasis import ModelWeighting, weight_by_models
from benchdesign.selection.removals import propose_removals
from benchdesign.workspace.analysis import Analysis
from benchdesign.workspace.decision_effects import (
    judged_items,
    scope_with_decisions,
)
from benchdesign.workspace.load_sets import SetRole
from benchdesign.workspace.open_item_mapper import open_item_mapper
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.coverage.groups.gap_group import GapGroups
    from benchdesign.coverage.scope import Scope
    from benchdesign.pipeline.partial_summary import PartialSummaryWriter

__all__ = ["StageRunner"]


_GAPS_SHOWN = 30


_ITEMS_PER_GAP = 2
"""Gaps, by deficit, and items per gap for which token evidence is computed ahead of time."""


class StageRunner:
    """One pass over the stages; what one stage loads stays in memory for the next."""

    def __init__(
        self,
        workspace: Workspace,
        progress: ProgressCallback | None,
        stop: StopCheck | None,
        *,
        cache: Path | None = None,
        so_far: PartialSummaryWriter | None = None,
    ) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.mapper = open_item_mapper(workspace, cache=cache, progress=progress, stop=stop)
        self.results = WorkspaceResults(workspace, self.mapper)
        self._progress = progress
        self._stop = stop
        self._so_far = so_far

    def check_stop(self) -> None:
        """Raise Interrupted if the run was asked to stop."""
        if self._stop is not None and self._stop():
            raise Interrupted(
                "Stopped. Finished work is kept; run the same command again to continue."
            )

    def report_stage(self, stage: str) -> None:
        """Report the start of a part of the work."""
        if self._progress is not None:
            self._progress(Progress(stage, 0, None))

    def read(self) -> dict[str, Any]:
        """Read benchmark and pool."""
        self.report_stage("reading items")
        benchmark, pool = self.results.benchmark, self.results.pool
        if not len(benchmark):
            raise UsageError(f"{benchmark.path}: no items to analyse; check the file and --split.")
        for item_set in (benchmark, pool):
            if item_set is not None:
                self.report_stage(f"read {_describe_fields(item_set)}")
        self.workspace.record_read(benchmark, pool)
        return {
            "n_items": len(benchmark),
            "n_pool": 0 if pool is None else len(pool),
            "n_findings": len(benchmark.findings) + (0 if pool is None else len(pool.findings)),
        }

    def map(self) -> dict[str, Any]:
        """Map benchmark and pool to concepts."""
        results = self.results
        results.benchmark_map = self._map_set("benchmark", results.benchmark)
        if results.pool is not None:
            results.pool_map = self._map_set("pool", results.pool)
        dictionary = results.dictionary
        return {"dictionary": dictionary.name, "n_concepts": dictionary.n_concepts}

    def find_gaps(self) -> dict[str, Any]:
        """Measure coverage, areas and relevance, and find the gaps."""
        self.report_stage("finding gaps")
        results = self.results
        coverage = measure_coverage(
            results.benchmark_map, results.dictionary, reference=results.reference()
        )
        maps = [part for part in (results.benchmark_map, results.pool_map) if part is not None]
        areas = group_areas(results.dictionary, concept_map=maps)
        scope = scope_with_decisions(self.settings.scope, self.workspace.decisions, areas)
        relevance = None
        if not scope.is_empty:
            self.report_stage("measuring relevance to the scope")
            relevance = measure_relevance(
                scope, results.dictionary, mapper=self.mapper, concept_map=maps
            )
        gaps = results.judge(coverage, relevance)
        self.workspace.save_result("coverage", coverage)
        self.workspace.save_result("merged", results.merged)
        self.workspace.save_result("areas", areas)
        self.workspace.save_result("gaps", StoredGaps.of_gaps(gaps))
        self.report_stage("finding groups of items that are lacking")
        groups = self._find_groups(scope)
        self.workspace.save_result("groups", groups)
        # A fixed seed: changing the seed of the proposals must not outdate the gaps.
        interval = measure_interval(results.benchmark_map, gaps, rng=np.random.default_rng(0))
        self.workspace.drop_result("interval")
        if interval is not None:
            self.workspace.save_result("interval", interval)
        self.workspace.drop_result("relevance")
        if relevance is not None:
            self.workspace.save_result("relevance", relevance)
        return {
            **{status.value: n for status, n in gaps.counts().items()},
            "n_groups": len(groups.gaps),
        }

    def _find_groups(self, scope: Scope) -> GapGroups:
        results = self.results
        queries = None
        if scope.queries and results.pool is not None:
            queries = np.asarray(self.mapper.embed(scope.queries), dtype=np.float64)
        pool_items = () if results.pool is None else results.pool.items
        return find_gap_groups(
            results.benchmark_map,
            results.pool_map,
            results.dictionary,
            benchmark_items=results.benchmark.items,
            pool_items=pool_items,
            queries=queries,
            takes_all=scope.takes_all,
            judgements=judged_items(self.workspace.decisions, [item.id for item in pool_items]),
            rng=np.random.default_rng(0),
        )

    def propose(self) -> dict[str, Any]:
        """Find duplicates and propose additions and removals."""
        results, settings = self.results, self.settings
        analysis = results.analysis(with_proposals=False)
        self.report_stage("finding duplicates")
        duplicates = find_duplicates(
            results.benchmark.items, embeddings_a=results.benchmark_map.embeddings
        )
        self.check_stop()
        proposed = ProposeResult((), (), duplicates)
        weighting: ModelWeighting | None = None
        if results.pool is not None and results.pool_map is not None and settings.n_add:
            contamination = self._contamination(results.pool, results.pool_map)
            self.check_stop()
            weighting = self.weigh_by_models(analysis.areas)
            proposed = self._add_items(
                replace(proposed, contamination=contamination),
                analysis,
                results.pool,
                results.pool_map,
                weighting,
            )
        self.workspace.drop_result("model_gaps")
        if weighting is not None:
            self.workspace.save_result("model_gaps", weighting)
        if settings.n_remove:
            self.report_stage("choosing items to remove")
            removals = propose_removals(
                results.benchmark_map,
                analysis.gaps,
                results.dictionary,
                n=settings.n_remove,
                benchmark_items=results.benchmark.items,
                min_items=settings.min_items,
            )
            proposed = replace(proposed, removals=removals)
        self.workspace.save_result("proposals", proposed)
        return {"n_additions": len(proposed.additions), "n_removals": len(proposed.removals)}

    def _add_items(
        self,
        proposed: ProposeResult,
        analysis: Analysis,
        pool: Benchmark,
        pool_map: ConceptMap,
        weighting: ModelWeighting | None,
    ) -> ProposeResult:
        """Return the result with the items of the pool that close the gaps."""
        results, settings = self.results, self.settings
        required = settings.constraints.required_fields
        if required is None:
            required = required_parts(results.benchmark.items, pool.items, n=settings.n_add)
        self.report_stage("choosing items to add")
        plan = plan_additions(
            results.benchmark_map,
            pool_map,
            analysis.gaps,
            results.dictionary,
            n=settings.n_add,
            pool_items=pool.items,
            benchmark_items=results.benchmark.items,
            constraints=replace(settings.constraints, required_fields=required),
            rng=np.random.default_rng(settings.seed),
            record_of=pool.record,
            contaminated=frozenset(match.item_id for match in proposed.contamination),
            emphasis=None if weighting is None else weighting.emphasis,
            groups=self._groups_for_selection(analysis),
        )
        return replace(
            proposed,
            additions=plan.proposals,
            left_out=plan.left_out,
            required=required,
            near_duplicate=plan.near_duplicate,
        )

    def _groups_for_selection(self, analysis: Analysis) -> GapGroups | None:
        """Return the groups; where the user requires no parts, items of any form may be added."""
        groups = analysis.groups
        if groups is not None and self.settings.constraints.required_fields == ():
            return replace(groups, fits_form=np.ones(len(groups.fits_form), dtype=bool))
        return groups

    def weigh_by_models(self, areas: Areas) -> ModelWeighting | None:
        """Return the weighting by model gaps; None if it is not requested."""
        settings = self.settings
        if settings.weight != "model-gaps":
            return None
        if not settings.results:
            raise UsageError(
                "Weighting by model gaps requires model results; name them with --results."
            )
        self.report_stage("reading model results")
        return weight_by_models(
            settings.results,
            self.results.benchmark,
            self.results.benchmark_map,
            self.results.dictionary,
            areas=areas,
            metrics=settings.metrics,
            seed=settings.seed,
        )

    def show_evidence(self) -> dict[str, Any]:
        """Find the characters that show concepts in the items that will be displayed."""
        analysis = self.results.analysis()
        requests = list(_evidence_requests(analysis))
        ticker = Ticker("marking evidence", len(requests), progress=self._progress)
        evidence: dict[str, Mapping[int, tuple[TokenEvidence, ...]]] = {}
        for item, concept_ids in requests:
            self.check_stop()
            evidence[item.digest] = self.evidence(item, concept_ids)
            ticker.advance(1)
        self.workspace.save_result("evidence", ItemEvidence(evidence))
        return {"n_items": len(evidence)}

    def evidence(
        self, item: Item, concept_ids: set[int]
    ) -> Mapping[int, tuple[TokenEvidence, ...]]:
        """Return an item's evidence for concepts, including those merged into them."""
        parts = {
            concept_id: target
            for concept_id, target in self.results.merged.concepts.items()
            if target in concept_ids
        }
        evidence = dict(self.mapper.evidence(item, sorted(concept_ids | set(parts))))
        for concept_id, target in parts.items():
            evidence[target] = evidence.get(target, ()) + evidence.pop(concept_id, ())
        return evidence

    def _map_set(self, role: SetRole, item_set: Benchmark) -> ConceptMap:
        """Map a set, save its map, and return it with merged concepts."""
        of_pool = " of the pool" if role == "pool" else ""
        concept_map = self.mapper.map(
            item_set.items, stage=f"mapping items{of_pool}", on_shard=self._so_far_callback(role)
        )
        if (on_finish := self._so_far_callback(role, is_whole=True)) is not None:
            on_finish(concept_map)
        self.workspace.save_map(role, concept_map)
        return self.results.merge(concept_map)

    def _so_far_callback(
        self, which: str, *, is_whole: bool = False
    ) -> Callable[[ConceptMap], None] | None:
        if self._so_far is None:
            return None
        return partial(self._so_far.add, which, self.mapper.dictionary, is_whole=is_whole)

    def _contamination(
        self, pool: Benchmark, pool_map: ConceptMap
    ) -> tuple[ContaminationMatch, ...]:
        """Find the pool items on lists to keep out: by their words, else by embedding."""
        if not self.settings.keep_out:
            return ()
        self.report_stage("comparing with lists to keep out")
        lists = []
        for path in self.settings.keep_out:
            items = load_benchmark(path).items
            vectors = None if pool_map.embeddings is None else self.mapper.embeddings(items)
            name = path.rstrip("/").rpartition("/")[2] or path
            lists.append(KnownList(name, [item.text for item in items], vectors))
        return find_contamination(pool.items, lists, embeddings=pool_map.embeddings)


def _describe_fields(benchmark: Benchmark) -> str:
    """Return a line with the number of items and the field for each role."""
    mapping = benchmark.mapping
    roles = ("prompt", "context", "choices", "answer", "id", "category", "source", "licence")
    parts = [f"{role} {path}" for role in roles if (path := getattr(mapping, role))]
    return display(f"{benchmark.path.name}: {len(benchmark):,} items; {', '.join(parts)}")


def _evidence_requests(analysis: Analysis) -> Iterable[tuple[Item, set[int]]]:
    """Return the items that will be displayed, each once, with the concepts to mark in it."""
    requests: dict[str, tuple[Item, set[int]]] = {}

    def add(item: Item, concept_ids: Sequence[int]) -> None:
        requests.setdefault(item.digest, (item, set()))[1].update(concept_ids)

    for proposal in analysis.proposals:
        if analysis.pool is not None:
            item = analysis.pool.items[proposal.row]
            add(item, [gap.concept_id for gap in proposal.gaps])
    item_set, concept_map = analysis.pool, analysis.pool_map
    if item_set is None or concept_map is None:
        item_set, concept_map = analysis.benchmark, analysis.benchmark_map
    gap_ids = [int(concept_id) for concept_id in analysis.gaps.ranked()[:_GAPS_SHOWN]]
    if gap_ids:
        rows = top_items(concept_map, _ITEMS_PER_GAP)
        for concept_id in gap_ids:
            for row in rows[concept_id]:
                if row >= 0:
                    add(item_set.items[row], [concept_id])
    return requests.values()
