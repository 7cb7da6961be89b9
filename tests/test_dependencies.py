"""What the package imports is what it declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


def imported() -> set[str]:
    """Top names of all modules imported anywhere in the package, its own and Python's left out."""
    names: set[str] = set()
    for path in (ROOT / "benchdesign").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"benchdesign"}


@pytest.mark.slow
def test_every_module_that_is_imported_comes_with_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [project["optional-dependencies"]["web"]]
    declared = {
        plain(requirement) for part in (project["dependencies"], *extras) for requirement in part
    }
    homes = packages_distributions()
    needed = {plain(homes[name][0]) for name in imported() if name in homes}
    assert needed - declared == set()
    assert {plain(requirement) for requirement in project["dependencies"]} - needed == set()
