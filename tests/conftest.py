"""What holds for every test: no cache of the person who runs them, and no measuring of time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A busy machine must not fail an example, and the same examples run every time.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("tests")


WITH_SAE_LENS = tuple(
    f"tests/{name}.py"
    for name in (
        "cli/test_dictionary_build",
        "cli/test_dictionary_label",
        "cli/test_dictionary_show",
        "cli/test_every_command",
        "concepts/test_bridge_parity",
        "concepts/test_build_dictionary",
        "concepts/test_dictionary_folders",
        "concepts/test_measure_dictionary",
        "concepts/test_sae_encoder",
        "concepts/test_sae_encoders",
        "concepts/test_train_sae",
    )
)
"""Files that import sae-lens, which takes long: one worker runs them all."""


FULL_WIDTH = 120
"""Columns of the terminal that the quick loop draws; narrower ones are slow tests."""


class FileScheduling(LoadScopeScheduling):
    """The tests of a file stay together, for their fixtures, and so do those with sae-lens."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "sae-lens" if file in WITH_SAE_LENS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Hand files out, not tests."""
    return FileScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the trained dictionary, and what draws a narrow terminal once more."""
    for item in items:
        if "trained" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.training)
        if item.nodeid.startswith("tests/tui/") and terminal_width(item) < FULL_WIDTH:
            item.add_marker(pytest.mark.slow)


def terminal_width(item: pytest.Item) -> int:
    """Return the columns that a test of the interface draws."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return int(parameters.get("width") or parameters.get("size", (FULL_WIDTH, 36))[0])


@pytest.fixture(scope="session", autouse=True)
def fixed_conditions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for what fixtures of a session or module run, and no limit of time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHDESIGN_CACHE", str(tmp_path_factory.mktemp("session-cache")))
        # A template that only a slow machine takes long for is harmless.
        patch.setattr("benchdesign.benchmarks.template_sandbox.MAX_SECONDS", float("inf"))
        # What is imported by now stays: the collector need not look at it again. It looks at the
        # rest seldom: an application is many small objects that all live until its test ends.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        yield
        # Once for what a test left open; pytest then looks several times more.
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHDESIGN_CACHE", str(tmp_path / "own-cache"))
