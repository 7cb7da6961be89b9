"""The ways to map: the lower bound, ours, the plain one, and that of sae-lens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.mapping.batches import iterate_batches
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.reference_model.windows import Window
from speed.outputs import Clock, Rows, save_map

PLAIN_BATCH = 32


def run_ours(items: list[Item], mapper: SaeMapper, results: Path | None) -> dict[str, Any]:
    mapper.map_batch(items[:8])
    clock = Clock()
    concept_map = map_items(items, mapper)
    report = clock.report(
        len(items), n_entries=len(concept_map.indices), n_tokens=int(concept_map.n_tokens.sum())
    )
    if results is not None:
        save_map(concept_map, results)
    return report


def run_bound(items: list[Item], mapper: SaeMapper) -> dict[str, Any]:
    """Measure forward passes and encoder products only, with the model of transformers."""
    import torch
    from transformers import AutoConfig, AutoModel

    windows = mapper.model.windows(items)
    config = AutoConfig.from_pretrained(model_folder(mapper))
    layers = 1 + max(int(point.split(".")[1]) for point in mapper.model.hook_points)
    config.num_hidden_layers = layers
    options = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    model = AutoModel.from_pretrained(
        model_folder(mapper), config=config, dtype=mapper.model.dtype, **options
    ).to(mapper.model.device)
    encoders = [(level.hook_point, level.level.unit, level.encoder) for level in mapper.levels]
    device = mapper.model.device
    mapper.model.model = None

    def forward(chosen: Sequence[Window]) -> int:
        ids, mask = (tensor.to(device) for tensor in _padded(chosen, mapper.model.pad_id))
        states = model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        content = np.flatnonzero(mask.cpu().numpy())[: _n_tokens(chosen)]
        content_states = states.flatten(0, 1)[torch.from_numpy(content).to(device)].float()
        multiply(content_states, chosen)
        return len(content_states)

    def multiply(content_states: Any, chosen: Sequence[Window]) -> None:
        for _, unit, encoder in encoders:
            n = (
                len(content_states)
                if unit == "token"
                else sum(len(window.passages) for window in chosen)
            )
            rows = 256 if device.type == "cpu" else 4096
            buffer = torch.empty(min(rows, n), encoder.d_sae, device=device)
            for low in range(0, n, rows):
                part = content_states[low : min(low + rows, n)]
                torch.addmm(encoder.bias, part, encoder.weight, out=buffer[: len(part)])

    with torch.inference_mode():
        forward(windows[:8])
        clock = Clock()
        lengths = [len(window) for window in windows]
        batches = [
            [windows[index] for index in batch]
            for batch in iterate_batches(lengths, mapper.runner.batch_tokens)
        ]
        n_tokens = sum(forward(batch) for batch in batches)
        report = clock.report(len(items), n_tokens=n_tokens)
        # The time of a product depends on the number of states, not on their values.
        states = torch.randn(max(map(_n_tokens, batches)), encoders[0][2].d_in, device=device)
        clock = Clock()
        for batch in batches:
            multiply(states[: _n_tokens(batch)], batch)
        alone = clock.report(len(items))
    rate = "items_per_cpu_second" if device.type == "cpu" else "items_per_second"
    return {**report, "product_share": report[rate] / alone[rate]}


def run_plain(items: list[Item], mapper: SaeMapper, results: Path) -> dict[str, Any]:
    """Measure the obvious implementation: everything dense, in file order."""
    import torch
    from sae_lens import SAE
    from transformers import AutoModel

    windows, device = mapper.model.windows(items), mapper.model.device
    model = AutoModel.from_pretrained(model_folder(mapper), dtype=mapper.model.dtype).eval()
    model = model.to(device)
    level = next(level for level in mapper.dictionary.levels if level.unit == "token")
    layer = int(level.hook_point.split(".")[1]) + 1
    sae = SAE.load_from_disk(str(level.folder), dtype="float32", device=str(device))
    pad = mapper.model.pad_id
    del mapper
    rows = Rows()
    clock = Clock()
    for low in range(0, len(windows), PLAIN_BATCH):
        chosen = windows[low : low + PLAIN_BATCH]
        ids, mask = (tensor.to(device) for tensor in _padded(chosen, pad))
        with torch.inference_mode():
            states = model(
                input_ids=ids, attention_mask=mask, output_hidden_states=True
            ).hidden_states
            activations = sae.encode(states[layer]).cpu().numpy().copy()
        for row, window in enumerate(chosen):
            rows.add(window.item, activations[row, : len(window)][window.content])
    report = clock.report(len(items), n_tokens=_n_tokens(windows))
    rows.save(results, len(items))
    return report


def run_lens(items: list[Item], mapper: SaeMapper, results: Path, at_once: int) -> dict[str, Any]:
    """Measure sae-lens' own method: its bridge, every hook cached, logits of the vocabulary."""
    import torch
    from sae_lens import SAE, SAETransformerBridge  # type: ignore[attr-defined]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    windows, device = mapper.model.windows(items), str(mapper.model.device)
    level, pad, folder = mapper.dictionary.levels[0], mapper.model.pad_id, model_folder(mapper)
    dtype = mapper.model.dtype
    del mapper
    sae = SAE.load_from_disk(str(level.folder), dtype="float32", device=device)
    model = SAETransformerBridge.boot_transformers(
        folder,
        hf_model=AutoModelForCausalLM.from_pretrained(folder, dtype=dtype),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device=device,
    )
    # sae-lens loses the hook name of an SAE that is loaded from a folder.
    sae.cfg.metadata.hook_name = level.hook_point
    rows = Rows()
    clock = Clock()
    for low in range(0, len(windows), at_once):
        chosen = windows[low : low + at_once]
        ids, _ = _padded(chosen, pad)
        with torch.inference_mode():
            _, cache = model.run_with_cache_with_saes(ids.to(device), saes=[sae])
            name = next(name for name in cache if name.endswith("hook_sae_acts_post"))
            activations = cache[name].cpu().numpy()
        for row, window in enumerate(chosen):
            rows.add(window.item, activations[row, : len(window)][window.content])
    report = clock.report(len(items), n_tokens=_n_tokens(windows))
    rows.save(results, len(items))
    return report


def model_folder(mapper: SaeMapper) -> str:
    """Return the folder or name of the mapper's model, to load it again."""
    if not mapper.model.is_builtin:
        return mapper.model.spec
    from benchdesign.concepts.reference_model.builtin_model import builtin_model_folder

    return str(builtin_model_folder())


def _n_tokens(windows: Sequence[Window]) -> int:
    return sum(window.n_content for window in windows)


def _padded(windows: Sequence[Window], pad: int) -> tuple[Any, Any]:
    import torch

    longest = max(len(window) for window in windows)
    ids = torch.full((len(windows), longest), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.from_numpy(window.token_ids.astype(np.int64))
        mask[row, : len(window)] = 1
    return ids, mask
