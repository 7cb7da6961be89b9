"""What `config show` does."""

from __future__ import annotations

from benchdesign.cli.output import print_json, print_table
from benchdesign.foundation.preferences import load_preferences
from benchdesign.foundation.text import display

__all__ = ["config_job"]


def config_job(*, as_json: bool) -> None:
    """Print every preference with its origin."""
    _, found = load_preferences()
    if as_json:
        print_json({one.name: {"value": one.value, "origin": one.origin} for one in found})
        return
    rows = [[one.name, display(str(one.value or "-")), display(one.origin)] for one in found]
    print_table(("SETTING", "VALUE", "FROM"), rows)
