"""What is said of a benchmark while it is still being mapped."""

from pathlib import Path
from typing import Any

import pytest

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.pipeline.partial_summary import (
    PartialSummaryWriter,
    delete_partial_summary,
    read_partial_summary,
    summarise_partial_map,
)
from benchdesign.pipeline.run import run_pipeline
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.workspace import Workspace
from tests.keywords import KeywordMapper, use_keywords, write_sets


def test_gaps_are_judged_against_the_part_of_the_pool_that_was_read(tmp_path: Path) -> None:
    mapper = KeywordMapper()
    ours, theirs = (mapper.map_batch(load_benchmark(path).items) for path in write_sets(tmp_path))
    first = theirs.take(range(100))
    summary = summarise_partial_map([ours], [first], mapper.dictionary)
    assert summary is not None
    assert (summary.n_items, summary.n_pool, summary.against) == (80, 100, "pool")
    assert summary.gaps == (("fox", 0, 20.0),) and summary.n_missing == 1
    assert dict(summary.frequent) == {"cat": 27, "dog": 27, "owl": 26}
    assert summary.n_touched == 3


def test_a_few_pool_items_leave_the_dictionary_as_the_measure(tmp_path: Path) -> None:
    mapper = KeywordMapper()
    ours, theirs = (mapper.map_batch(load_benchmark(path).items) for path in write_sets(tmp_path))
    summary = summarise_partial_map(
        [ours.take(range(40))], [theirs.take(range(10))], mapper.dictionary
    )
    assert summary is not None and (summary.n_items, summary.against) == (40, "dictionary")
    assert summarise_partial_map([], [theirs], mapper.dictionary) is None


def test_a_summary_waits_until_the_last_one_has_paid_for_itself(tmp_path: Path) -> None:
    mapper = KeywordMapper()
    (tmp_path / "results").mkdir()
    ours = mapper.map_batch(load_benchmark(write_sets(tmp_path)[0]).items)
    now = iter([0.0, 1.0, 5.0, 22.0, 23.0])
    writer = PartialSummaryWriter(tmp_path, clock=lambda: next(now))
    writer.add("benchmark", mapper.dictionary, ours.take(range(30)))
    writer.add("benchmark", mapper.dictionary, ours.take(range(30, 40)))
    assert getattr(read_partial_summary(tmp_path), "n_items", 0) == 30
    writer.add("benchmark", mapper.dictionary, ours.take(range(40, 80)))
    assert getattr(read_partial_summary(tmp_path), "n_items", 0) == 80
    delete_partial_summary(tmp_path)
    assert read_partial_summary(tmp_path) is None


def test_a_run_tells_of_shards_and_of_what_was_mapped_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    heard = []

    class Listening(PartialSummaryWriter):
        def add(self, which: str, *parts: Any, is_whole: bool = False) -> None:
            super().add(which, *parts, is_whole=is_whole)
            heard.append((which, is_whole))

    for folder in ("one", "two"):
        heard.clear()
        work = tmp_path / folder
        with Workspace.create(work, benchmark, pool=pool, settings=Settings(n_add=1)) as workspace:
            run_pipeline(workspace, cache=tmp_path / "cache", so_far=Listening(work))
        assert heard[-1] == ("pool", True)
        summary = read_partial_summary(work)
        assert summary is not None and (summary.n_items, summary.n_pool) == (80, 160)
    assert heard == [("benchmark", True), ("pool", True)]
