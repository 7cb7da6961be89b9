"""The registry path end to end, offline: a hub cache made by hand stands for the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.errors import DictionaryError
from tests.concepts.tiny_models import make_tiny_decoder
from tests.helpers import make_tiny_dictionary, make_tiny_sae

SAE_ID = "blocks.1.hook_resid_pre"
RUN = """
import json, socket, sys
from pathlib import Path

def refuse(*_): raise OSError("network")
socket.socket.connect = refuse

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.open_mapper import open_mapper

text = "The sea, the sky."
for spec in sys.argv[2:]:
    dictionary = load_dictionary("sae-lens:" + spec, store=Path(sys.argv[1]))
    mapper = open_mapper(dictionary=dictionary)
    made = mapper.map_batch([Item("1", 0, text, ((0, len(text)),), text)])
    print(json.dumps({
        "model": dictionary.model,
        "hook_point": dictionary.levels[0].hook_point,
        "before": list(mapper.model.maker.before),
        "center": mapper.model.center,
        "n_tokens": made.n_tokens.tolist(),
        "fired": len(made.indices) > 0,
    }))
"""


def run_offline(hub: Path, store: Path, *specs: str) -> list[dict[str, Any]]:
    """Map one item with each dictionary, in a process that can reach nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, str(store), *specs],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def cache_as(hub: Path, repository: str) -> Path:
    """Make room for a repository as the hub's own cache lays it out."""
    base = hub / f"models--{repository.replace('/', '--')}"
    revision = "0" * 40
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text(revision, "utf-8")
    snapshot = base / "snapshots" / revision
    snapshot.mkdir(parents=True)
    return snapshot


@pytest.mark.process
def test_cached_registry_entry_is_used_without_a_network(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    make_tiny_decoder(cache_as(hub, "gpt2"), "gpt2")
    release = cache_as(hub, "jbloom/GPT2-Small-SAEs-Reformatted")
    sae = make_tiny_sae(release / SAE_ID, architecture="standard")
    # This release is from the days before sae-lens 6: flat settings, no metadata.
    (sae / "cfg.json").write_text(
        json.dumps(
            {
                "model_name": "gpt2-small",
                "hook_point": SAE_ID,
                "hook_point_layer": 1,
                "hook_name": SAE_ID,
                "hook_layer": 1,
                "d_in": 16,
                "d_sae": 24,
                "dtype": "torch.float32",
                "device": "cpu",
                "prepend_bos": True,
                "activation_fn_str": "relu",
                "apply_b_dec_to_input": True,
                "context_size": 128,
                "normalize_activations": "none",
                "dataset_path": "none",
                "finetuning_scaling_factor": False,
                "sae_lens_training_version": None,
            }
        ),
        "utf-8",
    )
    (found,) = run_offline(hub, tmp_path / "store", f"gpt2-small-res-jb/{SAE_ID}")
    assert found == {
        "model": "gpt2",
        "hook_point": SAE_ID,
        "before": [257],
        "center": True,
        "n_tokens": [17],
        "fired": True,
    }


LLAMA_SCOPE = "llama_scope_lxr_8x/l1r_8x"
GEMMA_SCOPE = {
    "gemma-scope-2-270m-pt-res/layer_12_width_16k_l0_small": (
        "resid_post/layer_12_width_16k_l0_small",
        "blocks.12.hook_resid_post",
    ),
    "gemma-scope-2-270m-pt-att/layer_12_width_16k_l0_small": (
        "attn_out/layer_12_width_16k_l0_small",
        "blocks.12.attn.hook_z",
    ),
    "gemma-scope-2-270m-pt-transcoders/transcoder/layer_9_width_16k_l0_small_affine": (
        "transcoder/layer_9_width_16k_l0_small_affine",
        "model.layers.9.pre_feedforward_layernorm.output",
    ),
}


def make_llama_scope(folder: Path) -> None:
    """As the authors keep it: transposed weights in half precision, a scale in the settings."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    (folder / "checkpoints").mkdir(parents=True)
    settings = {
        "d_model": 16,
        "d_sae": 24,
        "dataset_average_activation_norm": {"in": 1.0},
        "jump_relu_threshold": 0.1,
        "hook_point_in": "blocks.1.hook_resid_post",
    }
    (folder / "hyperparams.json").write_text(json.dumps(settings), "utf-8")
    tensors = {
        "encoder.weight": torch.randn(24, 16),
        "decoder.weight": torch.randn(16, 24),
        "encoder.bias": torch.randn(24),
        "decoder.bias": torch.randn(16),
    }
    save_file(
        {name: tensor.bfloat16() for name, tensor in tensors.items()},
        folder / "checkpoints" / "final.safetensors",
    )


def make_gemma_scope(folder: Path, *, is_affine: bool) -> None:
    """As Gemma Scope 2 keeps it, settings left to be guessed from the name."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    tensors = {
        "w_enc": torch.randn(16, 24),
        "w_dec": torch.randn(24, 16),
        "b_enc": torch.randn(24),
        "b_dec": torch.randn(16),
        "threshold": torch.full((24,), 0.1),
    }
    if is_affine:
        tensors["affine_skip_connection"] = torch.randn(16, 16)
    save_file(tensors, folder / "params.safetensors")


@pytest.mark.process
def test_public_releases_in_the_cache_are_used_without_a_network(tmp_path: Path) -> None:
    hub, store = tmp_path / "hub", tmp_path / "store"
    make_tiny_decoder(cache_as(hub, "meta-llama/Llama-3.1-8B"), "llama")
    make_llama_scope(cache_as(hub, "fnlp/Llama3_1-8B-Base-LXR-8x") / "Llama3_1-8B-Base-L1R-8x")
    make_tiny_decoder(cache_as(hub, "google/gemma-3-270m"), "gemma3_text", n_layers=14)
    scope = cache_as(hub, "google/gemma-scope-2-270m-pt")
    for path, _ in GEMMA_SCOPE.values():
        make_gemma_scope(scope / path, is_affine="affine" in path)
    specs = [LLAMA_SCOPE, *GEMMA_SCOPE]
    expected = [("meta-llama/Llama-3.1-8B", "blocks.1.hook_resid_post")]
    expected += [("google/gemma-3-270m", hook_point) for _, hook_point in GEMMA_SCOPE.values()]
    results = run_offline(hub, store, *specs)
    assert [(result["model"], result["hook_point"]) for result in results] == expected
    assert all(result["fired"] and result["before"] == [257] for result in results)
    for name in ("models--fnlp--Llama3_1-8B-Base-LXR-8x", "models--google--gemma-scope-2-270m-pt"):
        shutil.rmtree(hub / name)
    # Once converted, an entry needs the hub's cache no more.
    assert run_offline(hub, store, *specs) == results


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_repository_opens_its_root_or_the_folder_named_without_a_network(hub: Path) -> None:
    snapshot = cache_as(hub, "me/many")
    for name in ("layer_1/width_24", "layer_2/width_24"):
        make_tiny_sae(snapshot / name, metadata={"hook_name": name, "model_name": "m"})
    make_tiny_dictionary(snapshot / "own", model=Path("m"))
    opened = load_dictionary("hf:me/many/layer_2/width_24")
    assert opened.levels[0].hook_point == "layer_2/width_24"
    assert [level.name for level in load_dictionary("me/many/own").levels] == ["terms", "themes"]
    with pytest.raises(DictionaryError) as caught:
        load_dictionary("hf:me/many")
    assert str(caught.value) == (
        "me/many: no dictionary.json or cfg.json, but these folders have one: "
        "layer_1/width_24, layer_2/width_24, own, own/terms, own/themes. "
        "Use one of them, such as hf:me/many/layer_1/width_24."
    )
    with pytest.raises(DictionaryError, match=r"one: layer_1/width_24\. Use one"):
        load_dictionary("hf:me/many/layer_1")
    with pytest.raises(DictionaryError, match="use a dictionary or a sae-lens folder"):
        load_dictionary("hf:me/many/layer_3")


@pytest.mark.parametrize(
    ("spec", "fetched"),
    [
        ("me/many", ["activation_scaler.json", "cfg.json", "sae_weights.safetensors"]),
        ("me/many/a", ["a/cfg.json", "a/sae_weights.safetensors"]),
        (
            "me/many/own",
            [
                "own/concepts.parquet",
                "own/dictionary.json",
                *(f"own/{name}/cfg.json" for name in ("terms", "themes")),
                *(f"own/{name}/sae_weights.safetensors" for name in ("terms", "themes")),
            ],
        ),
    ],
)
def test_only_the_dictionary_asked_for_is_fetched(
    spec: str, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.utils import filter_repo_objects

    remote, cache = make_tiny_sae(tmp_path / "remote"), tmp_path / "cache"
    for extra in ("activation_scaler.json", "notes.json", "other.safetensors"):
        (remote / extra).write_text("{}", "utf-8")
    make_tiny_sae(remote / "a")
    make_tiny_sae(remote / "a/deeper")
    make_tiny_dictionary(remote / "own", model=Path("m"))
    files = [path.relative_to(remote).as_posix() for path in remote.rglob("*") if path.is_file()]

    def download(_repository: str, *, allow_patterns: list[str]) -> str:
        for file in filter_repo_objects(files, allow_patterns=allow_patterns):
            (cache / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(remote / file, cache / file)
        return str(cache)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    load_dictionary(spec)
    found = [path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(fetched)


@pytest.mark.process
def test_entry_that_is_not_cached_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot be loaded") as caught:
        run_offline(tmp_path / "hub", tmp_path / "store", LLAMA_SCOPE)
    assert "DictionaryError: sae-lens:llama_scope_lxr_8x/l1r_8x" in str(caught.value)
