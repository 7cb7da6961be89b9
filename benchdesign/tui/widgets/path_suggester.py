"""Path completion while typing."""

from __future__ import annotations

from textual.suggester import Suggester

from benchdesign.foundation.paths import expand_home

__all__ = ["PathSuggester"]


class PathSuggester(Suggester):
    """Suggest paths that exist on disk."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first path that starts with the typed text."""
        if not value or value.startswith("hf:"):
            return None
        folder, _, name = value.rpartition("/")
        try:
            entries = sorted(expand_home(folder or ("/" if "/" in value else ".")).iterdir())
        except OSError:
            return None
        for entry in entries:
            if entry.name.startswith(name) and not (entry.name.startswith(".") and not name):
                start = value[: len(value) - len(name)]
                return f"{start}{entry.name}{'/' if entry.is_dir() else ''}"
        return None
