"""Interface of a format of logs: which files are its own, and how to read one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchdesign.benchmarks.results.rows import ResultSet

__all__ = ["ChosenFiles", "LogReader"]


class ChosenFiles(NamedTuple):
    """Files of a folder that a reader reads."""

    paths: list[Path]
    notes: tuple[str, ...] = ()
    """Remarks on files left out, such as older runs."""


class LogReader(Protocol):
    """One format of logs. Readers are asked in order; the first that claims a file reads it."""

    def claims(self, path: Path) -> bool:
        """Whether a file is a log in this format."""
        ...

    def choose(self, paths: Sequence[Path]) -> ChosenFiles:
        """Choose the logs to read among all files of a folder."""
        ...

    def read(self, path: Path, *, model: str | None) -> ResultSet:
        """Read one log; `model` replaces the name of the model in it."""
        ...
