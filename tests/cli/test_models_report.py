"""`models` and `coverage` write reports that say what the commands print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_commands import Command, command, one_line

__all__ = ["command"]

HOSTILE = "</style><script>alert(1)</script> | `x` \x1b[31m"


def write_results(folder: Path, *, name: str = "strong") -> None:
    """Three models on the 60 animals: one misses every cat, one is good, one poor."""
    items = [json.loads(line) for line in (folder / "animals.jsonl").read_text().splitlines()]
    with (folder / "results.jsonl").open("w") as out:
        for row, item in enumerate(items):
            is_cat = "cat" in item["question"]
            for model, score in (("weak-on-cats", not is_cat), (name, row % 7), ("poor", row % 2)):
                line = {"item_id": item["id"], "model": model, "score": float(bool(score))}
                out.write(json.dumps(line) + "\n")


def test_the_report_on_models_is_a_page_a_text_and_the_figures(
    command: Command, tmp_path: Path
) -> None:
    write_results(tmp_path)
    asked = ("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    result = command(*asked)
    assert result.code == 0
    page = (tmp_path / "out" / "models.html").read_text()
    assert "weak-on-cats" in page and "Held-out check" in page and "Keys worth checking" in page
    assert not re.search(r"(?:src|href)=[\"']https?:", page)
    figures = json.loads((tmp_path / "out" / "models.json").read_text())
    assert figures["models"][0]["weak_groups"][0][0]["name"] == "cat"
    assert "Compared in pairs" in (tmp_path / "out" / "models.md").read_text()
    # Nothing is replaced unless told to, and that is said before anything is read.
    again = command(*asked)
    assert again.code == 2 and one_line(again.err) and "--force" in again.err
    assert command(*asked, "--force").code == 0


def test_a_model_s_name_is_only_text(command: Command, tmp_path: Path) -> None:
    write_results(tmp_path, name=HOSTILE)
    asked = ("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    result = command(*asked)
    assert "\x1b" not in result.out
    page = (tmp_path / "out" / "models.html").read_text()
    assert "<script>alert" not in page and "\x1b" not in page
    assert "\x1b" not in (tmp_path / "out" / "models.md").read_text()


def test_small_groups_are_told_by_counts(command: Command, tmp_path: Path) -> None:
    write_results(tmp_path)
    out = command("models", "animals.jsonl", "--results", "results.jsonl").out
    weak = next(line for line in out.splitlines() if line.startswith("  cat "))
    assert re.search(r"\b0 of \d+\b", weak)


def test_the_report_on_a_suite_has_a_heat_map_and_what_each_adds(
    command: Command, tmp_path: Path
) -> None:
    result = command("coverage", "animals.jsonl", "pool.jsonl", "--report", "out")
    assert result.code == 0
    page = (tmp_path / "out" / "suite.html").read_text()
    assert 'class="heat sortable"' in page and "What each adds" in page
    figures = json.loads((tmp_path / "out" / "suite.json").read_text())
    assert figures["benchmarks"][1]["only_here"] == ["fox"]
    assert (tmp_path / "out" / "suite.md").read_text().startswith("# animals, pool")


def test_a_report_on_one_benchmark_s_coverage_is_refused(command: Command) -> None:
    result = command("coverage", "animals.jsonl", "--report", "out")
    assert result.code == 2 and one_line(result.err) and "two or more" in result.err


@pytest.mark.parametrize("others", [1, 2])
def test_means_across_benchmarks_stand_beside_each(
    command: Command, tmp_path: Path, others: int
) -> None:
    write_results(tmp_path)
    (tmp_path / "copy.jsonl").write_text((tmp_path / "animals.jsonl").read_text())
    names = ["animals.jsonl", "copy.jsonl"][:others]
    result = command("models", *names, "--results", "results.jsonl", "--report", "out")
    assert result.code == 0
    page = (tmp_path / "out" / "models.html").read_text()
    assert ("Across benchmarks" in page) == (others > 1)
