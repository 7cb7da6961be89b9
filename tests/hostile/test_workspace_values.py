"""Values in the files of a workspace that are of another kind: one line, whichever value it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.faults import finished
from tests.hostile.processes import command, warm_up

OTHER_KINDS = (None, [1], "x", -5, {"a": [1]}, True, 1.5)


@pytest.fixture(scope="module")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm_up()
    return finished(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(finished_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_folder, tmp_path / "here")


def change(folder: Path, file: str, where: str, value: Any) -> None:
    """Give one value of a file of the workspace, by dotted path, another one."""
    place = next(folder.glob(f"*/{file}"))
    content = inner = json.loads(place.read_text("utf-8"))
    *above, last = where.split(".")
    for key in above:
        inner = inner[key]
    inner[last] = value
    place.write_text(json.dumps(content), "utf-8")


def wrong_values() -> Iterator[tuple[str, Any]]:
    yield from (("benchmark", value) for value in OTHER_KINDS)
    yield from (("settings", value) for value in OTHER_KINDS if not isinstance(value, dict))
    for where in ("benchmark.path", "pool.path"):
        yield from ((where, value) for value in (None, [], -5))
    for name in ("constraints", "fields", "gaps", "pool_fields", "scope"):
        yield from ((f"settings.{name}", value) for value in ([1], "x", -5))
    yield from (("settings.template", value) for value in ([1], -5, {}))
    yield from (("settings.n_add", value) for value in (None, "x", [1], True, 1.5))
    yield from (("settings.keep_out", value) for value in (None, "x", [1], 5))


@pytest.mark.parametrize(("where", "value"), wrong_values())
def test_value_of_another_kind_is_damage(where: str, value: Any, folder: Path) -> None:
    from benchdesign.errors import WorkspaceError
    from benchdesign.workspace.workspace import Workspace

    change(folder, "workspace.json", where, value)
    with pytest.raises(WorkspaceError, match=r"workspace\.json: damaged \("):
        Workspace.open(next(folder.glob("*/workspace.json")).parent, access="read")


@pytest.mark.process
@pytest.mark.parametrize("where", ["benchmark.path", "pool.path"])
@pytest.mark.parametrize("asked", ["proposals", "export"])
def test_path_that_is_no_name_is_one_line(asked: str, where: str, folder: Path) -> None:
    change(folder, "workspace.json", where, "\0x")
    workspace = next(folder.glob("*/workspace.json")).parent
    ended = command(folder, asked, workspace.name).wait()
    assert (ended.code in (1, 2), ended.out, ended.is_one_line) == (True, "", True), ended.err
    assert "internal" not in ended.err


@pytest.mark.process
@pytest.mark.parametrize("value", [None, [1], "x", 5, {"key": None}, {"key": "a", "finished": []}])
def test_stage_of_another_kind_is_damage(value: Any, folder: Path) -> None:
    change(folder, "stages.json", "gaps", value)
    workspace = next(folder.glob("*/workspace.json")).parent
    ended = command(folder, "proposals", workspace.name).wait()
    assert (ended.code, ended.out, ended.is_one_line) == (1, "", True), ended.err
    assert "stages.json: damaged" in ended.err
