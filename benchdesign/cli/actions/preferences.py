"""`config show`: the preferences."""

from __future__ import annotations

from benchdesign.cli.output import print_json, print_table
from benchdesign.foundation.preferences import load_preferences
from benchdesign.foundation.text import display

__all__ = ["config_job"]


def config_job(*, as_json: bool) -> None:
    """Print every preference and its origin."""
    _, values = load_preferences()
    if as_json:
        print_json({value.name: {"value": value.value, "origin": value.origin} for value in values})
        return
    rows = [
        [value.name, display(str(value.value or "-")), display(value.origin)] for value in values
    ]
    print_table(("SETTING", "VALUE", "FROM"), rows)
