from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchdesign.errors import InputError
from benchdesign.foundation.preferences import (
    Preferences,
    cache_folder,
    load_preferences,
    user_config_path,
)
from benchdesign.foundation.serialization import from_json, to_json
from benchdesign.workspace.settings import Settings


def test_a_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('who = "file"\nmarks = "ascii"\ntheme = "nord"\n', "utf-8")
    environ = {"BENCHDESIGN_CONFIG": str(file), "BENCHDESIGN_MARKS": "unicode"}
    preferences, found = load_preferences({"who": "flag", "theme": None}, environ=environ)
    assert (preferences.who, preferences.marks, preferences.theme) == ("flag", "unicode", "nord")
    origins = {one.name: one.origin for one in found}
    assert origins["who"] == "flag"
    assert origins["marks"] == "environment BENCHDESIGN_MARKS"
    assert origins["theme"] == f"user {file}"
    assert origins["device"] == "default"


def test_an_unknown_setting_names_the_file_and_the_nearest_known(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('them = "nord"\n', "utf-8")
    with pytest.raises(InputError, match=r"config\.toml: unknown setting 'them'.*'theme'"):
        load_preferences(environ={"BENCHDESIGN_CONFIG": str(file)})


@pytest.mark.parametrize("text", ["theme = ", "theme = 3", "keys = 'a'", "\xff"])
def test_a_bad_settings_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"config\.toml"):
        load_preferences(environ={"BENCHDESIGN_CONFIG": str(file)})


def test_null_device_is_a_file_without_settings() -> None:
    preferences, _ = load_preferences(environ={"BENCHDESIGN_CONFIG": os.devnull})
    assert preferences.theme == Preferences().theme


def test_files_are_looked_for_where_the_platform_keeps_them() -> None:
    assert user_config_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/benchdesign/config.toml")
    assert user_config_path({"HOME": "/h"}) == Path("/h/.config/benchdesign/config.toml")
    assert cache_folder(environ={"XDG_CACHE_HOME": "/c"}) == Path("/c/benchdesign")


def test_settings_survive_the_round_trip() -> None:
    settings = Settings(
        n_add=3,
        fields={"prompt": "q"},
        scope={"sentence": "physics"},
        constraints={"min_tokens": 4},
        keep_out=("a.jsonl",),
    )
    assert from_json(Settings, to_json(settings)) == settings
