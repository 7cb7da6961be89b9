"""The stages of the whole job, in order, each saved as it finishes.

    read       benchmark and pool are read and validated
    map        items become concept maps (resumes from shards)
    gaps       coverage, areas, relevance to the scope, statuses
    propose    additions, removals, duplicates
    evidence   which characters show the concepts, for what a person will look at

A stage runs only if it is out of date. Progress goes to a callback; `stop` is asked often, and what
is done is kept. Runs in the process of a command or in a child of the interface alike.
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
"""How much token evidence is made ahead of time: gaps by deficit, and items for each."""

_LARGEST_NUMBER = 10**9
"""More items, tokens or concepts than anything has; larger numbers do not fit everywhere."""

_SMALLEST_POOL = 50
"""A pool with fewer items says little about how common anything is; the corpus does better."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError where a stage could not use its settings; nothing has to be read for it."""
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
    """Run what is out of date in a workspace whose lock the parent process holds."""
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
    """Run every stage that is out of date, up to and with `until`; returns what is known then.

    `cache` is the folder where what was read through the model is kept for every workspace; None
    keeps it in this one. Returns None where `until` is before the gaps stage. Raises Interrupted
    when `stop` says so. `so_far` is given what was mapped while the rest is being read.
    """
    if until not in STAGES:
        raise UsageError(f"Unknown stage {until!r}; known: {', '.join(STAGES)}.")
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
    """Load everything computed so far; needs the gaps stage.

    `on_summary` is given what was found as soon as that is there, before items and maps are read.
    """
    run = _Run(workspace, None, None)
    run.trust_dictionary()
    summary = run.summary()
    if on_summary is not None:
        on_summary(summary)
    return run.analysis(summary)


def judged_again(workspace: Workspace, analysis: Analysis) -> Analysis:
    """Return an analysis with its gaps judged by the decisions made since; proposals stay."""
    run = _Run(workspace, None, None)
    run.benchmark, run.pool = analysis.benchmark, analysis.pool
    run.trust_dictionary()
    now = run.analysis(with_proposals=False)
    return replace(
        analysis,
        dictionary=now.dictionary,
        benchmark_map=now.benchmark_map,
        pool_map=now.pool_map,
        coverage_before=now.coverage_before,
        gaps=now.gaps,
        share_interval=now.share_interval,
    )


def reader_of(
    workspace: Workspace,
    *,
    cache: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Reader:
    """Return the reference model of a workspace; it is opened when something new is to be read."""
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
    """Map the items to be added that were rewritten; None where none was."""
    items = rewritten_items(analysis, choice)
    if not items:
        return None
    found = reader_of(workspace, cache=cache, progress=progress, stop=stop).map(items)
    merged = Merged.from_log(workspace.decisions, analysis.dictionary.n_concepts)
    return merge_concepts(found, analysis.dictionary, merged.concepts)


class _Run:
    """One pass over the stages; what a stage loads is there for the next."""

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
            raise Interrupted("Stopped; what was done is kept, and the same command goes on.")

    def tell(self, stage: str) -> None:
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
        self.tell("reading items")
        benchmark, pool = self.benchmark, self.pool
        if not len(benchmark):
            raise UsageError(f"{benchmark.path}: no items to analyse; check the file and --split.")
        for one in (benchmark, pool):
            if one is not None:
                self.tell(f"read {_what_was_read(one)}")
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
        self.tell("finding gaps")
        coverage = measure_coverage(self.benchmark_map, self.dictionary, reference=self.reference())
        maps = [one for one in (self.benchmark_map, self.pool_map) if one is not None]
        areas = group_areas(self.dictionary, concept_map=maps)
        scope = scope_with_decisions(self.scope(), self.workspace.decisions, areas)
        relevance = None
        if not scope.is_empty:
            self.tell("measuring relevance to the scope")
            relevance = measure_relevance(
                scope, self.dictionary, mapper=self.reader, concept_map=maps
            )
        gaps = self.judge(coverage, relevance)
        self.workspace.save_result("coverage", coverage)
        self.workspace.save_result("merged", self.merged)
        self.workspace.save_result("areas", areas)
        self.workspace.save_result("gaps", Judged.of(gaps))
        # Of its own seed: another one for the proposals does not make the gaps out of date.
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
        self.tell("looking for duplicates")
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
            self.tell("choosing items to add")
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
                contaminated=frozenset(one.item_id for one in contamination),
                emphasis=None if weighting is None else weighting.emphasis,
            )
            additions, left_out = plan.proposals, plan.left_out
            required, near_duplicate = constraints.required_fields, plan.near_duplicate
        self.workspace.drop_result("model_gaps")
        if weighting is not None:
            self.workspace.save_result("model_gaps", weighting)
        removals: tuple[Proposal, ...] = ()
        if settings.n_remove:
            self.tell("choosing items to remove")
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
        """Return what models are weak at, where that is to decide; None otherwise."""
        settings = self.settings
        if settings.weight != "model-gaps":
            return None
        if not settings.results:
            raise UsageError("Weighting by model gaps needs results; give them with --results.")
        self.tell("reading results of models")
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
        wanted = list(_wanted_evidence(analysis))
        ticker = Ticker("marking evidence", len(wanted), progress=self._progress)
        found: dict[str, Mapping[int, tuple[TokenEvidence, ...]]] = {}
        for item, concept_ids in wanted:
            self.check_stop()
            found[item.digest] = self.evidence(item, concept_ids)
            ticker.advance(1)
        self.workspace.save_result("evidence", Evidence(found))
        return {"n_items": len(found)}

    def summary(self, *, with_proposals: bool = True) -> Summary:
        """Return what was found; reads no items and no maps, unless other concepts are merged."""
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
            # Settings changed since: judging again takes a moment, mapping again would not.
            gaps = self.judge(coverage, relevance)
        # What was proposed by other settings or verdicts is still there to be reviewed; of other
        # items or concepts it would be about something else.
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
        """Return a summary, or what it would be now, with the items and the maps."""
        summary = summary or self.summary(with_proposals=with_proposals)
        evidence, pool = Evidence(), self.pool
        if with_proposals and "map" in self._fresh() and self.workspace.has_result("evidence"):
            evidence = self.workspace.load_result("evidence", Evidence)
        known: dict[str, Any] = {one.name: getattr(summary, one.name) for one in fields(Summary)}
        return Analysis(
            **known,
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
        """Take the dictionary for the one of the maps, where nothing says it is another by now."""
        if "map" in self._fresh():
            counted = self.workspace.load_result("coverage", Coverage)
            self.reader.trust_dictionary(counted.dictionary)

    def judge(self, coverage: Coverage, relevance: Relevance | None) -> Gaps:
        return find_gaps(
            coverage,
            self.dictionary,
            relevance=relevance,
            settings=self.gap_settings(),
            wanted=wanted_counts(self.workspace.decisions, self.dictionary.n_concepts),
        )

    def coverage(self) -> Coverage:
        """Return what was counted, counted anew where other concepts are merged by now."""
        counted = Merged({})
        if self.workspace.has_result("merged"):
            counted = self.workspace.load_result("merged", Merged)
        if counted == self.merged:
            return self.workspace.load_result("coverage", Coverage)
        return measure_coverage(self.benchmark_map, self.dictionary, reference=self.reference())

    def evidence(self, item: Item, wanted: set[int]) -> Mapping[int, tuple[TokenEvidence, ...]]:
        """Return where an item shows some concepts, or what was merged into them."""
        parts = {one: keeper for one, keeper in self.merged.concepts.items() if keeper in wanted}
        found = dict(self.reader.evidence(item, sorted(wanted | set(parts))))
        for one, keeper in parts.items():
            found[keeper] = found.get(keeper, ()) + found.pop(one, ())
        return found

    def reference(self) -> Reference:
        """Return the pool's rates, or the dictionary's where the pool is none or tiny."""
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
            benchmark.items, stage=f"mapping items{of_pool}", on_shard=self._tell_so_far(which)
        )
        if (tell := self._tell_so_far(which, is_whole=True)) is not None:
            tell(concept_map)
        self.workspace.save_map(which, concept_map)
        concept_map = merge_concepts(concept_map, self.dictionary, self.merged.concepts)
        setattr(self, f"{which}_map", concept_map)

    def _tell_so_far(
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
        """Find the pool's items on lists to keep out: by their words, else by their meaning."""
        from benchdesign.formats import load_benchmark

        if not self.settings.keep_out:
            return ()
        self.tell("comparing with lists to keep out")
        known = []
        for path in self.settings.keep_out:
            items = load_benchmark(path).items
            vectors = None if pool_map.embeddings is None else self.reader.embeddings(items)
            name = path.rstrip("/").rpartition("/")[2] or path
            known.append(KnownList(name, [item.text for item in items], vectors))
        return find_contamination(pool.items, known, embeddings=pool_map.embeddings)


def reference_of(pool_map: ConceptMap | None, dictionary: Dictionary) -> Reference:
    """Return what a benchmark is compared with: the pool, or the dictionary's corpus."""
    if pool_map is None or len(pool_map) < _SMALLEST_POOL:
        return Reference.from_dictionary(dictionary)
    return Reference.from_map(pool_map, dictionary)


def _what_was_read(benchmark: Benchmark) -> str:
    """Say which field was taken for what, before anything rests on it."""
    mapping = benchmark.mapping
    roles = ("prompt", "context", "choices", "answer", "id", "category", "source", "licence")
    parts = [f"{role} {path}" for role in roles if (path := getattr(mapping, role))]
    return display(f"{benchmark.path.name}: {len(benchmark):,} items; {', '.join(parts)}")


def _wanted_evidence(analysis: Analysis) -> Iterable[tuple[Item, set[int]]]:
    """Yield the items a person will be shown, each once, with the concepts to mark in it."""
    wanted: dict[str, tuple[Item, set[int]]] = {}

    def want(item: Item, concept_ids: Sequence[int]) -> None:
        wanted.setdefault(item.digest, (item, set()))[1].update(concept_ids)

    for proposal in analysis.proposals:
        if analysis.pool is not None:
            item = analysis.pool.items[proposal.row]
            want(item, [gap.concept_id for gap in proposal.gaps])
    holder, concept_map = analysis.pool, analysis.pool_map
    if holder is None or concept_map is None:
        holder, concept_map = analysis.benchmark, analysis.benchmark_map
    shown = [int(one) for one in analysis.gaps.ranked()[:_GAPS_SHOWN]]
    if shown:
        rows = top_items(concept_map, _ITEMS_A_GAP)
        for concept_id in shown:
            for row in rows[concept_id]:
                if row >= 0:
                    want(holder.items[row], [concept_id])
    return wanted.values()


def _refuse_huge(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for part, one in parts:
            _refuse_huge(one, f"{name} {part}".strip())
    elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        raise UsageError(f"The number of {name} is above {_LARGEST_NUMBER:,}; give a smaller one.")


def _given(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise UsageError(f"Unknown setting {name}.{unknown[0]}; known: {', '.join(sorted(known))}.")
    try:
        return revive(kind, plain(values))
    except (TypeError, ValueError, KeyError) as problem:
        raise UsageError(f"The {name} settings cannot be used: {problem}.") from None
