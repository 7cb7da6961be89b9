"""Measure speed and memory of mapping against its lower bound and simpler implementations.

    bound   the bare model of transformers, cut above the highest hook point: forward passes over
            the same length-sorted batches of windows, plus one encoder product per level; nothing
            is tokenised, pooled or stored. The products are then timed alone over as many tokens:
            their share shows whether the width of the SAE or the model limits the speed of mapping
    ours    `map_items`, from text to concept map
    plain   right-padded batches of 32 in file order, all layers, hidden states of every layer,
            sae-lens' SAE.encode on every position (terms only); dense activations are copied, then
            converted to sparse
    lens    (--lens-batches N ...) sae-lens' own run_with_cache_with_saes on N windows at a time in
            file order: larger batches pad more, and 8 windows of 1,024 tokens need over 20 GB

Each method runs in its own process, one at a time, on the same windows. `plain` and `lens` map
--slow-items of the items, spread over all of them; ours maps those again (`same`), so that rates
and results are compared over the same texts. Rates are items per CPU second, which other work on
the machine affects less than wall time; on a GPU they are items per second. Memory is the peak of
the whole process, and its peak before the first item (imports, weights). Bound and ours alternate
--rounds times, and the median run of each counts, because the speed of a shared machine varies.

    python measurements/mapping_speed.py                 5,000 items, built-in dictionary
    python measurements/mapping_speed.py --synthetic     GPT-2-small shape, layer 8, 24k SAE
    python measurements/mapping_speed.py --model M --dictionary D --device cuda
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.batches import iterate_batches
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.reference_model.windows import Window

HERE = Path(__file__).resolve().parent
POOL = HERE.parent.parent / "shared" / "data" / "pool" / "pool.jsonl.gz"
SYNTHETIC_WIDTH, SYNTHETIC_SAE, SYNTHETIC_LAYER = 768, 24_576, 8
ACTIVE = 48
"""Mean number of active concepts per token in the synthetic dictionary."""

PLAIN_BATCH = 32


def read_items(path: Path, n: int) -> list[Item]:
    """Draw n items of the pool; prompt and choices are the content."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        n_lines = sum(1 for _ in stream)
    rng = np.random.default_rng(0)
    chosen = set(rng.choice(n_lines, min(n, n_lines), replace=False).tolist())
    items = []
    with opener(path, "rt", encoding="utf-8") as stream:
        for row, line in enumerate(stream):
            if row not in chosen:
                continue
            record = json.loads(line)
            text = "\n".join([record["prompt"], *map(str, record.get("choices") or ())])
            items.append(Item(str(record["id"]), row, text, ((0, len(text)),), text))
    return items


def evenly(items: list[Item], n: int) -> list[Item]:
    """Return n items at even intervals, because the pool is sorted by source."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(n, len(items)), dtype=int)]


class Clock:
    """Wall and CPU seconds since creation, and the memory peaks before and since."""

    def __init__(self) -> None:
        _finish_device()
        self.before = _peak_mb()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def report(self, n_items: int, **more: Any) -> dict[str, Any]:
        """Return the rates and the peak memory of this process so far."""
        _finish_device()
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {
            "n_items": n_items,
            "items_per_second": n_items / wall,
            "items_per_cpu_second": n_items / cpu,
            "before_mb": self.before,
            "peak_mb": _peak_mb(),
            "device_mb": _device_mb(),
            **more,
        }


@dataclass
class Rows:
    """Sums and peaks of the concepts of items, collected window by window."""

    items: list[int] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)
    peaks: list[Any] = field(default_factory=list)

    def add(self, item: int, dense: Any) -> None:
        """Add the activations (n_tokens, n_concepts) of a window."""
        from scipy import sparse

        self.items.append(item)
        self.sums.append(sparse.csr_array(dense.sum(0)[None]))
        self.peaks.append(sparse.csr_array(dense.max(0)[None]))

    def save(self, path: Path, n_items: int) -> None:
        """Write sums and peaks (n_items, n_concepts) for `compare`."""
        from scipy import sparse

        width = self.sums[0].shape[1]
        sums = np.zeros((n_items, width), np.float32)
        peaks = np.zeros((n_items, width), np.float32)
        for item, one_sum, one_peak in zip(self.items, self.sums, self.peaks, strict=True):
            sums[item] += one_sum.toarray()[0]
            peaks[item] = np.maximum(peaks[item], one_peak.toarray()[0])
        sparse.save_npz(path.with_suffix(".sums.npz"), sparse.csr_array(sums))
        sparse.save_npz(path.with_suffix(".peaks.npz"), sparse.csr_array(peaks))


def save_map(concept_map: ConceptMap, path: Path) -> None:
    """Write a concept map in the format of `Rows.save`."""
    from scipy import sparse

    shape = (len(concept_map), concept_map.n_concepts)
    totals = concept_map.saliency * np.repeat(concept_map.n_tokens, np.diff(concept_map.indptr))
    for name, values in (("sums", totals), ("peaks", concept_map.peak)):
        rows = sparse.csr_array((values, concept_map.indices, concept_map.indptr), shape=shape)
        sparse.save_npz(path.with_suffix(f".{name}.npz"), rows)


def compare(ours: Path, other: Path) -> dict[str, float]:
    """Measure how far two methods differ on the concepts that both have (terms)."""
    from scipy import sparse

    agreement: dict[str, float] = {}
    for name in ("sums", "peaks"):
        right = sparse.load_npz(other.with_suffix(f".{name}.npz")).tocsr()
        left = sparse.load_npz(ours.with_suffix(f".{name}.npz")).tocsr()[:, : right.shape[1]]
        agreement[f"{name}_error"] = float(abs(left - right).sum() / abs(right).sum())
        n_shared = (left > 0).multiply(right > 0).nnz
        agreement["n_pairs"] = right.nnz
        agreement["pairs_in_both"] = n_shared / max(left.nnz, right.nnz)
    return agreement


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


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _device_mb() -> float:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_allocated()) / 2**20


def _finish_device() -> None:
    """Wait until the GPU has finished."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def _padded(windows: Sequence[Window], pad: int) -> tuple[Any, Any]:
    import torch

    longest = max(len(window) for window in windows)
    ids = torch.full((len(windows), longest), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.from_numpy(window.token_ids.astype(np.int64))
        mask[row, : len(window)] = 1
    return ids, mask


def make_gpt2(folder: Path) -> Path:
    """Save a model of the size of GPT-2 small with random weights and a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = GPT2Config(bos_token_id=257, eos_token_id=257, pad_token_id=256)
    GPT2LMHeadModel(config).save_pretrained(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: row for row, letter in enumerate(alphabet)} | {"<pad>": 256, "<bos>": 257}
    # Words of the texts are single tokens: bytes alone would make items four times as long as they
    # are with the tokenizer of GPT-2.
    for item in read_items(POOL, 2000):
        for word in item.text.split():
            spelled = pre_tokenizers.ByteLevel(add_prefix_space=True).pre_tokenize_str(word)
            for piece, _ in spelled:
                if len(vocabulary) < config.vocab_size:
                    vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<bos>",
        model_max_length=1024,
    ).save_pretrained(folder)
    return folder


def make_sae(folder: Path, *, model: str, hook_point: str, d_in: int, d_sae: int) -> Path:
    """Save a random JumpReLU SAE whose thresholds let about ACTIVE concepts fire per token."""
    import torch
    from safetensors.torch import save_file

    from benchdesign.concepts.reference_model.model import ReferenceModel

    reference = ReferenceModel.from_spec(model, hook_points=[hook_point], device="cpu")
    windows = reference.windows(read_items(POOL, 64))
    states = torch.cat([reference.activations([window])[hook_point] for window in windows])[:4000]
    torch.manual_seed(0)
    mean = states.mean(0)
    weight = torch.randn(d_in, d_sae) / (states - mean).std() / d_in**0.5
    before = (states - mean) @ weight
    threshold = before[::4].quantile(1 - ACTIVE / d_sae, dim=0)
    tensors = {
        "W_enc": weight,
        "W_dec": weight.T.contiguous(),
        "b_enc": torch.zeros(d_sae),
        "b_dec": mean,
        "threshold": threshold.clamp(min=0.1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "sae_weights.safetensors")
    config = {
        "architecture": "jumprelu",
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": hook_point, "model_name": model, "prepend_bos": True},
    }
    (folder / "cfg.json").write_text(json.dumps(config), "utf-8")
    return folder


def measure(arguments: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the median run of each method, and the agreement of each slow method with ours."""
    slow = ["plain", *(f"lens-{n}" for n in arguments.lens_batches)]
    runs: dict[str, list[dict[str, Any]]] = {}
    agreement = {}
    for method in [*["bound", "ours"] * arguments.rounds, "same", *slow]:
        command = [sys.executable, __file__, "--method", method, "--scratch", str(scratch)]
        command += ["--model", arguments.model, "--dictionary", arguments.dictionary]
        command += ["--items", str(arguments.items), "--slow-items", str(arguments.slow_items)]
        command += ["--threads", str(arguments.threads)]
        for name in ("dtype", "device"):
            if getattr(arguments, name):
                command += [f"--{name}", getattr(arguments, name)]
        process = subprocess.run(command, check=False, capture_output=True, text=True)
        if process.returncode:
            sys.exit(f"{method}: {process.stderr[-3000:]}")
        runs.setdefault(method, []).append(json.loads(process.stdout.splitlines()[-1]))
        print(f"{method:6s} {describe(runs[method][-1])}", flush=True)
        if method in slow:
            agreement[method] = compare(scratch / "same", scratch / method)
            print(f"       {agreement[method]}", flush=True)
    return {method: middle(reports) for method, reports in runs.items()}, agreement


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run of median speed."""
    return sorted(runs, key=lambda run: float(run["items_per_cpu_second"]))[(len(runs) - 1) // 2]


def describe(run: dict[str, Any]) -> str:
    share = f", {run['product_share']:.0%} of it in products" if "product_share" in run else ""
    return (
        f"{run['items_per_cpu_second']:8.1f} items/CPU-s {run['items_per_second']:8.1f} items/s "
        f"{run['peak_mb']:7.0f} MB peak, {run['before_mb']:.0f} MB before  ({run['n_items']} items)"
        f"{share}"
    )


def lines_of(
    name: str,
    runs: dict[str, Any],
    agreement: dict[str, Any],
    *,
    command: str,
    arguments: argparse.Namespace,
) -> Iterator[str]:
    on_gpu = bool(runs["ours"]["device_mb"])
    rate = "items_per_second" if on_gpu else "items_per_cpu_second"
    versions = f"Python {platform.python_version()}, torch {version('torch')}"
    yield f"## {name}\n"
    yield (
        f"`{command}` on {platform.machine()}, device {arguments.device or 'cpu'}, "
        f"{arguments.threads} thread(s), {versions}\n"
    )
    yield (
        "| method | items per CPU second | items per second | tokens | peak MB | before MB "
        "| items |"
    )
    yield "|---|---|---|---|---|---|---|"
    for method, run in runs.items():
        yield (
            f"| {method} | {run['items_per_cpu_second']:.1f} | {run['items_per_second']:.1f} "
            f"| {run['n_tokens']:,} | {run['peak_mb']:.0f} | {run['before_mb']:.0f} "
            f"| {run['n_items']:,} |"
        )
    yield ""
    ours, bound = runs["ours"], runs["bound"]
    yield f"- ours reaches {ours[rate] / bound[rate]:.2f} of the bound"
    yield (
        f"- the encoder's product alone takes {bound['product_share']:.0%} of the bound, the "
        "model's forward pass the rest"
    )
    for method, differences in agreement.items():
        same, other = runs["same"], runs[method]
        grown = max(same["peak_mb"] - same["before_mb"], 1.0)
        above = (other["peak_mb"] - other["before_mb"]) / grown
        yield (
            f"- {method}, the same {other['n_items']:,} items: ours is "
            f"{same[rate] / other[rate]:.1f} times as fast; {method} needs "
            f"{other['peak_mb'] / same['peak_mb']:.2f} times the memory "
            f"({above:.1f} times without imports and weights). Of "
            f"{differences['n_pairs']:,} pairs of item and concept "
            f"{differences['pairs_in_both']:.4%} are in both; sums differ by "
            f"{differences['sums_error']:.1e} and peaks by "
            f"{differences['peaks_error']:.1e} of their total"
        )
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument(
        "--slow-items", type=int, default=500, help="number of items for plain and lens"
    )
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--lens-batches", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of bound and ours")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype")
    parser.add_argument("--device")
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    parser.add_argument("--name", help="name of the results file")
    arguments = parser.parse_args()
    if not POOL.is_file():
        sys.exit(f"{POOL}: the pool that is measured on does not exist.")
    if arguments.method:
        run_way(arguments)
        return
    command = " ".join(["python", "measurements/mapping_speed.py", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if arguments.synthetic:
            arguments.model = str(make_gpt2(scratch / "model"))
            hook_point = f"blocks.{SYNTHETIC_LAYER}.hook_resid_post"
            arguments.dictionary = str(
                make_sae(
                    scratch / "sae",
                    model=arguments.model,
                    hook_point=hook_point,
                    d_in=SYNTHETIC_WIDTH,
                    d_sae=SYNTHETIC_SAE,
                )
            )
        runs, agreement = measure(arguments, scratch)
    name = arguments.name or ("gpt2-small-24k" if arguments.synthetic else "builtin")
    text = "\n".join(lines_of(name, runs, agreement, command=command, arguments=arguments))
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"mapping_speed_{name}.md").write_text(text, "utf-8")


def run_way(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    method, scratch = arguments.method, Path(arguments.scratch)
    items = read_items(POOL, arguments.items)
    if method not in {"bound", "ours"}:
        items = evenly(items, arguments.slow_items)
    mapper = SaeMapper.from_specs(
        arguments.model,
        load_dictionary(arguments.dictionary),
        dtype=arguments.dtype,
        device=arguments.device,
    )
    if method == "bound":
        report = run_bound(items, mapper)
    elif method in {"ours", "same"}:
        report = run_ours(items, mapper, scratch / method if method == "same" else None)
    elif method == "plain":
        report = run_plain(items, mapper, scratch / method)
    else:
        report = run_lens(items, mapper, scratch / method, int(method.removeprefix("lens-")))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
