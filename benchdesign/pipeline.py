"""The stages of a run, in order; the result of each is saved when it finishes.

    read       read and validate benchmark and pool
    map        map items to concepts (resumes from shards)
    gaps       measure coverage, areas, relevance to the scope and statuses
    propose    propose additions and removals, find duplicates
    evidence   find the characters that show the concepts, in items that will be displayed

A stage runs only if it is out of date. Progress goes to a callback. `stop` is called often, and
finished work is kept. Commands run the stages in their own process, the interface in a child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchdesign.analysis import Analysis, Summary
from benchdesign.areas import Areas, group_areas
from benchdesign.candidates import usual_parts
from benchdesign.conceptmap import ConceptMap
from benchdesign.config import Settings, cache_folder, load_preferences
from benchdesign.coverage import Coverage, Reference, measure_coverage
from benchdesign.duplicates import (
    ContaminationMatch,
    KnownList,
    find_contamination,
    find_duplicates,
)
from benchdesign.edits import rewritten_items
from benchdesign.errors import Interrupted, UsageError, WorkspaceError
from benchdesign.gaps import Gaps, GapSettings, find_gaps
from benchdesign.items import Benchmark, Item
from benchdesign.mapping import TokenEvidence
from benchdesign.merging import merge_concepts, merged_dictionary
from benchdesign.overrides import Merged, scope_with_decisions, wanted_counts
from benchdesign.progress import Progress, ProgressCallback, StopCheck, Ticker
from benchdesign.proposals import Constraints, Proposal, plan_additions, propose_removals
from benchdesign.reader import Reader, usable_cache
from benchdesign.records import plain, revive
from benchdesign.resampling import ShareInterval, measure_interval
from benchdesign.scope import Relevance, Scope, measure_relevance, top_items
from benchdesign.stored import Evidence, Judged, Proposed
from benchdesign.text import display
from benchdesign.weighting import ModelWeighting, weigh_by_models
from benchdesign.workspace import STAGES, Workspace

if TYPE_CHECKING:
    from benchdesign.changes import Choice
    from benchdesign.dictionary import Dictionary
    from benchdesign.sofar import SoFarWriter

__all__ = [
    "check_settings",
    "judged_again",
    "load_analysis",
    "map_rewritten",
    "reader_of",
    "reference_of",
    "run_pipeline",
    "run_workspace",
]

T = TypeVar("T")

_GAPS_SHOWN = 30
_ITEMS_A_GAP = 2
"""Gaps, by deficit, and items per gap for which token evidence is computed ahead of time."""

_LARGEST_NUMBER = 10**9
"""Largest number allowed in settings; larger ones overflow some integer types."""

_SMALLEST_POOL = 50
"""Smallest pool whose rates serve as the reference; below, the dictionary's corpus is used."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError if a stage cannot use its settings; reads no files."""
    for kind, values, name in (
        (Scope, settings.scope, "scope"),
        (GapSettings, settings.gaps, "gaps"),
        (Constraints, settings.constraints, "constraints"),
    ):
        _given(kind, values, name)
    _refuse_huge({**plain(settings), "seed": 0}, "")


def run_workspace(
    folder: str,
    *,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
    so_far: SoFarWriter | None = None,
) -> None:
    """Run the stages that are out of date; the parent process holds the workspace's lock."""
    preferences, _ = load_preferences()
    cache = cache_folder(preferences)
    with Workspace.open(Path(folder), access="child") as workspace:
        run_pipeline(workspace, cache=cache, progress=progress, stop=stop, so_far=so_far)


def run_pipeline(
    workspace: Workspace,
    *,
    until: str = "evidence",
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
    so_far: SoFarWriter | None = None,
) -> Analysis | None:
    """Run every stage that is out of date, up to and including `until`; return the analysis.

    `cache` is the folder that all workspaces share for the model's output; None caches in this
    workspace. Returns None if `until` is before the gaps stage. Raises Interrupted if `stop`
    returns True. `so_far` receives finished parts of maps while the rest is being mapped.
    """
    if until not in STAGES:
        raise UsageError(f"Unknown stage {until!r}; the stages are {', '.join(STAGES)}.")
    run = _Run(workspace, progress, stop, cache=cache, so_far=so_far)
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "read": run.read,
        "map": run.map,
        "gaps": run.find_gaps,
        "propose": run.propose,
        "evidence": run.show_evidence,
    }
    last = STAGES.index(until)
    for stage in STAGES[: last + 1]:
        if stage in workspace.stale_stages():
            run.check_stop()
            workspace.record_stage(stage, figures=steps[stage]())
    return run.analysis() if last >= STAGES.index("gaps") else None


def load_analysis(
    workspace: Workspace, *, on_summary: Callable[[Summary], None] | None = None
) -> Analysis:
    """Load all results; requires the gaps stage.

    `on_summary` receives the summary as soon as it is loaded, before items and maps are read.
    """
    run = _Run(workspace, None, None)
    run.trust_dictionary()
    summary = run.summary()
    if on_summary is not None:
        on_summary(summary)
    return run.analysis(summary)


def judged_again(workspace: Workspace, analysis: Analysis) -> Analysis:
    """Return an analysis with its gaps recomputed from the current decisions; proposals stay."""
    run = _Run(workspace, None, None)
    run.benchmark, run.pool = analysis.benchmark, analysis.pool
    run.trust_dictionary()
    current = run.analysis(with_proposals=False)
    return replace(
        analysis,
        dictionary=current.dictionary,
        benchmark_map=current.benchmark_map,
        pool_map=current.pool_map,
        coverage_before=current.coverage_before,
        gaps=current.gaps,
        share_interval=current.share_interval,
    )


def reader_of(
    workspace: Workspace,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Reader:
    """Return the reader of a workspace; it opens the model only for items not in the cache."""
    folder = usable_cache(cache, workspace.folder / "cache")
    return Reader(workspace.settings, cache=folder, progress=progress, stop=stop)


def map_rewritten(
    workspace: Workspace,
    analysis: Analysis,
    choice: Choice,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ConceptMap | None:
    """Map the additions that were rewritten; return None if there are none."""
    items = rewritten_items(analysis, choice)
    if not items:
        return None
    concept_map = reader_of(workspace, cache=cache, progress=progress, stop=stop).map(items)
    merged = Merged.from_log(workspace.decisions, analysis.dictionary.n_concepts)
    return merge_concepts(concept_map, analysis.dictionary, merged.concepts)


class _Run:
    """One pass over the stages; what one stage loads stays in memory for the next."""

    def __init__(
        self,
        workspace: Workspace,
        progress: ProgressCallback | None,
        stop: StopCheck | None,
        *,
        cache: Path | None = None,
        so_far: SoFarWriter | None = None,
    ) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.reader = reader_of(workspace, cache=cache, progress=progress, stop=stop)
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
    def merged(self) -> Merged:
        return Merged.from_log(self.workspace.decisions, self.reader.dictionary.n_concepts)

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
                self.report_stage(f"read {_what_was_read(item_set)}")
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
        scope = scope_with_decisions(self.scope(), self.workspace.decisions, areas)
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
        self.workspace.save_result("gaps", Judged.of(gaps))
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
            constraints = self.constraints()
            if "required_fields" not in settings.constraints:
                parts = usual_parts(benchmark.items, pool.items, n=settings.n_add)
                constraints = replace(constraints, required_fields=parts)
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
                constraints=constraints,
                rng=rng,
                record_of=pool.record,
                contaminated=frozenset(match.item_id for match in contamination),
                emphasis=None if weighting is None else weighting.emphasis,
            )
            additions, left_out = plan.proposals, plan.left_out
            required, near_duplicate = constraints.required_fields, plan.near_duplicate
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
            Proposed(
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
        return weigh_by_models(
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
        requests = list(_wanted_evidence(analysis))
        ticker = Ticker("marking evidence", len(requests), progress=self._progress)
        evidence: dict[str, Mapping[int, tuple[TokenEvidence, ...]]] = {}
        for item, concept_ids in requests:
            self.check_stop()
            evidence[item.digest] = self.evidence(item, concept_ids)
            ticker.advance(1)
        self.workspace.save_result("evidence", Evidence(evidence))
        return {"n_items": len(evidence)}

    def summary(self, *, with_proposals: bool = True) -> Summary:
        """Return the results without items and maps; read these only if the merges changed."""
        workspace = self.workspace
        coverage = self.coverage()
        areas = workspace.load_result("areas", Areas)
        relevance = None
        if workspace.has_result("relevance"):
            relevance = workspace.load_result("relevance", Relevance)
        proposed = Proposed((), (), ())
        weighting: ModelWeighting | None = None
        share_interval: ShareInterval | None = None
        fresh = self._fresh()
        if "gaps" in fresh and workspace.has_result("gaps"):
            gaps = workspace.load_result("gaps", Judged).gaps(coverage, self.dictionary)
            if workspace.has_result("interval"):
                share_interval = workspace.load_result("interval", ShareInterval)
        else:
            # Settings have changed: recompute the gaps, which is fast and needs no mapping.
            gaps = self.judge(coverage, relevance)
        # Proposals from earlier settings or verdicts can still be reviewed. Proposals from an
        # outdated map are dropped, because items or concepts may differ.
        if with_proposals and "map" in fresh and workspace.has_result("proposals"):
            proposed = workspace.load_result("proposals", Proposed)
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
        evidence, pool = Evidence(), self.pool
        if with_proposals and "map" in self._fresh() and self.workspace.has_result("evidence"):
            evidence = self.workspace.load_result("evidence", Evidence)
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
            settings=self.gap_settings(),
            wanted=wanted_counts(self.workspace.decisions, self.dictionary.n_concepts),
        )

    def coverage(self) -> Coverage:
        """Return the saved coverage, or measure it again if the merges have changed."""
        saved = Merged({})
        if self.workspace.has_result("merged"):
            saved = self.workspace.load_result("merged", Merged)
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

    def scope(self) -> Scope:
        return _given(Scope, self.settings.scope, "scope")

    def gap_settings(self) -> GapSettings:
        return _given(GapSettings, self.settings.gaps, "gaps")

    def constraints(self) -> Constraints:
        return _given(Constraints, self.settings.constraints, "constraints")

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
        from benchdesign.formats import load_benchmark

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


def reference_of(pool_map: ConceptMap | None, dictionary: Dictionary) -> Reference:
    """Return the reference rates: those of the pool, or of the dictionary's corpus."""
    if pool_map is None or len(pool_map) < _SMALLEST_POOL:
        return Reference.from_dictionary(dictionary)
    return Reference.from_map(pool_map, dictionary)


def _what_was_read(benchmark: Benchmark) -> str:
    """Return a line with the number of items and the field for each role."""
    mapping = benchmark.mapping
    roles = ("prompt", "context", "choices", "answer", "id", "category", "source", "licence")
    parts = [f"{role} {path}" for role in roles if (path := getattr(mapping, role))]
    return display(f"{benchmark.path.name}: {len(benchmark):,} items; {', '.join(parts)}")


def _wanted_evidence(analysis: Analysis) -> Iterable[tuple[Item, set[int]]]:
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
        rows = top_items(concept_map, _ITEMS_A_GAP)
        for concept_id in gap_ids:
            for row in rows[concept_id]:
                if row >= 0:
                    add(item_set.items[row], [concept_id])
    return requests.values()


def _refuse_huge(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _refuse_huge(part, f"{name} {key}".strip())
    elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        raise UsageError(
            f"The number of {name} is above {_LARGEST_NUMBER:,}; choose a smaller number."
        )


def _given(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - names)
    if unknown:
        raise UsageError(
            f"Unknown setting {name}.{unknown[0]}; the settings are {', '.join(sorted(names))}."
        )
    try:
        return revive(kind, plain(values))
    except (TypeError, ValueError, KeyError) as problem:
        raise UsageError(f"The {name} settings are invalid: {problem}.") from None
