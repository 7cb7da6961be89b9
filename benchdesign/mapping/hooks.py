"""Which module of a plain transformers model shows what a hook point names.

Names follow TransformerLens (`blocks.4.hook_resid_post`); a module path (`encoder.layer.4`,
`model.layers.3.mlp:in`) works on every model. Nothing here runs a model.
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
    """Where one family of architectures keeps its parts; layer parts are relative to a layer."""

    layers: str
    """Path of the layer list in the model without a head."""

    parts: dict[str, tuple[str, str]]
    """Hook name inside a block -> (module path, side `in` or `out`)."""

    embed: tuple[str, str] | None = None
    """(module path, side) of hook_embed; None: what enters the first layer."""

    norms: dict[str, str] | None = None
    """Hook name -> path of the norm whose input, normalised without its weight, it names."""


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

_ENTERS = {"hook_resid_pre", "hook_in"}
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_WRAPPERS = ("model.", "transformer.", "gpt_neox.", "bert.", "language_model.", "text_model.")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to read a hook point."""

    module: str
    """Path in the model without a head."""

    side: str
    """`in` or `out`: what enters or what leaves the module."""

    normalised: bool = False
    """Divide by the norm's own statistics, before its weight and bias."""


def family_of(model_type: str) -> Family | None:
    """Return the layout of an architecture, or None if it is not one of the known ones."""
    return _FAMILIES.get(model_type)


def layer_of(hook_point: str) -> int | None:
    """Return the index of the layer a hook point or module path lies in; None if it names none."""
    if hook_point == "hook_embed":
        return 0
    match = _BLOCK.fullmatch(hook_point) or re.search(r"(?:^|\.)(\d+)(?=\.|:|$)", hook_point)
    return int(match.group(1)) if match else None


def last_layer_run(hook_point: str) -> int | None:
    """Return the last layer that must run for a hook point; None if it names no layer.

    What enters a layer is what leaves the one before it.
    """
    layer, block = layer_of(hook_point), _BLOCK.fullmatch(hook_point)
    if layer and block and block.group(2) in _ENTERS:
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

    `prefix` is the path of the text model inside a model of several parts. A name that is not
    TransformerLens-style is taken for a module path, with `:in` or `:out` (the default) after it.
    `path` is such a path of the same states, for architectures whose hook names are not known;
    `layers` is where such a model keeps its layers, for an example that fits it.
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
            f"No hook names are known for models of type {model_type!r}. Name the module to read "
            f"by hand, for example {example} (its output) or {example}:in (its input)."
        )
    if block is None:
        place, side = family.embed or (f"{family.layers}.0", "in")
        return Hook(prefix + place, side)
    layer, name = f"{prefix}{family.layers}.{block.group(1)}", block.group(2)
    if name in {"hook_resid_post", "hook_out"}:
        return Hook(layer, "out")
    if name in _ENTERS:
        before = int(block.group(1)) - 1
        return Hook(layer, "in") if before < 0 else Hook(f"{prefix}{family.layers}.{before}", "out")
    if name in family.parts:
        place, side = family.parts[name]
        return Hook(f"{layer}.{place}", side)
    if family.norms and name in family.norms:
        return Hook(f"{layer}.{family.norms[name]}", "in", normalised=True)
    raise ModelError(
        f"Hook point {hook_point!r} does not exist in models of type {model_type!r}. Name the "
        f"module to read by hand, for example --hook-module {layer}.mlp:in."
    )


def module_at(model: Any, path: str) -> tuple[str, torch.nn.Module]:
    """Find a module by path, with or without the wrapper's name in front (`model.`, ...)."""
    modules = dict(model.named_modules())
    tried = path
    while tried not in modules:
        inner = f"language_model.{tried}"
        if inner in modules:
            return inner, modules[inner]
        wrapper = next((name for name in _WRAPPERS if tried.startswith(name)), None)
        if wrapper is None:
            some = ", ".join(list(modules)[1:6])
            raise ModelError(
                f"The model has no module {path!r} (it begins with: {some}, ...). "
                "Give --hook-module one of its module paths."
            )
        tried = tried.removeprefix(wrapper)
    return tried, modules[tried]


def _by_path(path: str) -> Hook:
    for suffix, side in ((":in", "in"), (":out", "out"), (".input", "in"), (".output", "out")):
        if not path.endswith(suffix) or (suffix == ".output" and "encoder.layer." in path):
            continue  # `output` is a module of BERT layers
        return Hook(path.removesuffix(suffix), side)
    return Hook(path, "out")
