"""The coverage report, as a self-contained HTML page and as Markdown for diffs.

The environment escapes every expression, so that no template can forget to: values pass through
`text.display` and then through autoescape. The page's content security policy blocks all requests
and allows only its own script and style.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from benchdesign.coverage.gaps import round_up_items
from benchdesign.errors import PackagingError
from benchdesign.foundation.number_words import (
    chance,
    multiple,
    noun,
    percent,
    times,
    typeset,
)
from benchdesign.foundation.text import display
from benchdesign.selection.eligibility import passed_over

__all__ = ["render_page", "render_text"]


_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$#@^])")


_LINKS = re.compile(r"(?i)(\bhttps?|\bftp|\bmailto|\bxmpp)(:)|(\bwww)(\.)")


def render_page(template: str, *, styles: Sequence[str] = ("report.css",), **values: Any) -> str:
    """Render an HTML template; values are escaped."""
    style, script = "\n".join(map(_source, styles)), _source("report.js")
    return (
        _environment(is_html=True)
        .get_template(template)
        .render(
            **values,
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def render_text(template: str, **values: Any) -> str:
    """Render a Markdown template; values are escaped."""
    text = _environment(is_html=False).get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def template_folder() -> Traversable:
    """Return the folder of report templates, in the installed package or in a checkout."""
    installed = files("benchdesign") / "templates"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[2]
    # Without this check, the `templates` folder of another package could be used.
    if (checkout / "pyproject.toml").is_file():
        return checkout / "templates"
    raise PackagingError("The report templates are missing; reinstall benchdesign.")


def _source(name: str) -> str:
    return (template_folder() / name).read_text(encoding="utf-8")


@cache
def _environment(*, is_html: bool) -> Environment:
    """Return the environment of a format; it keeps the templates that it has compiled."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=is_html,
        undefined=StrictUndefined,
        finalize=_visible if is_html else _literal_markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=typeset,
        expected=_expected,
        percent=percent,
        times=times,
        multiple=multiple,
        chance=chance,
        lines=_markdown_lines,
        plural=_plural,
        q=_q_value,
        origin=_origin,
        passed_over=passed_over,
        key=lambda text: Markup(re.sub(r"[^a-z]", "-", str(text).lower())),
    )
    return environment


def _visible(value: object) -> object:
    """Return text with control characters made visible; leave markup unchanged."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return display(value, newline="\n")
    return value


def _literal_markdown(value: object) -> object:
    """Return text as one line with all Markdown and HTML escaped."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    literal = _MARKDOWN.sub(r"\\\1", display(value, newline=" "))
    return _LINKS.sub(lambda match: (match[1] or match[3]) + "\\" + (match[2] or match[4]), literal)


def _markdown_lines(text: str) -> Markup:
    """Return text as one paragraph that keeps its lines, with all Markdown and HTML escaped."""
    lines = (str(_literal_markdown(line)) for line in text.strip().splitlines())
    return Markup("<br>".join(lines))


def _expected(value: float) -> str:
    """Format an expected number of items as a whole number."""
    return typeset(value if math.isnan(value) else int(round_up_items(value)))


def _q_value(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _origin(label_source: str) -> str:
    """Return the origin of a label in words, to follow the word `label`."""
    if label_source.startswith("model:"):
        return f"by model {label_source.removeprefix('model:')}"
    origins = {"written": "written by hand", "keywords": "from keywords", "file": "from a file"}
    return origins.get(label_source, f"from {label_source}")


def _plural(n: int, singular: str, plural: str | None = None) -> str:
    return f"{typeset(n)} {noun(n, singular, plural)}"


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
