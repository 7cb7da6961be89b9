"""The built-in reference model computed from its weights, without transformers.

Importing the model code of transformers costs 2 s and 130 MB, more than the model itself, and every
first command of a person would pay for it. Module paths are those of transformers' BertModel, so
that the same hooks fit; states equal its states.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.mapping.windows import WindowMaker

if TYPE_CHECKING:
    import torch

__all__ = ["load_bert", "load_bert_windows"]

_NORM_EPS = 1e-12


def load_bert(folder: Path, *, n_layers: int, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the first `n_layers` layers; call the model with `input_ids` and `attention_mask`."""
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text("utf-8"))
    with safe_open(folder / "model.safetensors", framework="pt") as stored:
        model = _classes()(config, n_layers, stored.get_tensor)
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
    """Make the module classes; torch is imported here and not before.

    Layers are given their weights when they are made: torch's own would first make up random ones,
    and its way around that (the meta device) imports another 100 MB.
    """
    import torch
    from torch.nn import Module, ModuleList, Parameter, functional

    Stored = Callable[[str], torch.Tensor]

    class Affine(Module):
        """What has a weight and a bias."""

        def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
            super().__init__()
            self.weight = Parameter(weight, requires_grad=False)
            self.bias = Parameter(bias, requires_grad=False)

    class Linear(Affine):
        """A product; on a CPU its result lies in a buffer that the next one of its width uses.

        Large blocks of ever other sizes would leave the heap full of holes, a quarter of all
        memory, and touching fresh pages costs time.
        """

        shared: dict[int, torch.Tensor]

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            if states.device.type != "cpu":
                return functional.linear(states, self.weight, self.bias)
            flat, width = states.flatten(0, 1), len(self.bias)
            buffer = self.shared.get(width)
            if buffer is None or len(buffer) < len(flat):
                buffer = self.shared[width] = states.new_empty((len(flat), width))
            found = torch.addmm(self.bias, flat, self.weight.t(), out=buffer[: len(flat)])
            return found.view(*states.shape[:2], width)

    class Norm(Affine):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return functional.layer_norm(
                states, self.bias.shape, self.weight, self.bias, eps=_NORM_EPS
            )

    def named(kind: type[Affine], stored: Stored, name: str) -> Affine:
        return kind(stored(f"{name}.weight"), stored(f"{name}.bias"))

    class Embeddings(Module):
        def __init__(self, stored: Stored) -> None:
            super().__init__()
            self.words = Parameter(stored("embeddings.word_embeddings.weight"), requires_grad=False)
            # Items are one text, so every token is of the first type.
            places = stored("embeddings.position_embeddings.weight")
            places = places + stored("embeddings.token_type_embeddings.weight")[:1]
            self.places = Parameter(places, requires_grad=False)
            self.LayerNorm = named(Norm, stored, "embeddings.LayerNorm")

        def forward(self, input_ids: torch.Tensor) -> Any:
            words = functional.embedding(input_ids, self.words)
            return self.LayerNorm(words.add_(self.places[: words.shape[1]]))

    class Heads(Module):
        """Attention up to what the heads give, side by side."""

        def __init__(self, stored: Stored, name: str, n_heads: int) -> None:
            super().__init__()
            self.n_heads = n_heads
            weight, bias = (
                torch.cat([stored(f"{name}.{part}.{kind}") for part in ("query", "key", "value")])
                for kind in ("weight", "bias")
            )
            self.all = Linear(weight, bias)

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
            n, length, width = states.shape
            parts = self.all(states).view(n, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
            query, key, value = parts.unbind()
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            return mixed.transpose(1, 2).reshape(n, length, width)

    class Residual(Module):
        """A product added to what was there, and normalised."""

        def __init__(self, stored: Stored, name: str) -> None:
            super().__init__()
            self.dense = named(Linear, stored, f"{name}.dense")
            self.LayerNorm = named(Norm, stored, f"{name}.LayerNorm")

        def forward(self, states: torch.Tensor, before: torch.Tensor) -> Any:
            return self.LayerNorm(self.dense(states).add_(before))

    class Attention(Module):
        def __init__(self, stored: Stored, name: str, n_heads: int) -> None:
            super().__init__()
            self.add_module("self", Heads(stored, f"{name}.self", n_heads))
            self.output = Residual(stored, f"{name}.output")

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> Any:
            return self.output(self.get_submodule("self")(states, seen), states)

    class Intermediate(Module):
        def __init__(self, stored: Stored, name: str) -> None:
            super().__init__()
            self.dense = named(Linear, stored, f"{name}.dense")

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = torch.ops.aten.gelu_(self.dense(states))
            return found

    class Layer(Module):
        def __init__(self, stored: Stored, name: str, n_heads: int) -> None:
            super().__init__()
            self.attention = Attention(stored, f"{name}.attention", n_heads)
            self.intermediate = Intermediate(stored, f"{name}.intermediate")
            self.output = Residual(stored, f"{name}.output")

        def forward(self, states: torch.Tensor, seen: torch.Tensor | None) -> Any:
            mixed = self.attention(states, seen)
            return self.output(self.intermediate(mixed), mixed)

    class Bert(Module):
        def __init__(self, config: dict[str, Any], n_layers: int, stored: Stored) -> None:
            super().__init__()
            self.embeddings = Embeddings(stored)
            self.encoder = Module()
            self.encoder.layer = ModuleList(
                Layer(stored, f"encoder.layer.{number}", config["num_attention_heads"])
                for number in range(n_layers)
            )
            shared: dict[int, torch.Tensor] = {}
            for module in self.modules():
                if isinstance(module, Linear):
                    module.shared = shared

        def forward(self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
            """Run all layers; hooks take what they want."""
            states = self.embeddings(input_ids)
            padded = bool((attention_mask == 0).any())
            seen = attention_mask[:, None, None].bool() if padded else None
            for layer in self.encoder.get_submodule("layer").children():
                states = layer(states, seen)

    return Bert
