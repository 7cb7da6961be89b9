"""Concept maps equal what a dense, one-item-at-a-time computation gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item, Span
from benchdesign.concepts.mapping.batches import PADDED_TOKENS, PADDING, first_batch
from benchdesign.concepts.mapping.compatibility import check_names
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.mapping.pooling import merge_windows
from benchdesign.concepts.maps.concept_map import ConceptMap
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.errors import DictionaryError, ModelError
from tests.concepts.tiny_models import FAMILIES, WIDTH, make_tiny_decoder
from tests.helpers import make_dictionary, make_tiny_bert, make_tiny_dictionary, make_tiny_sae


def item(text: str, *content: Span) -> Item:
    return Item(text[:9], 0, text, content or (((0, len(text)),) if text else ()), text)


TEXTS = [
    item("Which cat is five?"),
    item("Answer. the sky, the sea: a dog", (8, 23)),
    item("Light and water boil at many degrees. The number of the heart is two! " * 3),
    item(""),
    item("Ω \ud800 naïve <bos> [SEP]"),
]


def dense_rows(mapper: SaeMapper, item: Item, encode: Any) -> tuple[np.ndarray, list[Span]]:
    """Activations (n content tokens, n_concepts) of one item, one window a time."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(mapper.model.spec).eval()
    rows, spans = [], []
    for window in mapper.model.windows([item]):
        with torch.no_grad():
            ids = torch.from_numpy(window.token_ids[None].astype(np.int64))
            states = model(ids, output_hidden_states=True).hidden_states[2][0]
        content = torch.from_numpy(window.content)
        rows.append(encode(states[content]))
        spans += list(zip(window.starts.tolist(), window.ends.tolist(), strict=True))
    return np.concatenate(rows), spans


def assert_row_equals(concept_map: ConceptMap, row: int, dense: np.ndarray, spans: Any) -> None:
    fired = np.flatnonzero((dense > 0).any(0))
    low, high = concept_map.indptr[row : row + 2]
    assert concept_map.indices[low:high].tolist() == fired.tolist()
    np.testing.assert_allclose(concept_map.saliency[low:high], dense.mean(0)[fired], atol=2e-4)
    np.testing.assert_allclose(concept_map.peak[low:high], dense.max(0)[fired], atol=2e-4)
    for place, concept in zip(range(low, high), fired, strict=True):
        span = (int(concept_map.start[place]), int(concept_map.end[place]))
        at = {token for token, token_span in enumerate(spans) if token_span == span}
        assert max(dense[token, concept] for token in at) >= dense[:, concept].max() - 2e-4
    assert concept_map.n_tokens[row] == len(spans)


def relu(weights: Path) -> Any:
    """Encode with a standard SAE by its formula."""
    from safetensors.numpy import load_file

    stored = load_file(weights / "sae_weights.safetensors")

    def encode(states: Any) -> np.ndarray:
        inputs = states.numpy() - stored["b_dec"]
        return np.maximum(inputs @ stored["W_enc"] + stored["b_enc"], 0)

    return encode


@pytest.mark.parametrize("family", [*FAMILIES, "bert"])
def test_map_of_every_family_equals_the_dense_computation(family: str, tmp_path: Path) -> None:
    if family == "bert":
        model = make_tiny_bert(tmp_path / "model", n_layers=3)
    else:
        model = make_tiny_decoder(tmp_path / "model", family)
    sae = make_tiny_sae(
        tmp_path / "sae",
        architecture="standard",
        d_in=WIDTH,
        metadata={"hook_name": "blocks.1.hook_resid_post", "model_name": str(model)},
    )
    mapper = SaeMapper.from_specs(None, sae)
    concept_map = mapper.map_batch(TEXTS)
    for row, item in enumerate(TEXTS):
        if item.text:
            dense, spans = dense_rows(mapper, item, relu(sae))
            assert_row_equals(concept_map, row, dense, spans)
        else:
            assert concept_map.indptr[row] == concept_map.indptr[row + 1]
            assert concept_map.n_tokens[row] == 0
    assert len(mapper.model.windows(TEXTS[2:3])) > 1


@pytest.mark.parametrize("path", ["model.layers.1", None])
def test_module_that_an_sae_names_is_read_where_hook_names_are_not_known(
    path: str | None, tmp_path: Path
) -> None:
    model = make_tiny_decoder(tmp_path / "model", "qwen3_moe")
    metadata = {"hook_name": "blocks.1.hook_resid_post", "model_name": str(model)}
    sae = make_tiny_sae(
        tmp_path / "sae", architecture="standard", metadata={**metadata, "hf_hook_name": path}
    )
    if path is None:
        with pytest.raises(
            ModelError, match=r"'qwen3_moe' are not supported\. Name the module instead"
        ):
            SaeMapper.from_specs(None, sae)
        return
    mapper = SaeMapper.from_specs(None, sae)
    concept_map = mapper.map_batch(TEXTS[:1])
    dense, spans = dense_rows(mapper, TEXTS[0], relu(sae))
    assert_row_equals(concept_map, 0, dense, spans)
    assert len(mapper.model.model.layers) == 2


def test_themes_are_pooled_over_passages_of_unit_length(tmp_path: Path) -> None:
    import torch

    model = make_tiny_bert(tmp_path / "model")
    folder = make_tiny_dictionary(tmp_path / "dictionary", model=model)
    mapper = SaeMapper.from_specs(model, folder)
    concept_map = mapper.map_batch(TEXTS)
    _, themes = mapper.dictionary.levels
    windows = mapper.model.windows(TEXTS[2:3])
    passages = []
    for window in windows:
        states = mapper.model.activations([window])[themes.hook_point]
        for low, high in window.passages:
            mean = states[low:high].mean(0)
            hits = mapper.encoders[1].encode((mean / mean.norm())[None])
            dense = torch.zeros(themes.width)
            dense[hits.concept] = hits.value
            passages.append(dense.numpy())
    expected = np.stack(passages)
    low, high = concept_map.indptr[2:4]
    themes_of_row = concept_map.indices[low:high] >= themes.offset
    fired = np.flatnonzero(expected.max(0) > 0)
    assert (concept_map.indices[low:high][themes_of_row] - themes.offset).tolist() == fired.tolist()
    np.testing.assert_allclose(
        concept_map.saliency[low:high][themes_of_row], expected.mean(0)[fired], atol=1e-5
    )
    np.testing.assert_allclose(
        concept_map.peak[low:high][themes_of_row], expected.max(0)[fired], atol=1e-5
    )
    assert len(windows) > 1


def test_batch_size_does_not_change_a_map(tmp_path: Path) -> None:
    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))
    whole = mapper.map_batch(TEXTS)
    mapper.runner.batch_tokens = 1
    single = mapper.map_batch(TEXTS)
    assert whole.indices.tolist() == single.indices.tolist()
    np.testing.assert_allclose(whole.saliency, single.saliency, atol=1e-5)
    assert whole.start.tolist() == single.start.tolist()


@pytest.mark.parametrize("place", ["model", "encoder"])
@pytest.mark.parametrize(
    "problem", ["torch.OutOfMemoryError", "DefaultCPUAllocator: can't allocate memory"]
)
def test_running_out_of_memory_halves_the_batch_and_the_map_is_the_same(
    problem: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))
    expected = mapper.map_batch(TEXTS)
    failure = torch.OutOfMemoryError() if "torch" in problem else RuntimeError(problem)
    sizes: list[int] = []
    owner: Any = mapper.model if place == "model" else mapper.encoders[1]
    name = "activations" if place == "model" else "encode"
    run = getattr(owner, name)

    def small(given: Any) -> Any:
        sizes.append(len(given))
        if len(given) > 2:
            raise failure
        return run(given)

    monkeypatch.setattr(owner, name, small)
    mapper.runner.may_grow = True
    mapped = mapper.map_batch(TEXTS)
    assert mapped.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(mapped.saliency, expected.saliency, atol=1e-5)
    assert max(sizes) > 2 >= sizes[-1]
    assert not mapper.runner.may_grow


def test_what_a_gpu_has_no_room_to_merge_is_merged_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))
    expected = mapper.map_batch(TEXTS)
    tries: list[int] = []

    def small(parts: Any, *given: Any, **named: Any) -> Any:
        tries.append(len(parts))
        if len(tries) == 1:
            raise torch.OutOfMemoryError
        return merge_windows(parts, *given, **named)

    monkeypatch.setattr("benchdesign.concepts.mapping.mapper.merge_windows", small)
    monkeypatch.setattr(ReferenceModel, "on_gpu", True)
    mapped = mapper.map_batch(TEXTS)
    assert len(tries) == 2
    assert mapped.indices.tolist() == expected.indices.tolist()
    assert mapped.saliency.tolist() == expected.saliency.tolist()


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="there is no GPU here")
def test_map_made_on_a_gpu_is_the_one_made_without(tmp_path: Path) -> None:
    maps = {}
    for device in ("cpu", "cuda"):
        mapper = open_mapper(device=device)
        maps[device] = map_items(TEXTS * 40, mapper, cache=tmp_path / device)
    ours, theirs = maps["cuda"], maps["cpu"]
    # An activation that is zero but for rounding may be on one side only.
    assert abs(len(ours.indices) - len(theirs.indices)) <= len(theirs.indices) // 1000
    same = ours.saliency_matrix() - theirs.saliency_matrix()
    assert abs(same).sum() < 1e-4 * theirs.saliency.sum()


def test_window_that_fits_nowhere_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))

    def full(_: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(mapper.model, "activations", full)
    with pytest.raises(ModelError, match=r"does not fit in memory\. Use --dtype bfloat16"):
        mapper.map_batch(TEXTS)


def test_other_errors_of_the_model_are_not_taken_for_a_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))

    def broken(_: Any) -> Any:
        raise RuntimeError("a kernel is broken")

    monkeypatch.setattr(mapper.model, "activations", broken)
    with pytest.raises(RuntimeError, match="a kernel is broken"):
        mapper.map_batch(TEXTS)


def test_batches_grow_where_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))
    expected = mapper.map_batch(TEXTS * 8)
    sizes: list[int] = []
    run = mapper.model.activations

    def counted(windows: Any) -> Any:
        sizes.append(len(windows) * max(len(window) for window in windows))
        return run(windows)

    monkeypatch.setattr(mapper.model, "activations", counted)
    mapper.runner.batch_tokens, mapper.runner.may_grow = 40, True
    mapped = mapper.map_batch(TEXTS * 8)
    assert sizes[0] <= 40 < sizes[1] <= 80 < sizes[2] <= 160
    assert mapped.indices.tolist() == expected.indices.tolist()


def test_batches_of_unlike_lengths_are_not_padded_far(tmp_path: Path) -> None:
    lengths = np.repeat([10, 12, 100], [900, 100, 100])
    batches = []
    rest = np.arange(len(lengths))
    while len(rest):
        batches.append(first_batch(rest, lengths, 1 << 17))
        rest = rest[len(batches[-1]) :]
    padded = [len(batch) * lengths[batch].max() for batch in batches]
    assert max(padded) > PADDED_TOKENS
    for batch, size in zip(batches, padded, strict=True):
        assert size <= max(PADDED_TOKENS, (1 + PADDING) * lengths[batch].sum())
    assert np.concatenate(batches).tolist() == list(range(len(lengths)))


def test_windows_cut_while_a_gpu_works_give_the_same_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_tiny_bert(tmp_path / "model")
    mapper = SaeMapper.from_specs(model, make_tiny_dictionary(tmp_path / "d", model=model))
    shards = [TEXTS, TEXTS[:3], TEXTS[2:]]
    expected = [mapper.map_batch(shard) for shard in shards]
    monkeypatch.setattr(ReferenceModel, "on_gpu", True)
    mapper.expect(shards[1])
    mapper.map_batch(shards[0])
    monkeypatch.setattr(mapper.model, "windows", lambda _: pytest.fail("cut twice"))
    mapper.expect(shards[2])
    mapped = mapper.map_batch(shards[1])
    assert mapped.indices.tolist() == expected[1].indices.tolist()
    # A shard that another run took: what was cut ahead for it is dropped.
    mapper.expect(shards[0])
    mapper.expect(shards[1])
    mapped = mapper.map_batch(shards[1])
    assert mapped.indices.tolist() == expected[1].indices.tolist()
    assert mapped.start.tolist() == expected[1].start.tolist()


@pytest.mark.filterwarnings("ignore")
def test_map_of_a_temporal_sae_follows_the_whole_text(tmp_path: Path) -> None:
    import torch

    from tests.concepts.test_sae_encoder import make_architecture

    model = make_tiny_decoder(tmp_path / "model", "llama")
    point = "blocks.1.hook_resid_post"
    sae = make_architecture("temporal", tmp_path / "sae")
    config = json.loads((tmp_path / "sae" / "cfg.json").read_text("utf-8"))
    config["metadata"] |= {"hook_name": point, "model_name": str(model), "prepend_bos": True}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(config), "utf-8")
    mapper = SaeMapper.from_specs(None, tmp_path / "sae")
    mapped = mapper.map_batch(TEXTS[:2])
    for row, item in enumerate(TEXTS[:2]):
        (window,) = mapper.model.windows([item])
        states = mapper.model.activations([window])[point]
        assert len(states) == len(window)
        dense = sae.encode(states[None])[0].detach()[torch.from_numpy(window.content)].numpy()
        spans = list(zip(window.starts.tolist(), window.ends.tolist(), strict=True))
        assert_row_equals(mapped, row, dense, spans)
        concept = int(mapped.indices[mapped.indptr[row]])
        evidence = mapper.evidence(item, [concept])[concept]
        assert [(place.start, place.end) for place in evidence] == [
            spans[token] for token in np.flatnonzero(dense[:, concept])
        ]


def test_term_evidence_is_each_tokens_activation(tmp_path: Path) -> None:
    model = make_tiny_bert(tmp_path / "model")
    mapper = open_mapper(model, make_tiny_dictionary(tmp_path / "d", model=model))
    concept_map = mapper.map_batch(TEXTS[:1])
    concept = int(concept_map.indices[0])
    evidence = mapper.evidence(TEXTS[0], [concept, 5])[concept]
    assert max(token.activation for token in evidence) == pytest.approx(
        concept_map.peak[0], abs=1e-5
    )
    strongest = max(evidence, key=lambda token: token.activation)
    assert (strongest.start, strongest.end) == (concept_map.start[0], concept_map.end[0])
    total = sum(token.activation for token in evidence)
    n_tokens = int(concept_map.n_tokens[0])
    assert total / n_tokens == pytest.approx(concept_map.saliency[0], abs=1e-5)


@pytest.mark.parametrize("normalise", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("architecture", ["topk", "standard", "gated", "jumprelu"])
def test_shares_of_tokens_in_a_theme_add_up_to_its_activation(
    architecture: str, normalise: str, tmp_path: Path
) -> None:
    model = make_tiny_bert(tmp_path / "model")
    folder = make_tiny_dictionary(tmp_path / "d", model=model)
    make_tiny_sae(
        folder / "themes",
        architecture=architecture,
        d_sae=8,
        seed=3,
        normalize_activations=normalise,
    )
    mapper = open_mapper(model, folder)
    concept_map = mapper.map_batch(TEXTS[:1])
    themes = concept_map.indices >= 24
    assert themes.any()
    shares = mapper.evidence(TEXTS[0], concept_map.indices[themes].tolist())
    for concept, peak in zip(
        concept_map.indices[themes].tolist(), concept_map.peak[themes].tolist(), strict=True
    ):
        total = sum(token.activation for token in shares[concept])
        assert total == pytest.approx(peak, abs=1e-4)
        assert len(shares[concept]) == concept_map.n_tokens[0]


def test_model_of_another_width_is_refused(tmp_path: Path) -> None:
    model = make_tiny_bert(tmp_path / "model")
    folder = make_tiny_dictionary(tmp_path / "d", model=model, width=8)
    with pytest.raises(DictionaryError, match=r"expects states of width 8, but .* has 16"):
        open_mapper(model, folder)


def test_model_of_another_name_is_refused(tmp_path: Path) -> None:
    sae = make_tiny_sae(
        tmp_path / "sae",
        metadata={"hook_name": "blocks.1.hook_resid_post", "model_name": "gemma-2-2b"},
    )
    with pytest.raises(DictionaryError, match=r"made for google/gemma-2-2b, not for builtin\."):
        open_mapper("builtin", sae)


@pytest.mark.parametrize(
    ("given", "made_for", "fits"),
    [
        ("google/gemma-2-2b-it", "google/gemma-2-2b", True),
        ("google/gemma-3-1b-it", "google/gemma-3-1b-pt", True),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Base", True),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B", True),
        ("openai-community/gpt2", "gpt2", True),
        ("EleutherAI/pythia-70m", "EleutherAI/pythia-70m-deduped", False),
        ("EleutherAI/pythia-70m-deduped", "EleutherAI/pythia-70m", False),
        ("gpt2-medium", "gpt2", False),
        ("google/gemma-2-27b", "google/gemma-2-2b", False),
        ("mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-v0.1", False),
    ],
)
def test_only_tuned_variants_pass_for_the_model_a_dictionary_was_made_for(
    given: str, made_for: str, fits: bool
) -> None:
    dictionary = replace(make_dictionary(["cat"]), model=made_for)
    if fits:
        check_names(given, dictionary)
        return
    with pytest.raises(DictionaryError, match=f"made for {made_for}, not for {given}"):
        check_names(given, dictionary)


def test_dictionary_that_names_no_hook_asks_for_a_module(tmp_path: Path) -> None:
    model = make_tiny_bert(tmp_path / "model")
    sae = make_tiny_sae(tmp_path / "sae")
    with pytest.raises(DictionaryError, match="Add --hook-module"):
        open_mapper(model, sae)
    by_hand = open_mapper(model, sae, hook_module="encoder.layer.0")
    assert len(by_hand.map_batch(TEXTS[:1]).indices) > 0
