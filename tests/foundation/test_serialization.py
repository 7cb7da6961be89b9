from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.foundation.serialization import (
    from_json,
    load_bundle,
    read_json,
    save_bundle,
    to_json,
    write_json,
)


class Colour(StrEnum):
    RED = "red"


class Place(NamedTuple):
    start: int
    end: int


@dataclass(frozen=True)
class Inner:
    colour: Colour
    places: tuple[Place, ...]
    ids: frozenset[str]


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    by_id: Mapping[int, tuple[float, ...]]
    rates: NDArray[np.float64]
    size: float
    folder: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def make_outer() -> Outer:
    return Outer(
        "a",
        Inner(Colour.RED, (Place(1, 2),), frozenset({"x", "y"})),
        {3: (0.5, float("nan"))},
        np.asarray([0.1, np.nan]),
        float("inf"),
        Path("here"),
    )


def test_a_bundle_reads_back_as_it_was_written(tmp_path: Path) -> None:
    save_bundle(tmp_path / "one.npz", make_outer())
    bundle = load_bundle(tmp_path / "one.npz", Outer)
    assert bundle.inner == make_outer().inner
    assert bundle.by_id[3][0] == 0.5
    assert np.isnan(bundle.by_id[3][1])
    assert bundle.size == float("inf")
    assert bundle.folder == Path("here")
    np.testing.assert_array_equal(bundle.rates, [0.1, np.nan])


def test_json_has_no_nan_or_infinity() -> None:
    assert to_json({"a": float("nan"), "b": np.asarray([np.inf, 1.0])}) == {
        "a": None,
        "b": [None, 1.0],
    }


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    data = {"colour": "red", "places": [[1, 2]], "ids": ["x"], "later": 1}
    assert from_json(Inner, data) == Inner(Colour.RED, (Place(1, 2),), frozenset({"x"}))


def test_a_damaged_bundle_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(ValueError):
        load_bundle(tmp_path / "one.npz", Outer)


def test_json_is_written_whole_with_sorted_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", {"b": 1, "a": "\ud800"})
    assert (tmp_path / "one.json").read_text("ascii").index('"a"') < 10
    assert read_json(tmp_path / "one.json") == {"a": "\ud800", "b": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["one.json"]


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        to_json(object())
