"""Hook points on plain transformers, early exit, and models that must be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.hook_points import resolve_hook
from benchdesign.concepts.reference_model.loading import choose_device
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.errors import ModelError
from tests.concepts.tiny_models import FAMILIES, make_tiny_decoder
from tests.helpers import make_tiny_bert

TEXT = "The sea, the sky: a dog."


def states_at(folder: Path, *points: str, **options: Any) -> dict[str, np.ndarray]:
    model = ReferenceModel.from_spec(folder, hook_points=points, **options)
    windows = model.windows([Item("1", 0, TEXT, ((0, len(TEXT)),), TEXT)])
    return {point: found.numpy() for point, found in model.activations(windows).items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_residual_of_the_last_layer_is_taken_before_the_final_norm(
    family: str, tmp_path: Path
) -> None:
    folder = make_tiny_decoder(tmp_path, family)
    states = states_at(
        folder,
        "blocks.2.hook_resid_pre",
        "blocks.2.hook_attn_out",
        "blocks.2.hook_mlp_out",
        "blocks.2.hook_resid_post",
    )
    before, attention, mlp, after = states.values()
    # What a layer writes is what its two parts write, whatever the family does with norms.
    np.testing.assert_allclose(before + attention + mlp, after, atol=2e-5)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "gpt_neox"])
def test_middle_of_a_layer_is_input_plus_attention(family: str, tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, family)
    before, attention, middle = states_at(
        folder, "blocks.1.hook_resid_pre", "blocks.1.hook_attn_out", "blocks.1.hook_resid_mid"
    ).values()
    np.testing.assert_allclose(before + attention, middle, atol=2e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_normalised_states_have_unit_scale_before_the_weight(family: str, tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, family)
    states = states_at(folder, "blocks.1.ln1.hook_normalized")["blocks.1.ln1.hook_normalized"]
    np.testing.assert_allclose((states**2).mean(1), 1, atol=1e-3)
    assert (np.abs(states.mean(1)).max() < 1e-5) == (family == "gpt2")


def test_layers_above_the_hook_are_not_loaded(tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, "llama")
    model = ReferenceModel.from_spec(folder, hook_points=["blocks.0.hook_resid_post"])
    assert len(model.model.layers) == 1
    assert model.n_layers == 3


@pytest.mark.parametrize(
    ("point", "n_layers"),
    [("blocks.2.hook_resid_pre", 2), ("blocks.2.hook_in", 2), ("blocks.0.hook_resid_pre", 1)],
)
def test_layer_is_not_loaded_for_what_enters_it(point: str, n_layers: int, tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, "gpt2")
    model = ReferenceModel.from_spec(folder, hook_points=[point])
    assert len(model.model.h) == n_layers


def test_centred_states_have_no_mean_where_norms_remove_it(tmp_path: Path) -> None:
    point = "blocks.1.hook_resid_post"
    plain = states_at(make_tiny_decoder(tmp_path / "a", "gpt2"), point)[point]
    centred = states_at(tmp_path / "a", point, center=True)[point]
    np.testing.assert_allclose(centred, plain - plain.mean(1, keepdims=True), atol=1e-6)
    llama = make_tiny_decoder(tmp_path / "b", "llama")
    np.testing.assert_array_equal(
        states_at(llama, point, center=True)[point], states_at(llama, point)[point]
    )


@pytest.mark.parametrize(
    "path", ["model.layers.1", "layers.1", "layers.1:out", "layers.2:in", "model.layers.1.output"]
)
def test_module_path_names_the_same_states(path: str, tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, "llama")
    point = "blocks.1.hook_resid_post"
    by_name = states_at(folder, point)[point]
    np.testing.assert_allclose(states_at(folder, path)[path], by_name, atol=1e-6)
    by_hand = states_at(folder, "anything", hook_module=path)["anything"]
    np.testing.assert_allclose(by_hand, by_name, atol=1e-6)


def test_text_model_inside_a_gemma_of_several_parts_is_read(tmp_path: Path) -> None:
    from transformers import AutoConfig, Gemma3Config, Gemma3ForConditionalGeneration

    text = AutoConfig.from_pretrained(make_tiny_decoder(tmp_path, "gemma3_text")).to_dict()
    vision = {"hidden_size": 16, "intermediate_size": 32, "image_size": 28, "patch_size": 14}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(text_config=text, vision_config=vision | layers, mm_tokens_per_image=1)
    config.image_token_id = 259
    whole = Gemma3ForConditionalGeneration(config).eval().requires_grad_(False)
    whole.save_pretrained(tmp_path)
    points = ("blocks.1.hook_resid_post", "model.language_model.layers.1")
    model = ReferenceModel.from_spec(tmp_path, hook_points=points)
    (window,) = model.windows([Item("1", 0, TEXT, ((0, len(TEXT)),), TEXT)])
    ids = torch_ids(window.token_ids)
    expected = whole.model.language_model(ids, output_hidden_states=True).hidden_states[2][0]
    for found in model.activations([window]).values():
        np.testing.assert_allclose(found, expected[window.content], atol=2e-5)
    assert len(model.model.language_model.layers) == 2
    # The layers that see are not loaded, as no text reaches them.
    assert not any("vision_tower" in name and ".layers." in name for name in names_of(model.model))
    assert any("vision_tower" in name and ".layers." in name for name in names_of(whole))


def names_of(model: Any) -> list[str]:
    return [name for name, _ in model.named_parameters()]


def torch_ids(ids: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(ids[None].astype(np.int64))


@pytest.mark.parametrize(
    ("path", "family", "point"),
    [
        ("model.layers.1.self_attn.o_proj.input", "gemma3_text", "blocks.1.attn.hook_z"),
        (
            "model.layers.1.post_feedforward_layernorm.output",
            "gemma3_text",
            "blocks.1.hook_mlp_out",
        ),
        ("model.layers.1.pre_feedforward_layernorm.output", "gemma2", "blocks.1.mlp.hook_in"),
        ("transformer.h.1.attn.c_proj:in", "gpt2", "blocks.1.attn.hook_z"),
    ],
)
def test_paths_that_public_releases_give_name_the_same_states(
    path: str, family: str, point: str, tmp_path: Path
) -> None:
    folder = make_tiny_decoder(tmp_path, family)
    states = states_at(folder, point, path)
    np.testing.assert_array_equal(states[path], states[point])


def test_device_auto_spreads_the_model_and_changes_no_state(tmp_path: Path) -> None:
    folder = make_tiny_decoder(tmp_path, "llama")
    point = "blocks.1.hook_resid_post"
    plain = states_at(folder, point)[point]
    for options in ({"device": "auto"}, {"device_map": "sequential"}, {"device_map": "cpu"}):
        np.testing.assert_array_equal(states_at(folder, point, **options)[point], plain)


def test_padding_does_not_change_states(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    point = "blocks.1.hook_resid_post"
    model = ReferenceModel.from_spec(folder, hook_points=[point])
    items = [Item(text, 0, text, ((0, len(text)),), text) for text in ("the cat", TEXT)]
    windows = model.windows(items)
    together = model.activations(windows)[point].numpy()
    alone = np.concatenate([model.activations([window])[point].numpy() for window in windows])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_bfloat16_stays_close(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    point = "blocks.1.hook_resid_post"
    exact = states_at(folder, point)[point]
    model = ReferenceModel.from_spec(folder, hook_points=[point], dtype="bfloat16")
    windows = model.windows([Item("1", 0, TEXT, ((0, len(TEXT)),), TEXT)])
    rounded = model.activations(windows)[point].float().numpy()
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1)
    assert (cosine / np.linalg.norm(rounded, axis=1)).min() > 0.99


def test_unknown_architecture_says_how_to_name_the_module() -> None:
    with pytest.raises(ModelError, match="--hook-module"):
        resolve_hook("blocks.1.hook_resid_post", model_type="falcon")


def make_unknown(folder: Path) -> Path:
    """A model of a family whose hooks nobody wrote down."""
    from transformers import OPTConfig, OPTForCausalLM

    make_tiny_decoder(folder, "gpt2")
    sizes = {"hidden_size": 16, "ffn_dim": 32, "word_embed_proj_dim": 16, "vocab_size": 260}
    config = OPTConfig(
        num_hidden_layers=3, num_attention_heads=2, max_position_embeddings=48, **sizes
    )
    OPTForCausalLM(config).save_pretrained(folder)
    return folder


def test_model_of_an_unknown_family_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    folder = make_unknown(tmp_path)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(
        ModelError, match=r"type 'opt' are not supported\. .* --hook-module decoder\.layers\.1 \("
    ):
        ReferenceModel.from_spec(folder, hook_points=["blocks.1.hook_resid_post"])


def test_model_of_an_unknown_family_is_read_at_a_module_named_by_hand(tmp_path: Path) -> None:
    folder = make_unknown(tmp_path)
    point = "blocks.1.hook_resid_post"
    by_hand = states_at(folder, point, hook_module="decoder.layers.1")[point]
    entering = states_at(folder, "x", hook_module="model.decoder.layers.2:in")["x"]
    np.testing.assert_allclose(by_hand, entering, atol=1e-6)


def test_model_that_needs_more_than_tokens_is_refused(tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    make_tiny_decoder(tmp_path, "gpt2")
    config = T5Config(
        vocab_size=260, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0
    )
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=r"cannot be read at encoder.block.1 .* needs no input"
    ) as caught:
        states_at(tmp_path, "x", hook_module="encoder.block.1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_model_that_does_not_fit_is_not_told_as_one_that_cannot_be_read(
    problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(ReferenceModel, "activations", fail)
    with pytest.raises(ModelError, match=r"does not fit in memory\. Use --dtype") as caught:
        states_at(make_tiny_decoder(tmp_path, "gpt2"), "x", hook_module="transformer.h.0")
    assert "encoder" not in str(caught.value)


def test_hook_that_the_family_lacks_says_how_to_name_the_module() -> None:
    with pytest.raises(ModelError, match="does not exist in models of type 'gpt_neox'"):
        resolve_hook("blocks.1.hook_resid_mid", model_type="gpt_neox")


def test_layer_the_model_lacks_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    for point in ("blocks.7.hook_resid_post", "blocks.2.hook_resid_pre"):
        with pytest.raises(ModelError, match=r"has 2 layers, so there is no 'blocks"):
            ReferenceModel.from_spec(folder, hook_points=[point])


def test_module_the_model_lacks_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    with pytest.raises(ModelError, match="has no module 'encoder"):
        ReferenceModel.from_spec(folder, hook_points=["x"], hook_module="encoder.layer.0.nothing")


def test_pickled_model_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors weights"):
        ReferenceModel.from_spec(folder, hook_points=["blocks.0.hook_resid_post"])


def test_tokenizer_of_a_larger_vocabulary_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    folder = make_tiny_bert(tmp_path)
    config = BertConfig.from_pretrained(folder, vocab_size=20)
    BertModel(config).save_pretrained(folder)
    with pytest.raises(
        ModelError,
        match=r"ids up to \d+, but the model's vocabulary has 20 tokens; tokenizer and model",
    ):
        ReferenceModel.from_spec(folder, hook_points=["blocks.0.hook_resid_post"])


@pytest.mark.parametrize("spec", ["./nowhere", "/no/such/folder", "a/b/c"])
def test_folder_that_is_not_there_is_refused_without_asking_the_hub(spec: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        ReferenceModel.from_spec(spec, hook_points=["blocks.0.hook_resid_post"])


def test_dtype_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_bert(tmp_path)
    with pytest.raises(ModelError, match="not one of float32, bfloat16, float16"):
        ReferenceModel.from_spec(folder, hook_points=["blocks.0.hook_resid_post"], dtype="int3")


@pytest.mark.parametrize(
    ("device", "message"),
    [("warp", "does not exist"), ("cuda", "No CUDA"), ("xpu", "does not exist")],
)
def test_device_that_is_not_there_is_refused(
    device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=message):
        choose_device(device)


def test_built_in_model_reads_256_tokens_and_is_known_by_its_weights() -> None:
    model = ReferenceModel.from_spec("builtin", hook_points=["blocks.0.hook_resid_post"])
    assert model.is_builtin
    assert model.maker.limit == 256
    assert model.width == {"blocks.0.hook_resid_post": 384}
