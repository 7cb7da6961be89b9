"""Templates are somebody's files: they reach nothing, end soon, make little, fail in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchdesign.benchmarks.template import Template
from benchdesign.benchmarks.template_sandbox import MAX_OUTPUT
from benchdesign.cli import run_command
from benchdesign.errors import TemplateError
from tests.hostile.cases import lines
from tests.hostile.entries import RECORD
from tests.hostile.test_corpus import LIMIT_S, is_clean, time_limit
from tests.keywords import use_keywords

REACHING = {
    "class of a text": "{{ ''.__class__ }}",
    "classes of everything": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class by index": "{{ question['__class__'] }}",
    "class by a joined name": "{{ question['__cl' ~ 'ass__'] }}",
    "class by filter": "{{ question | attr('__class__') }}",
    "class by sort": "{{ [question] | sort(attribute='__class__.__name__') }}",
    "format string": "{{ '{0.__class__}'.format(question) }}",
    "format map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "globals of a helper": "{{ range.__globals__ }}",
    "globals of a macro": "{% macro f() %}{% endmacro %}{{ f.__globals__ }}",
    "builtins of the loop": "{% for a in choices %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "the template itself": "{{ self.__init__.__globals__ }}",
    "code of the template": "{{ self._TemplateReference__context }}",
    "environment": "{{ environment }}",
    "names of Flask": "{{ config }}{{ request.application }}",
    "helpers of Jinja": "{{ cycler }}{{ joiner }}{{ namespace }}{{ lipsum }}{{ dict }}",
    "import of Python": "{% import os %}",
    "call of Python": "{{ __import__('os').system('touch hacked') }}",
    "evaluation": "{{ eval('1') }}",
    "statement of an extension": "{% do choices.append('x') %}",
    "debugging": "{% debug %}",
    "changing a list": "{{ choices.append('x') }}",
    "changing a record": "{{ record.update({'question': 'x'}) }}{{ record.clear() }}",
    "own counters": "{{ step_.__self__ }}",
    "own counters by name": "{{ step_.__func__.__globals__ }}",
}
FILES = {
    "include": "{% include '/etc/passwd' %}",
    "include upwards": "{% include '../../../../etc/passwd' %}",
    "include if there": "{% include ['/etc/passwd', 'x'] ignore missing %}{{ missing }}",
    "extension": "{% extends '/etc/passwd' %}",
    "import": "{% import '/etc/passwd' as x %}",
    "import of names": "{% from 'x' import y %}",
    "include of an address": "{% include 'http://127.0.0.1/x' %}",
}
ENDLESS = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}"
    "{% endfor %}{% endfor %}",
    "long range": "{% for a in range(10 ** 12) %}{% endfor %}",
    "recursion of a macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "doubling recursion": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}"
    "{% endmacro %}{{ f(40) }}",
    "recursion of a loop": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "recursion of a caller": "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}"
    "{% endmacro %}{{ f() }}",
    "filters in a loop": "{% for a in range(99999) %}{{ range(99999) | sort | list | sum }}"
    "{% endfor %}",
    "huge power": "{{ 9 ** 9 ** 9 }}",
    "negative huge power": "{{ 2 ** -(9 ** 9) }}",
    "power of a power": "{% set a = 64 %}" + "{% set a = a ** 64 %}" * 9 + "{{ a }}",
    "growing product": "{% set a = 3 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
    "huge number": "{{ " + "9" * 5000 + " }}",
    "infinite number as a count": "{{ 1e999 | int }}",
    "search in a search": "{% set a = 'a' * 900000 %}{% for b in range(999) %}"
    "{{ a.count('ab') + a.find('b') }}{% endfor %}",
}
BOMBS = {
    "long text": "{{ 'x' * 10 ** 9 }}",
    "long text from the right": "{{ 10 ** 9 * 'x' }}",
    "long list": "{{ [0] * 10 ** 9 }}",
    "long tuple": "{{ (0,) * 10 ** 9 }}",
    "doubling text": "{% set a = 'xx' %}" + "{% set a = a ~ a %}" * 50 + "{{ a }}",
    "doubling list": "{% set a = [1] %}" + "{% set a = a + a %}" * 50 + "{{ a }}",
    "nested lists": "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
    "nested lists as JSON": "{% set a = ['x'] %}"
    + "{% set a = [a, a] %}" * 60
    + "{{ a | tojson }}",
    "nested objects": "{% set a = {} %}" + "{% set a = {'a': a, 'b': a} %}" * 60 + "{{ a }}",
    "replacement": "{{ ('x' * 99999) | replace('x', 'y' * 99999) }}",
    "joining": "{{ range(99999) | join('y' * 99999) }}",
    "padding": "{{ 'x'.center(10 ** 9) }}{{ 'x'.zfill(10 ** 9) }}",
    "formatting": "{{ '%0999999999d' | format(1) }}{{ '%999999999s' % 'x' }}",
    "output line by line": "{% for a in range(99999) %}{{ 'x' * 999 }}{% endfor %}",
    "block that is captured": "{% set a %}{{ 'x' * 999999 }}{% endset %}" + "{{ a ~ a ~ a }}" * 9,
    "rounding": "{{ 1.5 | round(10 ** 9) }}{{ missing }}",
    "rounding a whole number": "{{ 5 | round(-10 ** 9) }}",
    "truncation": "{{ question | truncate(-5) }}",
    "long template": "x" * 20_001,
    "deep brackets": "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "deep blocks": "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "deep loops": "{% for a in choices %}" * 40 + "{% endfor %}" * 40,
    "slices of slices": "{{ choices[0, 1:] }}",
}
HOSTILE = {**REACHING, **FILES, **ENDLESS, **BOMBS}
# They use up the budget of a record; tests of templates have others that do.
COSTLY = {"filters in a loop", "doubling list", "nested lists", "nested lists as JSON"}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name in COSTLY else []) for name in HOSTILE]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_template_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with time_limit(LIMIT_S), pytest.raises(TemplateError) as caught:
        Template(HOSTILE[name]).render(RECORD)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("template")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["classes of everything", "include", "nested loops", "long text"])
def test_command_refuses_a_hostile_template_in_one_printable_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_keywords(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_bytes(lines())
    Path("t.j2").write_text(HOSTILE[name])
    with time_limit(LIMIT_S):
        code = run_command(["run", "a.jsonl", "--template", "t.j2", "--out", "out", "--quiet"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert "a.jsonl:1: template: " in captured.err
    assert captured.err.count("\n") == 1
    assert is_clean(captured.err[:-1])
    assert {path.name for path in tmp_path.iterdir()} <= {"a.jsonl", "t.j2", "own-cache"}


@pytest.mark.parametrize(
    "content", [b"\xff\xfe{\x00{\x00", b"\x00\x01\x02", None], ids=["UTF-16", "binary", "folder"]
)
def test_template_that_is_no_text_is_refused_by_name(
    content: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_keywords(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_bytes(lines())
    if content is None:
        Path("t.j2").mkdir()
    else:
        Path("t.j2").write_bytes(content)
    code = run_command(["run", "a.jsonl", "--template", "t.j2", "--out", "out", "--quiet"])
    captured = capsys.readouterr()
    assert code in (0, 2)
    if code:
        assert "t.j2" in captured.err
        assert captured.err.count("\n") == 1


def test_template_cannot_change_the_record() -> None:
    record = {"question": "Why?", "choices": ["a"]}
    for source in ("{{ choices.append('x') }}", "{{ record.pop('question') }}"):
        with pytest.raises(TemplateError):
            Template(source).render(record)
    assert record == {"question": "Why?", "choices": ["a"]}


def test_class_of_what_is_mapped_is_nothing() -> None:
    source = "{{ [question] | map(attribute='__class__') | list }}"
    assert Template(source).render(RECORD).text == "[Undefined]"


def test_template_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchdesign.benchmarks.template_sandbox.MAX_SECONDS", -1.0)
    with pytest.raises(TemplateError, match="template: took more than -1 seconds"):
        Template("{% for a in range(100) %}{% endfor %}").render(RECORD)


def test_budget_is_for_each_record() -> None:
    template = Template("{% for a in range(20000) %}{% endfor %}{{ question }}")
    for _ in range(4):
        assert template.render(RECORD).text == RECORD["question"]


def test_long_field_is_rendered_whole() -> None:
    text = "word " * (MAX_OUTPUT // 10)
    assert Template("{{ question }}!").render({"question": text}).text == f"{text}!"
