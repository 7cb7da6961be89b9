"""Example files of the package: a benchmark and a pool."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from benchdesign.errors import PackagingError

__all__ = ["example_folder"]


def example_folder() -> Path:
    """Return the folder of the example benchmark and pool, installed or in a checkout."""
    installed = Path(str(files("benchdesign"))) / "examples"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "examples").is_dir():
        return checkout / "examples"
    raise PackagingError("The example files are missing; reinstall benchdesign.")
