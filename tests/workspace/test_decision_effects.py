"""Wanted counts and merged concepts, through a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchdesign.coverage.status import Status
from benchdesign.pipeline.load_analysis import judged_again, load_analysis
from benchdesign.pipeline.run import run_pipeline
from benchdesign.pipeline.write_revision import write_revision
from benchdesign.workspace.decisions import BY_RULE, Decision, Subject
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.keywords import WORDS, use_keywords, write_sets

CAT, DOG, FOX, OWL = (WORDS.index(word) for word in ("cat", "dog", "fox", "owl"))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    new_workspace = Workspace.create(
        tmp_path / "work", benchmark, pool=pool, settings=Settings(n_add=6, n_remove=2)
    )
    run_pipeline(new_workspace)
    return new_workspace


def concept(concept_id: int, *, want: int | None = None, merge: str | None = None) -> Decision:
    return Decision(Subject.CONCEPT, str(concept_id), want=want, merge=merge)


def test_a_wanted_count_is_judged_at_once_and_proposed_for_when_run_again(
    workspace: Workspace,
) -> None:
    before = load_analysis(workspace)
    assert before.gaps.status(FOX) is Status.MISSING
    assert before.gaps.status(OWL) is Status.ADEQUATE
    n_owls = int(before.gaps.count[OWL])
    workspace.decisions.record(concept(FOX, want=0), concept(OWL, want=n_owls + 3))
    assert workspace.stale_stages() == ("gaps", "propose", "evidence")
    now = judged_again(workspace, before)
    assert now.gaps.status(FOX) is Status.ADEQUATE
    assert (now.gaps.status(OWL), now.gaps.target[OWL]) == (Status.UNDER, n_owls + 3)
    assert now.proposals == before.proposals
    after = run_pipeline(workspace)
    assert after is not None
    filled = {gap.concept_id for proposal in after.proposals for gap in proposal.gaps}
    assert filled == {OWL}


def test_giving_a_count_back_to_the_rule_is_as_if_nothing_was_said(workspace: Workspace) -> None:
    workspace.decisions.record(concept(FOX, want=3))
    workspace.decisions.record(concept(FOX, want=BY_RULE))
    assert not workspace.is_stale
    assert load_analysis(workspace).gaps.wanted is None


def test_a_revision_closes_a_wanted_gap_when_that_many_items_show_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.decisions.record(concept(FOX, want=4))
    analysis = run_pipeline(workspace)
    assert analysis is not None
    assert analysis.gaps.target[FOX] == 4
    revision = write_revision(analysis, tmp_path / "out")
    assert revision.gaps_after.count[FOX] >= 4
    assert revision.gaps_after.status(FOX) is Status.ADEQUATE


def test_merged_concepts_are_counted_as_one_and_apart_again_after_undo(
    workspace: Workspace,
) -> None:
    before = load_analysis(workspace)
    workspace.decisions.record(concept(FOX, merge=str(OWL)))
    now = judged_again(workspace, before)
    assert now.gaps.status(FOX) is Status.KEPT_OUT
    assert now.gaps.reason(FOX) == "merged"
    assert now.gaps.count[FOX] == 0
    assert now.gaps.count[OWL] == before.gaps.count[OWL] + before.gaps.count[FOX]
    assert now.gaps.base_rate[OWL] > before.gaps.base_rate[OWL]
    run_pipeline(workspace)
    assert load_analysis(workspace).gaps.reason(FOX) == "merged"
    workspace.decisions.undo()
    again = judged_again(workspace, now)
    assert again.gaps.status_codes.tolist() == before.gaps.status_codes.tolist()
    assert again.gaps.count.tolist() == before.gaps.count.tolist()


def test_evidence_of_a_merged_concept_shows_what_was_merged_into_it(workspace: Workspace) -> None:
    workspace.decisions.record(concept(FOX, merge=str(CAT)), concept(CAT, want=60))
    analysis = run_pipeline(workspace)
    assert analysis is not None and analysis.pool is not None
    marked = set()
    for proposal in analysis.proposals:
        item = analysis.pool.items[proposal.row]
        tokens = analysis.evidence_of(item)[CAT]
        marked |= {item.text[token.start : token.end].lower() for token in tokens}
        assert FOX not in analysis.evidence_of(item)
    assert "fox" in marked and marked <= {"fox", "cat"}


def test_merges_of_concepts_that_the_dictionary_does_not_have_are_ignored(
    workspace: Workspace,
) -> None:
    workspace.decisions.record(concept(FOX, merge="4000000"), concept(9_000_000, want=3))
    analysis = judged_again(workspace, load_analysis(workspace))
    assert analysis.gaps.status(FOX) is Status.MISSING
