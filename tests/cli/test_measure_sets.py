"""`coverage`, `check` and `models`, by what they print."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_coverage_of_one_lists_areas_and_gaps(command: Command) -> None:
    result = command("coverage", "animals.jsonl", "--pool", "pool.jsonl")
    assert result.code == 0
    assert "against the pool" in result.out
    assert "fox" in result.out
    figures = command("coverage", "animals.jsonl", "--json").json
    assert (figures["reference"], figures["gaps"][0]["label"]) == ("dictionary", "fox")


def test_coverage_of_several_shows_their_overlap(command: Command) -> None:
    assert "Overlap" in command("coverage", "animals.jsonl", "pool.jsonl").out
    figures = command("coverage", "animals.jsonl", "pool.jsonl", "--json").json
    assert [benchmark["n_only_here"] for benchmark in figures["benchmarks"]] == [0, 1]
    assert figures["overlap"][0][1] == 0.75


def test_check_passes_and_fails_by_its_limits(finished: Command) -> None:
    assert finished("check", "animals.jsonl").code == 0
    assert finished("check", "animals.jsonl", "--fail-under", "70").code == 0
    assert finished("check", "animals.jsonl", "--fail-under", "0.8").code == 1
    failed = finished("check", "animals.jsonl", "--fail-under", "80", "--json")
    assert (failed.code, failed.json["passed"]) == (1, False)
    assert finished("check", "animals.jsonl", "--max-missing", "0").code == 1
    assert finished("check", "animals.jsonl", "--max-duplicates", "0").code == 0


def test_check_compares_with_a_baseline(finished: Command) -> None:
    revised = "animals-revised/animals.revised.jsonl"
    baseline = ("--baseline", "animals-revised/revision.json", "--pool", "pool.jsonl")
    assert finished("check", revised, *baseline).code == 0
    worse = finished("check", "animals.jsonl", *baseline)
    assert worse.code == 1
    assert "FAIL" in worse.out


def test_models_joins_results_and_counts_what_it_could_not(command: Command) -> None:
    rows = [f"b-{row},{int(row % 3 != 0)}" for row in range(80)]
    Path("weak.csv").write_text("id,score\n" + "\n".join([*rows, "b-999,1"]) + "\n", "utf-8")
    result = command("models", "animals.jsonl", "--results", "weak.csv", "--json")
    assert result.code == 0
    assert (result.json["results"]["n_joined"], result.json["results"]["n_unmatched"]) == (80, 1)
    (model,) = result.json["models"]
    assert (model["model"], [concept["name"] for concept in model["weak_concepts"]]) == (
        "weak",
        ["cat"],
    )
