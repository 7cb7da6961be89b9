"""The modules of the built-in reference model; the only module here that imports torch at once.

Layers are constructed with their weights: torch's own layers would first draw random ones, and its
way around that (the meta device) imports another 100 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Module, ModuleList, Parameter, functional

__all__ = ["Bert"]

_NORM_EPS = 1e-12

TensorReader = Callable[[str], torch.Tensor]


class Affine(Module):
    """Module with a weight and a bias."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weight = Parameter(weight, requires_grad=False)
        self.bias = Parameter(bias, requires_grad=False)


class Linear(Affine):
    """Linear layer; on a CPU, layers of the same width write their output to one shared buffer.

    Allocating large blocks of varying sizes fragments the heap (a quarter of all memory is
    lost), and page faults on fresh memory cost time.
    """

    shared: dict[int, torch.Tensor]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        if states.device.type != "cpu":
            return functional.linear(states, self.weight, self.bias)
        flat, width = states.flatten(0, 1), len(self.bias)
        buffer = self.shared.get(width)
        if buffer is None or len(buffer) < len(flat):
            buffer = self.shared[width] = states.new_empty((len(flat), width))
        output = torch.addmm(self.bias, flat, self.weight.t(), out=buffer[: len(flat)])
        return output.view(*states.shape[:2], width)


class Norm(Affine):
    """Layer norm."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(states, self.bias.shape, self.weight, self.bias, eps=_NORM_EPS)


def load_affine(kind: type[Affine], tensor: TensorReader, name: str) -> Affine:
    return kind(tensor(f"{name}.weight"), tensor(f"{name}.bias"))


class Embeddings(Module):
    def __init__(self, tensor: TensorReader) -> None:
        super().__init__()
        self.words = Parameter(tensor("embeddings.word_embeddings.weight"), requires_grad=False)
        # An item is a single text, so every token has token type 0.
        positions = tensor("embeddings.position_embeddings.weight")
        positions = positions + tensor("embeddings.token_type_embeddings.weight")[:1]
        self.positions = Parameter(positions, requires_grad=False)
        self.LayerNorm = load_affine(Norm, tensor, "embeddings.LayerNorm")

    def forward(self, input_ids: torch.Tensor) -> Any:
        words = functional.embedding(input_ids, self.words)
        return self.LayerNorm(words.add_(self.positions[: words.shape[1]]))


class Heads(Module):
    """Attention heads, before the output projection; their outputs are concatenated."""

    def __init__(self, tensor: TensorReader, name: str, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        weight, bias = (
            torch.cat([tensor(f"{name}.{part}.{kind}") for part in ("query", "key", "value")])
            for kind in ("weight", "bias")
        )
        self.all = Linear(weight, bias)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        n, length, width = states.shape
        parts = self.all(states).view(n, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(n, length, width)


class Residual(Module):
    """Linear layer with a residual connection and layer norm."""

    def __init__(self, tensor: TensorReader, name: str) -> None:
        super().__init__()
        self.dense = load_affine(Linear, tensor, f"{name}.dense")
        self.LayerNorm = load_affine(Norm, tensor, f"{name}.LayerNorm")

    def forward(self, states: torch.Tensor, residual: torch.Tensor) -> Any:
        return self.LayerNorm(self.dense(states).add_(residual))


class Attention(Module):
    def __init__(self, tensor: TensorReader, name: str, n_heads: int) -> None:
        super().__init__()
        self.add_module("self", Heads(tensor, f"{name}.self", n_heads))
        self.output = Residual(tensor, f"{name}.output")

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> Any:
        return self.output(self.get_submodule("self")(states, mask), states)


class Intermediate(Module):
    def __init__(self, tensor: TensorReader, name: str) -> None:
        super().__init__()
        self.dense = load_affine(Linear, tensor, f"{name}.dense")

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        activated: torch.Tensor = torch.ops.aten.gelu_(self.dense(states))
        return activated


class Layer(Module):
    def __init__(self, tensor: TensorReader, name: str, n_heads: int) -> None:
        super().__init__()
        self.attention = Attention(tensor, f"{name}.attention", n_heads)
        self.intermediate = Intermediate(tensor, f"{name}.intermediate")
        self.output = Residual(tensor, f"{name}.output")

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> Any:
        mixed = self.attention(states, mask)
        return self.output(self.intermediate(mixed), mixed)


class Bert(Module):
    """The embeddings and the first layers of the model."""

    def __init__(self, config: dict[str, Any], n_layers: int, tensor: TensorReader) -> None:
        super().__init__()
        self.embeddings = Embeddings(tensor)
        self.encoder = Module()
        self.encoder.layer = ModuleList(
            Layer(tensor, f"encoder.layer.{number}", config["num_attention_heads"])
            for number in range(n_layers)
        )
        shared: dict[int, torch.Tensor] = {}
        for module in self.modules():
            if isinstance(module, Linear):
                module.shared = shared

    def forward(self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        """Run all layers; hooks read the states."""
        states = self.embeddings(input_ids)
        padded = bool((attention_mask == 0).any())
        mask = attention_mask[:, None, None].bool() if padded else None
        for layer in self.encoder.get_submodule("layer").children():
            states = layer(states, mask)
