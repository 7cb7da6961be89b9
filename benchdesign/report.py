"""The coverage report, as one page that needs nothing else and as Markdown for a diff.

Whatever reaches the page is made visible and escaped by the environment itself, so a template
cannot forget to: every expression goes through `text.display` and then through autoescape. The page
allows no request at all, and of script and style only the two it was written with.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from benchdesign.analysis import Analysis
from benchdesign.candidates import passed_over
from benchdesign.errors import PackagingError
from benchdesign.gaps import whole_items
from benchdesign.report_collect import collect_report
from benchdesign.report_data import ReportData
from benchdesign.text import display
from benchdesign.whole_files import write_whole

if TYPE_CHECKING:
    from benchdesign.revision import Revision

__all__ = [
    "ReportPaths",
    "collect_report",
    "render_html",
    "render_markdown",
    "render_page",
    "render_text",
    "write_report",
]

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$#@^])")
_LINKS = re.compile(r"(?i)(\bhttps?|\bftp|\bmailto|\bxmpp)(:)|(\bwww)(\.)")


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where a report was written."""

    html: Path
    markdown: Path


def write_report(analysis: Analysis, revision: Revision, folder: Path) -> ReportPaths:
    """Write `report.html` and `report.md` into a folder that exists, replacing earlier ones."""
    data = collect_report(analysis, revision)
    paths = ReportPaths(folder / "report.html", folder / "report.md")
    write_whole(paths.html, render_html(data))
    write_whole(paths.markdown, render_markdown(data))
    return paths


def render_html(data: ReportData) -> str:
    """Return the report as one page."""
    return render_page("report.html.j2", report=data)


def render_markdown(data: ReportData) -> str:
    """Return the same facts as Markdown."""
    return render_text("report.md.j2", report=data)


def render_page(template: str, *, styles: Sequence[str] = ("report.css",), **values: Any) -> str:
    """Fill a template of a page; values are shown literally, whatever they hold."""
    style, script = "\n".join(map(_source, styles)), _source("report.js")
    environment = _environment(finalize=_visible, autoescape=True)
    return environment.get_template(template).render(
        **values,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def render_text(template: str, **values: Any) -> str:
    """Fill a template of Markdown; values are shown literally, whatever they hold."""
    environment = _environment(finalize=_literal_markdown, autoescape=False)
    text = environment.get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def template_folder() -> Traversable:
    """Return the folder with the report templates, installed or in a checkout."""
    installed = files("benchdesign") / "templates"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parent.parent
    # Without this check some other package's `templates` beside ours could be picked up.
    if (checkout / "pyproject.toml").is_file():
        return checkout / "templates"
    raise PackagingError("The report templates are missing; reinstall benchdesign.")


def _source(name: str) -> str:
    return (template_folder() / name).read_text(encoding="utf-8")


def _environment(*, finalize: Any, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=_number,
        expected=_expected,
        percent=_percent,
        times=_times,
        plural=_plural,
        q=_q_value,
        origin=_origin,
        passed_over=passed_over,
        key=lambda text: Markup(re.sub(r"[^a-z]", "-", str(text).lower())),
    )
    return environment


def _visible(value: object) -> object:
    """Make text from anywhere visible before it is escaped; markup made here stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return display(value, newline="\n")
    return value


def _literal_markdown(value: object) -> object:
    """Make text one line and literal: no emphasis, links, tables, tags or mathematics."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    literal = _MARKDOWN.sub(r"\\\1", display(value, newline=" "))
    return _LINKS.sub(lambda match: (match[1] or match[3]) + "\\" + (match[2] or match[4]), literal)


def _number(value: float, digits: int = 0) -> str:
    """Write a number with thousands separated by thin spaces and a real minus."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")


def _expected(value: float) -> str:
    """Write a number of items that would be expected, whole as everywhere."""
    return _number(value if math.isnan(value) else int(whole_items(value)))


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%"


def _times(ratio: float) -> str:
    """Write a ratio to the reference: 0.25×, 3.1×."""
    if math.isnan(ratio):
        return "–"
    return f"{ratio:.2f}×" if ratio < 1 else f"{ratio:.1f}×"


def _q_value(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _origin(label_source: str) -> str:
    """Say where a label came from, after the word `label`."""
    if label_source.startswith("model:"):
        return f"by model {label_source.removeprefix('model:')}"
    known = {"written": "written by hand", "keywords": "from key words", "file": "from a file"}
    return known.get(label_source, f"from {label_source}")


def _plural(n: int, one: str, many: str | None = None) -> str:
    return f"{_number(n)} {one if n == 1 else many or one + 's'}"


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
