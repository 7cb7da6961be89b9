from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.scope import Scope
from benchdesign.errors import InputError
from benchdesign.foundation.preferences import (
    Preferences,
    cache_folder,
    load_preferences,
    user_config_path,
)
from benchdesign.selection.constraints import Constraints
from benchdesign.workspace.settings import Settings, settings_from_json, settings_to_json


def test_a_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('who = "file"\nmarks = "ascii"\ntheme = "nord"\n', "utf-8")
    environ = {"BENCHDESIGN_CONFIG": str(file), "BENCHDESIGN_MARKS": "unicode"}
    preferences, found = load_preferences({"who": "flag", "theme": None}, environ=environ)
    assert (preferences.who, preferences.marks, preferences.theme) == ("flag", "unicode", "nord")
    origins = {setting.name: setting.origin for setting in found}
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
        scope=Scope(sentence="physics"),
        gaps=GapSettings(fdr=0.01),
        constraints=Constraints(min_tokens=4, pinned=frozenset({"b", "a"})),
        explicit=frozenset({"scope.cutoff"}),
        keep_out=("a.jsonl",),
    )
    stored = settings_to_json(settings)
    assert settings_from_json(stored) == settings
    assert (stored["scope"], stored["gaps"], stored["constraints"]) == (
        {"sentence": "physics", "cutoff": 0.4},
        {"fdr": 0.01},
        {"min_tokens": 4, "pinned": ["a", "b"]},
    )


def test_a_group_without_values_is_stored_empty() -> None:
    stored = settings_to_json(Settings())
    assert (stored["scope"], stored["gaps"], stored["constraints"]) == ({}, {}, {})
    assert "explicit" not in stored


def test_no_required_fields_differ_from_those_of_the_benchmark() -> None:
    settings = Settings(constraints=Constraints(required_fields=()))
    assert settings_to_json(settings)["constraints"] == {"required_fields": []}
    assert settings_from_json(settings_to_json(settings)) == settings


@given(
    st.builds(
        Scope,
        sentence=st.text(),
        examples=st.lists(st.text()).map(tuple),
        pins=st.lists(st.integers(0, 9)).map(tuple),
        exclusions=st.lists(st.integers(10, 19)).map(tuple),
        cutoff=st.floats(0, 1),
    )
)
def test_a_scope_survives_being_written_and_read(scope: Scope) -> None:
    settings = Settings(scope=scope)
    assert settings_from_json(settings_to_json(settings)) == settings


@pytest.mark.parametrize("scope", ["", [1], {"pins": ["x"]}, {"cutoff": None}])
def test_a_damaged_scope_is_refused(scope: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"settings\.scope"):
        settings_from_json({"scope": scope})


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"scope": {"subject": "x"}}, r"unknown setting scope\.subject; the settings are cutoff,"),
        ({"scope": {"cutoff": 2}}, r"settings\.scope: The scope cutoff is 2"),
        ({"gaps": {"fdr": "low"}}, r"settings\.gaps\.fdr: expected a number, got \"low\""),
        ({"constraints": {"pinned": ["a"], "excluded": ["a"]}}, r"settings\.constraints: Item 'a'"),
    ],
)
def test_a_wrong_value_names_its_group(stored: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings_from_json(stored)
