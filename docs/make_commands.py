"""Write docs/commands.md from the help of the commands: `python docs/make_commands.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from benchdesign.cli.app import app


def all_commands() -> list[tuple[str, Any]]:
    """Return every command with its full name, in the order `--help` lists them."""
    commands: list[tuple[str, Any]] = []
    top: Any = typer.main.get_command(app)
    for name, command in top.commands.items():
        subcommands = getattr(command, "commands", None)
        if subcommands:
            commands += [
                (f"{name} {sub_name}", subcommand) for sub_name, subcommand in subcommands.items()
            ]
        else:
            commands.append((name, command))
    return commands


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
        summary, *examples = re.split(r"Examples?:\n", text)
        lines += [" ".join(summary.split()), ""]
        for example in examples:
            lines += [*(f"    {line}" for line in _examples(example)), ""]
        rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        lines += ["| | |", "|---|---|", *rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _examples(text: str) -> list[str]:
    """Return the commands of an example, each on one line."""
    commands: list[str] = []
    for line in text.split("\n"):
        words = " ".join(line.rstrip("\\").split())
        if words.startswith("benchdesign ") or not commands:
            commands.append(words)
        elif words:
            commands[-1] += f" {words}"
    return [command for command in commands if command]


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{_argument_name(parameter)}`"
    else:
        metavar = f" {parameter.metavar}" if parameter.metavar else ""
        name = ", ".join(f"`{option}{metavar}`" for option in parameter.opts)
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
