"""Reports as files: all of them or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchdesign.errors import UsageError, WorkspaceError
from benchdesign.report.report_files import check_report_folder, write_report_files


def test_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    paths = write_report_files(tmp_path / "new" / "place", {"a.html": "one", "a.md": "two"})
    assert [path.read_text("utf-8") for path in paths] == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == [
        "a.html",
        "a.md",
    ]


def test_a_disk_that_fills_up_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report_files(tmp_path, {"a.html": "old", "a.md": "old"})
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchdesign.foundation.atomic_files.os.fsync", full)
    with pytest.raises(WorkspaceError, match=r"not written \(No space left on device\)\. Free"):
        write_report_files(tmp_path, {"a.html": "new", "a.md": "new"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.md"]
    assert (tmp_path / "a.html").read_text("utf-8") == "old"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "is a file"),
        ("file/below", "is inside a file"),
        ("x" * 300, "cannot be used for a report"),
        ("loop", "a broken symbolic link"),
        ("folder", "is a folder"),
    ],
)
def test_a_place_that_can_hold_no_report_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder" / "a.html").mkdir(parents=True)
    with pytest.raises(UsageError, match=message):
        check_report_folder(tmp_path / name, ["a.html"], force=True)
