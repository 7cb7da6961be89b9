from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchdesign.conceptmap import ConceptMap, numbers
from benchdesign.errors import FormatError
from tests.helpers import make_map
from tests.test_imports import loaded_after

FIELDS = ("indptr", "indices", "saliency", "peak", "start", "end", "n_tokens", "embeddings")


@pytest.mark.parametrize("n_items", [0, 1, 3])
def test_a_map_is_read_as_it_was_written(tmp_path: Path, n_items: int) -> None:
    rows = [{0: 0.5, 3: 1.25}, {}, {1: 2.0}][:n_items]
    made = make_map(rows, n_concepts=4, embeddings=np.ones((n_items, 2), dtype=np.float16))
    made.save(tmp_path / "map.parquet")
    loaded = ConceptMap.load(tmp_path / "map.parquet")
    assert (loaded.digests, loaded.n_concepts) == (made.digests, made.n_concepts)
    for name in FIELDS:
        kept, written = getattr(loaded, name), getattr(made, name)
        assert kept.dtype == written.dtype, name
        assert np.array_equal(kept, written), name


def test_another_parquet_file_is_no_map(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"digest": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(FormatError, match="Not a concept map"):
        ConceptMap.load(tmp_path / "other.parquet")


def test_what_is_unknown_in_a_column_is_no_number() -> None:
    found = numbers(pa.chunked_array([pa.array([1.0, None]), pa.array([2.0])]))
    assert np.array_equal(found, [1.0, np.nan, 2.0], equal_nan=True)


def test_reading_a_map_and_a_dictionary_needs_no_pandas(tmp_path: Path) -> None:
    make_map([{0: 1.0}], n_concepts=1).save(tmp_path / "map.parquet")
    loaded = loaded_after(
        "from pathlib import Path\n"
        "from benchdesign.conceptmap import ConceptMap\n"
        "from benchdesign.mapping import load_dictionary\n"
        f"ConceptMap.load(Path({str(tmp_path / 'map.parquet')!r}))\n"
        "load_dictionary()"
    )
    assert not loaded & {"pandas", "torch", "scipy"}
