"""The terminal interface; everything it does has a command too."""

from __future__ import annotations

__all__ = ["run"]


def run(target: str | None = None, *, pool: str | None = None) -> None:
    """Open the interface on a workspace, on a benchmark to make one, or on the recent ones."""
    import os

    from benchdesign.config import load_preferences, user_config_path
    from benchdesign.tui.app import BenchdesignApp
    from benchdesign.tui.memory import RecentList

    preferences, _ = load_preferences()
    recents = RecentList(user_config_path().with_name("recent.json"))
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    app = BenchdesignApp(target, pool=pool, preferences=preferences, recents=recents, editor=editor)
    app.run()
