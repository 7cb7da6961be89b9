from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchdesign.benchmarks.formats.json_lines import JsonLines
from benchdesign.errors import OutputExistsError, UsageError, WorkspaceError
from benchdesign.pipeline.run import run_pipeline
from benchdesign.pipeline.write_revision import planned_files, write_revision
from benchdesign.revision.choice import Choice
from benchdesign.revision.map_edited import map_edited_items
from benchdesign.revision.plan import plan_revision, revised_name
from benchdesign.workspace.analysis import Analysis
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.keywords import WORDS, use_keywords, write_sets

FOX, OWL = WORDS.index("fox"), WORDS.index("owl")

FILES = ("animals.revised.jsonl", "concepts.parquet", "report.html", "report.md", "revision.json")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    return Workspace.create(
        tmp_path / "work", benchmark, pool=pool, settings=Settings(n_add=20), who="ann"
    )


@pytest.fixture
def analysis(workspace: Workspace) -> Analysis:
    finished_analysis = run_pipeline(workspace)
    assert finished_analysis is not None
    return finished_analysis


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def test_every_file_of_the_contract_is_written(analysis: Analysis, tmp_path: Path) -> None:
    revision = write_revision(analysis, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert sorted(revision.files) == sorted(FILES)
    assert revision.files[0] == "animals.revised.jsonl"


def test_untouched_items_are_identical_byte_for_byte(analysis: Analysis, tmp_path: Path) -> None:
    write_revision(analysis, tmp_path / "out")
    before = (tmp_path / "animals.jsonl").read_bytes()
    after = (tmp_path / "out" / "animals.revised.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after.splitlines()) == 100


def test_a_revision_reads_each_record_of_the_sample_once(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[tuple[str, int]] = Counter()
    read_record = JsonLines.record

    def count_record(source: JsonLines, row: int) -> Any:
        reads[source.path.name, row] += 1
        return read_record(source, row)

    monkeypatch.setattr(JsonLines, "record", count_record)
    revision = write_revision(analysis, tmp_path / "out")
    assert len(revision.added) == 20
    in_benchmark = [n for (name, _), n in reads.items() if name == "animals.jsonl"]
    assert in_benchmark == [1] * len(analysis.benchmark)
    assert [n for (name, _), n in reads.items() if name != "animals.jsonl"] == [1] * 20


def test_the_manifest_has_the_keys_of_the_contract(analysis: Analysis, tmp_path: Path) -> None:
    write_revision(analysis, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "revision.json").read_text("utf-8"))
    assert {
        *("schema_version", "benchmark", "pool", "reference_model", "dictionary", "seed"),
        *("coverage_before", "coverage_after", "gaps", "added", "removed", "skipped"),
    } <= set(manifest)
    assert {"path", "sha256", "n_items"} <= set(manifest["benchmark"])
    assert {
        *("n_concepts", "n_in_scope", "n_missing", "n_under", "n_over", "covered_share"),
    } <= set(manifest["coverage_before"])
    (gap,) = manifest["gaps"]
    assert {
        *("concept", "label", "area", "status", "count", "rate", "base_rate"),
        *("lift", "lift_low", "lift_high", "q_value", "relevance"),
    } <= set(gap)
    assert (gap["label"], gap["status"], gap["count"], gap["count_after"]) == (
        *("fox", "missing"),
        *(0, 20),
    )
    assert {"pool_id", "rank", "gain", "concepts", "category"} <= set(manifest["added"][0])


def test_the_manifest_says_why_each_item_was_added(analysis: Analysis, tmp_path: Path) -> None:
    write_revision(analysis, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "revision.json").read_text("utf-8"))
    for place, addition in enumerate(manifest["added"]):
        (fill,) = [fill for fill in addition["concepts"] if fill["concept"] == FOX]
        assert (fill["before"], fill["after"], fill["words"]) == (place, place + 1, ["fox"])
        assert addition["closest"].startswith("b-")
        assert -1 <= addition["similarity"] <= 1


def test_the_digests_in_the_manifest_are_those_of_the_files(
    analysis: Analysis, tmp_path: Path
) -> None:
    write_revision(analysis, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "revision.json").read_text("utf-8"))
    file_digests = digests(tmp_path / "out")
    assert manifest["revised"]["sha256"] == file_digests["animals.revised.jsonl"]
    original = hashlib.sha256((tmp_path / "animals.jsonl").read_bytes()).hexdigest()
    assert manifest["benchmark"]["sha256"] == original


def test_figures_before_and_after_are_of_the_two_sets(analysis: Analysis) -> None:
    revision = plan_revision(analysis, Choice.all_proposals(analysis))
    assert (revision.figures_before.n_missing, revision.figures_after.n_missing) == (1, 0)
    assert (revision.figures_before.n_items, revision.figures_after.n_items) == (80, 100)
    assert (revision.n_gaps_closed, revision.n_gaps_lapsed) == (1, 0)


def test_a_gap_that_nothing_was_added_for_is_not_closed(analysis: Analysis) -> None:
    most = tuple(item.id for item in analysis.benchmark.items[3:])
    revision = plan_revision(analysis, Choice((), most, "decisions"))
    assert not revision.gaps_after.is_gap.any()
    assert (revision.n_gaps_closed, revision.n_gaps_lapsed) == (0, 1)


def test_concepts_parquet_has_every_concept_before_and_after(
    analysis: Analysis, tmp_path: Path
) -> None:
    write_revision(analysis, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "concepts.parquet").to_pylist()
    assert len(rows) == 6
    fox = rows[2]
    assert (fox["label"], fox["count_before"], fox["count_after"]) == ("fox", 0, 20)
    assert (fox["status_before"], fox["kept_out"], rows[4]["kept_out"]) == (
        *("missing", None),
        "structural",
    )


def test_the_same_inputs_give_the_same_bytes(analysis: Analysis, tmp_path: Path) -> None:
    write_revision(analysis, tmp_path / "one" / "out")
    write_revision(analysis, tmp_path / "two" / "out")
    assert digests(tmp_path / "one" / "out") == digests(tmp_path / "two" / "out")


def test_existing_files_are_kept_without_force(analysis: Analysis, tmp_path: Path) -> None:
    write_revision(analysis, tmp_path / "out")
    before = digests(tmp_path / "out")
    with pytest.raises(OutputExistsError, match="already exists"):
        write_revision(analysis, tmp_path / "out")
    assert digests(tmp_path / "out") == before
    write_revision(analysis, tmp_path / "out", force=True)


def test_other_files_in_the_folder_stay(analysis: Analysis, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine", "utf-8")
    write_revision(analysis, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text("utf-8") == "mine"
    assert (tmp_path / "out" / "revision.json").exists()


def test_a_failure_leaves_nothing_behind(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchdesign.pipeline.write_revision.write_concepts", fail)
    (tmp_path / "place").mkdir()
    with pytest.raises(WorkspaceError, match="No space left on device"):
        write_revision(analysis, tmp_path / "place" / "out")
    assert list((tmp_path / "place").iterdir()) == []


def test_decisions_make_the_revision(
    workspace: Workspace, analysis: Analysis, tmp_path: Path
) -> None:
    first, second = analysis.proposals[3], analysis.proposals[0]
    log = workspace.decisions
    log.decide(Subject.ADD, first.id, Verdict.ACCEPT, note="good one")
    log.decide(Subject.ADD, second.id, Verdict.ACCEPT)
    log.decide(Subject.ADD, analysis.proposals[1].id, Verdict.REJECT)
    log.decide(Subject.REMOVE, "b-0", Verdict.ACCEPT)
    revision = write_revision(analysis, tmp_path / "out", choice=Choice.from_decisions(log))
    added = revision.manifest["added"]
    assert [addition["pool_id"] for addition in added] == [first.id, second.id]
    assert added[0]["decision"]["note"] == "good one"
    assert [removal["id"] for removal in revision.manifest["removed"]] == ["b-0"]
    lines = (tmp_path / "out" / "animals.revised.jsonl").read_text("utf-8").splitlines()
    assert (len(lines), json.loads(lines[0])["id"]) == (81, "b-1")


def test_an_edited_item_is_added_as_edited(
    workspace: Workspace, analysis: Analysis, tmp_path: Path
) -> None:
    proposal = analysis.proposals[0]
    workspace.decisions.record(
        Decision(
            Subject.ADD, proposal.id, Verdict.ACCEPT, edits={"question": "Does a fox eat fish?"}
        )
    )
    choice = Choice.from_decisions(workspace.decisions)
    revision = write_revision(analysis, tmp_path / "out", choice=choice)
    last = (tmp_path / "out" / "animals.revised.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(last)["question"] == "Does a fox eat fish?"
    assert revision.manifest["added"][0]["decision"]["edited"] == ["question"]


def rewrite(workspace: Workspace, pool_id: str, question: str) -> Choice:
    workspace.decisions.record(
        Decision(Subject.ADD, pool_id, Verdict.ACCEPT, edits={"question": question})
    )
    return Choice.from_decisions(workspace.decisions)


def test_a_rewritten_item_counts_as_it_reads_now(
    workspace: Workspace, analysis: Analysis, tmp_path: Path
) -> None:
    choice = rewrite(workspace, analysis.proposals[0].id, "Does an owl eat fish?")
    edited_map = map_edited_items(workspace, analysis, choice)
    revision = write_revision(analysis, tmp_path / "out", choice=choice, edited_map=edited_map)
    assert revision.gaps_after.count[[FOX, OWL]].tolist() == [0, analysis.gaps.count[OWL] + 1]
    rows = pq.read_table(tmp_path / "out" / "concepts.parquet").to_pylist()
    assert (rows[FOX]["count_after"], rows[OWL]["count_after"]) == (
        0,
        rows[OWL]["count_before"] + 1,
    )
    (added,) = revision.manifest["added"]
    assert (added["concepts"], added["gain"], added["is_unread"]) == ([], None, False)
    for name in ("report.html", "animals.revised.jsonl"):
        text = (tmp_path / "out" / name).read_text("utf-8")
        assert "Does an owl eat fish?" in re.sub(r"</?mark[^>]*>", "", text)


def test_a_rewritten_item_is_credited_with_the_gaps_it_shows_now(
    workspace: Workspace, analysis: Analysis
) -> None:
    plain = next(item for item in analysis.pool.items if item.category == "cat")  # type: ignore[union-attr]
    choice = rewrite(workspace, plain.id, "Does a fox eat fish?")
    revision = plan_revision(
        analysis, choice, edited_map=map_edited_items(workspace, analysis, choice)
    )
    (added,) = revision.added
    assert [(fill.concept_id, fill.before, fill.after) for fill in added.fills] == [(FOX, 0, 1)]
    assert added.nearest_id is not None


def test_a_rewritten_item_that_was_not_mapped_again_says_so(
    workspace: Workspace, analysis: Analysis, tmp_path: Path
) -> None:
    choice = rewrite(workspace, analysis.proposals[0].id, "Does an owl eat fish?")
    revision = write_revision(analysis, tmp_path / "out", choice=choice)
    assert revision.n_unread == 1
    assert revision.manifest["added"][0]["is_unread"]
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "not mapped again, so the gaps it fills are those of the original text" in report


def test_what_an_item_fills_is_counted_in_the_order_of_the_revision(
    workspace: Workspace, analysis: Analysis
) -> None:
    for place in (4, 2):
        workspace.decisions.decide(Subject.ADD, analysis.proposals[place].id, Verdict.ACCEPT)
    revision = plan_revision(analysis, Choice.from_decisions(workspace.decisions))
    fills = [addition.fills[0] for addition in revision.added]
    assert [(fill.concept_id, fill.before, fill.after) for fill in fills] == [
        (FOX, 0, 1),
        (FOX, 1, 2),
    ]


def test_a_decision_about_an_item_that_is_gone_is_named(analysis: Analysis) -> None:
    with pytest.raises(
        WorkspaceError, match=r"'gone' was accepted but it is no longer in .*pool\.jsonl"
    ):
        plan_revision(analysis, Choice(("gone",), (), "decisions"))
    with pytest.raises(
        WorkspaceError, match="'gone' is to be removed but is no longer in the file"
    ):
        plan_revision(analysis, Choice((), ("gone",), "decisions"))


def test_an_empty_revision_is_refused(analysis: Analysis) -> None:
    everything = tuple(item.id for item in analysis.benchmark)
    with pytest.raises(UsageError, match="no items"):
        plan_revision(analysis, Choice((), everything, "decisions"))


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    """An lm-eval task file with its data beside it."""
    use_keywords(monkeypatch)
    _, pool = write_sets(tmp_path)
    (tmp_path / "zoo.yaml").write_text(
        "task: zoo\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
        "    test: animals.jsonl\ntest_split: test\ndoc_to_text: question\n",
        "utf-8",
    )
    with Workspace.create(
        tmp_path / "zoo", tmp_path / "zoo.yaml", pool=pool, settings=Settings(n_add=3)
    ) as workspace:
        finished_analysis = run_pipeline(workspace)
    assert finished_analysis is not None
    return finished_analysis


def test_the_data_file_of_a_task_is_planned_and_written(task: Analysis, tmp_path: Path) -> None:
    planned = planned_files(task.benchmark)
    assert planned[:2] == ("zoo.revised.yaml", "zoo.revised.jsonl")
    revision = write_revision(task, tmp_path / "out")
    assert sorted(revision.files) == sorted(planned)
    assert len((tmp_path / "out" / "zoo.revised.jsonl").read_text("utf-8").splitlines()) == 83


@pytest.mark.parametrize("name", ["zoo.revised.yaml", "zoo.revised.jsonl"])
def test_neither_file_of_a_task_is_replaced_without_force(
    task: Analysis, tmp_path: Path, name: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine", "utf-8")
    with pytest.raises(OutputExistsError, match=rf"{name}: already exists"):
        write_revision(task, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text("utf-8") == "mine"
    write_revision(task, tmp_path / "out", force=True)
    assert (tmp_path / "out" / name).read_text("utf-8") != "mine"


def test_another_format_is_written_on_request(analysis: Analysis, tmp_path: Path) -> None:
    revision = write_revision(analysis, tmp_path / "out", format="csv")
    assert revision.files[0] == "animals.revised.csv"
    assert (tmp_path / "out" / "animals.revised.csv").read_text("utf-8").count("\n") >= 100


@pytest.mark.parametrize(
    ("path", "suffix", "name"),
    [
        ("a/b.jsonl", ".jsonl", "b.revised.jsonl"),
        ("a/b.v2.jsonl.gz", ".jsonl.gz", "b.v2.revised.jsonl.gz"),
        ("a/shards", "", "shards.revised"),
        ("a/b.jsonl", ".csv", "b.revised.csv"),
    ],
)
def test_the_revised_benchmark_is_named_after_the_benchmark(
    path: str, suffix: str, name: str
) -> None:
    assert revised_name(Path(path), suffix) == name
