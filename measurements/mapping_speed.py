"""How fast and how large mapping is, next to its bound and to the plain way.

    bound   the bare model forward to the highest hook point over the same length-sorted batches of
            windows, plus one encoder product a level; nothing is tokenised, pooled or kept
    ours    `map_items`, from text to concept map
    plain   right-padded batches of 32 in file order, all layers, hidden states of every layer,
            sae-lens' SAE.encode on every position (terms only), dense activations copied and then
            made sparse
    lens    (--with-lens) sae-lens' own run_with_cache_with_saes, 2 windows at a time (8 of 1,024
            tokens need more than 20 GB)

Every way runs in its own process, one after the other, with the same windows. Rates are items per
CPU second, which other work on the machine disturbs less than the clock; both are recorded.

    python measurements/mapping_speed.py                 5,000 items, built-in dictionary
    python measurements/mapping_speed.py --synthetic     GPT-2-small shape, layer 8, 24k SAE
    python measurements/mapping_speed.py --model M --dictionary D
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.items import Item
from benchdesign.mapping import map_items
from benchdesign.mapping.dictionaries import load_dictionary
from benchdesign.mapping.mapper import SaeMapper, _batches
from benchdesign.mapping.windows import Window

HERE = Path(__file__).resolve().parent
POOL = HERE.parent.parent / "shared" / "data" / "pool" / "pool.jsonl.gz"
SYNTHETIC_WIDTH, SYNTHETIC_SAE, SYNTHETIC_LAYER = 768, 24_576, 8
ACTIVE = 48
"""Mean number of active concepts a token in a made-up dictionary."""


def read_items(path: Path, n: int) -> list[Item]:
    """Draw n items of the pool: the prompt with its choices, all of it content."""
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
    """Take n items spread over all of them: the pool is in order of its sources."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(n, len(items)), dtype=int)]


class Clock:
    """Wall and CPU seconds since it was made, and what memory peaked at."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def report(self, n_items: int, **more: Any) -> dict[str, Any]:
        """Return the rates and the peak memory of this process so far."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {
            "n_items": n_items,
            "items_per_second": n_items / wall,
            "items_per_cpu_second": n_items / cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            **more,
        }


def run_ours(items: list[Item], mapper: SaeMapper) -> dict[str, Any]:
    mapper.map_batch(items[:8])
    clock = Clock()
    made = map_items(items, mapper)
    total = float((made.saliency * np.repeat(made.n_tokens, np.diff(made.indptr))).sum())
    return clock.report(
        len(items), checksum=total, n_entries=len(made.indices), n_tokens=int(made.n_tokens.sum())
    )


def run_bound(items: list[Item], mapper: SaeMapper) -> dict[str, Any]:
    """Forward and product only; the model is the same truncated one, without our hooks."""
    import torch

    windows = mapper.model.windows(items)
    encoders = [
        (mapper._point(level), level.unit, encoder)
        for level, encoder in zip(mapper.dictionary.levels, mapper.encoders, strict=True)
    ]
    mapper.model.activations(windows[:8])
    clock = Clock()
    n_tokens = 0
    for batch in _batches([len(window) for window in windows], mapper.batch_tokens):
        chosen = [windows[index] for index in batch]
        states = mapper.model.activations(chosen)
        with torch.inference_mode():
            for point, unit, encoder in encoders:
                inputs = states[point]
                if unit == "passage":
                    inputs = inputs[: sum(len(window.passages) for window in chosen)]
                buffer = torch.empty(256, encoder.d_sae, device=inputs.device)
                for low in range(0, len(inputs), 256):
                    part = inputs[low : low + 256].float()
                    torch.addmm(encoder.bias, part, encoder.weight, out=buffer[: len(part)])
        n_tokens += len(states[mapper.model.hook_points[0]])
    return clock.report(len(items), n_tokens=n_tokens)


def run_plain(items: list[Item], mapper: SaeMapper, n_items: int) -> dict[str, Any]:
    """What one would write first: everything dense, in file order."""
    import torch
    from sae_lens import SAE
    from scipy import sparse
    from transformers import AutoModel

    items = evenly(items, n_items)
    windows = mapper.model.windows(items)
    spec = mapper.model.spec
    if spec == "builtin":
        from benchdesign.mapping.reference import builtin_model_folder

        spec = str(builtin_model_folder())
    model = AutoModel.from_pretrained(spec, dtype=torch.float32).eval()
    pad = mapper.model.pad_id
    token_levels = [level for level in mapper.dictionary.levels if level.unit == "token"]
    layers = {level.name: int(level.hook_point.split(".")[1]) + 1 for level in token_levels}
    saes = {
        level.name: SAE.load_from_disk(str(level.folder), dtype="float32") for level in token_levels
    }
    clock = Clock()
    rows: list[Any] = []
    total = 0.0
    for low in range(0, len(windows), 32):
        chosen = windows[low : low + 32]
        ids, mask = _padded(chosen, pad)
        with torch.inference_mode():
            states = model(
                input_ids=ids, attention_mask=mask, output_hidden_states=True
            ).hidden_states
        for name, sae in saes.items():
            with torch.inference_mode():
                activations = sae.encode(states[layers[name]]).cpu().numpy().copy()
            for row, window in enumerate(chosen):
                kept = activations[row, : len(window)][window.content]
                total += float(kept.sum())
                rows.append(
                    (sparse.csr_array(kept.mean(0)[None]), sparse.csr_array(kept.max(0)[None]))
                )
    return clock.report(len(items), checksum=total, n_tokens=_n_tokens(windows))


def run_lens(items: list[Item], mapper: SaeMapper, n_items: int) -> dict[str, Any]:
    """sae-lens' own way: its bridge, every hook cached, logits over the vocabulary."""
    import torch
    from sae_lens import SAE, SAETransformerBridge  # type: ignore[attr-defined]

    items = evenly(items, n_items)
    windows = mapper.model.windows(items)
    level = mapper.dictionary.levels[0]
    sae = SAE.load_from_disk(str(level.folder), dtype="float32")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = SAETransformerBridge.boot_transformers(
        mapper.model.spec,
        hf_model=AutoModelForCausalLM.from_pretrained(mapper.model.spec, dtype=torch.float32),
        tokenizer=AutoTokenizer.from_pretrained(mapper.model.spec),
        device="cpu",
    )
    clock = Clock()
    total = 0.0
    for low in range(0, len(windows), 2):
        chosen = windows[low : low + 2]
        ids, _ = _padded(chosen, mapper.model.pad_id)
        with torch.inference_mode():
            _, cache = model.run_with_cache_with_saes(ids, saes=[sae])
            name = next(name for name in cache if name.endswith("hook_sae_acts_post"))
            activations = cache[name]
        for row, window in enumerate(chosen):
            kept = activations[row, : len(window)][torch.from_numpy(window.content)]
            total += float(kept.sum())
    return clock.report(len(items), checksum=total, n_tokens=_n_tokens(windows))


def _n_tokens(windows: list[Window]) -> int:
    return sum(window.n_content for window in windows)


def _padded(windows: list[Window], pad: int) -> tuple[Any, Any]:
    import torch

    longest = max(len(window) for window in windows)
    ids = torch.full((len(windows), longest), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.from_numpy(window.token_ids.astype(np.int64))
        mask[row, : len(window)] = 1
    return ids, mask


def make_gpt2(folder: Path) -> Path:
    """A GPT-2-small-sized model of random weights with a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = GPT2Config(bos_token_id=257, eos_token_id=257, pad_token_id=256)
    GPT2LMHeadModel(config).save_pretrained(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: row for row, letter in enumerate(alphabet)} | {"<pad>": 256, "<bos>": 257}
    # Words of the texts as single tokens, or a byte-level tokenizer would make items four times
    # as long as GPT-2's own does.
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
    """A JumpReLU SAE of random weights whose thresholds make about ACTIVE concepts fire a token."""
    import torch
    from safetensors.torch import save_file

    from benchdesign.mapping.reference import ReferenceModel

    reference = ReferenceModel.from_spec(model, hook_points=[hook_point])
    windows = reference.windows(read_items(POOL, 64))
    states = torch.cat([reference.activations([one])[hook_point] for one in windows])[:4000]
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


def measure(arguments: argparse.Namespace, model: str, dictionary: str) -> dict[str, Any]:
    """Run each way in its own process."""
    ways = ["bound", "ours", "plain", *(["lens"] if arguments.with_lens else [])]
    found = {}
    for way in ways:
        command = [sys.executable, __file__, "--way", way, "--model", model]
        command += ["--dictionary", dictionary, "--items", str(arguments.items)]
        command += ["--slow-items", str(arguments.slow_items), "--threads", str(arguments.threads)]
        if arguments.dtype:
            command += ["--dtype", arguments.dtype]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way] = json.loads(done.stdout.splitlines()[-1])
        print(f"{way:6s} {describe(found[way])}", flush=True)
    return found


def describe(one: dict[str, Any]) -> str:
    return (
        f"{one['items_per_cpu_second']:8.1f} items/CPU-s {one['items_per_second']:8.1f} items/s "
        f"{one['peak_mb']:7.0f} MB peak   ({one['n_items']} items)"
    )


def tokens_per_second(one: dict[str, Any]) -> float:
    """Content tokens per CPU second: fair between ways that were given different items."""
    return float(one["items_per_cpu_second"] * one["n_tokens"] / one["n_items"])


def lines_of(name: str, found: dict[str, Any], command: str) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"`{command}` on {platform.machine()}, Python {platform.python_version()}\n"
    yield "| way | items per CPU second | items per second | peak MB | items |"
    yield "|---|---|---|---|---|"
    for way, one in found.items():
        yield (
            f"| {way} | {one['items_per_cpu_second']:.1f} | {one['items_per_second']:.1f} "
            f"| {one['peak_mb']:.0f} | {one['n_items']} |"
        )
    ours = found["ours"]
    yield ""
    for way in ("bound", "plain", "lens"):
        if way in found:
            ratio = tokens_per_second(ours) / tokens_per_second(found[way])
            memory = found[way]["peak_mb"] / ours["peak_mb"]
            yield f"- {ratio:.2f} times as fast as {way}, which needs {memory:.2f} times the memory"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--slow-items", type=int, default=500, help="items for plain and lens")
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--with-lens", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--name", default="builtin")
    arguments = parser.parse_args()
    if not POOL.is_file():
        sys.exit(f"{POOL}: the texts to measure on are not here.")
    if arguments.way:
        run_way(arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        model, dictionary = arguments.model, arguments.dictionary
        if arguments.synthetic:
            model = str(make_gpt2(Path(scratch) / "model"))
            hook_point = f"blocks.{SYNTHETIC_LAYER}.hook_resid_post"
            dictionary = str(
                make_sae(
                    Path(scratch) / "sae",
                    model=model,
                    hook_point=hook_point,
                    d_in=SYNTHETIC_WIDTH,
                    d_sae=SYNTHETIC_SAE,
                )
            )
        found = measure(arguments, model, dictionary)
    name = "gpt2-small-24k" if arguments.synthetic else arguments.name
    command = " ".join(["python", "measurements/mapping_speed.py", *sys.argv[1:]])
    text = "\n".join(lines_of(name, found, command))
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"mapping_speed_{name}.md").write_text(text, "utf-8")


def run_way(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    items = read_items(POOL, arguments.items)
    mapper = SaeMapper.from_specs(
        arguments.model, load_dictionary(arguments.dictionary), dtype=arguments.dtype
    )
    if arguments.way == "ours":
        found = run_ours(items, mapper)
    elif arguments.way == "bound":
        found = run_bound(items, mapper)
    elif arguments.way == "plain":
        found = run_plain(items, mapper, arguments.slow_items)
    else:
        found = run_lens(items, mapper, arguments.slow_items)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
