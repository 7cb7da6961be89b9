"""The built-in reference model computed from its weights, without transformers.

Importing the model code of transformers costs 2 s and 130 MB, more than the model itself, and every
first command of a person would pay for it. Module paths are those of transformers' BertModel, so
that the same hooks fit; states equal its states.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.mapping.windows import WindowMaker

if TYPE_CHECKING:
    import torch

__all__ = ["load_bert", "load_bert_windows"]


def load_bert(folder: Path, *, n_layers: int, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the first `n_layers` layers; call the model with `input_ids` and `attention_mask`."""
    import torch
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text("utf-8"))
    weights: dict[str, torch.Tensor] = {}
    with safe_open(folder / "model.safetensors", framework="pt") as stored:

        def take(*names: str) -> None:
            for name in names:
                for kind in ("weight", "bias"):
                    weights[f"{name}.{kind}"] = stored.get_tensor(f"{name}.{kind}")

        words = "embeddings.word_embeddings.weight"
        weights[words] = stored.get_tensor(words)
        take("embeddings.LayerNorm")
        # Items are one text, so every token is of the first type.
        weights["embeddings.places.weight"] = (
            stored.get_tensor("embeddings.position_embeddings.weight")
            + stored.get_tensor("embeddings.token_type_embeddings.weight")[:1]
        )
        for number in range(n_layers):
            layer = f"encoder.layer.{number}"
            for inside in ("attention.output", "output"):
                take(f"{layer}.{inside}.dense", f"{layer}.{inside}.LayerNorm")
            take(f"{layer}.intermediate.dense")
            for kind in ("weight", "bias"):
                weights[f"{layer}.attention.self.all.{kind}"] = torch.cat(
                    [
                        stored.get_tensor(f"{layer}.attention.self.{name}.{kind}")
                        for name in ("query", "key", "value")
                    ]
                )
    with torch.device("meta"):
        model = _classes()(config, n_layers)
    model.load_state_dict(weights, assign=True)
    return model.to(device, dtype).eval().requires_grad_(False)


def load_bert_windows(folder: Path, *, limit: int) -> tuple[WindowMaker, int]:
    """Return what cuts items into the model's windows, and the id that pads them."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    numbers: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return (
        WindowMaker(tokenizer, limit, (numbers["[CLS]"],), (numbers["[SEP]"],)),
        numbers["[PAD]"],
    )


@lru_cache(maxsize=1)
def _classes() -> Any:
    """Make the module classes; torch is imported here and not before."""
    from torch import nn

    class Heads(nn.Module):
        """Attention up to what the heads give, side by side."""

        def __init__(self, width: int, n_heads: int) -> None:
            super().__init__()
            self.n_heads = n_heads
            self.all = nn.Linear(width, 3 * width)

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
            n, length, width = states.shape
            parts = self.all(states).view(n, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
            query, key, value = parts.unbind()
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            return mixed.transpose(1, 2).reshape(n, length, width)

    class Residual(nn.Module):
        """A product added to what was there, and normalised."""

        def __init__(self, width: int, width_in: int, eps: float) -> None:
            super().__init__()
            self.dense = nn.Linear(width_in, width)
            self.LayerNorm = nn.LayerNorm(width, eps=eps)

        def forward(self, states: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
            return self.LayerNorm(self.dense(states).add_(before))  # type: ignore[no-any-return]

    class Attention(nn.Module):
        def __init__(self, width: int, n_heads: int, eps: float) -> None:
            super().__init__()
            self.add_module("self", Heads(width, n_heads))
            self.output = Residual(width, width, eps)

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
            mixed = self.get_submodule("self")(states, seen)
            return self.output(mixed, states)  # type: ignore[no-any-return]

    class Layer(nn.Module):
        def __init__(self, width: int, wide: int, n_heads: int, eps: float) -> None:
            super().__init__()
            self.attention = Attention(width, n_heads, eps)
            self.intermediate = nn.Sequential()
            self.intermediate.add_module("dense", nn.Linear(width, wide))
            self.intermediate.add_module("act", nn.GELU())
            self.output = Residual(width, wide, eps)

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
            mixed = self.attention(states, seen)
            return self.output(self.intermediate(mixed), mixed)  # type: ignore[no-any-return]

    class Embeddings(nn.Module):
        def __init__(self, n_words: int, n_places: int, width: int, eps: float) -> None:
            super().__init__()
            self.word_embeddings = nn.Embedding(n_words, width)
            self.places = nn.Embedding(n_places, width)
            self.LayerNorm = nn.LayerNorm(width, eps=eps)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            words = self.word_embeddings(input_ids)
            return self.LayerNorm(words.add_(self.places.weight[: words.shape[1]]))  # type: ignore[no-any-return]

    class Bert(nn.Module):
        def __init__(self, config: dict[str, Any], n_layers: int) -> None:
            super().__init__()
            width, eps = config["hidden_size"], config["layer_norm_eps"]
            self.embeddings = Embeddings(
                config["vocab_size"], config["max_position_embeddings"], width, eps
            )
            self.encoder = nn.Module()
            self.encoder.layer = nn.ModuleList(
                Layer(width, config["intermediate_size"], config["num_attention_heads"], eps)
                for _ in range(n_layers)
            )

        def forward(self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
            """Run all layers; hooks take what they want."""
            states = self.embeddings(input_ids)
            padded = bool((attention_mask == 0).any())
            seen = attention_mask[:, None, None].bool() if padded else None
            for layer in self.encoder.layer:  # type: ignore[union-attr]
                states = layer(states, seen)

    return Bert
