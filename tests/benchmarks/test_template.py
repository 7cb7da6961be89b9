"""Records rendered as text, with what is content in it."""

from __future__ import annotations

import pytest

from benchdesign.benchmarks.content_marks import Rendered, render_default
from benchdesign.benchmarks.template import Template
from benchdesign.errors import TemplateError

RECORD = {
    "question": "What is 2+2?",
    "choices": ["three", "four", "A"],
    "n": 4,
    "meta": {"topic": "maths"},
}


def content_of(rendered: Rendered) -> list[str]:
    return [rendered.text[start:end] for start, end in rendered.content]


def test_default_text_is_context_prompt_and_lettered_choices() -> None:
    rendered = render_default(" Why? ", "Once.", ["so", "thus"])
    assert rendered.text == "Once.\n\nWhy?\nA. so\nB. thus"
    assert content_of(rendered) == ["Once.", "Why?", "so", "thus"]


def test_nothing_renders_as_nothing() -> None:
    assert render_default("  ", "") == Rendered("", ())


def test_words_of_a_template_are_not_content() -> None:
    template = Template(
        "Q: {{ question }}\n{% for c in choices %}{{ 'ABCD'[loop.index0] }}. {{ c }}\n"
        "{% endfor %}({{ n }})"
    )
    rendered = template.render(RECORD)
    assert rendered.text == "Q: What is 2+2?\nA. three\nB. four\nC. A\n(4)"
    assert content_of(rendered) == ["What is 2+2?", "three", "four", "A", "4"]


def test_what_filters_make_of_fields_is_content() -> None:
    rendered = Template("<{{ question | upper }}> {{ choices | join(', ') }}").render(RECORD)
    assert content_of(rendered) == ["WHAT IS 2+2?", "three, four, A"]


def test_captured_blocks_keep_their_content() -> None:
    source = "{% set x %}<{{ question }}>{% endset %}{{ x }}"
    assert content_of(Template(source).render(RECORD)) == ["What is 2+2?"]


def test_text_that_is_jinja_itself_is_not_run() -> None:
    rendered = Template("{{ question }}").render({"question": "{{ 7 * 7 }} {% for %}"})
    assert rendered.text == "{{ 7 * 7 }} {% for %}"


def test_marks_in_a_record_cannot_forge_content() -> None:
    rendered = Template("a {{ question }} b").render({"question": "x\ufdd1y\ufdd0z"})
    assert content_of(rendered) == ["x\ufffdy\ufffdz"]


DOUBLING = "{% set a = a ~ a %}" * 40
NESTING = "{% set a = [a, a] %}" * 40


@pytest.mark.parametrize(
    "source",
    [
        "{{ missing }}",
        "{% for",
        "{% include 'x' %}",
        "{{ question.__class__.__mro__ }}",
        "{{ question | attr('__class__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum() }}",
        "{{ ''.join.__self__ }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x' | center(999999999) }}",
        "{% set a = 'xxxxxxxxxx' %}" + DOUBLING + "{{ a }}",
        "{% set a = 'xxxxxxxxxx' %}" + DOUBLING.replace("~", "+") + "{{ a }}",
        "{% set a = ['x'] %}" + NESTING + "{{ a }}",
        "{% set a = ['x'] %}" + NESTING + "{{ a | string | length }}",
        "{% set a = 3 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
        "{{ range(100000) | map('replace', '', 'xxxxx') | list | length }}",
        "x" * 20_001,
    ],
)
def test_hostile_or_wrong_template_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(source).render(RECORD)
    assert str(caught.value).startswith("template")
    assert "\n" not in str(caught.value)
