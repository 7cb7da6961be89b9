"""Windows count exactly the record's tokens, and passages are cut where they should be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item, Span
from benchdesign.concepts.reference_model.model import ReferenceModel, pool_passages
from benchdesign.concepts.reference_model.windows import WindowMaker, split_passages
from benchdesign.errors import ModelError
from tests.concepts.tiny_models import make_tiny_decoder
from tests.helpers import make_tiny_bert


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> WindowMaker:
    folder = make_tiny_bert(tmp_path_factory.mktemp("bert"))
    return ReferenceModel.from_spec(folder, hook_points=["blocks.0.hook_resid_post"]).maker


def item(text: str, *content: Span) -> Item:
    return Item("1", 0, text, content or ((0, len(text)),), text)


def test_only_tokens_of_content_spans_count(maker: WindowMaker) -> None:
    text = "number two: the cat is a dog"
    (window,) = maker.windows([item(text, (12, 19), (25, 28))])
    words = [text[low:high] for low, high in zip(window.starts, window.ends, strict=True)]
    assert words == ["the", "cat", "dog"]
    assert window.content.sum() == window.n_content == 3
    assert len(window) == len(window.content) == 8 + 2


def test_special_tokens_written_in_an_item_are_plain_text(maker: WindowMaker) -> None:
    (window,) = maker.windows([item("the [SEP] cat")])
    assert window.token_ids.tolist().count(3) == 1
    assert window.token_ids[-1] == 3


def test_long_text_loses_nothing(maker: WindowMaker) -> None:
    text = "the cat is a dog. " * 30
    windows = maker.windows([item(text)])
    words = [
        text[low:high]
        for window in windows
        for low, high in zip(window.starts, window.ends, strict=True)
    ]
    assert "".join(words) == text.replace(" ", "")
    assert max(len(window) for window in windows) <= maker.limit
    assert {window.item for window in windows} == {0}
    # Cut after a full stop, since one is near.
    assert all(text[window.ends[-1] - 1] == "." for window in windows)


def test_lone_surrogates_keep_their_places(maker: WindowMaker) -> None:
    text = "cat \ud800 dog"
    (window,) = maker.windows([item(text)])
    assert (window.starts[0], window.ends[0]) == (0, 3)
    assert text[window.starts[-1] : window.ends[-1]] == "dog"


@pytest.mark.parametrize("text", ["", "   ", "the cat"])
def test_item_without_content_has_no_window(text: str, maker: WindowMaker) -> None:
    assert maker.windows([Item("1", 0, text, (), text)]) == []


@pytest.mark.parametrize(
    ("family", "prepend", "before"),
    [
        ("llama", None, (257,)),
        ("llama", True, (257,)),
        ("llama", False, ()),
        ("gpt2", None, ()),
        ("gpt2", True, (257,)),
    ],
)
def test_bos_is_added_once_and_never_counted(
    family: str, prepend: bool | None, before: tuple[int, ...], tmp_path: Path
) -> None:
    folder = make_tiny_decoder(tmp_path, family)
    model = ReferenceModel.from_spec(
        folder, hook_points=["blocks.0.hook_resid_post"], prepend_bos=prepend
    )
    assert model.maker.before == before
    (window,) = model.windows([item("sea")])
    assert window.n_content == 3
    assert len(window) == 3 + len(before)


def test_short_window_is_one_passage() -> None:
    closes = np.zeros(96, dtype=bool)
    assert split_passages(closes) == ((0, 96),)
    assert split_passages(closes[:0]) == ()


def test_long_window_is_cut_at_the_last_sentence_end_in_reach() -> None:
    closes = np.zeros(150, dtype=bool)
    closes[[9, 39, 69, 119]] = True
    assert split_passages(closes) == ((0, 70), (70, 150))


@pytest.mark.parametrize("n", range(97, 400, 7))
def test_passages_cover_the_window_within_their_limits(n: int) -> None:
    closes = np.random.default_rng(n).random(n) < 0.05
    passages = split_passages(closes)
    assert passages[0][0] == 0
    assert passages[-1][1] == n
    assert all(left[1] == right[0] for left, right in pairwise(passages))
    assert all(20 <= high - low <= 80 for low, high in passages)


def test_pooled_passage_is_the_unit_length_mean() -> None:
    import torch

    states = torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 2.0]])
    pooled = pool_passages(states, [2, 1])
    np.testing.assert_allclose(pooled, [[0.6, 0.8], [0.0, 1.0]], atol=1e-6)


def test_tokenizer_without_offsets_is_refused() -> None:
    with pytest.raises(ModelError, match="has no character offsets"):
        WindowMaker.from_transformers(object(), limit=8)
