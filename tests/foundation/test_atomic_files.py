"""Files take their places whole and together, or leave what was there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from benchdesign.foundation.atomic_files import whole_files, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for text in ("old\n", "new\r\n\u00e9"):
        write_atomically(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == "new\r\n\u00e9".encode()
    assert names(tmp_path) == ["a.txt"]


def test_old_file_is_there_until_the_block_ends(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "old")
    with whole_files(tmp_path / "a.txt") as (fresh,):
        fresh.write_text("new")
        assert fresh.parent == tmp_path
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


def test_failure_inside_the_block_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "old")
    with (
        pytest.raises(ZeroDivisionError),
        whole_files(tmp_path / "a.txt", tmp_path / "b.txt") as fresh,
    ):
        for path in fresh:
            path.write_text("new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_disk_that_turns_out_to_be_full_leaves_every_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically(tmp_path / "a.txt", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchdesign.foundation.atomic_files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "a.txt", "new", synced=True)
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_long_names_that_begin_alike_are_files_of_their_own(tmp_path: Path) -> None:
    paths = [tmp_path / f"{'a' * 60}-{place}" for place in range(2)]
    with whole_files(*paths) as fresh:
        for place, path in enumerate(fresh):
            path.write_text(str(place))
    assert [path.read_text() for path in paths] == ["0", "1"]


def test_synced_file_has_its_place_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []

    def record_mode(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), names(tmp_path)))

    monkeypatch.setattr("benchdesign.foundation.atomic_files.os.fsync", record_mode)
    write_atomically(tmp_path / "a.txt", "text")
    assert not synced
    write_atomically(tmp_path / "b.txt", "text", synced=True)
    assert [is_folder for is_folder, _ in synced] == [False, True]
    assert synced[-1][1] == ["a.txt", "b.txt"]


def test_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    name = "\u00e9" * 127
    write_atomically(tmp_path / name, "text")
    assert names(tmp_path) == [name]


def test_a_map_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    from benchdesign.concepts.maps.map_file import MapWriter
    from tests.helpers import make_map

    with pytest.raises(ZeroDivisionError), MapWriter(tmp_path / "a.parquet") as out:
        out.write(make_map([{0: 0.5}], n_concepts=1))
        raise ZeroDivisionError
    assert names(tmp_path) == []
