"""Run `benchdesign run` on real benchmarks as a user would, and tabulate the outcomes.

Each run is a separate process that gets the benchmark, the pool and the number of items to add. The
table shows the detected fields, the findings, the added items, time and memory, and whether the
exported file is the original with rows added: line formats are compared byte for byte, the others
value for value after reading both again. Time is processor time (the machine may be busy); memory
is the peak of the process. The pool is mapped once, in the first row that needs it.

python measurements/real_runs.py POOL --benchmarks FOLDER [--add 20] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.load import load_benchmark

RESULTS = Path(__file__).resolve().parent / "results" / "real_runs.md"
BENCHMARKS = (
    "openbookqa/test.tsv",
    "truthfulqa/TruthfulQA.csv",
    "truthfulqa/mc_task.json",
    "crows_pairs/crows_pairs_anonymized.csv",
    "bigbench_strategyqa/task.json",
    "bbh/date_understanding.json",
    "commonsense_qa/dev_rand_split.jsonl",
    "social_i_qa/test.json",
    "agieval/aqua-rat.jsonl",
    "agieval/lsat-lr.jsonl",
    "gsm8k/test.jsonl",
    "mbpp/mbpp.jsonl",
    "humaneval/HumanEval.jsonl.gz",
    "mt_bench/question.jsonl",
    "winogender/all_sentences.tsv",
    "folio/folio-validation.jsonl",
)
LINES = ("jsonl", "csv", "tsv")


def run(benchmark: Path, pool: Path, folder: Path, *, add: int) -> dict[str, Any]:
    """Return the summary of a run, with its time and memory."""
    name = benchmark.parent.name + "_" + benchmark.name.replace(".", "_")
    out = folder / name
    command = [sys.executable, "-m", "benchdesign", "run", str(benchmark), "--pool", str(pool)]
    command += ["--add", str(add), "--out", str(out), "--workspace", f"{out}-workspace"]
    started = time.monotonic()
    with subprocess.Popen([*command, "--json", "--force"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{benchmark}: exit status {process.returncode}")
    return {
        **json.loads(output),
        "seconds": usage.ru_utime + usage.ru_stime,
        "wall": time.monotonic() - started,
        "megabytes": usage.ru_maxrss / 1024,
        "manifest": json.loads((out / "revision.json").read_text("utf-8")),
        "revised_path": out / json.loads(output)["files"][0],
        "report_kilobytes": (out / "report.html").stat().st_size / 1000,
    }


def compare(benchmark: Path, revised: Path) -> str:
    """Return whether the revised file is the original with rows appended, in words."""
    before, after = load_benchmark(benchmark), load_benchmark(revised)
    if before.source.format in LINES and not before.source.suffix.endswith(".gz"):
        same = revised.read_bytes().startswith(benchmark.read_bytes())
        unit = "bytes"
    else:
        same = all(
            before.record(original) == after.record(exported)
            for original, exported in zip(before.items, after.items, strict=False)
        )
        unit = "values"
    return f"same {unit}, {len(after) - len(before)} more" if same else f"DIFFERENT {unit}"


def row(benchmark: Path, outcome: Mapping[str, Any]) -> list[str]:
    """Return the table row of one run."""
    manifest = outcome["manifest"]
    fields = manifest["benchmark"]["fields"]
    detected = ", ".join(
        f"{role} {fields[role]}"
        for role in ("prompt", "context", "choices", "answer", "category")
        if role in fields
    )
    before, after = manifest["coverage_before"], manifest["coverage_after"]
    left_out = manifest["left_out"]
    repeats = sum(n for reason, n in left_out.items() if "benchmark" in reason)
    empty = ", ".join(f"{name} in {n}" for name, n in manifest["revised"]["empty_fields"].items())
    findings = ", ".join(f"{n} {kind}" for kind, n in manifest["benchmark"]["findings"].items())
    n_gaps = before["n_missing"] + before["n_under"]
    return [
        f"{benchmark.parent.name}/{benchmark.name}",
        load_benchmark(benchmark, limit=1).source.format,
        f"{before['n_items']:,}",
        detected,
        findings or "none",
        f"{before['n_tested']:,}",
        f"{before['n_missing']:,} / {before['n_under']:,}",
        f"{after['n_missing']:,} / {after['n_under']:,}",
        f"{outcome['n_gaps_closed']:,} of {n_gaps:,}",
        str(outcome["n_added"]),
        str(repeats),
        empty or "none",
        compare(benchmark, outcome["revised_path"]),
        f"{outcome['seconds']:.0f} s, {outcome['megabytes']:,.0f} MB",
        f"{outcome['report_kilobytes']:,.0f} kB",
    ]


HEAD = (
    *("benchmark", "format", "items", "fields as detected", "findings (rows)", "concepts tested"),
    *(
        "missing / under before",
        "after",
        "gaps closed",
        "added",
        "repeats of the benchmark refused",
    ),
    *("fields left empty (items)", "exported file", "processor time, memory", "report"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--add", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=BENCHMARKS)
    parser.add_argument("--pool-is", default="", help="description of the pool, for the page")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    n_pool = len(load_benchmark(options.pool))
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for name in options.only:
        benchmark = options.benchmarks / name
        cells = row(benchmark, run(benchmark, options.pool, options.folder, add=options.add))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        print(lines[-1], flush=True)
        text = [
            "# Runs on real benchmarks",
            "",
            f"Command of each row: `benchdesign run BENCHMARK --pool POOL --add {options.add}`; "
            f"pool of {n_pool:,} items{f' ({options.pool_is})' if options.pool_is else ''}; "
            f"all rows: `python measurements/real_runs.py POOL --benchmarks FOLDER --folder RUNS "
            f"--add {options.add}`. {os.cpu_count()} processors, Python "
            f"{platform.python_version()}. Processor time and memory are of the whole process; "
            "cached maps are reused.",
            "",
            *lines,
            "",
        ]
        options.results.write_text("\n".join(text), "utf-8")


if __name__ == "__main__":
    main()
