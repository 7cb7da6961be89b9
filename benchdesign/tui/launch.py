"""Start the terminal interface with the preferences of the user."""

from __future__ import annotations

from benchdesign.foundation.preferences import editor_command, load_preferences, user_config_path
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList

__all__ = ["run_interface"]


def run_interface(
    target: str | None = None, *, pool: str | None = None, scope: str = "", chat: bool = False
) -> None:
    """Open the interface on a workspace, on a new benchmark, or on the recent workspaces."""
    preferences, _ = load_preferences()
    config = user_config_path()
    launch = LaunchOptions(
        target,
        pool=pool,
        scope=scope,
        chat=chat,
        preferences=preferences,
        editor=editor_command(),
    )
    recents = RecentList(config.with_name("recent.json"))
    BenchdesignApp(launch, recents=recents, config=config).run()
