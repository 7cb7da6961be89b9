"""Folders of a reference model with a damaged, foreign or missing file: refused in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.errors import InputError
from tests.concepts.tiny_models import make_tiny_decoder
from tests.helpers import make_tiny_bert

POINT = "blocks.1.hook_resid_post"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n"
DEEP = "[" * 100_000
WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    return {
        "gpt2": make_tiny_decoder(folder / "gpt2", "gpt2"),
        "bert": make_tiny_bert(folder / "bert"),
    }


def written(name: str, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def changed(name: str, **values: Any) -> Damage:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps({**content, **values}))

    return change


def cut_off(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def pipe(name: str) -> Damage:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


def without_tokenizer(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (CONFIG, WEIGHTS):
            path.unlink()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "weights cut off": (cut_off, "cannot be loaded .SafetensorError"),
    "weights that are a pointer": (written(WEIGHTS, POINTER), "Git LFS pointer"),
    "weights that are nothing": (written(WEIGHTS, ""), "cannot be loaded .SafetensorError"),
    "weights that are a pipe": (pipe(WEIGHTS), "not a regular file"),
    "tokenizer that is nothing": (written(TOKENIZER, "{}"), "no usable tokenizer"),
    "tokenizer that is null": (written(TOKENIZER, "null"), "no usable tokenizer"),
    "tokenizer that is deep": (written(TOKENIZER, DEEP), "no usable tokenizer"),
    "tokenizer of no kind": (changed(TOKENIZER, model={"type": "x"}), "no usable tokenizer"),
    "tokenizer that is a pipe": (pipe(TOKENIZER), "not a regular file"),
    "tokenizer that is missing": (without_tokenizer, "its vocabulary is empty"),
    "tokenizer settings that are a list": (
        written("tokenizer_config.json", "[]"),
        "no usable tokenizer",
    ),
    "config that is null": (written(CONFIG, "null"), "cannot be loaded"),
    "config that is deep": (written(CONFIG, DEEP), "cannot be loaded"),
    "config with text for a number": (changed(CONFIG, vocab_size="a"), "cannot be loaded"),
    "config with a list for a type": (changed(CONFIG, model_type=["a"]), "cannot be loaded"),
    "config of an unknown number type": (changed(CONFIG, dtype="nope"), "cannot be loaded"),
    "config with no heads": (
        changed(CONFIG, num_attention_heads=0, n_head=0),
        "cannot be loaded",
    ),
    "window that is no number": (
        written("sentence_bert_config.json", '{"max_seq_length": "x"}'),
        "cannot be loaded",
    ),
    "window settings that are damaged": (
        written("sentence_bert_config.json", "{"),
        "cannot be loaded",
    ),
}


@pytest.mark.parametrize("family", ["gpt2", "bert"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_folder_of_a_model_is_refused(
    name: str, family: str, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    damage, message = DAMAGES[name]
    folder = shutil.copytree(model_folders[family], tmp_path / "model")
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        ReferenceModel.from_spec(folder, hook_points=[POINT])
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
