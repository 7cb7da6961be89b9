"""The reference model: a transformers model that runs up to its highest hook point.

Layers above that point are not loaded, there is no key-value cache, and hooks keep the states of
content tokens only. Weights are read from safetensors, never from pickle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.benchmarks.formats.text_content import read_head, reject_non_data
from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.builtin_bert import load_bert, load_bert_windows
from benchdesign.concepts.reference_model.builtin_model import (
    BUILTIN,
    BUILTIN_LAYERS,
    BUILTIN_WINDOW,
    builtin_model_folder,
    is_builtin_model,
)
from benchdesign.concepts.reference_model.hook_points import Hook, module_at, resolve_hook
from benchdesign.concepts.reference_model.loading import (
    DEVICE_MAPS,
    MEMORY_ADVICE,
    check_vocabulary,
    choose_device,
    choose_dtype,
    dtype_of_name,
    is_out_of_memory,
    layers_needed,
    load_config,
    load_model,
    load_tokenizer,
    model_error_context,
    quiet_transformers,
    text_prefix,
    window_limit,
)
from benchdesign.concepts.reference_model.windows import Window, WindowMaker
from benchdesign.errors import ModelError
from benchdesign.foundation.paths import expand_home, is_folder, resolve_path

if TYPE_CHECKING:
    import torch

__all__ = ["ReferenceModel", "pool_passages", "portable_spec"]


_PROBE_ERRORS = (AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""Exceptions from models that need other inputs or lack the hook point."""


_RESIDUAL_SUFFIXES = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
"""Suffixes of hook points whose states depend on centred writing weights."""


@dataclass(eq=False)
class ReferenceModel:
    """A loaded reference model that returns the states of content tokens at its hook points."""

    spec: str
    hook_points: tuple[str, ...]
    width: dict[str, int]
    """Width of the states at each hook point."""

    is_builtin: bool
    maker: WindowMaker
    model: Any
    model_type: str
    """`model_type` of config.json; selects the family of hook names."""

    device: torch.device
    dtype: torch.dtype
    n_layers: int
    """Number of layers of the whole model; fewer may be loaded."""

    pad_id: int = 0
    keep_all_tokens: bool = False
    """Whether to return the states of special and boilerplate tokens too."""

    center: bool = False
    identity: str = ""
    """Identifies the weights; part of the cache key of maps."""

    _states: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)
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
        `hook_module` names the module to read instead of the (only) hook point.
        `module_paths` maps a hook point to a module if the architecture's hook names are unknown.
        `device_map`, or a value such as `auto` for `device`, spreads the layers over devices.
        `center` subtracts the mean over the width, for SAEs trained on centred writing weights.
        `chat` puts every text in the user's turn of the tokenizer's chat template.
        """
        if hook_module is not None and len(hook_points) != 1:
            raise ModelError("--hook-module requires a dictionary with one level.")
        source = _resolve(spec)
        chosen = choose_device(device)
        device_map = device if device in DEVICE_MAPS else device_map
        names = {point: hook_module or point for point in hook_points}
        paths = module_paths or {}
        if isinstance(source, Path) and is_builtin_model(source):
            if chat:
                raise ModelError("The built-in model has no chat template. Remove --chat.")
            with model_error_context(source, "cannot be loaded"):
                model = cls._builtin(source, names, device=chosen, dtype=dtype, limit=limit)
        else:
            model = cls._from_transformers(
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
        # Models with RMS norms are never centred: an RMS norm keeps the mean.
        model.center = center and model.model_type in {"gpt2", "gpt_neox"}
        prefix = text_prefix(model.model)
        for point, name in names.items():
            hook = resolve_hook(
                name, model_type=model.model_type, prefix=prefix, path=paths.get(name)
            )
            model._attach(point, hook)
        try:
            probe = model.activations([_probe_window(model)])
        except _PROBE_ERRORS as problem:
            if is_out_of_memory(problem):
                raise ModelError(f"{spec}: does not fit in memory. {MEMORY_ADVICE}") from None
            # E.g. a decoder that needs an encoder's output, or a module that never runs on text.
            message = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
            raise ModelError(
                f"{spec}: cannot be read at {', '.join(names.values())} ({message}). A reference "
                "model must be an encoder or a decoder that needs no input but tokens."
            ) from None
        model.width = {point: states.shape[1] for point, states in probe.items()}
        return model

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

        needed = layers_needed(names.values(), n_layers=BUILTIN_LAYERS, source=folder)
        torch_dtype = torch.float32 if dtype is None else dtype_of_name(dtype)
        maker, pad = load_bert_windows(folder, limit=limit or BUILTIN_WINDOW)
        return cls(
            spec=BUILTIN,
            hook_points=tuple(names),
            width={},
            is_builtin=True,
            maker=maker,
            model=load_bert(folder, n_layers=needed, device=device, dtype=torch_dtype),
            model_type="bert",
            device=device,
            dtype=torch_dtype,
            n_layers=BUILTIN_LAYERS,
            pad_id=pad,
            identity=BUILTIN,
        )

    @classmethod
    def _from_transformers(
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
        with quiet_transformers(), model_error_context(source, "cannot be loaded"):
            config, n_layers = load_config(source, names.values(), paths=paths)
            torch_dtype = choose_dtype(config, device, dtype)
            # Check the tokenizer before gigabytes of weights are loaded.
            tokenizer = load_tokenizer(source)
            check_vocabulary(source, config, tokenizer)
            maker = WindowMaker.from_transformers(
                tokenizer,
                limit=limit or window_limit(source, config, tokenizer),
                prepend_bos=prepend_bos,
                chat=chat,
            )
            model = load_model(source, config, torch_dtype, device, device_map)
        return cls(
            spec=str(source),
            hook_points=tuple(names),
            width={},
            is_builtin=False,
            maker=maker,
            model=model,
            model_type=config.model_type,
            device=device if device_map is None else model.device,
            dtype=torch_dtype,
            n_layers=n_layers,
            pad_id=int(tokenizer.pad_token_id or 0),
            identity=_weights_identity(source, config),
        )

    @property
    def on_gpu(self) -> bool:
        """Whether the model runs on an accelerator."""
        return self.device.type != "cpu"

    def windows(self, items: Sequence[Item]) -> list[Window]:
        """Return the windows of all items in order; none for an item without content tokens."""
        return self.maker.windows(items)

    def activations(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """Run one batch and return its states (n_content_tokens, d) per hook point, in order.

        With `keep_all_tokens`, return the states of all tokens. Sort windows by length first to
        reduce padding.
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
        is_token = np.arange(longest) < lengths[:, None]
        inputs = {
            name: torch.from_numpy(values).to(self.device, non_blocking=True)
            for name, values in (("input_ids", ids), ("attention_mask", is_token.astype(np.int64)))
        }
        # Copy the rows first: after the model's kernels, the copy would wait for them.
        rows = np.flatnonzero(is_token if self.keep_all_tokens else content)
        self._rows = torch.from_numpy(rows).to(self.device, non_blocking=True)
        self._states.clear()
        try:
            with torch.inference_mode():
                self.model(**inputs)
            states = {point: self._states[point] for point in self.hook_points}
            if self.dtype is torch.float16:
                _check_finite(states)
            return states
        finally:
            self._rows = None
            self._states.clear()

    def _attach(self, point: str, hook: Hook) -> None:
        """Register a hook that keeps a module's states whenever it runs."""
        _, module = module_at(self.model, hook.module)
        center = self.center and point.endswith(_RESIDUAL_SUFFIXES)

        def keep(states: torch.Tensor) -> None:
            if self._rows is None:
                return
            flat = states.reshape(states.shape[0] * states.shape[1], -1)
            selected = flat.index_select(0, self._rows.to(flat.device, non_blocking=True))
            if hook.normalised:
                selected = _normalise_states(selected, module)
            if center:
                selected = selected - selected.mean(-1, keepdim=True)
            self._states[point] = selected

        if hook.side == "in":

            def keep_input(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                keep(args[0] if args else kwargs["hidden_states"])

            module.register_forward_pre_hook(keep_input, with_kwargs=True)
        else:

            def keep_output(_: Any, __: tuple[Any, ...], output: Any) -> None:
                keep(output[0] if isinstance(output, tuple) else output)

            module.register_forward_hook(keep_output)


def portable_spec(spec: str) -> str:
    """Return a spec that is valid in any working directory: the full path of a model folder."""
    return str(resolve_path(spec)) if spec != BUILTIN and is_folder(spec) else spec


def pool_passages(states: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Return the mean of each passage's tokens at unit length: (n_tokens, d) -> (n_passages, d).

    `lengths` are the numbers of tokens of consecutive passages.
    """
    import torch

    sizes = torch.as_tensor(lengths, device=states.device)
    sums = torch.segment_reduce(states.float(), "sum", lengths=sizes, unsafe=True)
    # Normalising removes the factor between sum and mean.
    return torch.nn.functional.normalize(sums, dim=-1)


def _resolve(spec: str | Path) -> Path | str:
    """Return the model's folder or its Hugging Face id."""
    if str(spec) == BUILTIN:
        return builtin_model_folder()
    if is_folder(spec):
        folder = expand_home(spec)
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder}: no config.json; use a folder saved by transformers.")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder}: no safetensors weights; other formats can run code on loading. "
                "Save the model again with save_pretrained(safe_serialization=True)."
            )
        _check_files(folder)
        return folder
    if str(spec).startswith(("/", "./", "../", "~")) or str(spec).count("/") > 1:
        raise ModelError(f"{spec}: no such folder. Use a model folder or a Hugging Face id.")
    return str(spec)


def _check_files(folder: Path) -> None:
    """Raise on pipes, which would block, and on Git LFS pointers or error pages."""
    for path in sorted(folder.iterdir()):
        if path.suffix in {".json", ".safetensors", ".model", ".txt"}:
            head = read_head(path)
            if path.suffix != ".txt":
                reject_non_data(path, head)


def _weights_identity(source: Path | str, config: Any) -> str:
    """Return a cheap identifier of the weights.

    It is the revision on the hub, or a digest of the first and last MiB of the files in a folder.
    """
    if isinstance(source, str):
        return f"{source}@{getattr(config, '_commit_hash', None)}"
    if is_builtin_model(source):
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
    """Raise if states overflow: they would silently activate no concept."""
    for point, tensor in states.items():
        if not tensor.isfinite().all():
            raise ModelError(f"float16 overflows at {point}. Use --dtype bfloat16 or float32.")


def _normalise_states(states: torch.Tensor, norm: Any) -> torch.Tensor:
    """Return states normalised as by `norm`, but without its weight and bias."""
    eps: float = getattr(norm, "eps", None) or getattr(norm, "variance_epsilon", None) or 1e-6
    exact = states.float()
    if getattr(norm, "bias", None) is not None:
        exact = exact - exact.mean(-1, keepdim=True)
    scale = (exact.pow(2).mean(-1, keepdim=True) + eps).rsqrt()
    return (exact * scale).to(states.dtype)
