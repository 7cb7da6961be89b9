from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.status import Status
from benchdesign.errors import Interrupted, WorkspaceError
from benchdesign.foundation.progress import Progress
from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.run import run_pipeline, run_workspace
from benchdesign.selection.constraints import Constraints
from benchdesign.selection.eligibility import required_parts
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.keywords import WORDS, KeywordMapper, use_keywords, write_sets

FOX = WORDS.index("fox")


@pytest.fixture
def mapper(monkeypatch: pytest.MonkeyPatch) -> KeywordMapper:
    return use_keywords(monkeypatch)


@pytest.fixture
def workspace(tmp_path: Path, mapper: KeywordMapper) -> Workspace:
    benchmark, pool = write_sets(tmp_path)
    return Workspace.create(
        tmp_path / "work", benchmark, pool=pool, settings=Settings(n_add=10), who="ann"
    )


def test_what_the_benchmark_lacks_is_found_and_proposed(workspace: Workspace) -> None:
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert [row.label for row in analysis.gaps.rows()] == ["fox"]
    assert analysis.gaps.status(FOX) is Status.MISSING
    assert {proposal.category for proposal in analysis.proposals} == {"fox"}
    assert len(analysis.proposals) == 10


def test_evidence_points_at_the_word(workspace: Workspace) -> None:
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert analysis.pool is not None
    item = analysis.pool.items[analysis.proposals[0].row]
    (token,) = analysis.evidence_of(item)[FOX]
    assert item.text[token.start : token.end] == "fox"


def test_an_analysis_loads_as_it_was_computed(workspace: Workspace) -> None:
    finished_analysis = run_pipeline(workspace)
    loaded = load_analysis(workspace)
    assert finished_analysis is not None
    assert loaded.proposals == finished_analysis.proposals
    assert loaded.evidence == finished_analysis.evidence
    assert loaded.gaps.counts() == finished_analysis.gaps.counts()
    assert loaded.areas.names == finished_analysis.areas.names


def test_gaps_are_loaded_and_not_judged_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished_analysis = run_pipeline(workspace)
    assert finished_analysis is not None
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchdesign.pipeline.workspace_results.find_gaps",
            lambda *_, **__: pytest.fail("judged"),
        )
        loaded = load_analysis(workspace)
    assert list(loaded.gaps.rows()) == list(finished_analysis.gaps.rows())
    for name in ("q_value", "lift_low", "deficit", "items_needed", "p_over", "reason_codes"):
        kept, fresh = getattr(loaded.gaps, name), getattr(finished_analysis.gaps, name)
        assert np.array_equal(kept, fresh, equal_nan=True), name
    assert loaded.gaps.settings == finished_analysis.gaps.settings


def test_changed_settings_are_judged_on_loading(workspace: Workspace) -> None:
    run_pipeline(workspace)
    workspace.change_settings(replace(workspace.settings, gaps=GapSettings(min_effect=100.0)))
    assert load_analysis(workspace).gaps.counts()[Status.MISSING] == 0


def test_a_second_run_computes_nothing(workspace: Workspace, mapper: KeywordMapper) -> None:
    run_pipeline(workspace)
    n_mapped, told = mapper.n_mapped, list[Progress]()
    run_pipeline(workspace, progress=told.append)
    assert (mapper.n_mapped, told) == (n_mapped, [])


def test_only_new_items_are_mapped_again(workspace: Workspace, mapper: KeywordMapper) -> None:
    run_pipeline(workspace)
    n_mapped = mapper.n_mapped
    with Path(workspace.benchmark_file.path).open("a") as file:
        file.write('{"id": "new", "question": "What is a fox?", "choices": ["a", "b"]}\n')
    analysis = run_pipeline(workspace)
    assert mapper.n_mapped == n_mapped + 1
    assert analysis is not None
    assert len(analysis.benchmark) == 81


def test_a_stopped_run_keeps_what_is_done_and_goes_on(
    workspace: Workspace, mapper: KeywordMapper
) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return mapper.n_mapped >= 80

    with pytest.raises(Interrupted):
        run_pipeline(workspace, stop=stop)
    assert workspace.stale_stages()[0] == "map"
    run_pipeline(workspace)
    assert not workspace.is_stale
    assert mapper.n_mapped <= 80 + 240


def test_stages_can_be_run_up_to_one(workspace: Workspace) -> None:
    assert run_pipeline(workspace, until="map") is None
    assert workspace.stale_stages() == ("gaps", "propose", "evidence")
    with pytest.raises(WorkspaceError, match="coverage not computed yet"):
        load_analysis(workspace)
    analysis = run_pipeline(workspace, until="gaps")
    assert analysis is not None
    assert analysis.proposals == ()


def test_an_ignored_concept_is_no_gap_any_more(workspace: Workspace) -> None:
    run_pipeline(workspace)
    workspace.decisions.decide(Subject.CONCEPT, str(FOX), Verdict.IGNORE)
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert analysis.gaps.status(FOX) is Status.KEPT_OUT
    assert analysis.proposals == ()
    workspace.decisions.undo()
    again = run_pipeline(workspace)
    assert again is not None
    assert again.gaps.status(FOX) is Status.MISSING


def test_an_excluded_area_takes_its_concepts_along(workspace: Workspace) -> None:
    workspace.decisions.decide(Subject.AREA, "animals", Verdict.EXCLUDE)
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert not analysis.gaps.in_scope.any()


def test_without_a_pool_the_corpus_is_the_reference(tmp_path: Path, mapper: KeywordMapper) -> None:
    benchmark, _ = write_sets(tmp_path)
    with Workspace.create(tmp_path / "work", benchmark) as workspace:
        analysis = run_pipeline(workspace)
    assert analysis is not None
    assert analysis.coverage_before.reference == "dictionary"
    assert [row.label for row in analysis.gaps.rows()] == ["fox"]
    assert analysis.proposals == ()


def test_a_known_list_keeps_its_items_out(workspace: Workspace, tmp_path: Path) -> None:
    pool = Path(workspace.pool_file.path) if workspace.pool_file else Path()
    known = tmp_path / "known.jsonl"
    known.write_text("\n".join(pool.read_text().splitlines()[:80]) + "\n", "utf-8")
    workspace.change_settings(replace(workspace.settings, keep_out=(str(known),), n_add=40))
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert len(analysis.proposals) == 20
    assert min(proposal.row for proposal in analysis.proposals) >= 80


def test_a_known_list_is_matched_by_meaning_too(
    workspace: Workspace, tmp_path: Path, mapper: KeywordMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = np.zeros(64, dtype=np.float16)
    alike[0] = 1.0
    embed = mapper.embed

    def embed_foxes_alike(texts: Sequence[str]) -> NDArray[np.float16]:
        embeddings = embed(texts)
        for row, text in enumerate(texts):
            if "fox number 3 " in text or "vixen" in text:
                embeddings[row] = alike
        return embeddings

    monkeypatch.setattr(mapper, "embed", embed_foxes_alike)
    known = tmp_path / "known.jsonl"
    known.write_text('{"question": "Name the food of a vixen, please."}\n', "utf-8")
    workspace.change_settings(replace(workspace.settings, keep_out=(str(known),)))
    analysis = run_pipeline(workspace)
    assert analysis is not None
    (match,) = analysis.contamination
    assert (match.item_id, match.kind, match.list_name) == ("p-3", "near", "known.jsonl")
    assert match.matched_text.startswith("Name the food of a vixen")
    assert "p-3" not in {proposal.id for proposal in analysis.proposals}
    assert run_pipeline(workspace).contamination == (match,)  # type: ignore[union-attr]


def test_an_unknown_setting_of_a_stage_is_named(workspace: Workspace) -> None:
    path = workspace.folder / "workspace.json"
    content = json.loads(path.read_text("utf-8"))
    content["settings"]["gaps"] = {"fdrr": 0.1}
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(WorkspaceError, match=r"workspace\.json: .*gaps\.fdrr"):
        run_pipeline(workspace)


def test_a_benchmark_without_items_is_refused(tmp_path: Path, mapper: KeywordMapper) -> None:
    (tmp_path / "empty.csv").write_text("question,answer\n", "utf-8")
    with (
        Workspace.create(tmp_path / "work", tmp_path / "empty.csv") as workspace,
        pytest.raises(Exception, match=r"empty\.csv"),
    ):
        run_pipeline(workspace)


def test_a_child_works_under_the_lock_of_its_parent(workspace: Workspace) -> None:
    run_workspace(str(workspace.folder))
    assert not workspace.is_stale


def test_what_was_passed_over_is_counted_by_reason(workspace: Workspace) -> None:
    quotas = Constraints(quotas_by_category={"fox": 3})
    workspace.change_settings(replace(workspace.settings, constraints=quotas))
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert (len(analysis.proposals), dict(analysis.left_out)) == (3, {"quota of category": 37})
    assert load_analysis(workspace).left_out == analysis.left_out


def write_mixed(folder: Path, *, n_whole: int) -> tuple[Path, Path]:
    """A benchmark of multiple choice, and a pool of which only the first foxes have choices."""
    benchmark, pool = write_sets(folder)
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    kept = [row["id"] for row in rows if row["category"] == "fox"][:n_whole]
    for row in rows:
        if row["category"] == "fox" and row["id"] not in kept:
            row |= {"choices": None, "answer": "fish"}
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return benchmark, pool


def test_candidates_must_have_what_the_benchmarks_items_have(
    tmp_path: Path, mapper: KeywordMapper
) -> None:
    benchmark, pool = write_mixed(tmp_path, n_whole=25)
    with Workspace.create(
        tmp_path / "work", benchmark, pool=pool, settings=Settings(n_add=30)
    ) as workspace:
        analysis = run_pipeline(workspace)
        assert analysis is not None
        assert analysis.required == ("choices", "answer")
        assert (len(analysis.proposals), analysis.left_out["other form"]) == (25, 15)
        workspace.change_settings(
            replace(workspace.settings, constraints=Constraints(required_fields=()))
        )
        analysis = run_pipeline(workspace)
    assert analysis is not None
    assert (len(analysis.proposals), analysis.required) == (30, ())


def test_nothing_is_asked_for_where_too_few_candidates_have_it(tmp_path: Path) -> None:
    benchmark, pool = write_mixed(tmp_path, n_whole=0)
    sets = load_benchmark(benchmark).items, load_benchmark(pool).items
    assert required_parts(*sets, n=5) == ("choices", "answer")
    free = [replace(item, choices=()) for item in sets[1]]
    assert required_parts(sets[0], free, n=5) == ("answer",)
