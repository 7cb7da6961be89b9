"""Resolve hook points to modules of a transformers model.

Names follow TransformerLens (`blocks.4.hook_resid_post`); a module path (`encoder.layer.4`,
`model.layers.3.mlp:in`) works with every model. This module does not run models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchdesign.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Family",
    "Hook",
    "family_of",
    "last_layer_run",
    "layer_of",
    "module_at",
    "resolve_hook",
]


@dataclass(frozen=True, slots=True)
class Family:
    """Module paths of a family of architectures; paths of parts are relative to a layer."""

    layers: str
    """Path of the layer list in the model without its head."""

    parts: dict[str, tuple[str, str]]
    """Hook name inside a block -> (module path, side `in` or `out`)."""

    embed: tuple[str, str] | None = None
    """(module path, side) of hook_embed; None for the input of the first layer."""

    norms: dict[str, str] | None = None
    """Hook name -> path of the norm; the hook point is its input, normalised without its weight."""


_LLAMA = Family(
    layers="layers",
    parts={
        "hook_resid_mid": ("post_attention_layernorm", "in"),
        "hook_attn_out": ("self_attn", "out"),
        "hook_mlp_out": ("mlp", "out"),
        "attn.hook_z": ("self_attn.o_proj", "in"),
        "mlp.hook_in": ("mlp", "in"),
    },
    norms={
        "ln1.hook_normalized": "input_layernorm",
        "ln2.hook_normalized": "post_attention_layernorm",
    },
)
_GEMMA2 = Family(
    layers="layers",
    parts={
        "hook_resid_mid": ("pre_feedforward_layernorm", "in"),
        "hook_attn_out": ("post_attention_layernorm", "out"),
        "hook_mlp_out": ("post_feedforward_layernorm", "out"),
        "attn.hook_z": ("self_attn.o_proj", "in"),
        "mlp.hook_in": ("mlp", "in"),
    },
    norms={
        "ln1.hook_normalized": "input_layernorm",
        "ln2.hook_normalized": "pre_feedforward_layernorm",
    },
)
_GPT2 = Family(
    layers="h",
    parts={
        "hook_resid_mid": ("ln_2", "in"),
        "hook_attn_out": ("attn", "out"),
        "hook_mlp_out": ("mlp", "out"),
        "attn.hook_z": ("attn.c_proj", "in"),
        "mlp.hook_in": ("mlp", "in"),
    },
    embed=("wte", "out"),
    norms={"ln1.hook_normalized": "ln_1", "ln2.hook_normalized": "ln_2"},
)
_NEOX = Family(
    layers="layers",
    parts={
        "hook_attn_out": ("attention", "out"),
        "hook_mlp_out": ("mlp", "out"),
        "attn.hook_z": ("attention.dense", "in"),
        "mlp.hook_in": ("mlp", "in"),
    },
    norms={
        "ln1.hook_normalized": "input_layernorm",
        "ln2.hook_normalized": "post_attention_layernorm",
    },
)
_BERT = Family(
    layers="encoder.layer",
    parts={
        "hook_attn_out": ("attention", "out"),
        "hook_mlp_out": ("output.dense", "out"),
        "attn.hook_z": ("attention.output.dense", "in"),
    },
)
_MPNET = Family(
    layers="encoder.layer",
    parts={**_BERT.parts, "attn.hook_z": ("attention.attn.o", "in")},
)
_DISTILBERT = Family(
    layers="transformer.layer",
    parts={
        "hook_attn_out": ("sa_layer_norm", "out"),
        "hook_mlp_out": ("ffn", "out"),
        "attn.hook_z": ("attention.out_lin", "in"),
    },
)
_MODERNBERT = Family(
    layers="layers",
    parts={
        "hook_resid_mid": ("mlp_norm", "in"),
        "hook_attn_out": ("attn", "out"),
        "hook_mlp_out": ("mlp", "out"),
        "attn.hook_z": ("attn.Wo", "in"),
        "mlp.hook_in": ("mlp", "in"),
    },
)

_FAMILIES = {
    "gpt2": _GPT2,
    "gpt_neox": _NEOX,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "gemma3": _GEMMA2,
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "electra": _BERT,
    "mpnet": _MPNET,
    "distilbert": _DISTILBERT,
    "modernbert": _MODERNBERT,
}

_INPUT_HOOKS = {"hook_resid_pre", "hook_in"}
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_WRAPPERS = ("model.", "transformer.", "gpt_neox.", "bert.", "language_model.", "text_model.")


@dataclass(frozen=True, slots=True)
class Hook:
    """Module and side at which to read a hook point."""

    module: str
    """Path in the model without its head."""

    side: str
    """`in` for the input of the module, `out` for its output."""

    normalised: bool = False
    """Whether to normalise with the statistics of the norm, without its weight and bias."""


def family_of(model_type: str) -> Family | None:
    """Return the module paths of an architecture, None if it is not supported."""
    return _FAMILIES.get(model_type)


def layer_of(hook_point: str) -> int | None:
    """Return the layer index of a hook point or module path, None if it has none."""
    if hook_point == "hook_embed":
        return 0
    match = _BLOCK.fullmatch(hook_point) or re.search(r"(?:^|\.)(\d+)(?=\.|:|$)", hook_point)
    return int(match.group(1)) if match else None


def last_layer_run(hook_point: str) -> int | None:
    """Return the last layer that must run for a hook point, None if it has no layer index.

    The input of a layer is the output of the previous layer.
    """
    layer, block = layer_of(hook_point), _BLOCK.fullmatch(hook_point)
    if layer and block and block.group(2) in _INPUT_HOOKS:
        return layer - 1
    return layer


def resolve_hook(
    hook_point: str,
    *,
    model_type: str,
    prefix: str = "",
    path: str | None = None,
    layers: str = "model.layers",
) -> Hook:
    """Return the module and side for a hook point of an architecture.

    `prefix` is the path of the text model inside a multimodal model. A name that is not in
    TransformerLens style is a module path, followed by `:in` or `:out` (the default). `path` is the
    module path of the same states, a fallback for unsupported architectures. `layers` is the path
    of the layer list, for the example in the error message.
    """
    block = _BLOCK.fullmatch(hook_point)
    if not block and hook_point != "hook_embed":
        return _by_path(hook_point)
    family = family_of(model_type)
    if family is None and path:
        return _by_path(path)
    if family is None:
        example = f"--hook-module {layers}.{layer_of(hook_point) or 0}"
        raise ModelError(
            f"Hook names of models of type {model_type!r} are not supported. Name the module "
            f"instead, for example {example} (its output) or {example}:in (its input)."
        )
    if block is None:
        module, side = family.embed or (f"{family.layers}.0", "in")
        return Hook(prefix + module, side)
    layer, name = f"{prefix}{family.layers}.{block.group(1)}", block.group(2)
    if name in {"hook_resid_post", "hook_out"}:
        return Hook(layer, "out")
    if name in _INPUT_HOOKS:
        previous = int(block.group(1)) - 1
        return (
            Hook(layer, "in")
            if previous < 0
            else Hook(f"{prefix}{family.layers}.{previous}", "out")
        )
    if name in family.parts:
        module, side = family.parts[name]
        return Hook(f"{layer}.{module}", side)
    if family.norms and name in family.norms:
        return Hook(f"{layer}.{family.norms[name]}", "in", normalised=True)
    raise ModelError(
        f"Hook point {hook_point!r} does not exist in models of type {model_type!r}. Name the "
        f"module instead, for example --hook-module {layer}.mlp:in."
    )


def module_at(model: Any, path: str) -> tuple[str, torch.nn.Module]:
    """Find a module by path, with or without the prefix of a wrapper (`model.`, ...)."""
    modules = dict(model.named_modules())
    candidate = path
    while candidate not in modules:
        inner = f"language_model.{candidate}"
        if inner in modules:
            return inner, modules[inner]
        wrapper = next((name for name in _WRAPPERS if candidate.startswith(name)), None)
        if wrapper is None:
            examples = ", ".join(list(modules)[1:6])
            raise ModelError(
                f"The model has no module {path!r}; its first modules are: {examples}, ... "
                "Set --hook-module to one of its module paths."
            )
        candidate = candidate.removeprefix(wrapper)
    return candidate, modules[candidate]


def _by_path(path: str) -> Hook:
    for suffix, side in ((":in", "in"), (":out", "out"), (".input", "in"), (".output", "out")):
        if not path.endswith(suffix) or (suffix == ".output" and "encoder.layer." in path):
            continue  # BERT layers have a module named `output`.
        return Hook(path.removesuffix(suffix), side)
    return Hook(path, "out")
