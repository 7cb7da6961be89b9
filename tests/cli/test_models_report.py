"""`models` and `coverage` write reports that say what the commands print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchdesign.benchmarks.load import load_benchmark
from tests.benchmarks.logs import (
    inspect_log,
    inspect_sample,
    write_inspect_archive,
    write_inspect_json,
)
from tests.benchmarks.test_model_logs import EXAMPLES, REAL_RUN
from tests.cli.conftest import Command, one_line

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


def write_strong_on_owls(folder: Path) -> None:
    items = [json.loads(line) for line in (folder / "animals.jsonl").read_text().splitlines()]
    with (folder / "owls.csv").open("w") as out:
        out.write("id,model,score\n")
        for row, item in enumerate(items):
            solved = row % 20 != 0 if "owl" in item["question"] else row % 7 < 2
            out.write(f"{item['id']},m,{int(solved)}\n")


def test_what_is_strong_is_shown_with_the_items_that_drove_it(
    command: Command, tmp_path: Path
) -> None:
    write_strong_on_owls(tmp_path)
    asked = ("models", "animals.jsonl", "--results", "owls.csv", "--report", "out")
    out = command(*asked).out
    figures = json.loads((tmp_path / "out" / "models.json").read_text())
    strong = figures["models"][0]["strong_concepts"][0]
    assert strong["name"] == "owl"
    best, worst = (strong["examples"][side][0] for side in ("solved", "missed"))
    assert f"solved {best['item_id']} (strength {best['strength']:.2g}, score 1)" in out
    assert f"missed {worst['item_id']} (strength {worst['strength']:.2g}, score 0)" in out
    page = (tmp_path / "out" / "models.html").read_text()
    strong_part = page.split("Strong areas and concepts</h4>")[1].split("Held-out check")[0]
    assert "<h4>owl</h4>" in strong_part and "very good" in strong_part
    text = (tmp_path / "out" / "models.md").read_text()
    listed = text.split("### Strong areas and concepts")[1]
    assert "- owl (concept)" in listed
    for what, example in (("solved", best), ("missed", worst)):
        strength = f"strength {example['strength']:.2f}"
        summary = f"{example['item_id']}, score {example['score']:.0f}, {strength}"
        assert summary in strong_part
        assert f"- {what} {example['item_id']} (score {example['score']:.0f}, strength" in listed


def test_what_is_inside_a_weak_place_is_shown_with_its_items_and_both_halves(
    command: Command, tmp_path: Path
) -> None:
    # All are made longer alike, since what length explains is no weakness.
    both = (tmp_path / "animals.jsonl").read_text().replace(" number", " or else number")
    (tmp_path / "animals.jsonl").write_text(both.replace("cat or else", "cat or fox"))
    write_results(tmp_path)
    asked = ("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    out = command(*asked).out
    page = (tmp_path / "out" / "models.html").read_text()
    text = (tmp_path / "out" / "models.md").read_text()
    figures = json.loads((tmp_path / "out" / "models.json").read_text())["models"][0]
    head, inner = figures["weak_groups"][0][:2]
    (line,) = {line for line in text.splitlines() if line.startswith("    - missed ")}
    item_id = line.split()[2]
    assert f"  - {inner['name']}: " in text and f"- {head['name']} (concept): " in text
    assert "(score 0, strength" in line
    assert "<b>Missed</b>" in page and f"({item_id}, score 0, strength" in page
    assert f"    - {inner['name']}\n      missed {item_id} (strength" in out
    # What was found on one half stands beside what the other half says of it.
    held_out = figures["held_out"][0]
    gaps = (f"{100 * held_out[gap]:.0f}".replace("-", "−") for gap in ("gap_found", "gap_held_out"))
    cells = (held_out["name"], held_out["kind"], *gaps, held_out["n_held_out"])
    assert f"| {' | '.join(map(str, cells))} |" in text


def test_the_bar_of_a_pair_is_as_long_as_the_figure_beside_it(
    command: Command, tmp_path: Path
) -> None:
    write_results(tmp_path)
    command("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    page = (tmp_path / "out" / "models.html").read_text()
    lines = re.findall(r'width="([\d.]+)" height="12"/><line class="zero".*?"n">([+−]\d+)<', page)
    assert len({length for length, _ in lines}) > 1
    for length, points in lines:
        assert round(float(length) / 5) == abs(int(points.replace("−", "-")))


def test_text_of_an_item_is_made_literal_once(command: Command, tmp_path: Path) -> None:
    lines = (tmp_path / "animals.jsonl").read_text().replace(" number", " *not* <b> number")
    (tmp_path / "animals.jsonl").write_text(lines)
    write_results(tmp_path)
    command("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    text = (tmp_path / "out" / "models.md").read_text()
    assert "cat \\*not\\* \\<b" in text
    assert "\\\\" not in text


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
    lines = (tmp_path / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_text("".join(lines[:24]))
    asked = ("models", "animals.jsonl", "--results", "results.jsonl", "--report", "out")
    assert command(*asked).code == 0
    text = (tmp_path / "out" / "models.md").read_text()
    assert "| animals | 8 | 5 of 8 | 6 of 8 | 4 of 8 |" in text


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


def write_weak_on_owls(folder: Path) -> None:
    items = [json.loads(line) for line in (folder / "animals.jsonl").read_text().splitlines()]
    with (folder / "owls.csv").open("w") as out:
        out.write("id,model,score\n")
        for row, item in enumerate(items):
            solved = row % 5 if "owl" not in item["question"] else row % 10 == 0
            out.write(f"{item['id']},m,{int(bool(solved))}\n")


def test_run_prefers_what_models_are_weak_at(command: Command, tmp_path: Path) -> None:
    write_weak_on_owls(tmp_path)
    asked = ("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "12", "-q", "--force")
    assert command(*asked).code == 0
    manifest = json.loads((tmp_path / "animals-revised" / "revision.json").read_text())
    assert manifest["model_gaps"] is None
    assert {addition["category"] for addition in manifest["added"]} == {"fox"}
    assert command(*asked, "--weight", "model-gaps", "--results", "owls.csv").code == 0
    manifest = json.loads((tmp_path / "animals-revised" / "revision.json").read_text())
    assert sum(addition["category"] == "owl" for addition in manifest["added"]) >= 5
    assert manifest["model_gaps"]["models"][0]["weak"] == ["owl"]
    assert manifest["model_gaps"]["concepts"][0] == "owl"
    report = (tmp_path / "animals-revised" / "report.html").read_text()
    assert "Where models are weak came first" in report
    assert str(tmp_path) not in report
    assert "Preferred what models are weak at, by owls.csv" in (
        tmp_path / "animals-revised" / "report.md"
    ).read_text().replace("\\", "")


def test_proposals_are_made_anew_by_model_gaps_and_back(command: Command, tmp_path: Path) -> None:
    write_weak_on_owls(tmp_path)
    command("run", "animals.jsonl", "--pool", "pool.jsonl", "--add", "12", "-q")
    assert command("decide", "animals-workspace", "p-3", "accept").code == 0
    weighed = ("proposals", "animals-workspace", "--weight", "model-gaps", "--results", "owls.csv")
    proposals = command(*weighed, "--json").json["proposals"]
    assert sum("owl" in proposal["prompt"] for proposal in proposals) >= 5
    assert proposals == command("proposals", "animals-workspace", "--json").json["proposals"]
    back = command("proposals", "animals-workspace", "--weight", "gaps", "--json").json
    assert all("fox" in proposal["prompt"] for proposal in back["proposals"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weight", "model-gaps"), "belong together"),
        (("--results", "owls.csv"), "belong together"),
        (("--weight", "luck"), "it is gaps or model-gaps"),
        (("--weight", "model-gaps", "--results", "gone.csv"), "no such file"),
    ],
)
def test_a_weight_that_cannot_be_used_is_one_line(
    command: Command, options: tuple[str, ...], message: str
) -> None:
    result = command("run", "animals.jsonl", "--pool", "pool.jsonl", *options)
    assert result.code == 2 and one_line(result.err) and message in result.err


def test_a_real_lm_eval_folder_goes_through_the_command(command: Command, tmp_path: Path) -> None:
    result = command(
        *("models", str(EXAMPLES / "benchmark.jsonl")),
        *("--results", str(REAL_RUN), "--metric", "acc", "--json"),
    )
    assert result.code == 0
    figures = result.json
    assert (figures["results"]["n_joined"], figures["results"]["n_unmatched"]) == (5, 0)
    assert figures["models"][0]["model"] == "models/tiny-a"
    assert all(area["detectable"] > 0.001 for area in figures["power"]["areas"])


@pytest.mark.parametrize("suffix", ["json", "eval"])
def test_inspect_logs_go_through_the_command(command: Command, tmp_path: Path, suffix: str) -> None:
    items = load_benchmark(tmp_path / "animals.jsonl").items
    log = inspect_log([inspect_sample(item.id, item.prompt, "CI"[item.row % 2]) for item in items])
    path = tmp_path / f"log.{suffix}"
    (write_inspect_json if suffix == "json" else write_inspect_archive)(path, log)
    result = command("models", "animals.jsonl", "--results", path.name, "--json")
    assert result.code == 0
    assert result.json["results"]["n_joined"] == 80
    assert result.json["models"][0]["overall"] == 0.5
