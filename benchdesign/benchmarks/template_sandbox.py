"""The sandbox that item templates render in: bounded steps, time, numbers and output."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from benchdesign.benchmarks.content_marks import CLOSE_MARK, OPEN_MARK
from benchdesign.errors import TemplateError

__all__ = ["RenderBudget", "add_guards", "mark_fields", "sandbox_environment"]


MAX_SOURCE = 20_000


MAX_OUTPUT = 1_000_000
"""Maximum characters per record, in the output and in intermediate values."""


MAX_STEPS = 100_000
"""Maximum loop iterations, calls and filters per record."""


MAX_SECONDS = 2.0
"""Processor time per record, so that the load of the machine does not matter."""


MAX_BITS = 4096
"""Maximum bits of an operand in arithmetic."""


_MAX_DIGITS = 400
"""Maximum precision of `round`; no number in a template has more digits."""


# fmt: off
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
    "rejectattr", "replace", "reverse", "round", "select", "selectattr", "sort", "string", "sum",
    "title", "tojson", "trim", "truncate", "unique", "upper", "wordcount",
)


_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "get", "index", "isalpha", "isdigit",
    "items", "keys", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip",
    "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "values",
})


class _FieldText(str):
    """Text from a record."""

    __slots__ = ()


class _FieldInt(int):
    """Number from a record."""

    __slots__ = ()


class _FieldFloat(float):
    """Number from a record."""

    __slots__ = ()


class RenderBudget:
    """The remaining budget for rendering one record."""

    def __init__(self) -> None:
        self._steps = 0
        self._n_characters = 0
        self._deadline = 0.0

    def start(self) -> None:
        """Reset the budget for a new record."""
        self._steps = 0
        self._n_characters = 0
        self._deadline = time.thread_time() + MAX_SECONDS

    def step(self) -> str:
        """Count one step; return an empty string, because templates print the result."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateError(f"template: more than {MAX_STEPS} steps. Simplify its loops.")
        if self._steps % 64 == 0 and time.thread_time() > self._deadline:
            raise TemplateError(
                f"template: took more than {MAX_SECONDS:g} seconds. Simplify its loops."
            )
        return ""

    def weigh(self, value: Any, *, times: int = 1) -> None:
        """Count the characters of a value as text."""
        weight = _weight(value, MAX_OUTPUT) * max(1, times)
        self._n_characters += weight
        if weight > MAX_OUTPUT or self._n_characters > 10 * MAX_OUTPUT:
            raise _output_limit_error()

    def text(self, value: Any) -> str:
        """Return a value as text of bounded length."""
        if _weight(value, MAX_OUTPUT) > MAX_OUTPUT:
            raise _output_limit_error()
        return str(value)


def _output_limit_error() -> TemplateError:
    return TemplateError(f"template: output of more than {MAX_OUTPUT} characters. Shorten it.")


def _weight(value: Any, limit: int) -> int:
    """Count characters, up to about `limit`; a value referenced twice counts twice."""
    total = 0
    waiting = [value]
    while waiting and total <= limit:
        part = waiting.pop()
        if isinstance(part, str):
            total += len(part) + 1
        elif isinstance(part, Mapping):
            total += 2
            waiting.extend(part.keys())
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set):
            total += 2
            waiting.extend(part)
        elif isinstance(part, int) and not isinstance(part, bool):
            total += part.bit_length() // 3 + 1
        else:
            total += 8
    return total


def mark_fields(value: Any) -> Any:
    """Wrap values of the record in types that mark them as content."""
    if isinstance(value, str):
        return _FieldText(value)
    if isinstance(value, Mapping):
        return {key: mark_fields(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [mark_fields(entry) for entry in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _FieldInt(value)
    if isinstance(value, float):
        return _FieldFloat(value)
    return value


def sandbox_environment(budget: RenderBudget) -> Any:
    """Return the Jinja environment that templates are compiled in; rendering uses up `budget`."""
    environment = _sandbox()(
        undefined=_strict_undefined(), finalize=_finalizer(budget), keep_trailing_newline=False
    )
    environment.budget = budget
    builtin = environment.filters
    filters = {name: _limit_filter(builtin[name], budget) for name in _FILTERS}
    filters["concat_"] = _concatenation(budget)
    filters["held_"] = _limit_filter(_container_value, budget)
    environment.filters = filters
    environment.globals = {"range": environment.globals["range"], "step_": budget.step}
    return environment


def _strict_undefined() -> Any:

    return jinja2.StrictUndefined


def _finalizer(budget: RenderBudget) -> Callable[[Any], str]:
    def finalize(value: Any) -> str:
        budget.step()
        text = budget.text("" if value is None else value)
        budget.weigh(text)
        is_field = isinstance(value, _FieldText | _FieldInt | _FieldFloat)
        is_derived = isinstance(value, str | list | dict) and len(text.strip()) > 1
        is_marked = OPEN_MARK in text and not is_field
        if is_field or (is_derived and not is_marked):
            clean = text.replace(OPEN_MARK, "\ufffd").replace(CLOSE_MARK, "\ufffd")
            return f"{OPEN_MARK}{clean}{CLOSE_MARK}"
        return text

    return finalize


def _limit_filter(function: Callable[..., Any], budget: RenderBudget) -> Callable[..., Any]:
    """Return a filter that counts its input and output against the budget."""

    @wraps(function)
    def bounded(*values: Any, **options: Any) -> Any:
        budget.step()
        if function.__name__ in _JOINS and len(values) > 1:
            values = (values[0], _as_list(values[1], budget), *values[2:])
        plain = [value for value in values if isinstance(value, str | list | tuple | Mapping | int)]
        for value in plain:
            budget.weigh(value)
        if function.__name__ == "do_replace":
            _check_replace(plain, budget)
        if function.__name__ == "do_round":
            _check_round([*values[1:], *options.values()])
        if function.__name__ in _JOINS:
            separator = [*plain[1:], *options.values()]
            budget.weigh(separator, times=len(plain[0]) if plain else 1)  # type: ignore[arg-type]
        result = function(*values, **options)
        if isinstance(result, str | list | dict):
            budget.weigh(result)
        return result

    return bounded


_JOINS = {"do_join", "sync_do_join"}


def _as_list(values: Any, budget: RenderBudget) -> list[Any]:
    """Return an iterable as a list, counting its entries against the budget."""
    entries = []
    for value in values:
        budget.step()
        entries.append(value)
    return entries


def _container_value(value: Any) -> Any:
    return value


def _check_replace(values: Sequence[Any], budget: RenderBudget) -> None:
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) > 2:
        count = texts[0].count(texts[1]) if texts[1] else len(texts[0]) + 1
        budget.weigh(texts[2], times=count)


def _check_round(values: Sequence[Any]) -> None:
    # Python rounds an int with a power of ten, which cannot be interrupted.
    if any(abs(value) > _MAX_DIGITS for value in values if isinstance(value, int)):
        raise _output_limit_error()


def _concatenation(budget: RenderBudget) -> Callable[[list[Any]], str]:
    def concatenate(values: list[Any]) -> str:
        budget.step()
        budget.weigh(values)
        return "".join(budget.text(value) for value in values)

    return concatenate


def _bits(number: float) -> int:
    return number.bit_length() if isinstance(number, int) else 64


@lru_cache(maxsize=1)
def _sandbox() -> Any:

    class Sandbox(ImmutableSandboxedEnvironment):
        """The sandbox of Jinja2 with fewer methods and with limits."""

        intercepted_binops = frozenset({"+", "*", "**", "%"})
        budget: RenderBudget

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if attr.startswith("_") or not super().is_safe_attribute(obj, attr, value):
                return False
            return not callable(value) or attr in _METHODS

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            self.budget.step()
            numbers = isinstance(left, int | float) and isinstance(right, int | float)
            if operator == "**" and not (numbers and abs(left) <= 1e6 and abs(right) <= 64):
                raise SecurityError("a power of this size is not allowed")
            if operator == "%" and not numbers:
                raise SecurityError("formatting with % is not allowed")
            if operator == "*" and not numbers:
                times = right if isinstance(right, int) else left
                self.budget.weigh(left if times is right else right, times=int(times))
            elif numbers and max(_bits(left), _bits(right)) > MAX_BITS:
                raise SecurityError("a number of this size is not allowed")
            elif operator == "+":
                self.budget.weigh([left, right])
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, obj: Any, /, *values: Any, **options: Any) -> Any:
            self.budget.step()
            plain = [value for value in values if isinstance(value, str | list | int)]
            self.budget.weigh(plain)
            owner = getattr(obj, "__self__", None)
            if isinstance(owner, str):
                self.budget.weigh(owner)
                if getattr(obj, "__name__", "") == "replace":
                    _check_replace([owner, *plain], self.budget)
            return super().call(context, obj, *values, **options)

    return Sandbox


def add_guards(tree: nodes.Template) -> nodes.Template:
    """Add counters to loops and macros, and limit the output of `~`."""

    def tick(line: int) -> nodes.Output:
        call = nodes.Call(nodes.Name("step_", "load"), [], [], None, None)
        return nodes.Output([call], lineno=line)

    class Guard(NodeTransformer):
        """Rewrite a template so that it counts its steps and output."""

        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            values = nodes.List(node.nodes, lineno=node.lineno)
            return nodes.Filter(values, "concat_", [], [], None, None, lineno=node.lineno)

        def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
            return self._bounded(node)

        def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
            return self._bounded(node)

        def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
            if node.ctx == "load" and not any(
                isinstance(entry, nodes.Slice) for entry in node.items
            ):
                return self._bounded(node)
            return self.generic_visit(node)

        def _bounded(self, node: nodes.Expr) -> nodes.Node:
            # Nested lists need little memory until something iterates over all of them.
            self.generic_visit(node)
            return nodes.Filter(node, "held_", [], [], None, None, lineno=node.lineno)

        def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            node.body.insert(0, tick(node.lineno))
            return node

        def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            node.body.insert(0, tick(node.lineno))
            return node

    guarded = Guard().visit(tree)
    guarded.set_environment(tree.environment)
    return guarded  # type: ignore[no-any-return]
