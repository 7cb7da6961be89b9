"""Files and folders that may not be read or written are told of in one line, with their name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.cases import lines
from tests.hostile.processes import NOBODY, Child, command, warm_up
from tests.keywords import write_sets

pytestmark = pytest.mark.process


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    warm_up()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may enter, as those of the tests may not be."""
    with tempfile.TemporaryDirectory(prefix="benchdesign-") as place:
        path = Path(place)
        path.chmod(0o755)
        yield path
        for entry in (path, *path.rglob("*")):
            if entry.is_dir():
                entry.chmod(0o755)


def as_somebody(folder: Path, *arguments: str) -> Child:
    """Run a command as a user to whom permissions apply; the superuser reads everything."""
    is_root = os.geteuid() == 0
    for name in ("cache",):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)
    return command(folder, *arguments, user=NOBODY if is_root else None)


def unreadable_file(folder: Path) -> str:
    (folder / "a.jsonl").write_bytes(lines())
    (folder / "a.jsonl").chmod(0)
    return "a.jsonl"


def unreadable_folder(folder: Path) -> str:
    (folder / "set").mkdir()
    (folder / "set" / "a.jsonl").write_bytes(lines())
    (folder / "set").chmod(0)
    return "set"


def unreadable_shard(folder: Path) -> str:
    (folder / "set").mkdir()
    for name in ("a", "b"):
        (folder / "set" / f"{name}.jsonl").write_bytes(lines())
    (folder / "set" / "b.jsonl").chmod(0)
    return "set/b.jsonl"


def file_in_an_unreadable_folder(folder: Path) -> str:
    unreadable_folder(folder)
    return "set/a.jsonl"


@pytest.mark.parametrize(
    "build",
    [unreadable_file, unreadable_folder, unreadable_shard, file_in_an_unreadable_folder],
    ids=lambda case: case.__name__,
)
def test_what_may_not_be_read_is_named(build: Callable[[Path], str], folder: Path) -> None:
    name = build(folder)
    given = "set" if name == "set/b.jsonl" else name
    ended = as_somebody(folder, "coverage", given, "-q").wait()
    assert (ended.code, ended.out, ended.is_one_line) == (2, "", True), ended.err
    assert name in ended.err
    assert "Permission denied" in ended.err


def test_output_that_may_not_be_written_is_named(folder: Path) -> None:
    write_sets(folder)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o555)
    arguments = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "5", "-q")
    ended = as_somebody(folder, *arguments, "--out", "out/revised").wait()
    assert (ended.code, ended.out, ended.is_one_line) == (1, "", True), ended.err
    assert "Permission denied" in ended.err
    assert list((folder / "out").iterdir()) == []


def test_template_and_settings_that_may_not_be_read_are_named(folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(lines())
    for name, arguments in (
        ("t.j2", ("run", "a.jsonl", "--template", "t.j2", "-q")),
        ("config.toml", ("config", "show")),
    ):
        (folder / name).write_text("x")
        (folder / name).chmod(0)
        ended = as_somebody(folder, *arguments).wait()
        assert (ended.code, ended.out, ended.is_one_line) == (2, "", True), ended.err
        assert name in ended.err
        (folder / name).unlink()
