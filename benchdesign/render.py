"""Turn a record into the text the reference model reads, and say which characters are content.

Content comes from the record's fields; letters, labels and the words of a template do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchdesign.errors import TemplateError
from benchdesign.items import Span
from benchdesign.text import replace_surrogates

__all__ = ["Rendered", "Template", "default_render"]


class Rendered(NamedTuple):
    """Text with its content ranges, in order and apart from each other."""

    text: str
    content: tuple[Span, ...]


def default_render(prompt: str, context: str = "", choices: Sequence[str] = ()) -> Rendered:
    """Render context, prompt and lettered choices; letters and line ends are boilerplate."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0

    def add(text: str, *, is_content: bool) -> None:
        nonlocal length
        if is_content and text:
            spans.append((length, length + len(text)))
        parts.append(text)
        length += len(text)

    for block in (context.strip(), prompt.strip()):
        if block:
            if parts:
                add("\n\n", is_content=False)
            add(block, is_content=True)
    for index, choice in enumerate(choices):
        label = chr(ord("A") + index) if index < 26 else str(index + 1)
        add(f"\n{label}. " if parts else f"{label}. ", is_content=False)
        add(choice.strip(), is_content=True)
    return Rendered(replace_surrogates("".join(parts)), tuple(spans))


class Template:
    """An item template: Jinja2 source that renders a record."""

    def __init__(self, source: str) -> None:
        raise TemplateError("Item templates are not available.")

    def render(self, record: Mapping[str, Any]) -> Rendered:
        """Render one record."""
        raise NotImplementedError
