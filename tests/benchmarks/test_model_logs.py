from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Benchmark, Item
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.results.join import load_results
from benchdesign.errors import FormatError
from tests.benchmarks.logs import (
    helm_stat,
    inspect_log,
    inspect_sample,
    lm_eval_line,
    write_archive,
    write_helm,
    write_inspect_archive,
    write_inspect_json,
    write_lm_eval,
)
from tests.keywords import write_sets

EXAMPLES = Path(__file__).parents[2] / "examples"
REAL_RUN = Path(__file__).parent / "lm_eval_run"
INSPECT_RUN = Path(__file__).parent / "inspect_run"


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return load_benchmark(write_sets(tmp_path)[0])


def doc(benchmark: Benchmark, row: int) -> dict[str, object]:
    return dict(benchmark.record(benchmark.items[row]))


def sample_of(item: Item, value: object, **fields: object) -> dict[str, object]:
    return inspect_sample(item.id, item.prompt, value, **{"choices": list(item.choices), **fields})


# lm-eval


def test_a_real_lm_eval_folder_is_read_by_metric() -> None:
    benchmark = load_benchmark(EXAMPLES / "benchmark.jsonl")
    joined = load_results([REAL_RUN], benchmark, metrics=["acc_norm"])
    assert joined.metrics == {"models/tiny-a": "acc_norm"}
    assert (joined.n_joined, joined.joined_by) == (5, {"id": 5})
    assert np.isnan(joined.scores["models/tiny-a"][5:]).all()


def test_a_real_lm_eval_run_with_two_filters_is_read_by_filter() -> None:
    benchmark = load_benchmark(EXAMPLES / "benchmark_free.csv")
    joined = load_results([REAL_RUN], benchmark, metrics=["exact_match,strict"])
    assert joined.metrics == {"models/tiny-a": "exact_match,strict"}
    assert joined.scores["models/tiny-a"][:5].tolist() == [0.0] * 5


def test_what_a_model_chose_in_a_real_lm_eval_run_is_the_likeliest_choice() -> None:
    benchmark = load_benchmark(EXAMPLES / "benchmark.jsonl")
    joined = load_results([REAL_RUN], benchmark, metrics=["acc"])
    # The continuation with the highest log-likelihood of the first item is the third.
    assert joined.answers["models/tiny-a"][0] == benchmark.items[0].choices[2]


def test_the_answer_of_an_inspect_sample_is_the_text_of_the_choice(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    item = benchmark.items[0]
    sample = sample_of(item, "I", choices=["one", "two"])
    sample["scores"]["choice"]["answer"] = "B"
    path = write_inspect_json(tmp_path / "log.json", inspect_log([sample]))
    assert load_results([path], benchmark).answers["mock/model"] == {0: "two"}


def test_filters_are_never_mixed(tmp_path: Path, benchmark: Benchmark) -> None:
    lines = [
        lm_eval_line(row, doc(benchmark, row), filter=name, exact_match=score)
        for name, score in (("strict", 0.0), ("loose", 1.0))
        for row in range(4)
    ]
    path = write_lm_eval(tmp_path / "run", lines)
    with pytest.raises(FormatError, match=r"exact_match,loose, exact_match,strict.*--metric"):
        load_results([path], benchmark)
    joined = load_results([path], benchmark, metrics=["exact_match,loose"])
    assert joined.scores["m"][:4].tolist() == [1.0] * 4
    assert (joined.n_rows, joined.n_joined, joined.n_conflicting) == (4, 4, 0)


def test_a_metric_outside_zero_to_one_is_not_taken_for_the_score(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    lines = [lm_eval_line(0, doc(benchmark, 0), acc=1.0, perplexity=23.5)]
    joined = load_results([write_lm_eval(tmp_path / "run", lines)], benchmark)
    assert joined.metrics == {"m": "acc"}


def test_one_bad_value_does_not_make_another_metric_the_score(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    lines = [
        lm_eval_line(row, doc(benchmark, row), acc=1.5 if row == 2 else 1.0, perplexity=9.0 + row)
        for row in range(5)
    ]
    with pytest.raises(FormatError, match=r"jsonl:3: acc '1.5' is not a score"):
        load_results([write_lm_eval(tmp_path / "run", lines)], benchmark)


def test_the_only_metric_being_no_score_is_refused_with_its_line(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    lines = [lm_eval_line(row, doc(benchmark, row), perplexity=0.5 + row) for row in range(3)]
    with pytest.raises(FormatError, match=r"jsonl:2: perplexity '1.5' is not a score"):
        load_results([write_lm_eval(tmp_path / "run", lines)], benchmark)


def test_documents_without_the_id_are_joined_by_their_text(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    record = doc(benchmark, 7)
    del record["id"]
    joined = load_results(
        [write_lm_eval(tmp_path / "run", [lm_eval_line(3, record, acc=1.0)])], benchmark
    )
    assert joined.joined_by == {"text": 1}
    assert joined.scores["m"][7] == 1.0


def test_a_row_number_counts_only_where_every_word_of_the_question_is_there(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    changed = {"question": str(doc(benchmark, 2)["question"]).replace(" ", " , ")}
    other = {"question": "What is the capital of France?"}
    lines = [lm_eval_line(2, changed, acc=1.0), lm_eval_line(3, other, acc=1.0)]
    joined = load_results([write_lm_eval(tmp_path / "run", lines)], benchmark)
    assert (joined.joined_by, joined.n_unmatched) == ({"row": 1}, 1)
    assert joined.scores["m"][2] == 1.0
    assert "samples_animals" in joined.problems[0].message


def test_the_newest_run_of_a_task_is_read_and_the_older_one_named(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    for year, score in (("2025", 1.0), ("2024", 0.0)):
        line = lm_eval_line(0, doc(benchmark, 0), acc=score)
        write_lm_eval(tmp_path / "run", [line], time=f"{year}-03-01T10-00-00.1")
    joined = load_results([tmp_path / "run"], benchmark)
    assert joined.scores["m"][0] == 1.0
    assert "2024" in joined.notes[0]


def test_averages_alone_are_refused(tmp_path: Path, benchmark: Benchmark) -> None:
    write_lm_eval(tmp_path / "run", [])
    path = next((tmp_path / "run").glob("results_*"))
    with pytest.raises(FormatError, match="--log_samples"):
        load_results([path], benchmark)


def test_a_model_read_from_disk_is_named_without_its_folders(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    lines = [lm_eval_line(0, doc(benchmark, 0), acc=1.0)]
    path = write_lm_eval(tmp_path / "run", lines, model="/home/ann/secret/tiny")
    assert list(load_results([path], benchmark).scores) == ["tiny"]


def test_a_model_can_be_named_by_hand(tmp_path: Path, benchmark: Benchmark) -> None:
    path = write_lm_eval(tmp_path / "run", [lm_eval_line(0, doc(benchmark, 0), acc=1.0)])
    assert list(load_results([f"mine={path}"], benchmark).scores) == ["mine"]


def test_unreadable_lines_are_counted(tmp_path: Path, benchmark: Benchmark) -> None:
    lines = [lm_eval_line(0, doc(benchmark, 0), acc=1.0), '{"doc_id": 1, "doc"']
    joined = load_results([write_lm_eval(tmp_path / "run", lines)], benchmark)
    assert (joined.n_joined, joined.n_unreadable) == (1, 1)
    assert joined.problems[0].kind == "unreadable"


# Inspect


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, 93])
def test_archives_are_read_however_they_are_compressed(
    tmp_path: Path, benchmark: Benchmark, method: int
) -> None:
    samples = [sample_of(item, "CIPN"[item.row]) for item in benchmark.items[:4]]
    path = write_inspect_archive(tmp_path / "a.eval", inspect_log(samples), method=method)
    joined = load_results([path], benchmark)
    assert joined.scores["mock/model"][:4].tolist() == [1.0, 0.0, 0.5, 0.0]
    assert joined.metrics == {"mock/model": "choice"}


def test_both_forms_of_a_log_say_the_same(tmp_path: Path, benchmark: Benchmark) -> None:
    log = inspect_log([sample_of(item, 0.25) for item in benchmark.items[:4]])
    first = load_results([write_inspect_json(tmp_path / "a.json", log)], benchmark)
    second = load_results([write_inspect_archive(tmp_path / "a.eval", log)], benchmark)
    np.testing.assert_array_equal(first.scores["mock/model"], second.scores["mock/model"])


def test_a_failed_sample_is_missing_and_not_zero(tmp_path: Path, benchmark: Benchmark) -> None:
    samples = [sample_of(benchmark.items[0], "C"), sample_of(benchmark.items[1], None)]
    joined = load_results(
        [write_inspect_json(tmp_path / "a.json", inspect_log(samples))], benchmark
    )
    assert np.isnan(joined.scores["mock/model"][1])
    assert (joined.n_missing, joined.problems[0].kind) == (1, "missing")
    assert "ValueError('boom')" in joined.problems[0].message


def test_epochs_are_averaged_and_are_no_conflict(tmp_path: Path, benchmark: Benchmark) -> None:
    item = benchmark.items[0]
    samples = [sample_of(item, value, epoch=at) for at, value in enumerate("CIC", start=1)]
    samples.append(sample_of(item, None, epoch=4))
    joined = load_results(
        [write_inspect_json(tmp_path / "a.json", inspect_log(samples))], benchmark
    )
    assert joined.scores["mock/model"][0] == pytest.approx(2 / 3)
    assert (joined.n_conflicting, joined.n_repeated, joined.n_missing) == (0, 0, 1)


def test_a_scorer_with_several_values_is_asked_about(tmp_path: Path, benchmark: Benchmark) -> None:
    samples = [sample_of(benchmark.items[0], {"exact": 1.0, "close": 0.75})]
    path = write_inspect_json(tmp_path / "a.json", inspect_log(samples))
    with pytest.raises(
        FormatError, match=r"several scores \(available: choice.close, choice.exact"
    ):
        load_results([path], benchmark)
    joined = load_results([path], benchmark, metrics=["choice.close"])
    assert joined.scores["mock/model"][0] == 0.75


def test_numbers_given_after_shuffling_are_not_taken_for_rows(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    items = benchmark.items
    samples = [
        inspect_sample(1, items[5].prompt, "C", choices=list(items[5].choices)),
        inspect_sample(2, "Something else entirely, with other words?", "C"),
    ]
    log = inspect_log(samples, dataset={"shuffled": True})
    joined = load_results([write_inspect_json(tmp_path / "a.json", log)], benchmark)
    assert joined.scores["mock/model"][5] == 1.0
    assert (joined.n_joined, joined.n_unmatched) == (1, 1)


def test_chat_messages_are_joined_by_what_the_user_said(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": benchmark.items[3].prompt}]},
    ]
    path = write_inspect_json(
        tmp_path / "a.json", inspect_log([inspect_sample("other-id", messages, "C")])
    )
    joined = load_results([path], benchmark)
    assert (joined.joined_by, joined.scores["mock/model"][3]) == ({"text": 1}, 1.0)


def test_a_question_inside_a_longer_prompt_is_found(tmp_path: Path, benchmark: Benchmark) -> None:
    prompt = f"Answer this.\n\n{benchmark.items[3].prompt}\nThink first."
    path = write_inspect_json(
        tmp_path / "a.json", inspect_log([inspect_sample("other-id", prompt, "C")])
    )
    assert load_results([path], benchmark).scores["mock/model"][3] == 1.0


def test_a_prompt_with_several_questions_fits_none(tmp_path: Path, benchmark: Benchmark) -> None:
    items = benchmark.items
    both = f"{items[3].prompt}\n{items[4].prompt}"
    samples = [inspect_sample("x", both, "C"), sample_of(items[0], "C")]
    path = write_inspect_json(tmp_path / "a.json", inspect_log(samples))
    joined = load_results([path], benchmark)
    assert (joined.n_ambiguous, joined.n_joined) == (1, 1)
    assert "b-3, b-4" in joined.problems[0].message


def test_the_text_counts_where_the_id_names_another_item(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    item = benchmark.items[2]
    sample = inspect_sample("b-9", item.prompt, "C", choices=list(item.choices))
    path = write_inspect_json(tmp_path / "a.json", inspect_log([sample]))
    joined = load_results([path], benchmark)
    assert joined.scores["mock/model"][2] == 1.0
    assert (joined.n_disagreeing, joined.problems[0].kind) == (1, "disagreeing")


def test_a_run_that_stopped_is_told_of(tmp_path: Path, benchmark: Benchmark) -> None:
    log = inspect_log([sample_of(benchmark.items[0], "C")], status="error", dataset={"samples": 80})
    joined = load_results([write_inspect_json(tmp_path / "a.json", log)], benchmark)
    assert "did not finish (error); 1 of its 80 samples" in joined.notes[0]


def test_an_archive_without_header_is_read_from_its_journal(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    log = inspect_log([sample_of(benchmark.items[0], "C")])
    members = {
        "_journal/start.json": {"version": 2, "eval": log["eval"]},
        "samples/b-0_epoch_1.json": log["samples"][0],
    }
    write_archive(tmp_path / "a.eval", members)
    joined = load_results([tmp_path / "a.eval"], benchmark)
    assert joined.n_joined == 1
    assert "did not finish (started)" in joined.notes[0]


@pytest.mark.parametrize("keep", [40, 300, 0.5, 0.9, -1])
def test_a_cut_archive_is_one_line(tmp_path: Path, benchmark: Benchmark, keep: float) -> None:
    samples = [sample_of(item, "C") for item in benchmark.items[:4]]
    path = write_inspect_archive(tmp_path / "a.eval", inspect_log(samples))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(FormatError, match=r"a\.eval.*damaged"):
        load_results([path], benchmark)


def test_a_damaged_member_is_one_line(tmp_path: Path, benchmark: Benchmark) -> None:
    samples = [sample_of(item, "C") for item in benchmark.items[:4]]
    path = write_inspect_archive(tmp_path / "a.eval", inspect_log(samples))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"samples/b-2_epoch_1.json") + 60
    raw[at] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(FormatError, match=r"samples/b-2_epoch_1.json.*damaged"):
        load_results([path], benchmark)


@pytest.mark.parametrize("form", ["eval", "json"])
@pytest.mark.parametrize(
    ("name", "model", "scores"),
    [("mock", "mockllm/model", [1.0, 0.0, 0.5]), ("tiny", "hf/local", [0.0, 0.0, 0.0])],
)
def test_a_real_inspect_run_of_two_epochs_is_read(
    name: str, model: str, scores: list[float], form: str
) -> None:
    benchmark = load_benchmark(EXAMPLES / "benchmark.jsonl")
    joined = load_results([INSPECT_RUN / f"{name}.{form}"], benchmark)
    assert joined.metrics == {model: "choice"}
    assert (joined.n_joined, joined.n_unmatched, joined.n_conflicting) == (6, 0, 0)
    assert joined.joined_by == {"id": 6}
    assert joined.scores[model][:3].tolist() == scores
    assert np.isnan(joined.scores[model][3:]).all()


@pytest.mark.process
@pytest.mark.skipif(find_spec("inspect_ai") is None, reason="Inspect is not installed")
def test_logs_that_inspect_writes_are_read(tmp_path: Path, benchmark: Benchmark) -> None:
    script = tmp_path / "evaluate.py"
    script.write_text(_EVALUATE, "utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "animals.jsonl"), str(tmp_path / "logs")],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    logs = sorted((tmp_path / "logs").iterdir())
    assert {log.suffix for log in logs} == {".eval", ".json"}
    for path in logs:
        joined = load_results([path], benchmark, metrics=["match"])
        assert (joined.n_joined, joined.n_missing, joined.n_unmatched) == (18, 2, 0)
        scores = joined.scores["mockllm/model"]
        assert np.isnan(scores[3])
        # The model says A twice; the key of every fourth item is A.
        assert scores[[0, 1, 2, 4]].tolist() == [1.0, 0.0, 0.0, 1.0]


_EVALUATE = """
import itertools, json, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes, match
from inspect_ai.solver import multiple_choice, solver

@solver
def fail_at_three():
    async def solve(state, generate):
        if state.metadata["row"] == 3:
            raise ValueError("boom")
        return await generate(state)
    return solve

def outputs():
    while True:
        output = ModelOutput.from_content("mockllm/model", "A")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        yield output

records = [json.loads(line) for line in open(sys.argv[1])][:10]
samples = [
    Sample(
        input=record["question"],
        choices=record["choices"],
        target=record["answer"],
        metadata={"row": n},
    )
    for n, record in enumerate(records)
]
for form in ("eval", "json"):
    dataset = MemoryDataset(samples)
    dataset.shuffle(seed=1)
    eval(
        Task(dataset=dataset, solver=fail_at_three(), scorer=[match(), includes()],
             epochs=2, fail_on_error=False),
        model=get_model("mockllm/model", custom_outputs=outputs()),
        log_dir=sys.argv[2], log_format=form, display="none",
    )
"""


# HELM


def test_helm_runs_average_trials_and_leave_perturbed_instances_out(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    item = benchmark.items[6]
    runtime = helm_stat("inference_runtime", 0.3)
    entries = [
        {
            "instance_id": "id7",
            "train_trial_index": trial,
            "stats": [helm_stat("exact_match", score), runtime],
        }
        for trial, score in enumerate((1.0, 0.0))
    ]
    robust = {"name": "typos"}
    entries.append(
        {"instance_id": "id7", "perturbation": robust, "train_trial_index": 0, "stats": []}
    )
    instances = [
        {
            "id": "id7",
            "split": "test",
            "input": {"text": item.prompt},
            "references": [{"output": {"text": choice}, "tags": []} for choice in item.choices],
        }
    ]
    joined = load_results([write_helm(tmp_path / "run", entries, instances)], benchmark)
    assert joined.scores["lab/model-1"][6] == 0.5
    assert joined.metrics == {"lab/model-1": "exact_match"}
    assert (joined.n_rows, joined.n_conflicting, joined.n_missing) == (2, 0, 0)
    assert "1 perturbed" in joined.notes[0]


def test_stats_of_one_instance_spread_over_entries_are_one_row(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    entries = [
        {"instance_id": "b-1", "train_trial_index": 0, "stats": [helm_stat(name, 1.0)]}
        for name in ("num_references", "quasi_exact_match")
    ]
    entries.append(
        {
            "instance_id": "b-1",
            "train_trial_index": 0,
            "stats": [helm_stat("quasi_exact_match", 0.0, perturbation={"name": "typos"})],
        }
    )
    folder = write_helm(tmp_path / "mmlu:subject=x,model=lab_model", entries, model=None)
    joined = load_results([folder], benchmark)
    assert joined.n_rows == 1
    assert joined.scores["lab_model"][1] == 1.0


def test_a_helm_score_given_twice_is_counted(tmp_path: Path, benchmark: Benchmark) -> None:
    entries = [
        {"instance_id": "b-1", "train_trial_index": 0, "stats": [helm_stat("exact_match", score)]}
        for score in (1.0, 0.0)
    ]
    entries.append(
        {"instance_id": "b-2", "train_trial_index": 0, "stats": [helm_stat("exact_match", 1.0)] * 2}
    )
    joined = load_results([write_helm(tmp_path / "run", entries)], benchmark)
    assert (joined.n_rows, joined.n_conflicting, joined.n_repeated) == (4, 1, 1)


def test_several_helm_scores_are_asked_about(tmp_path: Path, benchmark: Benchmark) -> None:
    stats = [helm_stat("exact_match", 0.0), helm_stat("quasi_exact_match", 1.0)]
    folder = write_helm(tmp_path / "run", [{"instance_id": "b-1", "stats": stats}])
    with pytest.raises(FormatError, match="exact_match, quasi_exact_match"):
        load_results([folder], benchmark)


def test_a_suite_of_runs_is_read_model_by_model(tmp_path: Path, benchmark: Benchmark) -> None:
    for name in ("a", "b"):
        entries = [{"instance_id": "b-1", "stats": [helm_stat("exact_match", 1.0)]}]
        write_helm(tmp_path / "suite" / name, entries, model=f"lab/{name}")
    assert list(load_results([tmp_path / "suite"], benchmark).scores) == ["lab/a", "lab/b"]


def test_broken_stats_are_one_line(tmp_path: Path, benchmark: Benchmark) -> None:
    path = tmp_path / "per_instance_stats.json"
    for text, said in (("{", "not JSON"), ('{"a": 1}', "not a list"), ("[{}]", "instance_id")):
        path.write_text(text, "utf-8")
        with pytest.raises(FormatError, match=f"per_instance_stats.json.*{said}"):
            load_results([path], benchmark)


# Plain tables


def test_a_table_may_name_its_score_and_its_repeats(tmp_path: Path, benchmark: Benchmark) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,epoch,F1,acc\nb-0,1,0.5,1\nb-0,2,0.25,0\n", "utf-8")
    joined = load_results([path], benchmark, metrics=["F1"])
    assert joined.scores["t"][0] == 0.375
    assert joined.n_conflicting == 0


def test_text_keys_with_the_same_question_need_the_choices(tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n}", "question": "Which of these is a fruit, do you think?", "choices": choices}
        for n, choices in enumerate((["pear", "car"], ["plum", "bus"]))
    ]
    path = tmp_path / "b.jsonl"
    path.write_text("".join(json.dumps(row | {"answer": "A"}) + "\n" for row in rows), "utf-8")
    benchmark = load_benchmark(path)
    text = str(rows[1]["question"])
    samples = [
        inspect_sample("x", text, "C", choices=["bus", "plum"]),
        inspect_sample("y", text, "C"),
    ]
    log = write_inspect_json(tmp_path / "a.json", inspect_log(samples))
    joined = load_results([log], benchmark)
    assert joined.scores["mock/model"][1] == 1.0
    assert (joined.n_joined, joined.n_ambiguous) == (1, 1)
