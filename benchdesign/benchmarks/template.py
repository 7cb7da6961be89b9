"""Render records as the text that the reference model reads, with the ranges of content.

Content is text from the record's fields; letters of choices and the words of a template are not.
Templates are untrusted: they run in a sandbox that limits access, time and output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError

from benchdesign.benchmarks.content_marks import CLOSE_MARK, OPEN_MARK, Rendered, strip_marks
from benchdesign.benchmarks.template_sandbox import (
    MAX_SOURCE,
    RenderBudget,
    add_guards,
    mark_fields,
    sandbox_environment,
)
from benchdesign.errors import TemplateError

__all__ = ["Template"]


class Template:
    """An item template: Jinja2 source that renders records.

    The output of an expression is content if it is a field of the record or longer than one
    character.
    """

    def __init__(self, source: str) -> None:

        if len(source) > MAX_SOURCE:
            raise TemplateError(f"template: longer than {MAX_SOURCE} characters. Shorten it.")
        self.source = source
        self._budget = RenderBudget()
        self._environment = sandbox_environment(self._budget)
        try:
            tree = self._environment.parse(source.replace(OPEN_MARK, "").replace(CLOSE_MARK, ""))
            code = self._environment.compile(add_guards(tree))
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
        """Render one record; its fields are variables, and `record` is the whole record."""
        self._budget.start()
        variables = {str(key): mark_fields(value) for key, value in record.items()}
        variables.setdefault("record", mark_fields(dict(record)))
        try:
            marked = self._template.render(variables)
        except jinja2.UndefinedError as error:
            raise TemplateError(
                f"template: {error.message}. The record's fields: {', '.join(list(record)[:12])}."
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
        return strip_marks(marked)
