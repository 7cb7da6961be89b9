"""What a chat template puts around the user's turn.

The template is rendered once, by transformers in its own sandbox, with a mark for the text. Its
control tokens are recognised there and nowhere else: the text of an item never holds any.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchdesign.errors import ModelError

__all__ = ["ChatFrame", "chat_frame"]

EDGE = "\ufdd0"
"""Stands for the control token in front of a text; no text may hold this code."""

_USER_TEXT = "\ufdd1"
_TODAY = datetime(2024, 7, 26)
"""Date that templates are told: with the real one, every day would have maps of its own."""


@dataclass(frozen=True, slots=True)
class ChatFrame:
    """What stands around the user's text; the plain parts are tokenised together with it."""

    before: tuple[int, ...]
    """Tokens up to the last control token before the text."""

    opens: str
    """Plain text between that token and the user's; `EDGE` first where there is such a token."""

    closes: str
    """Plain text after the user's, up to the next control token."""

    after: tuple[int, ...]
    """That token and the ones behind it."""

    @property
    def identity(self) -> str:
        """Digest of everything the template adds."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def chat_frame(tokenizer: Any) -> ChatFrame:
    """Read the chat template of a fast tokenizer of transformers.

    What the template uses as control tokens becomes special, so that item text cannot write it.
    """
    rendered = _render(tokenizer)
    low = rendered.index(_USER_TEXT)
    high = low + len(_USER_TEXT)
    backend = tokenizer.backend_tokenizer
    encoding = backend.encode(rendered, add_special_tokens=False)
    control = _protect(backend, tokenizer.get_chat_template())
    tokens = list(zip(encoding.ids, encoding.offsets, strict=True))
    places = [place for token, place in tokens if token in control]
    cut_before = max((end for _, end in places if end <= low), default=0)
    cut_after = min((start for start, _ in places if start >= high), default=len(rendered))
    return ChatFrame(
        before=tuple(token for token, (_, end) in tokens if end <= cut_before),
        # A tokenizer may treat what begins a text unlike what follows a control token.
        opens=EDGE * bool(cut_before) + rendered[cut_before:low],
        closes=rendered[high:cut_after],
        after=tuple(token for token, (start, _) in tokens if start >= cut_after),
    )


def _render(tokenizer: Any) -> str:
    """Return the user's turn as the template writes it, with a mark for the text."""
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ModelError(f"{tokenizer.name_or_path}: has no chat template. Leave --chat out.")
    try:
        rendered: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": _USER_TEXT}],
            tokenize=False,
            add_generation_prompt=False,
            strftime_now=_TODAY.strftime,
        )
    except (TemplateError, ValueError, TypeError, KeyError, RecursionError) as problem:
        message = " ".join(str(problem).split())[:200]
        raise ModelError(
            f"{tokenizer.name_or_path}: its chat template fails ({message}). Leave --chat out."
        ) from None
    if rendered.count(_USER_TEXT) != 1:
        raise ModelError(
            f"{tokenizer.name_or_path}: its chat template does not show the user's text once and "
            "as it is. Leave --chat out."
        )
    return rendered


def _protect(backend: Any, template: str) -> set[int]:
    """Return the ids of control tokens, made special where the tokenizer left them ordinary.

    Ordinary added tokens that no template writes (runs of line feeds, tags) stay what they are.
    """
    from tokenizers import AddedToken

    control = {
        number: token
        for number, token in backend.get_added_tokens_decoder().items()
        if token.special or (token.content.strip() and token.content in template)
    }
    backend.add_special_tokens([token for token in control.values() if not token.special])
    backend.add_tokens([AddedToken(EDGE, normalized=False)])
    return set(control)
