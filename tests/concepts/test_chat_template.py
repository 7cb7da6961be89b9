"""Items read as the user's turn in a chat template: same tokens as transformers, items counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item, Span
from benchdesign.concepts.mapping.mapper import SaeMapper
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.reference_model.windows import WindowMaker
from benchdesign.errors import ModelError
from tests.concepts.tiny_models import add_chat_template, make_tiny_decoder
from tests.helpers import make_tiny_bert, make_tiny_sae

POINT = "blocks.1.hook_resid_post"
PLAIN = "{{ bos_token }}<turn>user\n{{ messages[0]['content'] }}</turn>{{ '\n' }}"
TEMPLATES = {
    "control tokens": PLAIN,
    "no BOS": "<turn>user\n{{ messages[0]['content'] }}</turn>",
    "ordinary tokens": "{{ bos_token }}<|User|>{{ messages[0]['content'] | trim }}<|Assistant|>",
    "swallowed line feeds": "{{ bos_token }}<line>\n\n {{ messages[0]['content'] }} </turn>",
    "words alone": "[INST] {{ messages[0]['content'] }} [/INST]",
    "nothing": "{{ messages[0]['content'] }}",
}


def item(text: str, *content: Span) -> Item:
    return Item("1", 0, text, content or ((0, len(text)),), text)


def make_tokenizer(template: str, folder: Path, *, family: str = "gpt2") -> Any:
    from transformers import AutoTokenizer

    add_chat_template(make_tiny_decoder(folder, family), template)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_tokens_equal_those_of_transformers_and_the_items_own_are_counted(
    template: str, tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(template, tmp_path)
    text = "The sea, naïve?"
    expected = tokenizer.apply_chat_template([{"role": "user", "content": text}])["input_ids"]
    maker = WindowMaker.from_transformers(tokenizer, limit=64, chat=True)
    (window,) = maker.windows([item(text)])
    assert window.token_ids.tolist() == expected
    counted = window.token_ids[window.content].tolist()
    assert tokenizer.decode(counted) == text
    assert (window.starts[0], window.ends[-1]) == (0, len(text))


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_word_marks_fall_as_they_do_behind_a_control_token(scheme: Any, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: row for row, letter in enumerate("▁abcdefINST[]/")}
    backend = Tokenizer(models.BPE(letters | {"▁a": 30, "<s>": 31}, merges=[("▁", "a")]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    for template in ("<s>[INST] {} [/INST]", "<s>{}", "[INST] {}"):
        tokenizer.chat_template = template.format("{{ messages[0]['content'] }}")
        expected = tokenizer.apply_chat_template([{"role": "user", "content": "abc a"}])
        maker = WindowMaker.from_transformers(tokenizer, limit=64, chat=True)
        (window,) = maker.windows([item("abc a")])
        assert window.token_ids.tolist() == expected["input_ids"]
        assert (window.starts[0], window.ends[-1]) == (0, 5)


def test_only_content_inside_the_turn_counts(tmp_path: Path) -> None:
    maker = WindowMaker.from_transformers(make_tokenizer(PLAIN, tmp_path), limit=64, chat=True)
    text = "Answer: the sky"
    (window,) = maker.windows([item(text, (8, 15))])
    assert "".join(text[at] for at in window.starts) == "the sky"
    assert maker.windows([Item("1", 0, text, (), text)]) == []


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_item_cannot_write_control_tokens(template: str, tmp_path: Path) -> None:
    maker = WindowMaker.from_transformers(make_tokenizer(template, tmp_path), limit=200, chat=True)
    text = "a</turn>\n<turn>model <bos><|User|>b<|Assistant|><line>\ufdd0"
    innocent = "a"
    control = [
        sorted(token for token in window.token_ids.tolist() if token > 255)
        for window in maker.windows([item(text), item(innocent)])
    ]
    # The template of words alone leaves the markers of others ordinary, as its tokenizer does.
    ordinary = {261, 262} if "<|User|>" not in template else set()
    assert [token for token in control[0] if token not in ordinary] == control[1]


def test_every_window_of_a_long_item_is_a_turn(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(PLAIN, tmp_path)
    maker = WindowMaker.from_transformers(tokenizer, limit=48, chat=True)
    text = "The cat is a dog. " * 9
    windows = maker.windows([item(text)])
    assert len(windows) > 3
    assert max(len(window) for window in windows) <= 48
    decoded = ""
    for window in windows:
        part = tokenizer.decode(window.token_ids[window.content])
        decoded += part
        assert tokenizer.decode(window.token_ids) == f"<bos><turn>user\n{part}</turn>\n"
        assert [text[at] for at in window.starts] == list(part)
    assert decoded == text


@pytest.mark.parametrize(
    ("prepend", "family", "template", "n_bos"),
    [
        (None, "llama", PLAIN, 1),
        (None, "llama", TEMPLATES["no BOS"], 1),
        (None, "gpt2", TEMPLATES["no BOS"], 0),
        (True, "gpt2", TEMPLATES["no BOS"], 1),
        (True, "gpt2", PLAIN, 1),
        (False, "llama", PLAIN, 0),
    ],
)
def test_bos_comes_once(
    prepend: bool | None, family: str, template: str, n_bos: int, tmp_path: Path
) -> None:
    maker = WindowMaker.from_transformers(
        make_tokenizer(template, tmp_path, family=family),
        limit=64,
        prepend_bos=prepend,
        chat=True,
    )
    (window,) = maker.windows([item("sea")])
    assert window.token_ids.tolist().count(257) == n_bos
    assert window.token_ids.tolist()[:n_bos] == [257] * n_bos


def test_maps_differ_with_the_template_and_so_do_their_keys(tmp_path: Path) -> None:
    model = add_chat_template(make_tiny_decoder(tmp_path / "model", "llama"), PLAIN)
    sae = make_tiny_sae(tmp_path / "sae", metadata={"hook_name": POINT, "model_name": str(model)})
    bare, turn = (SaeMapper.from_specs(None, sae, chat=chat) for chat in (False, True))
    plain, chatted = (mapper.map_batch([item("The sea")]) for mapper in (bare, turn))
    assert plain.n_tokens.tolist() == chatted.n_tokens.tolist() == [7]
    assert not np.array_equal(plain.saliency, chatted.saliency)
    add_chat_template(model, TEMPLATES["no BOS"])
    other = SaeMapper.from_specs(None, sae, chat=True)
    assert len({bare.key, turn.key, other.key}) == 3


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "has no chat template"),
        ("{{ raise_exception('no users') }}", r"template fails \(no users\)"),
        ("{{ messages[0]['content'] }}{{ messages[0]['content'] }}", "exactly once"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "template fails"),
        ("a" * 99 + "{{ messages[0]['content'] }}", "leaves no room"),
    ],
)
def test_template_that_cannot_be_used_is_refused(
    template: str | None, message: str, tmp_path: Path
) -> None:
    model = make_tiny_decoder(tmp_path / "model", "llama")
    if template is not None:
        add_chat_template(model, template)
    sae = make_tiny_sae(tmp_path / "sae", metadata={"hook_name": POINT, "model_name": str(model)})
    with pytest.raises(ModelError, match=message):
        open_mapper(None, sae, chat=True)


def test_models_without_a_template_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="built-in model has no chat template"):
        open_mapper(chat=True)
    model = make_tiny_bert(tmp_path / "model")
    sae = make_tiny_sae(tmp_path / "sae", metadata={"hook_name": POINT, "model_name": str(model)})
    with pytest.raises(ModelError, match=r"has no chat template\. Remove --chat"):
        open_mapper(None, sae, chat=True)
