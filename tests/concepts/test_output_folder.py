"""Folders of dictionaries: refused before the work, replaced only by something whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchdesign.concepts.dictionaries.output_folder import check_file, check_folder, replace_folder
from benchdesign.errors import OutputExistsError, UsageError


def test_a_new_folder_may_be_made_anywhere_below_one_that_is_there(tmp_path: Path) -> None:
    check_folder(tmp_path / "a/b/c", overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_dictionary_is_replaced_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "dictionary.json").touch()
    with pytest.raises(OutputExistsError, match="--force"):
        check_folder(tmp_path, overwrite=False)
    check_folder(tmp_path, overwrite=True)


def test_what_is_no_dictionary_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputExistsError, match="not a dictionary"):
        check_folder(tmp_path, overwrite=True)
    with pytest.raises(OutputExistsError, match="not a folder"):
        check_folder(tmp_path / "thesis.tex", overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputExistsError, match="not a folder"):
        check_folder(tmp_path / "link", overwrite=True)


def test_a_place_below_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        check_file(tmp_path / "file/contexts.jsonl", option="--contexts")


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["old", "old/new"]
