"""Groups of options become single options for the parser and one object for the command."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from benchdesign.cli.app import app
from benchdesign.cli.option_groups import OptionGroup, option_groups

MAX_PARAMETERS = 6


class Paint(OptionGroup):
    colour: Annotated[str, typer.Option("--colour")] = "red"


class Fence(OptionGroup):
    garden: Annotated[Path, typer.Argument()]
    height: Annotated[int, typer.Option("--height", min=1)]
    names: Annotated[list[str] | None, typer.Option("--name")] = None
    paint: Paint


class Gate(Paint):
    is_open: Annotated[bool, typer.Option("--open")] = False


def build(fence: Fence, note: Annotated[str, typer.Option("--note")] = "") -> None:
    """Build a fence."""
    print(fence, repr(note))


def run(*arguments: str) -> tuple[int, str]:
    parser = typer.Typer(rich_markup_mode=None)
    parser.command()(option_groups(build))
    result = CliRunner().invoke(parser, arguments)
    return result.exit_code, result.output


def test_a_group_arrives_with_its_options_and_its_inner_group() -> None:
    status, output = run("yard", "--height", "2", "--name", "a", "--name", "b", "--colour", "blue")
    fence = Fence(garden=Path("yard"), height=2, names=["a", "b"], paint=Paint(colour="blue"))
    assert (status, output) == (0, f"{fence} ''\n")


def test_defaults_fill_what_was_not_typed() -> None:
    fence = Fence(garden=Path("yard"), height=2, paint=Paint())
    assert run("yard", "--height", "2", "--note", "x") == (0, f"{fence} 'x'\n")
    assert (fence.names, fence.paint.colour) == (None, "red")


@pytest.mark.parametrize("arguments", [("yard",), ("--height", "2"), ("yard", "--height", "0")])
def test_a_missing_or_wrong_option_of_a_group_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_a_group_is_a_frozen_value() -> None:
    gate = Gate(is_open=True)
    assert gate == Gate(colour="red", is_open=True) != Gate()
    assert gate != Paint()
    with pytest.raises(AttributeError, match="frozen"):
        gate.colour = "blue"  # type: ignore[misc]
    with pytest.raises(TypeError, match="Gate has no width"):
        Gate(width=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Fence needs garden"):
        Fence(height=1, paint=Paint())  # type: ignore[call-arg]


def test_two_groups_cannot_share_an_option() -> None:
    def command(paint: Paint, gate: Gate) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name"):
        option_groups(command)


def test_no_command_takes_many_parameters() -> None:
    """The parser sees every option; the functions behind it take a few groups."""
    for parser in (app, *(group.typer_instance for group in app.registered_groups)):
        assert parser is not None
        for command in parser.registered_commands:
            assert command.callback is not None
            function = getattr(command.callback, "__wrapped__", command.callback)
            assert function.__code__.co_argcount <= MAX_PARAMETERS, command.name
