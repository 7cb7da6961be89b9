"""Builders of small things for tests; every argument has a harmless default."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchdesign.concepts.dictionaries.dictionary import ConceptTable, Dictionary, Level
from benchdesign.concepts.maps.concept_map import ConceptMap


def make_dictionary(
    labels: Sequence[str | None],
    *,
    levels: Sequence[tuple[str, str, int]] | None = None,
    base_rates: Sequence[float] | Sequence[Sequence[float]] | None = None,
    thresholds: Sequence[float] | None = None,
    q90: Sequence[float] | None = None,
    density: Sequence[float] | None = None,
    flags: Mapping[int, Sequence[str]] | None = None,
    areas: Sequence[str | None] | None = None,
    length_edges: Sequence[int] = (),
    fingerprint: str = "test-dictionary",
) -> Dictionary:
    """A dictionary without weights; `levels` are (name, unit, width), by default one of terms."""
    n = len(labels)
    bins = len(length_edges) + 1
    built_levels, offset = [], 0
    for name, unit, width in levels or [("terms", "token", n)]:
        built_levels.append(Level(name, unit, "blocks.0.hook_resid_post", offset, width))
        offset += width
    rates = np.full((n, bins), np.nan, dtype=np.float32)
    if base_rates is not None:
        rates[:] = np.asarray(base_rates, dtype=np.float32).reshape(n, -1)
    unknown = [float("nan")] * n
    table = ConceptTable(
        level=np.repeat(
            np.arange(len(built_levels)), [level.width for level in built_levels]
        ).astype(np.int8),
        threshold=np.asarray(thresholds or [0.0] * n, dtype=np.float32),
        base_rates=rates,
        mean_activation=np.asarray(unknown, dtype=np.float32),
        max_activation=np.asarray(unknown, dtype=np.float32),
        q90=np.asarray(q90 or [1.0] * n, dtype=np.float32),
        density=np.asarray(density or unknown, dtype=np.float32),
        flags=tuple(frozenset((flags or {}).get(concept, ())) for concept in range(n)),
        label=tuple(labels),
        label_source=tuple(None if label is None else "written" for label in labels),
        label_score=np.asarray(unknown, dtype=np.float32),
        area=tuple(areas) if areas is not None else (None,) * n,
    )
    return Dictionary(
        "test", "builtin", tuple(built_levels), table, tuple(length_edges), fingerprint
    )


def make_map(
    rows: Sequence[Mapping[int, float]],
    *,
    n_concepts: int,
    n_tokens: Sequence[int] | int = 20,
    embeddings: np.ndarray | None = None,
    fingerprint: str = "test-dictionary",
    prefix: str = "item",
) -> ConceptMap:
    """A map from one {concept id: saliency} an item; peaks equal saliencies, places are 0 to 1."""
    ids = [sorted(row) for row in rows]
    values = np.asarray(
        [row[concept] for row, order in zip(rows, ids, strict=True) for concept in order],
        dtype=np.float32,
    )
    lengths = [n_tokens] * len(rows) if isinstance(n_tokens, int) else list(n_tokens)
    return ConceptMap(
        digests=tuple(f"{prefix}-{row}" for row in range(len(rows))),
        n_concepts=n_concepts,
        dictionary=fingerprint,
        indptr=np.cumsum([0, *(len(order) for order in ids)]).astype(np.int64),
        indices=np.asarray([concept for order in ids for concept in order], dtype=np.int32),
        saliency=values,
        peak=values.copy(),
        start=np.zeros(len(values), dtype=np.int32),
        end=np.ones(len(values), dtype=np.int32),
        n_tokens=np.asarray(lengths, dtype=np.int32),
        embeddings=embeddings,
    )


class KeptFolder:
    """A folder that is filled once and put back as it was for every test.

    It is put back where it was filled: workspaces hold absolute paths.
    """

    def __init__(self, root: Path, fill: Callable[[Path], object]) -> None:
        self.folder, self._copy = root / "folder", root / "copy"
        self.folder.mkdir(parents=True)
        fill(self.folder)
        shutil.copytree(self.folder, self._copy, symlinks=True)

    def restore(self) -> Path:
        """Return the folder, as it was when it was filled."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._copy, self.folder, symlinks=True)
        return self.folder


_TINY_WORDS = """
the a of is what how many which color sky cat dog water boils at degrees paris capital
france number prime two three five plus equals light speed heart blood cell
"""


def make_tiny_bert(
    folder: Path,
    *,
    n_layers: int = 2,
    width: int = 16,
    limit: int = 32,
    family: str = "bert",
    **settings: object,
) -> Path:
    """A BERT, or a relative, of random weights with a word-piece tokenizer, as a folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {
        word: row for row, word in enumerate(dict.fromkeys([*pieces, *_TINY_WORDS.split()]))
    }
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=limit,
    )
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=limit,
        initializer_range=0.5,
        **settings,
    )
    AutoModel.from_config(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


def make_tiny_sae(
    folder: Path,
    *,
    architecture: str = "jumprelu",
    d_in: int = 16,
    d_sae: int = 24,
    seed: int = 0,
    metadata: Mapping[str, object] | None = None,
    **settings: object,
) -> Path:
    """A sae-lens folder of random weights."""
    import json

    import torch
    from safetensors.torch import save_file

    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(*shape, generator=rng) * scale

    tensors = {
        "W_enc": draw(d_in, d_sae, scale=d_in**-0.5),
        "W_dec": draw(d_sae, d_in),
        "b_dec": draw(d_in, scale=0.1),
    }
    if architecture == "gated":
        tensors |= {
            "b_gate": draw(d_sae, scale=0.2),
            "b_mag": draw(d_sae, scale=0.2),
            "r_mag": draw(d_sae, scale=0.2),
        }
    else:
        tensors["b_enc"] = draw(d_sae, scale=0.2)
    if architecture == "jumprelu":
        tensors["threshold"] = draw(d_sae).abs()
    config: dict[str, object] = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        # sae-lens takes a folder without its version for one of the days before 6.0.
        "metadata": {"sae_lens_version": "6.54.12"} | dict(metadata or {}),
    }
    if architecture == "topk":
        config |= {"k": 4, "rescale_acts_by_decoder_norm": False}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config | settings), "utf-8")
    save_file(tensors, folder / "sae_weights.safetensors")
    return folder


def make_tiny_dictionary(folder: Path, *, model: Path, width: int = 16) -> Path:
    """A dictionary folder of 24 terms and 8 themes for a model of `make_tiny_bert`."""
    from benchdesign.concepts.dictionaries.folder import blank_table, save_dictionary

    levels = (
        Level("terms", "token", "blocks.0.hook_resid_post", 0, 24, folder / "terms"),
        Level("themes", "passage", "blocks.1.hook_resid_post", 24, 8, folder / "themes"),
    )
    make_tiny_sae(folder / "terms", d_in=width, d_sae=24)
    make_tiny_sae(folder / "themes", architecture="topk", d_in=width, d_sae=8, k=3, seed=1)
    save_dictionary(
        Dictionary("tiny", str(model), levels, blank_table(levels), (), "unused"), folder
    )
    return folder
