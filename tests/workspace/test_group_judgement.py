"""A judgement of a group is one step: the group, and its most typical pool items."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchdesign.pipeline.load_analysis import load_analysis
from benchdesign.pipeline.run import run_pipeline
from benchdesign.revision.choice import Choice
from benchdesign.workspace.decision_effects import judged_items
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.group_judgement import group_judgement, nearest_group_names
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.group_builders import make_group, make_groups
from tests.keywords import KeywordMapper, use_keywords, write_sets

POOL_IDS = [f"p-{row}" for row in range(160)]


@pytest.fixture
def mapper(monkeypatch: pytest.MonkeyPatch) -> KeywordMapper:
    return use_keywords(monkeypatch)


@pytest.fixture
def workspace(tmp_path: Path, mapper: KeywordMapper) -> Workspace:
    benchmark, pool = write_sets(tmp_path)
    made = Workspace.create(tmp_path / "work", benchmark, pool=pool, settings=Settings(n_add=6))
    run_pipeline(made)
    return made


def test_only_the_most_typical_thirty_items_are_judged() -> None:
    group = make_group("fox", pool_rows=tuple(range(40, 0, -1)))
    decisions = group_judgement(group, POOL_IDS, Verdict.NOT_MEANT, note="too far")
    assert decisions[0] == Decision(Subject.GROUP, "id-fox", Verdict.NOT_MEANT, note="too far")
    assert [decision.subject_id for decision in decisions[1:]] == POOL_IDS[40:10:-1]
    assert {decision.word for decision in decisions} == {"not meant"}


def test_the_nearest_names_are_those_most_alike_or_the_worst() -> None:
    groups = make_groups(*(make_group(name) for name in ("Music", "Blood", "Bread", "Ships")))
    assert nearest_group_names(groups, "musik") == ("Music",)
    assert nearest_group_names(groups, "xyzzy") == ("Music", "Blood", "Bread")
    assert nearest_group_names(make_groups(), "music") == ()


def test_a_judgement_outdates_gaps_and_proposals_and_undo_restores_them(
    workspace: Workspace,
) -> None:
    assert not workspace.is_stale
    concepts = Choice.from_decisions(workspace.decisions).concepts_sha256
    workspace.decisions.record(*group_judgement(make_group("fox"), POOL_IDS, Verdict.MEANT))
    assert workspace.stale_stages() == ("gaps", "propose", "evidence")
    assert judged_items(workspace.decisions, POOL_IDS).meant == (0, 1, 2)
    assert Choice.from_decisions(workspace.decisions).concepts_sha256 != concepts
    assert len(workspace.decisions) == 1
    workspace.decisions.undo()
    assert not workspace.is_stale
    assert not judged_items(workspace.decisions, POOL_IDS)


def test_a_run_after_a_judgement_searches_with_it_and_maps_nothing(
    workspace: Workspace, mapper: KeywordMapper
) -> None:
    workspace.decisions.record(*group_judgement(make_group("fox"), POOL_IDS, Verdict.NOT_MEANT))
    n_mapped = mapper.n_mapped
    analysis = run_pipeline(workspace)
    assert mapper.n_mapped == n_mapped
    assert analysis is not None
    assert analysis.groups is not None
    assert analysis.groups.reference.scope == "stated"


def test_results_without_groups_stay_readable_and_the_next_run_searches(
    workspace: Workspace, mapper: KeywordMapper
) -> None:
    workspace.drop_result("groups")
    assert load_analysis(workspace).groups is None
    assert not workspace.is_stale
    assert workspace.due_stages() == ("gaps", "propose", "evidence")
    n_mapped = mapper.n_mapped
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert analysis.groups is not None
    assert workspace.due_stages() == ()
    assert mapper.n_mapped == n_mapped


def test_groups_of_an_outdated_map_are_dropped(workspace: Workspace) -> None:
    assert load_analysis(workspace).groups is not None
    workspace.change_pool(None)
    assert load_analysis(workspace).groups is None
