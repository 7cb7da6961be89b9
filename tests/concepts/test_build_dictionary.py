"""A whole run, stopped and taken up again: the dictionary is the one an unbroken run makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchdesign.concepts.training.build_dictionary import build_dictionary
from benchdesign.concepts.training.corpus import CorpusSettings
from benchdesign.concepts.training.recipe import LevelSpec, TrainSettings
from benchdesign.errors import Interrupted, UsageError
from tests.helpers import make_tiny_bert

WORDS = ("cat", "dog", "sky", "water", "paris", "france", "prime", "heart", "blood", "cell")
SPECS = (
    LevelSpec("terms", "blocks.0.hook_resid_post", "token", 24, 3, batch_size=64, passes=2),
    LevelSpec("themes", "blocks.1.hook_resid_post", "passage", 8, 2, batch_size=32, passes=6),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and a corpus."""
    folder = tmp_path_factory.mktemp("build")
    make_tiny_bert(folder / "model")
    random = np.random.default_rng(0)
    rows = [
        {"text": " ".join(random.choice(WORDS, size=14)), "source": f"s{n % 4}"} for n in range(90)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def build(
    corpus: Path,
    out: Path,
    *,
    resume: bool = False,
    stop: Callable[[], bool] | None = None,
    seed: int = 0,
) -> None:
    """Train both levels."""
    build_dictionary(
        corpus / "corpus.jsonl",
        out,
        SPECS,
        model=str(corpus / "model"),
        name="tiny",
        corpus_settings=CorpusSettings(held_out_share=0.1),
        settings=TrainSettings(device="cpu", checkpoint_every=4, resume=resume, seed=seed),
        contexts_path=out.with_name(f"{out.name}.jsonl"),
        stop=stop,
    )


class StopAfter:
    """A stop check that says yes once it was asked `n` times."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.n_asked = 0

    def __call__(self) -> bool:
        self.n_asked += 1
        return self.n_asked > self.n


@pytest.mark.training
def test_a_run_stopped_at_any_stage_goes_on_to_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    whole = StopAfter(10_000)
    build(corpus, tmp_path / "whole", stop=whole)
    stopped = []
    for n in range(0, whole.n_asked, 14):
        # A run that is taken up again reads the corpus once more and goes on from its checkpoint.
        with pytest.raises(Interrupted) as caught:
            build(corpus, tmp_path / "parts", stop=StopAfter(n))
        stopped.append(str(caught.value))
        assert not (tmp_path / "parts").exists()
        assert not (tmp_path / "parts.jsonl").exists()
    assert any("training terms" in message for message in stopped)
    assert any("training themes" in message for message in stopped)
    with pytest.raises(Interrupted):
        build(corpus, tmp_path / "parts", resume=True, stop=StopAfter(8))
    build(corpus, tmp_path / "parts", resume=True)
    for name in (
        "terms/sae_weights.safetensors",
        "themes/sae_weights.safetensors",
        "concepts.parquet",
    ):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not (tmp_path / "parts.training").exists()


@pytest.mark.training
def test_a_checkpoint_of_another_corpus_or_seed_is_not_continued(
    corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted, match="training terms"):
        build(corpus, tmp_path / "out", stop=StopAfter(12))
    with pytest.raises(UsageError, match="other settings"):
        build(corpus, tmp_path / "out", resume=True, seed=1)
