"""Every exception that this package raises deliberately.

    BenchdesignError                 exit 1
    ├── InputError                   exit 2: a file, a field or an option is wrong
    │   ├── FormatError              a benchmark, pool or results file cannot be read
    │   ├── TemplateError            an item template is wrong, or ran too long
    │   ├── DictionaryError          a concept dictionary or SAE cannot be used
    │   ├── ModelError               a reference model cannot be used
    │   └── UsageError               options contradict each other, or a value is out of range
    ├── WorkspaceError               a workspace is damaged, too new, or cannot be written
    │   ├── WorkspaceLockedError     another process has it open
    │   └── WorkspaceMissingError    exit 2: not a workspace
    ├── OutputExistsError            exit 2: a file would be overwritten
    ├── MissingExtraError            an optional dependency is not installed
    ├── PackagingError               the installation lacks a file or has a broken plug-in
    └── Interrupted                  exit 130: stopped on request; finished work is kept

A message is one line: the location (file, row, field), the problem, and what to do.
"""

from __future__ import annotations

__all__ = [
    "BenchdesignError",
    "DictionaryError",
    "FormatError",
    "InputError",
    "Interrupted",
    "MissingExtraError",
    "ModelError",
    "OutputExistsError",
    "PackagingError",
    "TemplateError",
    "UsageError",
    "WorkspaceError",
    "WorkspaceLockedError",
    "WorkspaceMissingError",
]


class BenchdesignError(Exception):
    """Base class of every exception that this package raises deliberately."""

    exit_code: int = 1

    def __str__(self) -> str:
        """Return the message on one line, even if it quotes file names with line breaks."""
        return " ".join(super().__str__().splitlines())


class InputError(BenchdesignError):
    """A file, a field or an option cannot be used."""

    exit_code = 2


class FormatError(InputError):
    """A file of items or results cannot be read."""


class TemplateError(InputError):
    """An item template is wrong, forbidden or too slow."""


class DictionaryError(InputError):
    """A concept dictionary or SAE cannot be used."""


class ModelError(InputError):
    """A reference model cannot be used."""


class UsageError(InputError):
    """Options contradict each other, or a value is out of range."""


class WorkspaceError(BenchdesignError):
    """A workspace is damaged, was written by a newer version, or cannot be written."""


class WorkspaceLockedError(WorkspaceError):
    """Another process has the workspace open for writing."""


class WorkspaceMissingError(WorkspaceError):
    """The named path is not a workspace."""

    exit_code = 2


class OutputExistsError(BenchdesignError):
    """A file would be overwritten and `--force` was not given."""

    exit_code = 2


class MissingExtraError(BenchdesignError):
    """An optional dependency is missing; the message has the command that installs it."""


class PackagingError(BenchdesignError):
    """The installation lacks one of its files, or an installed plug-in does not work."""


class Interrupted(BenchdesignError):  # noqa: N818 - stopping on request is not an error
    """Stopped on request; finished work is kept."""

    exit_code = 130
