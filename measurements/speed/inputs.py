"""The items, and a random model and dictionary of realistic shape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from benchdesign.benchmarks.items import Item

POOL = Path(__file__).resolve().parents[3] / "shared" / "data" / "pool" / "pool.jsonl.gz"
SYNTHETIC_WIDTH, SYNTHETIC_SAE, SYNTHETIC_LAYER = 768, 24_576, 8

ACTIVE = 48
"""Mean number of active concepts per token in the synthetic dictionary."""


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
