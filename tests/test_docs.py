"""Every command is in the README, every option in docs/commands.md, every help has an example."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def load_generator() -> Any:
    spec = spec_from_file_location("make_commands", ROOT / "docs" / "make_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()
COMMANDS: list[tuple[str, Any]] = GENERATOR.all_commands()
NAMES = [name for name, _ in COMMANDS]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=NAMES)
def test_every_help_text_shows_an_example_and_explains_every_option(
    name: str, command: Any
) -> None:
    assert f"benchdesign {name}" in command.help
    unexplained = [one.name for one in command.params if one.name != "help" and not one.help]
    assert unexplained == []


@pytest.mark.parametrize("name", sorted({name.partition(" ")[0] for name in NAMES}))
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"`benchdesign {name}" in README


def test_the_command_page_says_what_the_help_texts_say() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page == GENERATOR.render(), "run: python docs/make_commands.py"
