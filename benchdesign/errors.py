"""Every exception this package raises on purpose.

    BenchdesignError                 exit 1
    ├── InputError                   exit 2: a file, a field or an option is wrong
    │   ├── FormatError              a benchmark, pool or results file cannot be read
    │   ├── TemplateError            an item template is wrong, or ran too long
    │   ├── DictionaryError          a concept dictionary or SAE cannot be used
    │   ├── ModelError               a reference model cannot be used
    │   └── UsageError               options that contradict each other
    ├── WorkspaceError               a workspace is damaged, of a newer version or in use
    │   ├── WorkspaceLockedError     another process has it open
    │   └── WorkspaceMissingError    exit 2: no workspace is there
    ├── OutputExistsError            exit 2: a file would be overwritten
    ├── MissingExtraError            an optional dependency is not installed
    ├── PackagingError               the installation lacks a file
    └── Interrupted                  exit 130: stopped on request, work so far is kept

A message is one line: the place (file, row, field), the problem, and what to do.
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
    """Anything this package raises on purpose."""

    exit_code: int = 1

    def __str__(self) -> str:
        """Return the message on one line, whatever names of files it quotes."""
        return " ".join(super().__str__().splitlines())


class InputError(BenchdesignError):
    """What was given cannot be used."""

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
    """Options contradict each other or a value is out of range."""


class WorkspaceError(BenchdesignError):
    """A workspace is damaged, of a newer version, or cannot be written."""


class WorkspaceLockedError(WorkspaceError):
    """Another process has the workspace open for writing."""


class WorkspaceMissingError(WorkspaceError):
    """What was named is no workspace."""

    exit_code = 2


class OutputExistsError(BenchdesignError):
    """A file would be overwritten and `--force` was not given."""

    exit_code = 2


class MissingExtraError(BenchdesignError):
    """An optional dependency is not installed; the message is the command that installs it."""


class PackagingError(BenchdesignError):
    """The installation lacks a file that belongs to it."""


class Interrupted(BenchdesignError):  # noqa: N818 - stopping on request is not an error
    """Stopped on request; what was done so far is kept."""

    exit_code = 130
