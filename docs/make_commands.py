"""Write docs/commands.md from the commands' own help: `python docs/make_commands.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from benchdesign.cli.app import app


def all_commands() -> list[tuple[str, Any]]:
    """Return every command with its full name, in the order `--help` lists them."""
    found: list[tuple[str, Any]] = []
    top: Any = typer.main.get_command(app)
    for name, command in top.commands.items():
        inside = getattr(command, "commands", None)
        if inside:
            found += [(f"{name} {sub}", one) for sub, one in inside.items()]
        else:
            found.append((name, command))
    return found


def render() -> str:
    """Return the page."""
    parts = [
        "# Commands",
        "Every command and every option. Written by `python docs/make_commands.py` from the help "
        "texts; do not edit.",
    ]
    for name, command in all_commands():
        lines = [f"## benchdesign {name}", ""]
        text = (command.help or "").replace("\b\n", "")
        about, *shown = re.split(r"Examples?:\n", text)
        lines += [" ".join(about.split()), ""]
        for example in shown:
            lines += [*(f"    {one}" for one in _examples(example)), ""]
        rows = [_row(one) for one in command.params if one.name != "help"]
        lines += ["| | |", "|---|---|", *rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _examples(text: str) -> list[str]:
    """Return the commands of an example, each on one line."""
    found: list[str] = []
    for line in text.split("\n"):
        words = " ".join(line.rstrip("\\").split())
        if words.startswith("benchdesign ") or not found:
            found.append(words)
        elif words:
            found[-1] += f" {words}"
    return [one for one in found if one]


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{_argument_name(parameter)}`"
    else:
        metavar = f" {parameter.metavar}" if parameter.metavar else ""
        name = ", ".join(f"`{one}{metavar}`" for one in parameter.opts)
    help_text = (parameter.help or "").replace("|", "\\|")
    default = parameter.default
    if (
        default not in (None, "", False, ())
        and "[default" not in help_text
        and not callable(default)
    ):
        help_text += f" Default: {default}."
    return f"| {name} | {help_text} |"


def _argument_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).replace("|", "\\|")


if __name__ == "__main__":
    (Path(__file__).parent / "commands.md").write_text(render(), encoding="utf-8")
