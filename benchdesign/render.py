"""Turn a record into the text the reference model reads, and say which characters are content.

Content comes from the record's fields; letters, labels and the words of a template do not count.
Templates are somebody's files: they run in a sandbox that bounds what they reach, how long they
take and how much they make.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from benchdesign.errors import TemplateError
from benchdesign.items import Span
from benchdesign.text import replace_surrogates

if TYPE_CHECKING:
    from jinja2 import nodes

__all__ = ["Rendered", "Template", "default_render"]

MAX_SOURCE = 20_000
MAX_OUTPUT = 1_000_000
"""Characters that a template may make of one record, in the text or on the way."""

MAX_STEPS = 100_000
"""Turns of loops, calls and filters that a template may take for one record."""

MAX_SECONDS = 2.0
"""Of processor time: a busy machine makes no template slow."""

MAX_BITS = 4096

_MOST_DIGITS = 400
"""To round to; no number that a template sees has more."""

# Noncharacters: Unicode promises that no text means anything by them.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
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
# fmt: on


class Rendered(NamedTuple):
    """Text with its content ranges, in order and apart from each other."""

    text: str
    content: tuple[Span, ...]


def default_render(prompt: str, context: str = "", choices: Sequence[str] = ()) -> Rendered:
    """Render context, prompt and lettered choices; letters and line ends are boilerplate."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0

    def add(text: str, *, is_content: bool) -> None:
        nonlocal length
        if is_content and text:
            spans.append((length, length + len(text)))
        parts.append(text)
        length += len(text)

    for block in (context.strip(), prompt.strip()):
        if block:
            if parts:
                add("\n\n", is_content=False)
            add(block, is_content=True)
    for index, choice in enumerate(choices):
        label = chr(ord("A") + index) if index < 26 else str(index + 1)
        add(f"\n{label}. " if parts else f"{label}. ", is_content=False)
        add(choice.strip(), is_content=True)
    return Rendered(replace_surrogates("".join(parts)), tuple(spans))


class Template:
    """An item template: Jinja2 source that renders records.

    What an expression prints is content when it comes from the record or is longer than a letter.
    """

    def __init__(self, source: str) -> None:
        import jinja2

        if len(source) > MAX_SOURCE:
            raise TemplateError(f"template: longer than {MAX_SOURCE} characters. Shorten it.")
        self.source = source
        self._budget = _Budget()
        self._environment = _environment(self._budget)
        try:
            tree = self._environment.parse(source.replace(_OPEN, "").replace(_CLOSE, ""))
            code = self._environment.compile(_guarded(tree))
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"template:{error.lineno}: {str(error.message).rstrip('.')}. Correct the template."
            ) from error
        except (RecursionError, MemoryError):
            raise TemplateError("template: nested too deeply. Simplify it.") from None
        except (SyntaxError, ValueError, OverflowError) as error:
            problem = str(getattr(error, "msg", None) or error)
            raise TemplateError(f"template: {problem}. Simplify it.") from None
        self._template = jinja2.Template.from_code(
            self._environment, code, self._environment.make_globals(None)
        )

    def render(self, record: Mapping[str, Any]) -> Rendered:
        """Render one record; names of fields are variables, the record itself is `record`."""
        import jinja2
        from jinja2.exceptions import SecurityError

        self._budget.start()
        variables = {str(key): _marked(value) for key, value in record.items()}
        variables.setdefault("record", _marked(dict(record)))
        try:
            marked = self._template.render(variables)
        except jinja2.UndefinedError as error:
            raise TemplateError(
                f"template: {error.message}. The record has {', '.join(list(record)[:12])}."
            ) from error
        except SecurityError as error:
            problem = str(error).rstrip(".")
            raise TemplateError(f"template: {problem}. Remove that from the template.") from error
        except (
            jinja2.TemplateError,
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            MemoryError,
            NameError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            problem = " ".join(str(error).split())[:200] or type(error).__name__
            raise TemplateError(f"template: {problem}. Correct the template.") from error
        return _unmarked(marked)


class _FieldText(str):
    """Text that comes from a record."""

    __slots__ = ()


class _FieldInt(int):
    """Number that comes from a record."""

    __slots__ = ()


class _FieldFloat(float):
    """Number that comes from a record."""

    __slots__ = ()


class _Budget:
    """What rendering one record may still cost."""

    def __init__(self) -> None:
        self._steps = 0
        self._made = 0
        self._deadline = 0.0

    def start(self) -> None:
        """Begin a record with a full budget."""
        self._steps = 0
        self._made = 0
        self._deadline = time.thread_time() + MAX_SECONDS

    def step(self) -> str:
        """Count one turn; return nothing to print."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateError(f"template: more than {MAX_STEPS} steps. Simplify its loops.")
        if self._steps % 64 == 0 and time.thread_time() > self._deadline:
            raise TemplateError(f"template: took over {MAX_SECONDS:g} seconds. Simplify its loops.")
        return ""

    def weigh(self, value: Any, *, times: int = 1) -> None:
        """Count what a value would take as text."""
        weight = _weight(value, MAX_OUTPUT) * max(1, times)
        self._made += weight
        if weight > MAX_OUTPUT or self._made > 10 * MAX_OUTPUT:
            raise _too_much()

    def text(self, value: Any) -> str:
        """Return a value as text of bounded length."""
        if _weight(value, MAX_OUTPUT) > MAX_OUTPUT:
            raise _too_much()
        return str(value)


def _too_much() -> TemplateError:
    return TemplateError(f"template: makes more than {MAX_OUTPUT} characters. Shorten it.")


def _weight(value: Any, limit: int) -> int:
    """Count characters, stopping soon after `limit`; what a list holds twice counts twice."""
    total = 0
    waiting = [value]
    while waiting and total <= limit:
        one = waiting.pop()
        if isinstance(one, str):
            total += len(one) + 1
        elif isinstance(one, Mapping):
            total += 2
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif isinstance(one, list | tuple | set):
            total += 2
            waiting.extend(one)
        elif isinstance(one, int) and not isinstance(one, bool):
            total += one.bit_length() // 3 + 1
        else:
            total += 8
    return total


def _marked(value: Any) -> Any:
    """Mark what comes from the record, so that it is content wherever it is printed."""
    if isinstance(value, str):
        return _FieldText(value)
    if isinstance(value, Mapping):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _FieldInt(value)
    if isinstance(value, float):
        return _FieldFloat(value)
    return value


def _unmarked(marked: str) -> Rendered:
    parts: list[str] = []
    spans: list[Span] = []
    length = depth = start = 0
    for piece in _pieces(marked):
        if piece == _OPEN:
            if depth == 0:
                start = length
            depth += 1
        elif piece == _CLOSE:
            depth = max(0, depth - 1)
            if depth == 0 and length > start:
                spans.append((start, length))
        else:
            parts.append(piece)
            length += len(piece)
    text = replace_surrogates("".join(parts))
    return Rendered(text, _joined(spans))


def _pieces(marked: str) -> list[str]:
    pieces = []
    for outer in marked.split(_OPEN):
        pieces.append(_OPEN)
        for inner in outer.split(_CLOSE):
            pieces.append(inner)
            pieces.append(_CLOSE)
        pieces.pop()
    return [piece for piece in pieces[1:] if piece]


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _environment(budget: _Budget) -> Any:
    environment = _sandbox()(
        undefined=_strict_undefined(), finalize=_finalizer(budget), keep_trailing_newline=False
    )
    environment.budget = budget
    known = environment.filters
    filters = {name: _bounded(known[name], budget) for name in _FILTERS}
    filters["concat_"] = _concatenation(budget)
    filters["held_"] = _bounded(_held, budget)
    environment.filters = filters
    environment.globals = {"range": environment.globals["range"], "step_": budget.step}
    return environment


def _strict_undefined() -> Any:
    import jinja2

    return jinja2.StrictUndefined


def _finalizer(budget: _Budget) -> Callable[[Any], str]:
    def finalize(value: Any) -> str:
        budget.step()
        text = budget.text("" if value is None else value)
        budget.weigh(text)
        is_field = isinstance(value, _FieldText | _FieldInt | _FieldFloat)
        is_derived = isinstance(value, str | list | dict) and len(text.strip()) > 1
        already = _OPEN in text and not is_field
        if is_field or (is_derived and not already):
            clean = text.replace(_OPEN, "\ufffd").replace(_CLOSE, "\ufffd")
            return f"{_OPEN}{clean}{_CLOSE}"
        return text

    return finalize


def _bounded(function: Callable[..., Any], budget: _Budget) -> Callable[..., Any]:
    """Count what goes into a filter and what comes out of it."""
    from functools import wraps

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


def _as_list(values: Any, budget: _Budget) -> list[Any]:
    """Return what is to be joined as a list of bounded length."""
    found = []
    for value in values:
        budget.step()
        found.append(value)
    return found


def _held(value: Any) -> Any:
    return value


def _check_replace(values: Sequence[Any], budget: _Budget) -> None:
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) > 2:
        count = texts[0].count(texts[1]) if texts[1] else len(texts[0]) + 1
        budget.weigh(texts[2], times=count)


def _check_round(values: Sequence[Any]) -> None:
    # Python rounds a whole number by way of ten to that power, which nothing interrupts.
    if any(abs(value) > _MOST_DIGITS for value in values if isinstance(value, int)):
        raise _too_much()


def _concatenation(budget: _Budget) -> Callable[[list[Any]], str]:
    def concatenate(values: list[Any]) -> str:
        budget.step()
        budget.weigh(values)
        return "".join(budget.text(value) for value in values)

    return concatenate


def _bits(number: float) -> int:
    return number.bit_length() if isinstance(number, int) else 64


@lru_cache(maxsize=1)
def _sandbox() -> Any:
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """The sandbox of Jinja2, with fewer doors and with limits."""

        intercepted_binops = frozenset({"+", "*", "**", "%"})
        budget: _Budget

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if attr.startswith("_") or not super().is_safe_attribute(obj, attr, value):
                return False
            return not callable(value) or attr in _METHODS

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            self.budget.step()
            numbers = isinstance(left, int | float) and isinstance(right, int | float)
            if operator == "**" and not (numbers and abs(left) <= 1e6 and abs(right) <= 64):
                raise SecurityError("a power of that size is not allowed")
            if operator == "%" and not numbers:
                raise SecurityError("formatting with % is not allowed")
            if operator == "*" and not numbers:
                times = right if isinstance(right, int) else left
                self.budget.weigh(left if times is right else right, times=int(times))
            elif numbers and max(_bits(left), _bits(right)) > MAX_BITS:
                raise SecurityError("a number of that size is not allowed")
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


def _guarded(tree: nodes.Template) -> nodes.Template:
    """Count every turn of a loop and every call of a macro; bound what `~` joins."""
    from jinja2 import nodes
    from jinja2.visitor import NodeTransformer

    def tick(line: int) -> nodes.Output:
        call = nodes.Call(nodes.Name("step_", "load"), [], [], None, None)
        return nodes.Output([call], lineno=line)

    class Guard(NodeTransformer):
        """Rewrites a template so that it keeps to its budget."""

        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            values = nodes.List(node.nodes, lineno=node.lineno)
            return nodes.Filter(values, "concat_", [], [], None, None, lineno=node.lineno)

        def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
            return self._held(node)

        def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
            return self._held(node)

        def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
            if node.ctx == "load" and not any(isinstance(one, nodes.Slice) for one in node.items):
                return self._held(node)
            return self.generic_visit(node)

        def _held(self, node: nodes.Expr) -> nodes.Node:
            # A list of a list of a list takes no room until something walks through all of it.
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
