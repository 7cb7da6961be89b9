"""Measuring SAEs of any architecture: what counts as active is what their encoder says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.sae_folder import load_encoder
from benchdesign.concepts.training.concept_activations import CachedActivations
from benchdesign.concepts.training.concept_statistics import measure_level
from benchdesign.concepts.training.contexts import ContextSettings
from benchdesign.concepts.training.measure_dictionary import _find_active, measure_dictionary
from benchdesign.concepts.training.statistics_rules import StatisticsRules
from benchdesign.errors import DictionaryError
from tests.concepts.test_sae_encoder import densely, make_architecture
from tests.concepts.test_train_sae import HOOK, check_by_brute_force, make_bank
from tests.helpers import make_tiny_bert, make_tiny_sae

RULES = StatisticsRules(length_edges=(4,))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("architecture", "d_sae"),
    # Wider than a block of concepts, and than what is kept together.
    [("topk", 1100), ("gated", 600), ("abstopk", 24), ("matching_pursuit", 24), ("jumprelu", 24)],
)
def test_statistics_of_every_architecture_match_its_encoder(
    architecture: str, d_sae: int, tmp_path: Path
) -> None:
    if architecture in {"topk", "gated"}:
        make_tiny_sae(
            tmp_path, architecture=architecture, d_sae=d_sae, normalize_activations="layer_norm"
        )
    else:
        make_architecture(architecture, tmp_path, d_sae=d_sae)
    encoder = load_encoder(tmp_path)
    collected = make_bank(width=16)
    (bank,) = collected.banks.values()
    active = _find_active(encoder, bank, progress=None, stop=None)
    measured, contexts = measure_level(
        collected, active, rules=RULES, contexts=ContextSettings(n_around=0)
    )
    acts = densely(encoder, bank.rows.float()).numpy()
    assert (acts > 0).any(0).sum() > 10
    check_by_brute_force(measured, acts)
    by_text = acts.reshape(-1, 8, d_sae).max(1)
    for concept in contexts:
        peaks = by_text[:, concept.concept_id]
        for context in concept.strong:
            assert np.abs(peaks - context.activation).min() < 1e-3
        if concept.strong:
            best = max(context.activation for context in concept.strong)
            assert best == pytest.approx(peaks.max(), abs=1e-3)


def test_keeping_hits_gives_what_computing_by_the_block_gives(tmp_path: Path) -> None:
    encoder = load_encoder(make_tiny_sae(tmp_path, d_sae=600))
    collected = make_bank(width=16)
    (bank,) = collected.banks.values()
    computed = _find_active(encoder, bank, progress=None, stop=None)
    assert not isinstance(computed, CachedActivations)
    kept = CachedActivations.by(encoder, bank)
    pick = np.array([599, 3, 511, 512])
    np.testing.assert_allclose(
        kept.of(pick).between(7, 300), computed.of(pick).between(7, 300), atol=1e-4
    )
    from_kept, from_computed = (
        measure_level(collected, active, rules=RULES)[0] for active in (kept, computed)
    )
    np.testing.assert_allclose(from_kept.threshold, from_computed.threshold, rtol=1e-5)
    assert from_kept.flags == from_computed.flags


def make_corpus(folder: Path) -> tuple[Path, Path]:
    """A tiny model and a corpus."""
    make_tiny_bert(folder / "model")
    words = ("cat", "dog", "house", "river", "stone", "music", "number", "seven")
    random = np.random.default_rng(0)
    rows = [{"text": " ".join(random.choice(words, size=12))} for _ in range(60)]
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "model", corpus


def made_for(model: Path) -> dict[str, Any]:
    """Metadata of an SAE on a tiny model."""
    return {"model_name": str(model), "hook_name": HOOK}


@pytest.mark.parametrize("architecture", ["topk", "gated"])
def test_a_public_sae_gets_thresholds_and_base_rates(architecture: str, tmp_path: Path) -> None:
    model, corpus = make_corpus(tmp_path)
    sae = make_tiny_sae(tmp_path / "sae", architecture=architecture, metadata=made_for(model))
    report = measure_dictionary(
        load_dictionary(sae), corpus, tmp_path / "out", model=str(model), device="cpu"
    )
    assert report.corpus["n_texts"] == 60
    table = load_dictionary(tmp_path / "out").table
    live = np.array(["dead" not in flags for flags in table.flags])
    assert live.any()
    assert (table.threshold[live] > 0).all()
    assert (
        table.base_rates[live].max(1, initial=0, where=~np.isnan(table.base_rates[live])) > 0
    ).all()


@pytest.mark.filterwarnings("ignore")
def test_a_temporal_sae_is_refused_before_any_work(tmp_path: Path) -> None:
    model, corpus = make_corpus(tmp_path)
    make_architecture("temporal", tmp_path / "sae")
    config = json.loads((tmp_path / "sae/cfg.json").read_text())
    config["metadata"] |= made_for(model)
    (tmp_path / "sae/cfg.json").write_text(json.dumps(config))
    with pytest.raises(DictionaryError, match="temporal SAE"):
        measure_dictionary(
            load_dictionary(tmp_path / "sae"), corpus, tmp_path / "out", model=str(model)
        )
    assert not (tmp_path / "out").exists()
