"""The keys, the marks and the help."""

from collections import defaultdict
from pathlib import Path

import pytest
from textual import events
from textual._xterm_parser import XTermParser

from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.dialogs.help import help_content
from benchdesign.tui.keys import APP_KEYS, FOOTERS, KEYS, SCREEN_KEYS, SCREENS, TABLE_KEYS
from benchdesign.tui.marks import MARKS, Marks
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList


def test_one_key_never_means_two_things() -> None:
    meanings = defaultdict(set)
    for binding in KEYS.values():
        for key in binding.keys.split(","):
            meanings[key].add(binding.id)
    assert {key: ids for key, ids in meanings.items() if len(ids) > 1} == {}


def test_every_key_has_an_id_a_word_a_tooltip_and_a_group() -> None:
    for binding in KEYS.values():
        assert binding.id and binding.word and binding.tooltip.endswith(".") and binding.group, (
            binding
        )


def test_keys_are_named_as_a_terminal_names_them() -> None:
    printed = {"slash": "/", "question_mark": "?", "plus": "+", "minus": "-", "space": " "}
    names = {key for binding in KEYS.values() for key in binding.keys.split(",")}
    characters = {printed.get(name, name) for name in names}
    for character in sorted(character for character in characters if len(character) == 1):
        keys = [event for event in XTermParser().feed(character) if isinstance(event, events.Key)]
        assert [event.key for event in keys if event.key in names], character


def test_every_key_is_offered_somewhere() -> None:
    offered = {*APP_KEYS, *TABLE_KEYS, *(key_id for ids in SCREEN_KEYS.values() for key_id in ids)}
    assert offered == set(KEYS)


@pytest.mark.parametrize("mode", [screen.mode for screen in SCREENS])
def test_footer_holds_at_most_eight_keys_that_work_there(mode: str) -> None:
    footer = FOOTERS[mode]
    assert 0 < len(footer) <= 8
    assert set(footer) <= {*SCREEN_KEYS[mode], *APP_KEYS, *TABLE_KEYS}


@pytest.mark.parametrize("mode", [screen.mode for screen in SCREENS])
def test_help_names_every_key_of_the_screen(mode: str) -> None:
    text = help_content(mode).plain
    for key_id in (*SCREEN_KEYS[mode], *APP_KEYS):
        assert KEYS[key_id].tooltip in text


def test_help_is_searchable() -> None:
    text = help_content("candidates", search="reject").plain
    assert "Reject the candidate" in text
    assert "Accept the candidate" not in text


def test_every_state_reads_without_colour() -> None:
    for name, mark in MARKS.items():
        assert mark.word, name
    assert all(mark.ascii.isascii() for mark in MARKS.values())
    assert Marks(use_ascii=True).bar(0.5, 4) == "##--"


@pytest.mark.parametrize("mode", [screen.mode for screen in SCREENS])
async def test_every_action_of_a_screen_exists(mode: str, tmp_path: Path) -> None:
    app = BenchdesignApp(LaunchOptions(), recents=RecentList(tmp_path / "recent.json"))
    async with app.run_test(size=(120, 36)) as pilot:
        app.action_go(mode)
        await pilot.pause()
        screen = app.screen
        table = screen.query("LineTable")
        for key_id in SCREEN_KEYS[mode]:
            name = f"action_{KEYS[key_id].action.partition('(')[0]}"
            owners = [screen, app, *table]
            assert any(hasattr(owner, name) for owner in owners), (mode, name)
