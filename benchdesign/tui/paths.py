"""Completing paths while they are typed."""

from __future__ import annotations

from textual.suggester import Suggester

from benchdesign.regular import expanded

__all__ = ["PathSuggester"]


class PathSuggester(Suggester):
    """Completes what is on disk."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first path that begins so."""
        if not value or value.startswith("hf:"):
            return None
        folder, _, name = value.rpartition("/")
        try:
            entries = sorted(expanded(folder or ("/" if "/" in value else ".")).iterdir())
        except OSError:
            return None
        for one in entries:
            if one.name.startswith(name) and not (one.name.startswith(".") and not name):
                start = value[: len(value) - len(name)]
                return f"{start}{one.name}{'/' if one.is_dir() else ''}"
        return None
