"""Tiny random models of every supported family, saved the way transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FAMILIES = (
    "gpt2",
    "gpt_neox",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
)
"""Decoders; BERT is made by `helpers.make_tiny_bert`."""

WIDTH, HEADS, HEAD_WIDTH, N_LAYERS = 16, 2, 8, 3


def make_tiny_decoder(
    folder: Path, family: str, *, limit: int = 48, n_layers: int = N_LAYERS
) -> Path:
    """A model with a head and a byte-level tokenizer; Llama and Gemma tokenizers add a BOS."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = _config(family, limit, n_layers)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Norms of weight one and biases of zero would hide a hook on the wrong side of them.
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
            else:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
            assert parameter.isfinite().all(), name
    model.save_pretrained(folder)
    _tokenizer(limit, adds_bos=family in {"llama", "mistral"} or "gemma" in family).save_pretrained(
        folder
    )
    return folder


def _config(family: str, limit: int, n_layers: int) -> Any:
    from transformers import AutoConfig

    shared = {"vocab_size": 264, "bos_token_id": 257, "eos_token_id": 258, "pad_token_id": 256}
    if family == "gpt2":
        return AutoConfig.for_model(
            family, n_embd=WIDTH, n_layer=n_layers, n_head=HEADS, n_positions=limit, **shared
        )
    special = {}
    if family.startswith(("gemma", "qwen3", "mistral")):
        special["head_dim"] = HEAD_WIDTH
    if family != "gpt_neox":
        special["num_key_value_heads"] = 1
    return AutoConfig.for_model(
        family,
        hidden_size=WIDTH,
        num_hidden_layers=n_layers,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=limit,
        **special,
        **shared,
    )


def _tokenizer(limit: int, *, adds_bos: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: row for row, letter in enumerate(alphabet)}
    vocabulary |= {"<pad>": 256, "<bos>": 257, "<eos>": 258}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 257)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        model_max_length=limit,
    )


def add_chat_template(folder: Path, template: str) -> Path:
    """Give the tokenizer of a tiny decoder a chat template, and control tokens it may use."""

    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    backend = tokenizer.backend_tokenizer
    backend.add_special_tokens(["<turn>", "</turn>"])
    # Some public tokenizers do not mark theirs as special.
    backend.add_tokens(
        [AddedToken("<|User|>", normalized=False), AddedToken("<|Assistant|>", normalized=False)]
    )
    backend.add_special_tokens([AddedToken("<line>", rstrip=True, special=True)])
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder
