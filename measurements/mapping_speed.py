"""Measure speed and memory of mapping against its lower bound and simpler implementations.

    bound   the bare model of transformers, cut above the highest hook point: forward passes over
            the same length-sorted batches of windows, plus one encoder product per level; nothing
            is tokenised, pooled or stored. The products are then timed alone over as many tokens:
            their share shows whether the width of the SAE or the model limits the speed of mapping
    ours    `map_items`, from text to concept map
    plain   right-padded batches of 32 in file order, all layers, hidden states of every layer,
            sae-lens' SAE.encode on every position (terms only); dense activations are copied, then
            converted to sparse
    lens    (--lens-batches N ...) sae-lens' own run_with_cache_with_saes on N windows at a time in
            file order: larger batches pad more, and 8 windows of 1,024 tokens need over 20 GB

Each method runs in its own process, one at a time, on the same windows. `plain` and `lens` map
--slow-items of the items, spread over all of them; ours maps those again (`same`), so that rates
and results are compared over the same texts. Rates are items per CPU second, which other work on
the machine affects less than wall time; on a GPU they are items per second. Memory is the peak of
the whole process, and its peak before the first item (imports, weights). Bound and ours alternate
--rounds times, and the median run of each counts, because the speed of a shared machine varies.

    python measurements/mapping_speed.py                 5,000 items, built-in dictionary
    python measurements/mapping_speed.py --synthetic     GPT-2-small shape, layer 8, 24k SAE
    python measurements/mapping_speed.py --model M --dictionary D --device cuda
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from speed.inputs import (
    POOL,
    SYNTHETIC_LAYER,
    SYNTHETIC_SAE,
    SYNTHETIC_WIDTH,
    evenly,
    make_gpt2,
    make_sae,
    read_items,
)
from speed.outputs import compare
from speed.ways import run_bound, run_lens, run_ours, run_plain

from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.mapping.mapper import SaeMapper

HERE = Path(__file__).resolve().parent


def measure(arguments: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the median run of each method, and the agreement of each slow method with ours."""
    slow = ["plain", *(f"lens-{n}" for n in arguments.lens_batches)]
    runs: dict[str, list[dict[str, Any]]] = {}
    agreement = {}
    for method in [*["bound", "ours"] * arguments.rounds, "same", *slow]:
        command = [sys.executable, __file__, "--method", method, "--scratch", str(scratch)]
        command += ["--model", arguments.model, "--dictionary", arguments.dictionary]
        command += ["--items", str(arguments.items), "--slow-items", str(arguments.slow_items)]
        command += ["--threads", str(arguments.threads)]
        for name in ("dtype", "device"):
            if getattr(arguments, name):
                command += [f"--{name}", getattr(arguments, name)]
        process = subprocess.run(command, check=False, capture_output=True, text=True)
        if process.returncode:
            sys.exit(f"{method}: {process.stderr[-3000:]}")
        runs.setdefault(method, []).append(json.loads(process.stdout.splitlines()[-1]))
        print(f"{method:6s} {describe(runs[method][-1])}", flush=True)
        if method in slow:
            agreement[method] = compare(scratch / "same", scratch / method)
            print(f"       {agreement[method]}", flush=True)
    return {method: middle(reports) for method, reports in runs.items()}, agreement


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run of median speed."""
    return sorted(runs, key=lambda run: float(run["items_per_cpu_second"]))[(len(runs) - 1) // 2]


def describe(run: dict[str, Any]) -> str:
    share = f", {run['product_share']:.0%} of it in products" if "product_share" in run else ""
    return (
        f"{run['items_per_cpu_second']:8.1f} items/CPU-s {run['items_per_second']:8.1f} items/s "
        f"{run['peak_mb']:7.0f} MB peak, {run['before_mb']:.0f} MB before  ({run['n_items']} items)"
        f"{share}"
    )


def lines_of(
    name: str,
    runs: dict[str, Any],
    agreement: dict[str, Any],
    *,
    command: str,
    arguments: argparse.Namespace,
) -> Iterator[str]:
    on_gpu = bool(runs["ours"]["device_mb"])
    rate = "items_per_second" if on_gpu else "items_per_cpu_second"
    versions = f"Python {platform.python_version()}, torch {version('torch')}"
    yield f"## {name}\n"
    yield (
        f"`{command}` on {platform.machine()}, device {arguments.device or 'cpu'}, "
        f"{arguments.threads} thread(s), {versions}\n"
    )
    yield (
        "| method | items per CPU second | items per second | tokens | peak MB | before MB "
        "| items |"
    )
    yield "|---|---|---|---|---|---|---|"
    for method, run in runs.items():
        yield (
            f"| {method} | {run['items_per_cpu_second']:.1f} | {run['items_per_second']:.1f} "
            f"| {run['n_tokens']:,} | {run['peak_mb']:.0f} | {run['before_mb']:.0f} "
            f"| {run['n_items']:,} |"
        )
    yield ""
    ours, bound = runs["ours"], runs["bound"]
    yield f"- ours reaches {ours[rate] / bound[rate]:.2f} of the bound"
    yield (
        f"- the encoder's product alone takes {bound['product_share']:.0%} of the bound, the "
        "model's forward pass the rest"
    )
    for method, differences in agreement.items():
        same, other = runs["same"], runs[method]
        grown = max(same["peak_mb"] - same["before_mb"], 1.0)
        above = (other["peak_mb"] - other["before_mb"]) / grown
        yield (
            f"- {method}, the same {other['n_items']:,} items: ours is "
            f"{same[rate] / other[rate]:.1f} times as fast; {method} needs "
            f"{other['peak_mb'] / same['peak_mb']:.2f} times the memory "
            f"({above:.1f} times without imports and weights). Of "
            f"{differences['n_pairs']:,} pairs of item and concept "
            f"{differences['pairs_in_both']:.4%} are in both; sums differ by "
            f"{differences['sums_error']:.1e} and peaks by "
            f"{differences['peaks_error']:.1e} of their total"
        )
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument(
        "--slow-items", type=int, default=500, help="number of items for plain and lens"
    )
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--dictionary", default="builtin")
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--lens-batches", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of bound and ours")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype")
    parser.add_argument("--device")
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    parser.add_argument("--name", help="name of the results file")
    arguments = parser.parse_args()
    if not POOL.is_file():
        sys.exit(f"{POOL}: the pool that is measured on does not exist.")
    if arguments.method:
        run_way(arguments)
        return
    command = " ".join(["python", "measurements/mapping_speed.py", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if arguments.synthetic:
            arguments.model = str(make_gpt2(scratch / "model"))
            hook_point = f"blocks.{SYNTHETIC_LAYER}.hook_resid_post"
            arguments.dictionary = str(
                make_sae(
                    scratch / "sae",
                    model=arguments.model,
                    hook_point=hook_point,
                    d_in=SYNTHETIC_WIDTH,
                    d_sae=SYNTHETIC_SAE,
                )
            )
        runs, agreement = measure(arguments, scratch)
    name = arguments.name or ("gpt2-small-24k" if arguments.synthetic else "builtin")
    text = "\n".join(lines_of(name, runs, agreement, command=command, arguments=arguments))
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"mapping_speed_{name}.md").write_text(text, "utf-8")


def run_way(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    method, scratch = arguments.method, Path(arguments.scratch)
    items = read_items(POOL, arguments.items)
    if method not in {"bound", "ours"}:
        items = evenly(items, arguments.slow_items)
    mapper = SaeMapper.from_specs(
        arguments.model,
        load_dictionary(arguments.dictionary),
        dtype=arguments.dtype,
        device=arguments.device,
    )
    if method == "bound":
        report = run_bound(items, mapper)
    elif method in {"ours", "same"}:
        report = run_ours(items, mapper, scratch / method if method == "same" else None)
    elif method == "plain":
        report = run_plain(items, mapper, scratch / method)
    else:
        report = run_lens(items, mapper, scratch / method, int(method.removeprefix("lens-")))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
