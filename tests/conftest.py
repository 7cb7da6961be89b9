"""What holds for every test: no cache of the person who runs them, and no measuring of time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail an example, and the same examples run every time.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for what fixtures of a whole session or module run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHDESIGN_CACHE", str(tmp_path_factory.mktemp("session-cache")))
        # What is imported by now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHDESIGN_CACHE", str(tmp_path / "own-cache"))
