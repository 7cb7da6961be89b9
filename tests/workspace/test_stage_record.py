from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.cli.actions.run_request import RunRequest
from benchdesign.cli.actions.run_workspace import run_workspace
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages
from benchdesign.cli.revision_options import RevisionOptions, RunOutputOptions
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.set_file import SetFile
from benchdesign.workspace.settings import Settings, settings_from_json, settings_to_json
from benchdesign.workspace.stage_record import STAGES, digest_inputs
from benchdesign.workspace.workspace import Workspace
from tests.keywords import write_sets


def keys(settings: Settings, folder: Path) -> dict[str, str]:
    log = DecisionLog(folder / "decisions.jsonl", who="", clock=lambda: datetime.now(UTC))
    source = SetFile("hf:owner/name", sha256="0" * 64)
    return {
        stage: digest_inputs(stage, settings=settings, benchmark=source, pool=None, log=log)[:12]
        for stage in STAGES
    }


def test_keys_of_workspaces_from_before_wrappers_were_masked_stay(tmp_path: Path) -> None:
    assert keys(Settings(), tmp_path) == {
        "read": "96e83ee668eb",
        "map": "6fc11e71ed01",
        "gaps": "d39567797411",
        "propose": "c7fe5568bc0a",
        "evidence": "c7fe5568bc0a",
    }


def test_every_stage_depends_on_whether_wrappers_are_masked(tmp_path: Path) -> None:
    masked, plain = keys(Settings(mask_wrappers=True), tmp_path), keys(Settings(), tmp_path)
    assert all(masked[stage] != plain[stage] for stage in STAGES)


def test_new_workspaces_mask_and_stored_ones_keep_what_they_have(tmp_path: Path) -> None:
    benchmark, pool = write_sets(tmp_path)
    with Workspace.create(tmp_path / "work", benchmark, pool=pool) as workspace:
        assert workspace.settings.mask_wrappers
        assert load_benchmark(benchmark).wrappers is None
        assert workspace.load_benchmark().wrappers is not None
    stored = settings_to_json(Settings(mask_wrappers=True))
    assert settings_from_json(stored).mask_wrappers
    del stored["mask_wrappers"]
    assert not settings_from_json(stored).mask_wrappers


def test_a_run_in_a_workspace_that_does_not_mask_leaves_it_so(tmp_path: Path) -> None:
    benchmark, _ = write_sets(tmp_path)
    old, new = Settings(), Settings(mask_wrappers=True, n_add=3)
    Workspace.create(tmp_path / "work", benchmark, settings=old).close()
    output = RunOutputOptions(
        workspace=tmp_path / "work",
        revision=RevisionOptions(out=tmp_path / "out"),
        output=OutputOptions(),
    )
    request = RunRequest(benchmark=str(benchmark), pool=None, settings=new, output=output)
    messages = Messages(quiet=True)
    with run_workspace(request, tmp_path / "out", who="", messages=messages) as workspace:
        assert workspace.settings == replace(new, mask_wrappers=False)
