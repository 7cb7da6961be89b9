"""A token that shows a concept."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TokenEvidence"]


class TokenEvidence(NamedTuple):
    """Contribution of one token to one concept."""

    start: int
    """First character of the token in the item's text."""

    end: int
    activation: float
    """The token's activation; for a passage-level concept its exact share of the pre-activation."""
