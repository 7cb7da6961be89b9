"""Edit an item's record as JSON in the user's editor."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App

from benchdesign.foundation.serialization import to_json

__all__ = ["changed_fields", "edit_record"]


def edit_record(
    app: App[Any], record: Mapping[str, Any], edits: Mapping[str, Any], *, editor: str
) -> dict[str, Any]:
    """Open the record in the editor and return the top-level fields that changed.

    Raise ValueError if the result is not a JSON object, OSError if the editor cannot run.
    """
    before = {**to_json(record), **to_json(edits)}
    text = json.dumps(before, ensure_ascii=False, indent=2) + "\n"
    with tempfile.TemporaryDirectory(prefix="benchdesign-") as folder:
        path = Path(folder) / "item.json"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        with app.suspend():
            subprocess.run([*shlex.split(editor), str(path)], check=False)
        after = path.read_text(encoding="utf-8", errors="surrogatepass")
    return changed_fields(before, after)


def changed_fields(before: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return the changed fields of an edited JSON object."""
    try:
        after = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"the edited text is not JSON ({problem})") from None
    if not isinstance(after, dict):
        raise ValueError("the edited text is not a JSON object")
    return {
        name: value for name, value in after.items() if name not in before or before[name] != value
    }
