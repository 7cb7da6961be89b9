"""Every command is in the README, every option in docs/commands.md, every named path exists."""

from __future__ import annotations

import re
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
    unexplained = [
        param.name for param in command.params if param.name != "help" and not param.help
    ]
    assert unexplained == []


@pytest.mark.parametrize("name", sorted({name.partition(" ")[0] for name in NAMES}))
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"`benchdesign {name}" in README


def test_the_command_page_says_what_the_help_texts_say() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page == GENERATOR.render(), "run: python docs/make_commands.py"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/architecture.md",
        "docs/formats.md",
        "docs/method.md",
    ],
)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    paths = re.findall(r"`([\w./]*/[\w./]*(?:\.\w+|/))`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    places = [ROOT, ROOT / "benchdesign"]
    missing = [path for path in paths if not any((place / path).exists() for place in places)]
    missing += [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


def test_every_result_that_the_readme_names_exists() -> None:
    results = {path.name for path in (ROOT / "measurements" / "results").glob("*.md")}
    named = set(re.findall(r"`([a-z_]+\.md)`", README)) - {"report.md"}
    assert named <= results
