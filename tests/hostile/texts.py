"""Harmless files with hostile text in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.hostile.cases import (
    N_ROWS,
    Loads,
    Refused,
    case,
    changed,
    plain,
    record_line,
    rows,
    table,
)

# Hostile text: it loads, stays text, and writes back as it was.
HOSTILE = {
    "terminal escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m",
    "console markup": "[bold red]x[/] [/INST] [link=file:///etc/passwd]y[/link] [@click=app.quit]z",
    "direction overrides": "\u202egnp.exe\u202c \u2066\u2069",
    "HTML and script": "<script>alert(1)</script><img src=x onerror=alert(1)>'\"></td><!--",
    "Jinja2": "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for a in range(9) %}x{% endfor %}",
    "format strings": "%s%n%d {0.__class__} ${HOME} $(touch hacked) `touch hacked` ; touch hacked",
    "path traversal": "../../../etc/passwd\\..\\..\\x /dev/null CON file:///etc/passwd",
    "zero-width characters": "in\u200bvis\u2060ible\ufeff\u00ad\U000e0041",
    "stacked accents": "Z" + "\u0315\u0301\u0322" * 3000,
    "one long word": "a" * 200_000,
    "blanks": " \t\u00a0\u2003\u3000" * 20_000 + "?",
}
_CONTROLLED = {"terminal escapes", "direction overrides"}
for _name, _text in HOSTILE.items():
    _outcome = Loads(N_ROWS, "control-characters", ":3") if _name in _CONTROLLED else Loads(N_ROWS)
    plain(
        f"{_name} in a text",
        "a.jsonl",
        changed(2, record_line(id="h", question=_text, category=_text, source=_text)),
        _outcome,
    )
for _name in ("terminal escapes", "console markup", "HTML and script", "path traversal", "Jinja2"):
    _text = HOSTILE[_name]
    plain(
        f"{_name} in ids",
        "a.jsonl",
        changed(
            5,
            record_line(id=_text, question="This?"),
            changed(2, record_line(id=_text, question="That?")),
        ),
        Loads(N_ROWS, "duplicate-id", ":6"),
    )
    plain(
        f"{_name} in field names",
        "a.jsonl",
        b"".join(json.dumps({_text: at, **row}).encode() + b"\n" for at, row in enumerate(rows())),
        Loads(N_ROWS),
    )
    plain(
        f"{_name} as the only fields",
        "a.jsonl",
        json.dumps({_text: 1, f"{_text}2": 2}).encode() + b"\n",
        Refused("looks like a prompt"),
    )


@case("terminal escapes in the file name", Refused("not JSON"))
def _escaping_name(folder: Path) -> Path:
    path = folder / "a\x1b[2J\x1b]0;owned\x07\u202e.jsonl"
    path.write_bytes(b"x\n")
    return path


@case("line end in the file name", Refused("not JSON"))
def _two_line_name(folder: Path) -> Path:
    path = folder / "a\nb.jsonl"
    path.write_bytes(b"x\n")
    return path


@case("file name that is not UTF-8", Refused("not JSON"))
def _undecodable_name(folder: Path) -> Path:
    path = folder / os.fsdecode(b"a\xff\xfe.jsonl")
    path.write_bytes(b"x\n")
    return path


for _name, _text in {
    "spreadsheet formulas": "=HYPERLINK(\"http://x\";A1) +1 -1 @SUM(1) =cmd|'/c calc'!A0",
    "spreadsheet formula after a tab": "\t=1+1",
}.items():
    plain(
        f"{_name} in cells",
        "a.csv",
        changed(2, b'h,"' + _text.replace('"', '""').encode() + b'",=1+1\n', table()),
        Loads(N_ROWS),
    )
