"""The stages of a run, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchdesign.benchmarks.items import Benchmark, Item
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.merged_concepts import merge_concepts, merged_dictionary
from benchdesign.concepts.maps.token_evidence import TokenEvidence
from benchdesign.coverage.areas import Areas, group_areas
from benchdesign.coverage.coverage import Coverage, measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.gaps import Gaps
from benchdesign.coverage.reference import Reference, reference_of
from benchdesign.coverage.relevance import Relevance, measure_relevance, top_items
from benchdesign.coverage.share_interval import ShareInterval, measure_interval
from benchdesign.errors import Interrupted, UsageError, WorkspaceError
from benchdesign.foundation.progress import Progress, ProgressCallback, StopCheck, Ticker
from benchdesign.foundation.text import display
from benchdesign.pipeline.stage_results import ItemEvidence, ProposeResult, StoredGaps
from benchdesign.selection.additions import plan_additions
from benchdesign.selection.contamination import ContaminationMatch, KnownList, find_contamination
from benchdesign.selection.duplicates import find_duplicates
from benchdesign.selection.eligibility import required_parts
from benchdesign.selection.model_emphasis import ModelWeighting, weight_by_models
from benchdesign.selection.proposal import Proposal
from benchdesign.selection.removals import propose_removals
from benchdesign.workspace.analysis import Analysis, Summary
from benchdesign.workspace.decision_effects import (
    ConceptMerges,
    scope_with_decisions,
    target_counts,
)
from benchdesign.workspace.open_item_mapper import open_item_mapper
from benchdesign.workspace.stage_record import STAGES
from benchdesign.workspace.workspace import Workspace

if TYPE_CHECKING:
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.pipeline.partial_summary import PartialSummaryWriter

__all__ = []


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
        self.reader = open_item_mapper(workspace, cache=cache, progress=progress, stop=stop)
        self._progress = progress
        self._stop = stop
        self._so_far = so_far

    def check_stop(self) -> None:
        if self._stop is not None and self._stop():
            raise Interrupted(
                "Stopped. Finished work is kept; run the same command again to continue."
            )

    def report_stage(self, stage: str) -> None:
        if self._progress is not None:
            self._progress(Progress(stage, 0, None))

    @cached_property
    def benchmark(self) -> Benchmark:
        return self.workspace.load_benchmark()

    @cached_property
    def pool(self) -> Benchmark | None:
        return self.workspace.load_pool()

    @cached_property
    def merged(self) -> ConceptMerges:
        return ConceptMerges.from_log(self.workspace.decisions, self.reader.dictionary.n_concepts)

    @cached_property
    def dictionary(self) -> Dictionary:
        return merged_dictionary(self.reader.dictionary, self.merged.concepts)

    @cached_property
    def benchmark_map(self) -> ConceptMap:
        return self._finished_map("benchmark", self.benchmark)

    @cached_property
    def pool_map(self) -> ConceptMap | None:
        return None if self.pool is None else self._finished_map("pool", self.pool)

    def read(self) -> dict[str, Any]:
        self.report_stage("reading items")
        benchmark, pool = self.benchmark, self.pool
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
        self._map_one("benchmark", self.benchmark)
        if self.pool is not None:
            self._map_one("pool", self.pool)
        return {"dictionary": self.dictionary.name, "n_concepts": self.dictionary.n_concepts}

    def find_gaps(self) -> dict[str, Any]:
        self.report_stage("finding gaps")
        coverage = measure_coverage(self.benchmark_map, self.dictionary, reference=self.reference())
        maps = [part for part in (self.benchmark_map, self.pool_map) if part is not None]
        areas = group_areas(self.dictionary, concept_map=maps)
        scope = scope_with_decisions(self.settings.scope, self.workspace.decisions, areas)
        relevance = None
        if not scope.is_empty:
            self.report_stage("measuring relevance to the scope")
            relevance = measure_relevance(
                scope, self.dictionary, mapper=self.reader, concept_map=maps
            )
        gaps = self.judge(coverage, relevance)
        self.workspace.save_result("coverage", coverage)
        self.workspace.save_result("merged", self.merged)
        self.workspace.save_result("areas", areas)
        self.workspace.save_result("gaps", StoredGaps.of(gaps))
        # A fixed seed: changing the seed of the proposals must not outdate the gaps.
        interval = measure_interval(self.benchmark_map, gaps, rng=np.random.default_rng(0))
        self.workspace.drop_result("interval")
        if interval is not None:
            self.workspace.save_result("interval", interval)
        self.workspace.drop_result("relevance")
        if relevance is not None:
            self.workspace.save_result("relevance", relevance)
        return {status.value: n for status, n in gaps.counts().items()}

    def propose(self) -> dict[str, Any]:
        analysis = self.analysis(with_proposals=False)
        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        benchmark, pool = self.benchmark, self.pool
        self.report_stage("finding duplicates")
        duplicates = find_duplicates(benchmark.items, embeddings_a=self.benchmark_map.embeddings)
        self.check_stop()
        additions: tuple[Proposal, ...] = ()
        left_out: Mapping[str, int] = {}
        required: tuple[str, ...] = ()
        near_duplicate: float | None = None
        contamination: tuple[ContaminationMatch, ...] = ()
        weighting: ModelWeighting | None = None
        if pool is not None and self.pool_map is not None and settings.n_add:
            contamination = self._contamination(pool, self.pool_map)
            self.check_stop()
            if settings.constraints.required_fields is None:
                required = required_parts(benchmark.items, pool.items, n=settings.n_add)
            else:
                required = settings.constraints.required_fields
            weighting = self.weigh_by_models(analysis.areas)
            self.report_stage("choosing items to add")
            plan = plan_additions(
                self.benchmark_map,
                self.pool_map,
                analysis.gaps,
                self.dictionary,
                n=settings.n_add,
                pool_items=pool.items,
                benchmark_items=benchmark.items,
                constraints=replace(settings.constraints, required_fields=required),
                rng=rng,
                record_of=pool.record,
                contaminated=frozenset(match.item_id for match in contamination),
                emphasis=None if weighting is None else weighting.emphasis,
            )
            additions, left_out = plan.proposals, plan.left_out
            near_duplicate = plan.near_duplicate
        self.workspace.drop_result("model_gaps")
        if weighting is not None:
            self.workspace.save_result("model_gaps", weighting)
        removals: tuple[Proposal, ...] = ()
        if settings.n_remove:
            self.report_stage("choosing items to remove")
            removals = propose_removals(
                self.benchmark_map,
                analysis.gaps,
                self.dictionary,
                n=settings.n_remove,
                benchmark_items=benchmark.items,
                min_items=settings.min_items,
            )
        self.workspace.save_result(
            "proposals",
            ProposeResult(
                additions,
                removals,
                duplicates,
                left_out,
                required,
                near_duplicate,
                contamination,
            ),
        )
        return {"n_additions": len(additions), "n_removals": len(removals)}

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
            self.benchmark,
            self.benchmark_map,
            self.dictionary,
            areas=areas,
            metrics=settings.metrics,
            seed=settings.seed,
        )

    def show_evidence(self) -> dict[str, Any]:
        analysis = self.analysis()
        requests = list(_evidence_requests(analysis))
        ticker = Ticker("marking evidence", len(requests), progress=self._progress)
        evidence: dict[str, Mapping[int, tuple[TokenEvidence, ...]]] = {}
        for item, concept_ids in requests:
            self.check_stop()
            evidence[item.digest] = self.evidence(item, concept_ids)
            ticker.advance(1)
        self.workspace.save_result("evidence", ItemEvidence(evidence))
        return {"n_items": len(evidence)}

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
        if "gaps" in fresh and workspace.has_result("gaps"):
            gaps = workspace.load_result("gaps", StoredGaps).gaps(coverage, self.dictionary)
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
        given_paths = {"benchmark": workspace.benchmark_file.given}
        if workspace.pool_file is not None:
            given_paths["pool"] = workspace.pool_file.given
        return Summary(
            dictionary=self.dictionary,
            coverage_before=coverage,
            gaps=gaps,
            areas=areas,
            relevance=relevance,
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
            given_paths=given_paths,
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
            self.reader.trust_dictionary(coverage.dictionary)

    def judge(self, coverage: Coverage, relevance: Relevance | None) -> Gaps:
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

    def evidence(
        self, item: Item, concept_ids: set[int]
    ) -> Mapping[int, tuple[TokenEvidence, ...]]:
        """Return an item's evidence for concepts, including those merged into them."""
        parts = {
            concept_id: target
            for concept_id, target in self.merged.concepts.items()
            if target in concept_ids
        }
        evidence = dict(self.reader.evidence(item, sorted(concept_ids | set(parts))))
        for concept_id, target in parts.items():
            evidence[target] = evidence.get(target, ()) + evidence.pop(concept_id, ())
        return evidence

    def reference(self) -> Reference:
        """Return the pool's rates, or the dictionary's if the pool is missing or too small."""
        return reference_of(self.pool_map, self.dictionary)

    def _map_one(self, which: str, benchmark: Benchmark) -> None:
        of_pool = " of the pool" if which == "pool" else ""
        concept_map = self.reader.map(
            benchmark.items, stage=f"mapping items{of_pool}", on_shard=self._so_far_callback(which)
        )
        if (on_finish := self._so_far_callback(which, is_whole=True)) is not None:
            on_finish(concept_map)
        self.workspace.save_map(which, concept_map)
        concept_map = merge_concepts(concept_map, self.dictionary, self.merged.concepts)
        setattr(self, f"{which}_map", concept_map)

    def _so_far_callback(
        self, which: str, *, is_whole: bool = False
    ) -> Callable[[ConceptMap], None] | None:
        if self._so_far is None:
            return None
        return partial(self._so_far.add, which, self.reader.dictionary, is_whole=is_whole)

    def _finished_map(self, which: Any, benchmark: Benchmark) -> ConceptMap:
        concept_map = self.workspace.load_map(which)
        if list(concept_map.digests) != list(benchmark.digests):
            raise WorkspaceError(
                f"{benchmark.path}: changed since it was mapped. "
                f"Run again: benchdesign open {self.workspace.folder}"
            )
        return merge_concepts(concept_map, self.dictionary, self.merged.concepts)

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
            vectors = None if pool_map.embeddings is None else self.reader.embeddings(items)
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
