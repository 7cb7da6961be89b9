"""Every script outside the package compiles, and the names that it takes from it exist."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("measurements", "docs", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PACKAGES = {"benchdesign", "tests"}


@cache
def module_names(module: str) -> frozenset[str] | None:
    """Return the names at the top level of a module; None if there is no such module.

    The source is parsed, because an import would load torch.
    """
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    return frozenset(bound_names(ast.parse(Path(spec.origin).read_text("utf-8")).body))


def bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind, without the bodies of functions and classes."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.alias):
                yield (node.asname or node.name).partition(".")[0]


def package_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of every `from` import and of the attributes of imported modules."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        module = node.module
        if module.partition(".")[0] in PACKAGES:
            yield from ((module, alias.name) for alias in node.names)
            modules |= {
                alias.asname or alias.name: f"{module}.{alias.name}"
                for alias in node.names
                if module_names(f"{module}.{alias.name}") is not None
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            imported = modules.get(ast.unparse(node.value))
            if imported is not None:
                yield imported, node.attr


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_compiles_and_uses_names_that_exist(script: str) -> None:
    source = (ROOT / script).read_text("utf-8")
    compile(source, script, "exec")
    missing = [
        f"{module}: {name}"
        for module, name in package_names(ast.parse(source))
        if name not in (module_names(module) or ()) and module_names(f"{module}.{name}") is None
    ]
    assert missing == []
