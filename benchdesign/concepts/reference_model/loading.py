"""Load models and tokenizers with transformers: only the layers needed, errors in one line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.reference_model.hook_points import (
    family_of,
    last_layer_run,
    layer_of,
    resolve_hook,
)
from benchdesign.errors import BenchdesignError, ModelError

if TYPE_CHECKING:
    import torch

__all__ = [
    "DEVICE_MAPS",
    "MEMORY_ADVICE",
    "check_vocabulary",
    "choose_device",
    "choose_dtype",
    "dtype_of_name",
    "is_out_of_memory",
    "layers_needed",
    "load_config",
    "load_model",
    "load_tokenizer",
    "model_error_context",
    "quiet_transformers",
    "text_prefix",
    "window_limit",
]

DEVICE_MAPS = frozenset({"auto", "balanced", "balanced_low_0", "sequential"})
"""Values of `device` that spread the layers of a model over several devices."""

MAX_WINDOW_TOKENS = 2048
"""Maximum window length for every model: the cost of attention grows with its square."""

MEMORY_ADVICE = "Use --dtype bfloat16, a smaller model or the CPU."
"""Advice for a model that does not fit in memory."""

_NON_TEXT_CONFIGS = ("vision_config", "audio_config")


def layers_needed(names: Iterable[str], *, n_layers: int, source: Path | str) -> int:
    """Return how many layers the hook points need; all, if a hook point has no layer number."""
    layers = {name: layer_of(name) for name in names}
    for name, layer in layers.items():
        if layer is not None and layer >= n_layers > 0:
            raise ModelError(
                f"{source}: has {n_layers} layers, so there is no {name!r}. "
                "Choose a layer below that, or the model that the hook point belongs to."
            )
    last_layers = [last_layer_run(name) for name in layers]
    numbers = [layer for layer in last_layers if layer is not None]
    return max(numbers) + 1 if len(numbers) == len(last_layers) and numbers else n_layers


def load_config(
    source: Path | str, names: Iterable[str], *, paths: Mapping[str, str]
) -> tuple[Any, int]:
    """Load the config without the layers above the highest hook point.

    `paths` maps a hook name to the module to read, for architectures whose hook names are unknown.
    Returns the config and the number of layers of the whole model.
    """
    from transformers import AutoConfig

    names = tuple(names)
    config = AutoConfig.from_pretrained(source)
    for name in names:
        # Fail here, before gigabytes of weights are loaded.
        path = paths.get(name)
        is_known = path or family_of(config.model_type) is not None
        layers = {} if is_known else {"layers": _layer_list(config)}
        resolve_hook(name, model_type=config.model_type, path=path, **layers)
    text = config.get_text_config()
    n_layers = int(getattr(text, "num_hidden_layers", 0))
    needed = layers_needed(names, n_layers=n_layers, source=source)
    if needed < n_layers:
        text.num_hidden_layers = needed
        if getattr(text, "layer_types", None):
            text.layer_types = list(text.layer_types)[:needed]
    for part in _NON_TEXT_CONFIGS:
        # These layers process images and sound only; the input is always text.
        if hasattr(getattr(config, part, None), "num_hidden_layers"):
            getattr(config, part).num_hidden_layers = 0
    return config, n_layers


def _layer_list(config: Any) -> str:
    """Return the path of a model's layers; the model is built without weights."""
    import torch
    from transformers import AutoModel

    try:
        with torch.device("meta"):
            model = AutoModel.from_config(config)
    except (ValueError, RuntimeError, ImportError, NotImplementedError):
        return "layers"
    lists = [
        name for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)
    ]
    return max(lists, key=lambda name: len(model.get_submodule(name)), default="layers")


def choose_device(name: str | None) -> torch.device:
    """Return the named device; by default CUDA if available, else the CPU.

    Apple's GPU is never the default: it has no float64, which training needs, and no
    `segment_reduce`, which passages need.
    """
    import torch

    name = None if name in DEVICE_MAPS else name
    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    if chosen.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError("No CUDA device is available. Use --device cpu.")
    try:
        # Allocating a tensor is the only check that the device exists.
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ModelError(
            f"Device {name!r} does not exist. Use cpu, cuda, cuda:1, or auto to spread a large "
            "model over all devices."
        ) from None
    return torch.device(chosen)


def choose_dtype(config: Any, device: torch.device, dtype: str | None) -> torch.dtype:
    """Return the named dtype; by default float32 on a CPU and the dtype of the weights on a GPU."""
    import torch

    if dtype is not None:
        return dtype_of_name(dtype)
    stored = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None)
    if isinstance(stored, str):
        stored = getattr(torch, stored, None)
    if device.type == "cpu" or not isinstance(stored, torch.dtype):
        return torch.float32
    return stored


def dtype_of_name(name: str) -> torch.dtype:
    """Return the torch dtype with this name."""
    import torch

    if name not in {"float32", "bfloat16", "float16"}:
        raise ModelError(f"dtype {name!r} is not one of float32, bfloat16, float16.")
    chosen: torch.dtype = getattr(torch, name)
    return chosen


def load_model(
    source: Path | str,
    config: Any,
    dtype: torch.dtype,
    device: torch.device,
    device_map: str | None,
) -> Any:
    """Load the model without its head, from safetensors only."""
    from transformers import AutoModel

    config.use_cache = False
    options: dict[str, Any] = {"config": config, "dtype": dtype, "use_safetensors": True}
    family = family_of(config.model_type)
    if family is not None and family.layers == "encoder.layer" and config.model_type != "electra":
        options["add_pooling_layer"] = False
    if device_map is not None:
        options["device_map"] = device_map
    model = AutoModel.from_pretrained(source, **options)
    model.eval().requires_grad_(False)
    return model if device_map is not None else model.to(device)


def load_tokenizer(source: Path | str) -> Any:
    """Load the tokenizer that belongs to a model."""
    from transformers import AutoTokenizer

    with model_error_context(source, "no usable tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source)
        # transformers replaces missing files by a tokenizer whose vocabulary is empty.
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
            raise ModelError(
                f"{source}: no usable tokenizer (its vocabulary is empty; are files missing?). "
                "Save the tokenizer in the model's folder."
            )
    return tokenizer


def check_vocabulary(source: Path | str, config: Any, tokenizer: Any) -> None:
    """Raise if the tokenizer has ids beyond the model's vocabulary."""
    rows = getattr(config.get_text_config(), "vocab_size", None)
    ids = tokenizer.get_vocab().values()
    if rows is not None and ids and max(ids) >= rows:
        raise ModelError(
            f"{source}: the tokenizer has ids up to {max(ids)}, but the model's vocabulary has "
            f"{rows} tokens; tokenizer and model do not match."
        )


def window_limit(source: Path | str, config: Any, tokenizer: Any) -> int:
    """Return the maximum number of tokens in a window."""
    if isinstance(source, Path) and (source / "sentence_bert_config.json").is_file():
        settings = json.loads((source / "sentence_bert_config.json").read_text("utf-8"))
        if settings.get("max_seq_length"):
            return int(settings["max_seq_length"])
    text = config.get_text_config()
    positions = int(getattr(text, "max_position_embeddings", 0) or MAX_WINDOW_TOKENS)
    if config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
        positions -= 2  # positions start after the padding index
    return min(positions, int(tokenizer.model_max_length), MAX_WINDOW_TOKENS)


def text_prefix(model: Any) -> str:
    """Return the prefix of the text model's modules in a multimodal model."""
    return "language_model." if hasattr(model, "language_model") else ""


@contextlib.contextmanager
def model_error_context(source: Path | str, message: str) -> Iterator[None]:
    """Convert any exception that a library raises on a damaged model into a `ModelError`."""
    try:
        yield
    except (BenchdesignError, MemoryError):
        raise
    except Exception as problem:  # the parsers raise anything, even a plain Exception
        kind = "" if isinstance(problem, OSError | ValueError) else f"{type(problem).__name__}: "
        raise ModelError(f"{source}: {message} ({kind}{_one_line(problem)}).") from None


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' warnings about layers that are skipped on purpose."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether a device or the CPU's allocator ran out of memory."""
    import torch

    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or (
        "DefaultCPUAllocator" in str(problem)
    )


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:200]
