"""Mapping many items: each once, resumable, one writer at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.mapping import map_items as cache_module
from benchdesign.concepts.mapping.map_items import map_items, recall_items
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.errors import Interrupted, WorkspaceError
from benchdesign.foundation.progress import Progress
from tests.helpers import make_dictionary


class CountingMapper:
    """Concept 0 shows the length of the text; counts what it was asked to map."""

    def __init__(self, key: str = "counting") -> None:
        self.dictionary: Dictionary = make_dictionary(["length"])
        self.key = key
        self.asked: list[str] = []

    def map_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> ConceptMap:
        for item in items:
            if tick is not None:
                tick(1)
            self.asked.append(item.id)
        n = len(items)
        lengths = np.asarray([len(item.text) for item in items], dtype=np.float32)
        zeros = np.zeros(n, dtype=np.int32)
        return ConceptMap(
            digests=tuple(item.digest for item in items),
            n_concepts=1,
            dictionary=self.dictionary.fingerprint,
            indptr=np.arange(n + 1, dtype=np.int64),
            indices=zeros,
            saliency=lengths,
            peak=lengths,
            start=zeros,
            end=zeros,
            n_tokens=lengths.astype(np.int32),
        )

    def evidence(self, item: Item, concept_ids: Sequence[int]) -> dict[int, tuple[()]]:
        return {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 2), dtype=np.float16)


def items_of(*lengths: int) -> list[Item]:
    return [
        Item(f"{row}", row, "x" * length, ((0, length),), "x") for row, length in enumerate(lengths)
    ]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "SHARD_ITEMS", 2)


def test_map_is_in_the_order_of_the_items() -> None:
    mapped = map_items(items_of(30, 10, 20), CountingMapper())
    assert mapped.saliency.tolist() == [30, 10, 20]


class ExpectantCounter(CountingMapper):
    """Is told what comes next, and remembers when each thing happened."""

    on_gpu = True

    def __init__(self) -> None:
        super().__init__()
        self.announced_ids: list[list[str]] = []

    def expect(self, items: Sequence[Item]) -> None:
        self.announced_ids.append([item.id for item in items])

    def run_batch(
        self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
    ) -> Callable[[], ConceptMap]:
        mapped = self.map_batch(items, tick=tick)
        return lambda: mapped


@pytest.mark.parametrize("kept", [True, False])
def test_a_mapper_is_told_what_comes_next(tmp_path: Path, small_shards: None, kept: bool) -> None:
    mapper = ExpectantCounter()
    mapped = map_items(items_of(1, 2, 3, 4, 5), mapper, cache=tmp_path if kept else None)
    assert mapped.saliency.tolist() == [1, 2, 3, 4, 5]
    first, *later = mapper.announced_ids
    assert len(later) == 1
    assert mapper.asked[-len(first + later[0]) :] == first + later[0]


def test_a_shard_that_cannot_be_written_behind_the_next_one_is_told(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "write_map", full)
    with pytest.raises(WorkspaceError, match="cannot write concept maps"):
        map_items(items_of(1, 2, 3, 4, 5), ExpectantCounter(), cache=tmp_path)
    assert not list(tmp_path.glob("*/.claim-*"))


@pytest.mark.parametrize(("limits", "n_shards"), [(None, 3), ((9, 100), 1), ((1, 100), 4)])
def test_a_shard_holds_as_much_as_the_mapper_wants_to_have_at_stake(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int] | None,
    n_shards: int,
) -> None:
    monkeypatch.setattr(cache_module, "SHARD_CHARACTERS", 20)
    mapper = CountingMapper()
    if limits is not None:
        mapper.shard_limits = limits  # type: ignore[attr-defined]
    map_items(items_of(8, 9, 15, 16), mapper, cache=tmp_path)
    assert len(list(tmp_path.glob("*/shard-*.parquet"))) == n_shards


def test_repeated_item_is_mapped_once() -> None:
    mapper = CountingMapper()
    mapped = map_items(items_of(5, 7, 5, 5), mapper)
    assert mapped.saliency.tolist() == [5, 7, 5, 5]
    assert len(mapper.asked) == 2


def test_no_items_make_an_empty_map(tmp_path: Path) -> None:
    assert len(map_items([], CountingMapper(), cache=tmp_path)) == 0


def test_second_run_maps_only_new_items(tmp_path: Path) -> None:
    map_items(items_of(1, 2, 3), CountingMapper(), cache=tmp_path)
    mapper = CountingMapper()
    mapped = map_items(items_of(1, 9, 3), mapper, cache=tmp_path)
    assert mapper.asked == ["1"]
    assert mapped.saliency.tolist() == [1, 9, 3]


def test_other_mapper_does_not_see_the_cache(tmp_path: Path) -> None:
    map_items(items_of(1), CountingMapper(), cache=tmp_path)
    other = CountingMapper(key="other")
    map_items(items_of(1), other, cache=tmp_path)
    assert other.asked == ["0"]


@pytest.mark.usefixtures("small_shards")
def test_stopping_keeps_finished_shards_and_resuming_gives_the_same_shards(tmp_path: Path) -> None:
    items = items_of(*range(1, 11))
    whole = map_items(items, CountingMapper(), cache=tmp_path / "whole")
    first = CountingMapper()
    with pytest.raises(Interrupted):
        map_items(items, first, cache=tmp_path / "cut", stop=lambda: len(first.asked) >= 5)
    second = CountingMapper()
    resumed = map_items(items, second, cache=tmp_path / "cut")
    assert len(second.asked) == 10 - 4
    assert resumed.saliency.tolist() == whole.saliency.tolist()
    names = [
        sorted(path.name for path in (tmp_path / run).rglob("shard-*")) for run in ("whole", "cut")
    ]
    assert names[0] == names[1]


@pytest.mark.usefixtures("small_shards")
def test_damaged_shard_is_mapped_again(tmp_path: Path) -> None:
    items = items_of(1, 2, 3, 4)
    map_items(items, CountingMapper(), cache=tmp_path)
    damaged = next(tmp_path.rglob("shard-*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:40])
    mapper = CountingMapper()
    mapped = map_items(items, mapper, cache=tmp_path)
    assert len(mapper.asked) == 2
    assert mapped.saliency.tolist() == [1, 2, 3, 4]


def test_progress_ends_at_the_total_and_skips_what_was_kept(tmp_path: Path) -> None:
    seen: list[Progress] = []
    map_items(items_of(1, 2), CountingMapper(), cache=tmp_path)
    map_items(items_of(1, 2, 3), CountingMapper(), cache=tmp_path, progress=seen.append)
    assert (seen[0].done, seen[0].total) == (2, 3)
    assert (seen[-1].done, seen[-1].total) == (3, 3)


HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.concepts.test_map_cache import CountingMapper, items_of
from benchdesign.concepts.mapping import map_items as cache
from benchdesign.concepts.mapping.map_items import map_items

cache.SHARD_ITEMS = 1
class Slow(CountingMapper):
    def map_batch(self, items, *, tick=None):
        if len(self.asked) == 2:
            print("holding", flush=True)
            time.sleep(60)
        return super().map_batch(items, tick=tick)

map_items(items_of(1, 2, 3, 4), Slow(), cache=Path(sys.argv[1]))
"""


@contextmanager
def holding(cache: Path) -> Iterator[int]:
    """A process that has mapped two of four items and never finishes the third."""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(cache), str(root)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"holding\n"
        try:
            yield child.pid
        finally:
            child.kill()


@pytest.mark.process
def test_killed_run_loses_one_shard_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with holding(tmp_path) as process_id:
        os.kill(process_id, signal.SIGKILL)
    mapper = CountingMapper()
    mapped = map_items(items_of(1, 2, 3, 4), mapper, cache=tmp_path)
    assert len(mapper.asked) == 2
    assert mapped.saliency.tolist() == [1, 2, 3, 4]
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith("shard-")} == {".lock"}


@pytest.mark.process
@pytest.mark.usefixtures("small_shards")
def test_two_runs_share_one_cache_and_neither_waits(tmp_path: Path) -> None:
    mapper = CountingMapper()
    with holding(tmp_path):
        mapped = map_items(items_of(1, 2, 3, 4, 5, 6), mapper, cache=tmp_path)
    assert mapped.saliency.tolist() == [1, 2, 3, 4, 5, 6]
    assert len(mapper.asked) == 4


@pytest.mark.usefixtures("small_shards")
def test_shard_that_another_run_finished_meanwhile_is_not_mapped_again(tmp_path: Path) -> None:
    items = items_of(1, 2, 3, 4)
    other = CountingMapper()

    class Overtaken(CountingMapper):
        def map_batch(
            self, items: Sequence[Item], *, tick: Callable[[int], None] | None = None
        ) -> ConceptMap:
            if not self.asked:
                map_items(items_of(1, 2, 3, 4), other, cache=tmp_path)
            return super().map_batch(items, tick=tick)

    mapper = Overtaken()
    mapped = map_items(items, mapper, cache=tmp_path)
    assert mapped.saliency.tolist() == [1, 2, 3, 4]
    assert (len(mapper.asked), len(other.asked)) == (2, 4)


def test_what_was_mapped_is_recalled_without_a_mapper(tmp_path: Path) -> None:
    mapper = CountingMapper()
    map_items(items_of(1, 2, 3), mapper, cache=tmp_path)
    recalled = recall_items(items_of(3, 1, 3), mapper.key, cache=tmp_path)
    assert recalled is not None
    assert recalled.saliency.tolist() == [3, 1, 3]


def test_nothing_is_recalled_unless_everything_is_there(tmp_path: Path) -> None:
    mapper = CountingMapper()
    map_items(items_of(1, 2, 3), mapper, cache=tmp_path)
    assert recall_items(items_of(1, 9), mapper.key, cache=tmp_path) is None
    assert recall_items(items_of(1), "another", cache=tmp_path) is None


def test_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkspaceError, match=r"cannot write concept maps .*BENCHDESIGN_CACHE"):
        map_items(items_of(1), CountingMapper(), cache=tmp_path / "file")
