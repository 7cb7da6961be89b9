"""BERT forward pass of the built-in reference model, without transformers.

Importing the model code of transformers takes 2 s and 130 MB, more than the model itself, and the
first command of every session would pay for it. Module paths match transformers' BertModel, so that
the same hooks apply; the states are equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchdesign.concepts.reference_model.windows import WindowMaker

if TYPE_CHECKING:
    import torch

__all__ = ["load_bert", "load_bert_windows"]


def load_bert(folder: Path, *, n_layers: int, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the first `n_layers` layers; call the model with `input_ids` and `attention_mask`."""
    from safetensors import safe_open

    from benchdesign.concepts.reference_model.bert_modules import Bert

    config = json.loads((folder / "config.json").read_text("utf-8"))
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        model = Bert(config, n_layers, file.get_tensor)
    return model.to(device, dtype).eval().requires_grad_(False)


def load_bert_windows(folder: Path, *, limit: int) -> tuple[WindowMaker, int]:
    """Return the window maker of the model's tokenizer, and the id of its padding token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return (
        WindowMaker(tokenizer, limit, (vocabulary["[CLS]"],), (vocabulary["[SEP]"],)),
        vocabulary["[PAD]"],
    )
