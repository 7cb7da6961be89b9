"""Templates and the environments that render them."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import Environment

from benchdesign.report.coverage_report import render_html, render_markdown
from tests.report.test_coverage_report import analyse_hole, report_of


def test_a_template_is_compiled_once_for_all_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(analyse_hole())
    first = render_html(report), render_markdown(report)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Environment, "compile", refuse)
    assert (render_html(report), render_markdown(report)) == first
