"""Training: it learns, what it saves loads anywhere, and an interrupted run goes on exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchdesign.benchmarks.items import Item
from benchdesign.concepts.reference_model.model import ReferenceModel
from benchdesign.concepts.reference_model.windows import Window
from benchdesign.concepts.training.activation_bank import (
    ActivationBank,
    BankKey,
    CorpusActivations,
    collect_activations,
)
from benchdesign.concepts.training.concept_activations import ComputedActivations
from benchdesign.concepts.training.concept_statistics import measure_level
from benchdesign.concepts.training.corpus import CorpusText
from benchdesign.concepts.training.recipe import LevelReport, LevelSpec, TrainSettings
from benchdesign.concepts.training.statistics_rules import LevelStatistics, StatisticsRules
from benchdesign.concepts.training.train_sae import encode, train_sae
from benchdesign.errors import Interrupted, ModelError, OutputExistsError, UsageError
from tests.helpers import make_tiny_bert

HOOK = "blocks.0.hook_resid_post"
SPEC = LevelSpec("terms", HOOK, "token", width=24, k=3, batch_size=64, passes=8, dead_window=20)
CPU = TrainSettings(device="cpu")


def make_bank(
    n_texts: int = 120, *, per_text: int = 8, width: int = 12, seed: int = 0
) -> CorpusActivations:
    """States that are sums of two of sixteen directions, so that there is something to find."""
    import torch

    random = np.random.default_rng(seed)
    directions = random.normal(size=(16, width))
    n = n_texts * per_text
    picks = random.integers(0, 16, size=(n, 2))
    scale = random.uniform(1, 2, size=(n, 2, 1))
    rows = (directions[picks] * scale).sum(1) + 0.5
    texts = tuple(
        CorpusText(" ".join("abcdefgh"[:per_text]), f"source {n % 4}", n % 10 == 0)
        for n in range(n_texts)
    )
    starts = np.tile(np.arange(per_text, dtype=np.int32) * 2, n_texts)
    key = BankKey(HOOK, "token")
    bank = ActivationBank(
        key=key,
        rows=torch.from_numpy(rows).half(),
        text_of=np.repeat(np.arange(n_texts, dtype=np.int32), per_text),
        starts=starts,
        ends=starts + 1,
        token_ids=random.integers(0, 9, size=n).astype(np.int32),
        indptr=np.arange(n_texts + 1, dtype=np.int64) * per_text,
    )
    held = np.fromiter((text.held_out for text in texts), dtype=bool)
    return CorpusActivations(texts, {key: bank}, np.full(n_texts, per_text, dtype=np.int32), held)


def train(folder: Path, spec: LevelSpec = SPEC, settings: TrainSettings = CPU) -> LevelReport:
    """Train on the made-up states."""
    collected = make_bank()
    return train_sae(
        collected.banks[spec.key],
        spec,
        held_out=collected.held_out,
        folder=folder,
        model="tiny",
        settings=settings,
        checkpoints=folder.with_name("checkpoint"),
    )


@pytest.mark.training
def test_training_improves_explained_variance(tmp_path: Path) -> None:
    short = train(tmp_path / "short", replace(SPEC, passes=0.1))
    long = train(tmp_path / "long", replace(SPEC, passes=30))
    assert long.explained_variance > short.explained_variance + 0.1
    assert long.explained_variance > 0.8


@pytest.mark.training
def test_mean_activity_on_held_out_rows_is_at_most_k(tmp_path: Path) -> None:
    report = train(tmp_path / "sae")
    assert SPEC.k * 0.85 < report.l0 <= SPEC.k * 1.05


@pytest.mark.training
def test_device_auto_is_one_device_for_training(tmp_path: Path) -> None:
    short = replace(SPEC, passes=0.1)
    assert train(tmp_path / "auto", short, replace(CPU, device="auto")).n_steps > 0
    with pytest.raises(ModelError, match="does not exist"):
        train(tmp_path / "warp", short, replace(CPU, device="warp"))


@pytest.mark.training
def test_matryoshka_is_trained_and_saved_alike(tmp_path: Path) -> None:
    spec = replace(SPEC, architecture="matryoshka_batchtopk", widths=(6, 12), passes=20)
    assert train(tmp_path / "sae", spec).explained_variance > 0.5
    assert json.loads((tmp_path / "sae/cfg.json").read_text())["architecture"] == "jumprelu"


@pytest.mark.training
@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_saved_weights_load_in_sae_lens_bit_for_bit(tmp_path: Path, precision: str) -> None:
    import torch
    from sae_lens import SAE
    from safetensors.torch import load_file

    train(tmp_path / "sae", settings=replace(CPU, precision=precision))
    stored = load_file(tmp_path / "sae/sae_weights.safetensors")
    loaded = SAE.load_from_disk(tmp_path / "sae", device="cpu")
    assert loaded.cfg.architecture() == "jumprelu"
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == stored[name].dtype == getattr(torch, precision)
        assert torch.equal(tensor, stored[name])
    rows = next(iter(make_bank().banks.values())).rows[:50].float()
    exact = SAE.load_from_disk(tmp_path / "sae", device="cpu", dtype="float32")
    ours = encode({name: tensor.float() for name, tensor in stored.items()}, rows)
    torch.testing.assert_close(exact.encode(rows), ours)


@pytest.mark.training
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    train(tmp_path / "a")
    train(tmp_path / "b")
    train(tmp_path / "c", settings=replace(CPU, seed=1))
    weights = [(tmp_path / name / "sae_weights.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.training
def test_a_stopped_run_goes_on_exactly(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    collected = make_bank()
    checks = iter([False] * 37 + [True])
    arguments = {
        "held_out": collected.held_out,
        "folder": tmp_path / "parts",
        "model": "tiny",
        "checkpoints": tmp_path / "checkpoint",
    }
    bank = collected.banks[SPEC.key]
    with pytest.raises(Interrupted, match="--resume"):
        train_sae(bank, SPEC, settings=CPU, stop=lambda: next(checks), **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "parts").exists()
    train_sae(bank, SPEC, settings=replace(CPU, resume=True), **arguments)  # type: ignore[arg-type]
    name = "sae_weights.safetensors"
    assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("n_dead", [0, 5, 20])
def test_the_sparse_step_has_the_gradients_of_the_dense_one(n_dead: int) -> None:
    import torch
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import TrainStepInput

    from benchdesign.concepts.training.sparse_batchtopk import sparse_batchtopk

    results = []
    for kind in (BatchTopKTrainingSAE, sparse_batchtopk()):
        torch.manual_seed(0)
        config = BatchTopKTrainingSAEConfig(
            d_in=16, d_sae=40, k=4.0, apply_b_dec_to_input=False, rescale_acts_by_decoder_norm=False
        )
        sae = kind(config)
        mask = torch.arange(40) < n_dead
        for _ in range(2):  # the second time, candidates are guessed from the first
            sae.zero_grad()
            output = sae.training_forward_pass(
                TrainStepInput(torch.randn(64, 16), {}, mask, 0, False)
            )
            output.loss.backward()
        results.append((sae, output))
    (dense, dense_output), (sparse, sparse_output) = results
    torch.testing.assert_close(sparse_output.loss, dense_output.loss)
    assert torch.equal(sparse_output.feature_acts.to_dense(), dense_output.feature_acts)
    assert sparse.topk_threshold == dense.topk_threshold
    for name, parameter in dense.named_parameters():
        torch.testing.assert_close(sparse.get_parameter(name).grad, parameter.grad)


@pytest.mark.training
def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "one", settings=replace(CPU, checkpoint_every=10))
    with pytest.raises(UsageError, match="other settings"):
        train(tmp_path / "two", replace(SPEC, k=4), replace(CPU, resume=True))


@pytest.mark.training
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("state.json", "{}"),
        ("state.json", "[]"),
        ("state.json", '{"label": '),
        ("state.safetensors", ""),
        ("state.safetensors", "no tensors at all"),
    ],
)
def test_a_damaged_checkpoint_is_refused(file: str, content: str, tmp_path: Path) -> None:
    train(tmp_path / "one", settings=replace(CPU, checkpoint_every=10))
    (tmp_path / "checkpoint" / file).write_text(content, "utf-8")
    with pytest.raises(UsageError, match=r"damaged checkpoint .* delete it") as caught:
        train(tmp_path / "two", settings=replace(CPU, resume=True))
    assert "\n" not in str(caught.value)


@pytest.mark.training
def test_a_kill_while_a_checkpoint_is_replaced_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchdesign.concepts.dictionaries.output_folder import latest_folder

    train(tmp_path / "whole")
    often, checkpoint = replace(CPU, checkpoint_every=10), tmp_path / "checkpoint"
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.suffix == ".new" and latest_folder(checkpoint) != checkpoint:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", settings=often)
    monkeypatch.undo()
    assert not checkpoint.exists()
    state = json.loads((latest_folder(checkpoint) / "state.json").read_text("utf-8"))
    assert state["n_steps"] == 10
    train(tmp_path / "parts", settings=replace(often, resume=True))
    name = "sae_weights.safetensors"
    assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.training
def test_statistics_match_a_brute_force_computation(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    train(tmp_path / "sae")
    collected = make_bank()
    bank = collected.banks[SPEC.key]
    weights = {
        name: tensor.float()
        for name, tensor in load_file(tmp_path / "sae/sae_weights.safetensors").items()
    }
    rules = StatisticsRules(length_edges=(4,))
    measured, _ = measure_level(collected, ComputedActivations(bank, weights), rules=rules)
    check_by_brute_force(measured, encode(weights, bank.rows).numpy())


def check_by_brute_force(measured: LevelStatistics, acts: np.ndarray) -> None:
    """Compare statistics with what dense activations of `make_bank` (n_rows, width) come to."""
    by_text = acts.reshape(-1, 8, acts.shape[1])
    for concept in range(acts.shape[1]):
        peaks, saliency = by_text[:, :, concept].max(1), by_text[:, :, concept].mean(1)
        firing = np.sort(peaks[peaks > 0])
        if not len(firing):
            assert "dead" in measured.flags[concept]
            continue
        tau = max(np.float32(0.6 * firing[-8:].mean()), firing[0])
        present = peaks >= tau
        assert measured.threshold[concept] == pytest.approx(tau)
        assert measured.n_present[concept] == present.sum()
        assert measured.base_rates[concept, 1] == pytest.approx(present.mean())
        assert np.isnan(measured.base_rates[concept, 0])
        assert measured.q90[concept] == pytest.approx(np.quantile(saliency[present], 0.9), rel=1e-5)
        assert measured.density[concept] == pytest.approx((by_text[:, :, concept] > 0).mean())
        assert measured.max_activation[concept] == pytest.approx(peaks.max())


def one_concept(weights_on: np.ndarray) -> tuple[CorpusActivations, dict[str, Any]]:
    """A corpus in which one concept fires on given tokens ((n_texts, 8) of 0 and 1)."""
    import torch

    collected = make_bank(len(weights_on), width=2)
    key, bank = next(iter(collected.banks.items()))
    rows = torch.zeros_like(bank.rows)
    rows[:, 0] = torch.from_numpy(weights_on.reshape(-1)).half()
    changed = replace(collected, banks={key: replace(bank, rows=rows)})
    weights = {
        "W_enc": torch.tensor([[1.0], [0.0]]),
        "b_enc": torch.zeros(1),
        "threshold": torch.full((1,), 0.5),
    }
    return changed, weights


def flags_of(weights_on: np.ndarray, **changes: object) -> frozenset[str]:
    """Return the flags of that concept."""
    collected, weights = one_concept(weights_on)
    if "texts" in changes:
        collected = replace(collected, texts=changes["texts"])  # type: ignore[arg-type]
    bank = next(iter(collected.banks.values()))
    measured, _ = measure_level(collected, ComputedActivations(bank, weights))
    return measured.flags[0]


def test_a_concept_that_never_fires_is_dead() -> None:
    assert flags_of(np.zeros((40, 8))) == {"dead"}


def test_a_concept_on_every_third_token_is_dense() -> None:
    on = np.zeros((40, 8))
    on[:, 2::3] = 1
    assert flags_of(on) == {"dense"}


def test_a_concept_on_first_tokens_of_any_kind_is_positional() -> None:
    on = np.zeros((40, 8))
    on[::2, 0] = 1
    random = np.random.default_rng(0)
    collected, weights = one_concept(on)
    bank = next(iter(collected.banks.values()))
    ids = random.permutation(len(bank)).astype(np.int32)
    varied, _ = measure_level(collected, ComputedActivations(replace(bank, token_ids=ids), weights))
    same, _ = measure_level(
        collected, ComputedActivations(replace(bank, token_ids=ids * 0), weights)
    )
    assert varied.flags[0] == {"structural:position"}
    assert same.flags[0] == frozenset()


def test_a_concept_on_marks_is_punctuation() -> None:
    on = np.zeros((40, 8))
    on[::2, 3] = 1
    texts = tuple(CorpusText("a b c ! e f g h", f"s{n % 4}", False) for n in range(40))
    assert flags_of(on, texts=texts) == {"structural:punctuation"}


def test_a_concept_that_is_one_source_is_a_template() -> None:
    on = np.zeros((40, 8))
    on[0::4, 3] = 1
    assert flags_of(on) == {"structural:template"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("terms", "use name:hook="),
        ("terms:hook=h,width=8", r"missing k\."),
        ("terms:hook=h,width=8,k=x", "not a number"),
        ("terms:hook=h,width=8,k=9", "k must be between"),
        ("terms:hook=h,width=8,k=2,colour=red", "is not KEY=VALUE with a KEY of"),
        ("terms:hook=h,width=8,k=2,unit=word", "unit must be token or passage"),
        ("terms:hook=h,width=8,k=2,architecture=relu", "architecture must be one of"),
        ("terms:hook=h,width=8,k=2,widths=4/4", "widths must ascend"),
        ("terms:hook=h,width=8,k=2,lr=0", "must be above 0"),
    ],
)
def test_a_level_that_cannot_be_trained_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LevelSpec.parse(text)


def test_themes_are_passages_unless_told() -> None:
    assert LevelSpec.parse("themes:hook=h,width=8,k=2").unit == "passage"
    assert LevelSpec.parse("terms:hook=h,width=8,k=2", lr=0.5).lr == 0.5


def tiny_model(folder: Path) -> ReferenceModel:
    """A model whose states at `HOOK` a test can spoil."""
    return ReferenceModel.from_spec(make_tiny_bert(folder), hook_points=(HOOK,), device="cpu")


def test_not_a_number_in_the_states_is_an_error(tmp_path: Path) -> None:
    import torch

    model = tiny_model(tmp_path / "m")
    with torch.no_grad():
        model.model.encoder.layer[0].output.dense.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"not finite; choose another hook point\.$"):
        collect_activations([CorpusText("a cat", "", False)], model, keys=[BankKey(HOOK, "token")])


def test_states_beyond_half_precision_are_kept_in_single(tmp_path: Path) -> None:
    import torch

    model = tiny_model(tmp_path / "m")
    # Of one length a batch, longest first: what overflows comes after what does not.
    texts = [CorpusText(text, "", False) for text in ("dog", "a cat dog")]
    given = model.activations

    def activations(windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        states = given(windows)
        return {point: found * (1e6 if len(found) == 1 else 1.0) for point, found in states.items()}

    model.activations = activations  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchdesign.concepts.training.activation_bank._BATCH_TOKENS", {"cpu": 1})
        collected = collect_activations(texts, model, keys=[BankKey(HOOK, "token")])
    rows = collected.banks[BankKey(HOOK, "token")].rows
    assert rows.dtype is torch.float32
    small, large = (
        given(model.windows([Item("1", 0, text, ((0, len(text)),), text)]))
        for text in ("a cat dog", "dog")
    )
    torch.testing.assert_close(rows[0], large[HOOK][0].float() * 1e6)
    torch.testing.assert_close(rows[1:], small[HOOK].half().float())


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    from benchdesign.concepts.training.build_dictionary import build_dictionary

    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExistsError, match="--force"):
        build_dictionary(tmp_path / "none.jsonl", tmp_path / "out", [SPEC])
