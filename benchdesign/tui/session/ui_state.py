"""UI state kept between runs: `ui.json` per workspace, the recent workspaces per user.

A missing or damaged file, or one of another version, yields the defaults, never an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.foundation.atomic_files import write_atomically
from benchdesign.foundation.paths import read_regular_text
from benchdesign.foundation.serialization import read_json, write_json

if TYPE_CHECKING:
    from benchdesign.workspace.workspace import Workspace

__all__ = ["Recent", "RecentList", "UiState", "save_preference"]

_VERSION = 1
_MAX_RECENTS = 30


@dataclass(frozen=True, slots=True)
class Recent:
    """A recently opened workspace."""

    folder: str
    name: str = ""
    n_items: int = 0
    n_gaps: int | None = None
    """Lacking concepts; None before the gaps are found."""

    n_groups: int | None = None
    """Lacking groups of similar items; None if they were not searched for."""

    could_not_tell: bool = False
    """Whether no lacking group could have been shown."""

    n_candidates: int = 0
    n_reviewed: int = 0
    opened: str = ""
    """ISO 8601."""

    @property
    def is_missing(self) -> bool:
        """Whether the folder no longer holds a workspace; it stays on the list."""
        return not (Path(self.folder) / "workspace.json").is_file()

    @property
    def stage(self) -> str:
        """Progress of the work, in one or two words."""
        if self.is_missing:
            return "folder missing"
        if self.n_gaps is None:
            return "not mapped"
        if not self.n_candidates:
            return "could not tell" if self.could_not_tell else "gaps found"
        return "reviewed" if self.n_reviewed >= self.n_candidates else "reviewing"


class RecentList:
    """The user's recent workspaces, newest first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[Recent, ...]:
        """Load the list; empty if there is none."""
        try:
            data = read_json(self.path)
            names = set(Recent.__dataclass_fields__)
            return tuple(
                Recent(**{name: value for name, value in entry.items() if name in names})
                for entry in data["recent"]
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return ()

    def remember(self, recent: Recent) -> None:
        """Put a workspace at the top of the list."""
        others = [entry for entry in self.load() if entry.folder != recent.folder]
        self._save([recent, *others][:_MAX_RECENTS])

    def forget(self, folder: str) -> None:
        """Remove a workspace from the list; its files stay."""
        self._save([recent for recent in self.load() if recent.folder != folder])

    def _save(self, recents: list[Recent]) -> None:

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(
                self.path, {"version": _VERSION, "recent": [asdict(recent) for recent in recents]}
            )
        except OSError:
            # The list is optional: a read-only home directory must not stop the work.
            return


class UiState:
    """UI state of one workspace: screen, cursors, filters, sort orders."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self._saved = ""

    @classmethod
    def from_workspace(cls, workspace: Workspace) -> UiState:
        """Read `ui.json`; another version counts as none."""
        values = workspace.load_ui()
        return cls(values if values.get("version") == _VERSION else None)

    def screen_state(self, mode: str) -> dict[str, Any]:
        """Return the state of one screen; the caller changes it in place."""
        screens = self.values.setdefault("screens", {})
        if not isinstance(screens, dict):
            screens = self.values["screens"] = {}
        state = screens.setdefault(mode, {})
        if not isinstance(state, dict):
            state = screens[mode] = {}
        return state

    def save(self, workspace: Workspace) -> None:
        """Write `ui.json`; do nothing if the workspace is read-only."""
        self.values["version"] = _VERSION
        text = json.dumps(self.values)
        if text == self._saved:
            return
        try:
            workspace.save_ui(json.loads(text))
        except OSError:
            return
        self._saved = text


def save_preference(path: Path, name: str, value: str) -> str:
    """Save one preference in the user's settings file; the rest of the file does not change.

    Return an error message, empty on success.
    """
    line = f"{name} = {json.dumps(value)}"
    try:
        text = read_regular_text(path) if path.exists() else ""
        # Preferences precede the first table; lines after its header belong to the table.
        table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
        end = len(text) if table is None else table.start()
        head, rest = text[:end], text[end:]
        pattern = re.compile(rf"^{re.escape(name)}\s*=.*$", re.MULTILINE)
        if pattern.search(head):
            head = pattern.sub(lambda _match: line, head, count=1)
        else:
            head = f"{line}\n{head}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, head + rest)
    except (OSError, UnicodeDecodeError) as problem:
        return f"{path}: cannot be written ({problem}); {name} applies to this session only."
    return ""
