from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchdesign.concepts.maps import map_file as mapfile
from benchdesign.concepts.maps import peak_places
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.maps.map_file import read_map, write_map
from benchdesign.concepts.maps.sampling import sample_items
from benchdesign.errors import FormatError
from benchdesign.foundation.arrow_arrays import numbers
from tests.helpers import make_map
from tests.test_imports import loaded_after

FIELDS = ("indptr", "indices", "saliency", "peak", "start", "end", "n_tokens", "embeddings")


@pytest.mark.parametrize("n_items", [0, 1, 3])
def test_a_map_is_read_as_it_was_written(tmp_path: Path, n_items: int) -> None:
    rows = [{0: 0.5, 3: 1.25}, {}, {1: 2.0}][:n_items]
    concept_map = make_map(rows, n_concepts=4, embeddings=np.ones((n_items, 2), dtype=np.float16))
    write_map(concept_map, tmp_path / "map.parquet")
    loaded = read_map(tmp_path / "map.parquet")
    assert (loaded.digests, loaded.n_concepts) == (concept_map.digests, concept_map.n_concepts)
    for name in FIELDS:
        kept, written = getattr(loaded, name), getattr(concept_map, name)
        assert kept.dtype == written.dtype, name
        assert np.array_equal(kept, written), name


def test_items_are_gathered_from_several_maps_in_any_order() -> None:
    vectors = np.arange(6, dtype=np.float16).reshape(3, 2)
    first = make_map([{0: 0.5, 3: 1.25}, {}, {1: 2.0}], n_concepts=4, embeddings=vectors)
    second = make_map([{2: 1.0}, {0: 4.0, 1: 3.0}], n_concepts=4, embeddings=vectors[:2] + 9)
    places = [(1, 1), (0, 0), (0, 1), (1, 1), (0, 2)]
    gathered = ConceptMap.gather([first, second], places)
    expected = ConceptMap.concatenate([first, second]).take([4, 0, 1, 4, 2])
    assert gathered.digests == expected.digests
    for name in FIELDS:
        got, wanted = getattr(gathered, name), getattr(expected, name)
        assert got.dtype == wanted.dtype, name
        assert np.array_equal(got, wanted), name


def test_another_parquet_file_is_no_map(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"digest": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(FormatError, match="Not a concept map"):
        read_map(tmp_path / "other.parquet")


def test_what_is_unknown_in_a_column_is_no_number() -> None:
    values = numbers(pa.chunked_array([pa.array([1.0, None]), pa.array([2.0])]))
    assert np.array_equal(values, [1.0, np.nan, 2.0], equal_nan=True)


@pytest.mark.process
def test_reading_a_map_and_a_dictionary_needs_no_pandas(tmp_path: Path) -> None:
    write_map(make_map([{0: 1.0}], n_concepts=1), tmp_path / "map.parquet")
    loaded = loaded_after(
        "from pathlib import Path\n"
        "from benchdesign.concepts.maps.map_file import read_map\n"
        "from benchdesign.concepts.dictionaries.open import load_dictionary\n"
        f"read_map(Path({str(tmp_path / 'map.parquet')!r}))\n"
        "load_dictionary()"
    )
    assert not loaded & {"pandas", "torch", "scipy"}


def test_a_large_map_is_read_without_what_is_not_present(tmp_path: Path) -> None:
    concept_map = make_map([{0: 0.5, 3: 1.25}, {}, {1: 2.0, 2: 0.1}], n_concepts=4)
    write_map(concept_map, tmp_path / "map.parquet")
    thresholds = np.asarray([0.6, 0.6, 0.1, 0.6], dtype=np.float32)
    slim = read_map(tmp_path / "map.parquet", thresholds=thresholds)
    assert slim.indices.tolist() == [3, 1, 2]
    assert slim.indptr.tolist() == [0, 1, 1, 3]
    assert (slim.presence(thresholds) != concept_map.presence(thresholds)).nnz == 0
    assert slim.at(0, 3) == concept_map.at(0, 3)
    assert slim.at(0, 0) is None


def test_places_of_peaks_are_unknown_once_their_file_is_gone(tmp_path: Path) -> None:
    write_map(make_map([{0: 0.5}], n_concepts=1), tmp_path / "map.parquet")
    slim = read_map(tmp_path / "map.parquet", thresholds=np.zeros(1, dtype=np.float32))
    (tmp_path / "map.parquet").unlink()
    peak = slim.at(0, 0)
    assert peak is not None
    assert (peak.start, peak.end) == (0, 0)


def test_thresholds_of_another_dictionary_are_refused(tmp_path: Path) -> None:
    write_map(make_map([{0: 0.5}], n_concepts=1), tmp_path / "map.parquet")
    with pytest.raises(FormatError, match="another dictionary"):
        read_map(tmp_path / "map.parquet", thresholds=np.zeros(2, dtype=np.float32))


def test_a_map_of_several_row_groups_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapfile, "_GROUP", 2)
    concept_map = make_map(
        [{row: 1.0, 5: 0.5 + row} for row in range(5)],
        n_concepts=6,
        embeddings=np.arange(10, dtype=np.float16).reshape(5, 2),
    )
    write_map(concept_map, tmp_path / "map.parquet")
    loaded = read_map(tmp_path / "map.parquet")
    assert peak_places.count_entries(tmp_path / "map.parquet") == 10
    assert loaded.digests == concept_map.digests
    for name in FIELDS:
        assert np.array_equal(getattr(loaded, name), getattr(concept_map, name)), name
    slim = read_map(tmp_path / "map.parquet", thresholds=np.zeros(6, dtype=np.float32))
    assert slim.at(4, 5) == concept_map.at(4, 5)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with mapfile.MapWriter(tmp_path / "map.parquet") as writer:
            writer.write(make_map([{0: 0.5}], n_concepts=1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_sample_is_spread_over_all_maps() -> None:
    first = make_map([{0: float(row)} for row in range(1, 5)], n_concepts=1)
    second = make_map([{0: float(row)} for row in range(5, 10)], n_concepts=1)
    assert sample_items([first, second], 3).saliency.tolist() == [1.0, 5.0, 9.0]
    assert len(sample_items([first, second], 9)) == 9
