from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.errors import InputError, WorkspaceError, WorkspaceLockedError
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.stage_record import STAGES
from benchdesign.workspace.workspace import Workspace
from tests.keywords import write_sets


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    benchmark, pool = write_sets(tmp_path)
    return Workspace.create(tmp_path / "work", benchmark, pool=pool, who="ann")


def test_a_workspace_opens_as_it_was_made(workspace: Workspace) -> None:
    workspace.close()
    again = Workspace.open(workspace.folder)
    assert again.settings == workspace.settings
    assert (again.name, again.benchmark_file.name) == ("animals", "animals.jsonl")
    again.close()


def test_a_second_writer_is_told_who_holds_the_lock(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceLockedError, match=rf"in use by process {os.getpid()} .*ann"):
        Workspace.open(workspace.folder)


def test_a_reader_needs_no_lock_and_changes_nothing(workspace: Workspace) -> None:
    reader = Workspace.open(workspace.folder, access="read")
    with pytest.raises(WorkspaceError, match="opened read-only"):
        reader.change_settings(Settings(n_add=1))


@pytest.mark.process
def test_the_lock_of_a_killed_process_is_free_again(workspace: Workspace) -> None:
    workspace.close()
    code = (
        "import os, sys, pathlib; from benchdesign.workspace.workspace import Workspace;"
        "Workspace.open(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(workspace.folder)], check=False)
    Workspace.open(workspace.folder).close()


def test_every_stage_is_stale_until_it_ran(workspace: Workspace) -> None:
    assert workspace.stale_stages() == STAGES
    workspace.record_stage("read")
    assert workspace.stale_stages() == STAGES[1:]


def test_a_setting_makes_stale_what_it_decides_and_what_follows(workspace: Workspace) -> None:
    for stage in STAGES:
        workspace.record_stage(stage)
    assert not workspace.is_stale
    workspace.change_settings(replace(workspace.settings, n_add=7))
    assert workspace.stale_stages() == ("propose", "evidence")
    workspace.change_settings(replace(workspace.settings, gaps=GapSettings(fdr=0.1)))
    assert workspace.stale_stages() == ("gaps", "propose", "evidence")
    for changed in ({"model": "other"}, {"chat": True}):
        workspace.change_settings(replace(workspace.settings, **changed))
        assert workspace.stale_stages() == ("map", "gaps", "propose", "evidence")
        for stage in STAGES:
            workspace.record_stage(stage)


def test_a_changed_file_makes_everything_stale(workspace: Workspace) -> None:
    workspace.record_read(workspace.load_benchmark(), workspace.load_pool())
    for stage in STAGES:
        workspace.record_stage(stage)
    with Path(workspace.benchmark_file.path).open("a") as file:
        file.write('{"id": "new", "question": "What is new?"}\n')
    assert workspace.stale_stages() == STAGES


def test_ignoring_a_concept_makes_the_gaps_stale(workspace: Workspace) -> None:
    for stage in STAGES:
        workspace.record_stage(stage)
    workspace.decisions.decide(Subject.CONCEPT, "3", Verdict.IGNORE)
    assert workspace.stale_stages() == ("gaps", "propose", "evidence")
    workspace.decisions.undo()
    assert not workspace.is_stale


def test_a_review_makes_nothing_stale(workspace: Workspace) -> None:
    for stage in STAGES:
        workspace.record_stage(stage)
    workspace.decisions.decide(Subject.ADD, "p-1", Verdict.ACCEPT)
    assert not workspace.is_stale


def test_a_folder_that_is_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"not a workspace .*benchdesign run"):
        Workspace.open(tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    benchmark, _ = write_sets(tmp_path)
    with pytest.raises(WorkspaceError, match="not empty"):
        Workspace.create(tmp_path, benchmark)


def test_a_missing_benchmark_makes_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Workspace.create(tmp_path / "work", tmp_path / "gone.jsonl")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}'])
def test_a_damaged_workspace_file_is_one_clear_line(workspace: Workspace, text: str) -> None:
    workspace.close()
    (workspace.folder / "workspace.json").write_text(text, "utf-8")
    with pytest.raises(WorkspaceError, match=r"workspace\.json: damaged"):
        Workspace.open(workspace.folder)


def test_a_newer_version_asks_for_an_upgrade(workspace: Workspace) -> None:
    workspace.close()
    path = workspace.folder / "workspace.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}), "utf-8")
    with pytest.raises(WorkspaceError, match=r"newer version of benchdesign \(format 99\)"):
        Workspace.open(workspace.folder)


def test_an_unreadable_interface_state_is_an_empty_one(workspace: Workspace) -> None:
    workspace.save_ui({"screen": "gaps"})
    assert workspace.load_ui() == {"screen": "gaps"}
    (workspace.folder / "ui.json").write_text("{", "utf-8")
    assert workspace.load_ui() == {}


def test_a_workspace_may_be_named_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    benchmark, _ = write_sets(tmp_path)
    (tmp_path / "work").mkdir()
    with Workspace.create(Path("~/work"), benchmark) as made:
        assert made.folder == tmp_path / "work"
    with Workspace.open(Path("~/work")) as again:
        assert again.folder == tmp_path / "work"
