from __future__ import annotations

import inspect

import pytest

import benchdesign


def test_public_names_are_sorted_and_unique() -> None:
    assert benchdesign.__all__ == sorted(set(benchdesign.__all__))


@pytest.mark.parametrize("name", benchdesign.__all__)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(benchdesign, name)
    assert inspect.getdoc(value)


def test_nothing_else_is_public() -> None:
    assert set(dir(benchdesign)) - {"__version__"} == set(benchdesign.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        benchdesign.frobnicate  # noqa: B018
