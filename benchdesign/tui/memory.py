"""What is restored next time: per workspace in `ui.json`, per person the recent workspaces.

A file that is missing, damaged or from a newer version means the defaults and a message, never an
error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.records import read_json
from benchdesign.regular import read_regular_text
from benchdesign.whole_files import write_whole

if TYPE_CHECKING:
    from benchdesign.workspace import Workspace

__all__ = ["Recent", "RecentList", "UiState", "keep_preference"]

_VERSION = 1
_MOST = 30


@dataclass(frozen=True, slots=True)
class Recent:
    """One workspace that was opened before."""

    folder: str
    name: str = ""
    n_items: int = 0
    n_gaps: int | None = None
    n_candidates: int = 0
    n_reviewed: int = 0
    opened: str = ""
    """ISO 8601."""

    @property
    def is_missing(self) -> bool:
        """Whether the folder is gone; it is listed all the same."""
        return not (Path(self.folder) / "workspace.json").is_file()

    @property
    def stage(self) -> str:
        """How far the work is, in two words."""
        if self.is_missing:
            return "folder missing"
        if self.n_gaps is None:
            return "not mapped"
        if not self.n_candidates:
            return "gaps found"
        return "reviewed" if self.n_reviewed >= self.n_candidates else "reviewing"


class RecentList:
    """The person's recent workspaces, newest first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[Recent, ...]:
        """Read the list; empty where there is none."""
        try:
            data = read_json(self.path)
            known = set(Recent.__dataclass_fields__)
            return tuple(
                Recent(**{name: value for name, value in one.items() if name in known})
                for one in data["recent"]
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return ()

    def remember(self, recent: Recent) -> None:
        """Put one workspace first."""
        others = [one for one in self.load() if one.folder != recent.folder]
        self._save([recent, *others][:_MOST])

    def forget(self, folder: str) -> None:
        """Take one off the list; its files stay."""
        self._save([one for one in self.load() if one.folder != folder])

    def _save(self, recents: list[Recent]) -> None:
        from benchdesign.records import write_json

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {"version": _VERSION, "recent": [asdict(one) for one in recents]})
        except OSError:
            # A list of what was open is a comfort; a read-only home must not stop the work.
            return


class UiState:
    """Where the person was in one workspace: screen, cursors, filters, orders."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self._saved = ""

    @classmethod
    def from_workspace(cls, workspace: Workspace) -> UiState:
        """Read `ui.json`; another version is as good as none."""
        values = workspace.load_ui()
        return cls(values if values.get("version") == _VERSION else None)

    def of_screen(self, mode: str) -> dict[str, Any]:
        """Return what one screen keeps (changed in place)."""
        screens = self.values.setdefault("screens", {})
        if not isinstance(screens, dict):
            screens = self.values["screens"] = {}
        state = screens.setdefault(mode, {})
        if not isinstance(state, dict):
            state = screens[mode] = {}
        return state

    def save(self, workspace: Workspace) -> None:
        """Write `ui.json`; does nothing where the workspace is read only."""
        self.values["version"] = _VERSION
        text = json.dumps(self.values)
        if text == self._saved:
            return
        try:
            workspace.save_ui(json.loads(text))
        except OSError:
            return
        self._saved = text


def keep_preference(path: Path, name: str, value: str) -> str:
    """Set one preference in the person's settings file, and leave the rest of it as it is.

    Returns why it could not be kept; empty if it was.
    """
    line = f"{name} = {json.dumps(value)}"
    try:
        text = read_regular_text(path) if path.exists() else ""
        # Preferences stand before the first table; whatever comes after it belongs to that table.
        table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
        end = len(text) if table is None else table.start()
        head, rest = text[:end], text[end:]
        found = re.compile(rf"^{re.escape(name)}\s*=.*$", re.MULTILINE)
        if found.search(head):
            head = found.sub(lambda _match: line, head, count=1)
        else:
            head = f"{line}\n{head}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, head + rest)
    except (OSError, UnicodeDecodeError) as problem:
        return f"{path}: cannot be written ({problem}); {name} holds for this time only."
    return ""
