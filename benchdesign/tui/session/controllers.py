"""What every screen is given: the controllers, and how the interface was started."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchdesign.foundation.preferences import Preferences
from benchdesign.tui.marks import Marks
from benchdesign.tui.session.job_controller import JobController
from benchdesign.tui.session.shell import Shell
from benchdesign.tui.session.status_messages import StatusMessages
from benchdesign.tui.session.workspace_controller import WorkspaceController

__all__ = ["Controllers", "LaunchOptions"]


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How the interface was started."""

    target: str | None = None
    """A workspace to open, or a benchmark to create one from."""

    pool: str | None = None
    """The candidate pool of a new workspace."""

    scope: str = ""
    """What a new benchmark is meant to test, in one sentence; `any` for every item."""

    chat: bool = False
    """Whether a new workspace reads items through the model's chat template."""

    preferences: Preferences = field(default_factory=Preferences)
    editor: str = "vi"
    """The command that edits a text file."""


@dataclass(frozen=True, slots=True)
class Controllers:
    """What every screen is given."""

    shell: Shell
    messages: StatusMessages
    workspaces: WorkspaceController
    jobs: JobController
    launch: LaunchOptions
    marks: Marks
