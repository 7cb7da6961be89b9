"""The registry path end to end, offline: a hub cache made by hand stands for the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import make_tiny_sae
from tests.mapping.tiny_models import make_tiny_decoder

SAE_ID = "blocks.1.hook_resid_pre"
RUN = """
import json, socket, sys
from pathlib import Path

def refuse(*_): raise OSError("network")
socket.socket.connect = refuse

from benchdesign.items import Item
from benchdesign.mapping import open_mapper, load_dictionary
dictionary = load_dictionary("sae-lens:gpt2-small-res-jb/" + sys.argv[1], store=Path(sys.argv[2]))
mapper = open_mapper(dictionary=dictionary)
text = "The sea, the sky."
made = mapper.map_batch([Item("1", 0, text, ((0, len(text)),), text)])
print(json.dumps({
    "model": dictionary.model,
    "hook_point": dictionary.levels[0].hook_point,
    "before": list(mapper.model.maker.before),
    "center": mapper.model.center,
    "n_tokens": made.n_tokens.tolist(),
    "fired": len(made.indices),
}))
"""


def cache_as(hub: Path, repository: str) -> Path:
    """Make room for a repository as the hub's own cache lays it out."""
    base = hub / f"models--{repository.replace('/', '--')}"
    revision = "0" * 40
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text(revision, "utf-8")
    snapshot = base / "snapshots" / revision
    snapshot.mkdir(parents=True)
    return snapshot


@pytest.mark.slow
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
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, SAE_ID, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("fired") > 0
    assert found == {
        "model": "gpt2",
        "hook_point": SAE_ID,
        "before": [257],
        "center": True,
        "n_tokens": [17],
    }
