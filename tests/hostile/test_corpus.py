"""Every bad file is refused in one line with exit code 2, or loads with warnings that name rows."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.cli import run_command
from benchdesign.errors import InputError
from tests.hostile.corpus import BY_NAME, CASES, BadFile, Loads, Refused
from tests.keywords import use_keywords

LIMIT_S = 600
"""A hang is far beyond this; a busy machine is not."""

LARGE = {"a million bad lines", "giant cell without an end"}
COSTLY = {
    *("bz2 bomb", "gzip bomb", "xz bomb", "Arrow bomb of blanks", "YAML nested deep"),
    *("a million empty lines", "giant line", "giant line without an end"),
}
"""The quick loop reads them once, by the library; the command reads them in the rest."""


def names_of(outcome: type[Refused] | type[Loads], *, slow: set[str]) -> list[Any]:
    """The cases that end in one way; those named in `slow` are slow tests."""
    return [
        pytest.param(case.name, marks=[pytest.mark.slow] if case.name in slow else [])
        for case in CASES
        if isinstance(case.outcome, outcome)
    ]


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Fail instead of hanging."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"took over {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for one case; whatever a case plants to run would leave `hacked` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    inner = tmp_path / "one" / "two" / "three"
    inner.mkdir(parents=True)
    yield inner
    assert not [path for path in tmp_path.rglob("*") if path.name in {"hacked", "escape.jsonl"}]


def build(name: str, folder: Path) -> tuple[BadFile, Path]:
    return BY_NAME[name], BY_NAME[name].build(folder)


def is_clean(line: str) -> bool:
    """Say whether nothing in a line could move a cursor or change direction."""
    return line.isprintable() or all(
        character.isprintable() or character == " " for character in line
    )


@pytest.mark.parametrize("name", names_of(Refused, slow=LARGE))
def test_bad_file_is_refused_by_name(name: str, folder: Path) -> None:
    bad, path = build(name, folder)
    assert isinstance(bad.outcome, Refused)
    with time_limit(LIMIT_S), pytest.raises(InputError, match=r"\. ?\S|\.\Z") as caught:
        load_benchmark(path)
    assert caught.value.exit_code == 2
    assert bad.outcome.message in str(caught.value)


@pytest.mark.parametrize("name", names_of(Refused, slow=LARGE | COSTLY))
def test_command_refuses_a_bad_file_in_one_printable_line(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, path = build(name, folder)
    assert isinstance(bad.outcome, Refused)
    use_keywords(monkeypatch)
    with time_limit(LIMIT_S):
        code = run_command(["coverage", str(path), "--quiet"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("benchdesign: ")
    assert captured.err.count("\n") == 1
    assert is_clean(captured.err[:-1])
    assert bad.outcome.message in captured.err


@pytest.mark.parametrize("name", names_of(Loads, slow=LARGE))
def test_bad_rows_are_counted_and_named_and_the_rest_is_written_back(
    name: str, folder: Path
) -> None:
    bad, path = build(name, folder)
    assert isinstance(bad.outcome, Loads)
    with time_limit(LIMIT_S):
        benchmark = load_benchmark(path)
        assert len(benchmark) == bad.outcome.n_items
        messages = [finding.message for finding in benchmark.findings][:20]
        first = [finding for finding in benchmark.findings if finding.kind == bad.outcome.kind][:1]
        assert bool(first) == bool(bad.outcome.kind), messages
        assert all(bad.outcome.place in finding.message for finding in first), messages
        out = folder / f"out{benchmark.source.suffix}"
        write_benchmark(benchmark, out, keep=range(len(benchmark)))
        again = load_benchmark(out)
    assert [item.text for item in again] == [item.text for item in benchmark]
    assert [item.content for item in again] == [item.content for item in benchmark]
    # As text: not-a-number is not equal to itself.
    assert [repr(again.record(item)) for item in again] == [
        repr(benchmark.record(item)) for item in benchmark
    ]


@pytest.mark.parametrize("name", names_of(Loads, slow=LARGE | COSTLY))
def test_command_measures_what_loads(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, path = build(name, folder)
    use_keywords(monkeypatch)
    with time_limit(LIMIT_S):
        code = run_command(["coverage", str(path)])
    captured = capsys.readouterr()
    assert code == 0
    assert "concepts that can be judged" in captured.out
    assert captured.err.count("note: ") >= min(len(load_benchmark(path).findings), 5)
    assert all(map(is_clean, (captured.out + captured.err).splitlines()))


def test_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) >= 60
