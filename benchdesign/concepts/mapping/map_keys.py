"""Keys of cached results: a digest of text, model, hook point, dictionary and pooling."""

from __future__ import annotations

import hashlib

from benchdesign.concepts.mapping.mapper_protocols import Mapper, TickingMapper

__all__ = ["key_of", "key_of_parts"]


def key_of_parts(
    fingerprint: str,
    *,
    model: str,
    number_type: str,
    hook_module: str | None,
    chat: str | None = None,
) -> str:
    """Return the cache key of a mapper: dictionary, model weights, dtype, hook module.

    `chat` identifies the chat template around every item.
    """
    parts = (fingerprint, model, number_type, *([hook_module] if hook_module else []))
    parts += (f"chat {chat}",) if chat else ()
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def key_of(mapper: Mapper | TickingMapper) -> str:
    """Return the cache key of a mapper."""
    return mapper.key if isinstance(mapper, TickingMapper) else mapper.dictionary.fingerprint
