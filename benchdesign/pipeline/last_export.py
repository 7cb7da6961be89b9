"""The last export of a workspace, and the decisions since; read from its `revision.json`.

A missing, damaged or foreign export counts as none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.foundation.serialization import read_json, to_json

if TYPE_CHECKING:
    from benchdesign.revision.choice import Choice
    from benchdesign.workspace.analysis import Analysis

__all__ = ["DecisionsSinceExport", "LastExport", "find_last_export"]


@dataclass(frozen=True, slots=True)
class DecisionsSinceExport:
    """How a choice differs from the exported one."""

    n_accepted: int
    n_dropped: int
    n_withdrawn: int
    """Accepted or dropped in the export, but no longer."""

    has_same_items: bool
    """Whether all decisions on items, including notes and edits, are the same."""

    has_same_concepts: bool
    """Whether the decisions on concepts and areas are the same, or unknown in the export."""

    @property
    def is_same(self) -> bool:
        """Whether nothing has been decided since."""
        return self.has_same_items and self.has_same_concepts


@dataclass(frozen=True, slots=True)
class LastExport:
    """The contents of an export."""

    folder: Path
    when: datetime
    added: frozenset[str]
    """Ids in the pool."""

    removed: frozenset[str]
    n_gaps: int
    """Number of missing and under-covered concepts in the exported benchmark."""

    covered_share: float | None
    decisions_sha256: str
    concepts_sha256: str | None
    """None in an export by an older version."""

    has_same_rule: bool
    """Whether settings, scope and dictionary are the same as in the export."""

    def since(self, choice: Choice) -> DecisionsSinceExport:
        """Return how a choice differs from the export."""
        added, removed = set(choice.added), set(choice.removed)
        return DecisionsSinceExport(
            n_accepted=len(added - self.added),
            n_dropped=len(removed - self.removed),
            n_withdrawn=len(self.added - added) + len(self.removed - removed),
            has_same_items=choice.decisions_sha256 == self.decisions_sha256,
            has_same_concepts=self.concepts_sha256 in (None, choice.concepts_sha256),
        )


def find_last_export(folders: Iterable[Path], analysis: Analysis) -> LastExport | None:
    """Return the newest export of decisions about this benchmark in `folders`, or None."""
    exports = [export for folder in folders if (export := _read(folder, analysis)) is not None]
    return max(exports, key=lambda export: export.when, default=None)


def _read(folder: Path, analysis: Analysis) -> LastExport | None:
    path = folder / "revision.json"
    try:
        manifest: Any = read_json(path)
        # The manifest has no time, so that the same decisions produce the same files.
        when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        if manifest["benchmark"]["sha256"] != analysis.benchmark.sha256:
            return None
        if manifest["choice"]["made_by"] != "decisions":
            return None
        figures, share = manifest["coverage_after"], manifest["coverage_after"]["covered_share"]
        return LastExport(
            folder=folder,
            when=when,
            added=frozenset(str(entry["pool_id"]) for entry in manifest["added"]),
            removed=frozenset(str(entry["id"]) for entry in manifest["removed"]),
            n_gaps=int(figures["n_missing"]) + int(figures["n_under"]),
            covered_share=None if share is None else float(share),
            decisions_sha256=str(manifest["choice"]["decisions_sha256"]),
            concepts_sha256=manifest["choice"].get("concepts_sha256"),
            has_same_rule=_rule(manifest) == _current_rule(analysis),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _rule(manifest: Any) -> tuple[Any, ...]:
    settings = manifest["settings"]
    return settings["gaps"], settings["scope"], manifest["dictionary"]["fingerprint"]


def _current_rule(analysis: Analysis) -> tuple[Any, ...]:
    scope = analysis.settings.chosen("scope")
    return to_json(analysis.gaps.settings), scope, analysis.dictionary.fingerprint
