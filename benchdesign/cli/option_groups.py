"""Groups of options, so that a command takes one object in place of many parameters."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, NoReturn, dataclass_transform

__all__ = ["OptionGroup", "option_groups"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class OptionGroup:
    """A group of options: a frozen dataclass whose fields are options, arguments or groups.

    `dataclasses` would compile its methods at every start, which `--help` would feel.
    """

    def __init__(self, **values: Any) -> None:
        for name, _, default in group_fields(type(self)):
            value = values.pop(name, default)
            if value is inspect.Parameter.empty:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def is_group(annotation: Any) -> bool:
    """Whether an annotation is a group of options."""
    return isinstance(annotation, type) and issubclass(annotation, OptionGroup)


def group_fields(group: type[OptionGroup]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, annotation and default of each field, those of base classes first."""
    for base in reversed(group.__mro__):
        for name, annotation in inspect.get_annotations(base).items():
            yield name, annotation, vars(base).get(name, inspect.Parameter.empty)


def option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for the parser, with one parameter for each option of its groups."""
    signature = inspect.signature(command)
    options = [
        option
        for parameter in signature.parameters.values()
        for option in _options(parameter.name, parameter.annotation, parameter.default)
    ]

    @wraps(command)
    def flat(**values: Any) -> None:
        command(
            **{
                name: _value(name, parameter.annotation, values)
                for name, parameter in signature.parameters.items()
            }
        )

    # The signature raises ValueError if two groups have an option of the same name.
    flat.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    flat.__annotations__ = {option.name: option.annotation for option in options}
    return flat


def _options(name: str, annotation: Any, default: Any) -> Iterator[inspect.Parameter]:
    """Yield a parameter, or those of its group."""
    if is_group(annotation):
        for field in group_fields(annotation):
            yield from _options(*field)
    else:
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )


def _value(name: str, annotation: Any, values: Mapping[str, Any]) -> Any:
    """Return the value of an option, or the group with the values of its options."""
    if is_group(annotation):
        return annotation(
            **{field: _value(field, inner, values) for field, inner, _ in group_fields(annotation)}
        )
    return values[name]
