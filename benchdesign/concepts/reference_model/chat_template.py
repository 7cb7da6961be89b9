"""Tokens that a chat template adds around the user turn.

The template is rendered once, in the sandbox of transformers, with a placeholder for the text.
Control tokens are recognised only there, never in the text of an item.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import TemplateError

from benchdesign.errors import ModelError

__all__ = [
    "EDGE",
    "ChatFrame",
    "chat_frame",
]

EDGE = "\ufdd0"
"""Placeholder for the control token before a text (a Unicode noncharacter)."""

_USER_TEXT = "\ufdd1"
_TEMPLATE_DATE = datetime(2024, 7, 26)
"""Fixed date for templates that print it: the real date would change the maps every day."""


@dataclass(frozen=True, slots=True)
class ChatFrame:
    """Tokens and text around the user's text; the text parts are tokenised together with it."""

    before: tuple[int, ...]
    """Tokens up to the last control token before the text."""

    opens: str
    """Plain text between that token and the user's text; starts with `EDGE` if there is a token."""

    closes: str
    """Plain text between the user's text and the next control token."""

    after: tuple[int, ...]
    """That control token and all tokens after it."""

    @property
    def identity(self) -> str:
        """Digest of everything the template adds."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def chat_frame(tokenizer: Any) -> ChatFrame:
    """Read the chat template of a fast tokenizer of transformers.

    Mark the control tokens of the template as special, so that item text cannot contain them.
    """
    rendered = _render(tokenizer)
    low = rendered.index(_USER_TEXT)
    high = low + len(_USER_TEXT)
    backend = tokenizer.backend_tokenizer
    encoding = backend.encode(rendered, add_special_tokens=False)
    control = _protect(backend, tokenizer.get_chat_template())
    tokens = list(zip(encoding.ids, encoding.offsets, strict=True))
    spans = [span for token, span in tokens if token in control]
    cut_before = max((end for _, end in spans if end <= low), default=0)
    cut_after = min((start for start, _ in spans if start >= high), default=len(rendered))
    return ChatFrame(
        before=tuple(token for token, (_, end) in tokens if end <= cut_before),
        # A tokenizer may treat the start of a text differently from text after a control token.
        opens=EDGE * bool(cut_before) + rendered[cut_before:low],
        closes=rendered[high:cut_after],
        after=tuple(token for token, (start, _) in tokens if start >= cut_after),
    )


def _render(tokenizer: Any) -> str:
    """Render the user turn with a placeholder for the text."""
    if not tokenizer.chat_template:
        raise ModelError(f"{tokenizer.name_or_path}: has no chat template. Remove --chat.")
    try:
        rendered: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": _USER_TEXT}],
            tokenize=False,
            add_generation_prompt=False,
            strftime_now=_TEMPLATE_DATE.strftime,
        )
    except (TemplateError, ValueError, TypeError, KeyError, RecursionError) as problem:
        message = " ".join(str(problem).split())[:200]
        raise ModelError(
            f"{tokenizer.name_or_path}: its chat template fails ({message}). Remove --chat."
        ) from None
    if rendered.count(_USER_TEXT) != 1:
        raise ModelError(
            f"{tokenizer.name_or_path}: its chat template does not contain the user's text "
            "exactly once and unchanged. Remove --chat."
        )
    return rendered


def _protect(backend: Any, template: str) -> set[int]:
    """Mark control tokens as special where the tokenizer does not, and return their ids.

    Other added tokens that the template does not contain (runs of line feeds, tags) do not change.
    """
    from tokenizers import AddedToken

    control = {
        token_id: token
        for token_id, token in backend.get_added_tokens_decoder().items()
        if token.special or (token.content.strip() and token.content in template)
    }
    backend.add_special_tokens([token for token in control.values() if not token.special])
    backend.add_tokens([AddedToken(EDGE, normalized=False)])
    return set(control)
