"""Writers of model logs in the forms that evaluation programs give them."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

TIME = "2025-03-01T10-00-00.123456"


def lm_eval_line(
    doc_id: int, doc: Mapping[str, Any], *, filter: str = "none", **scores: Any
) -> str:
    """One line of a samples file."""
    return json.dumps(
        {
            "doc_id": doc_id,
            "doc": doc,
            "target": "0",
            "arguments": {"gen_args_0": {"arg_0": f"Q: {doc.get('question')}\nA:", "arg_1": " x"}},
            "resps": [[["-1.5", "False"]]],
            "filtered_resps": [["-1.5", "False"]],
            "filter": filter,
            "metrics": list(scores),
            "doc_hash": "0" * 64,
            **scores,
        }
    )


def write_lm_eval(
    folder: Path, lines: Sequence[str], *, task: str = "animals", time: str = TIME, model: str = "m"
) -> Path:
    """A samples file with the results of its run beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"samples_{task}_{time}.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    results = {"results": {task: {"acc,none": 0.5}}, "model_name": model}
    (folder / f"results_{time}.json").write_text(json.dumps(results), "utf-8")
    return path


def inspect_sample(item_id: str | int, text: Any, value: Any, **fields: Any) -> dict[str, Any]:
    """One sample of a log; `value` None is one that failed."""
    scores = {} if value is None else {"choice": {"value": value, "answer": "A"}}
    error = {"error": {"message": "ValueError('boom')", "traceback": "..."}}
    sample = {"id": item_id, "epoch": 1, "input": text, "target": "A", "scores": scores}
    return sample | ({} if value is not None else error) | fields


def inspect_log(samples: Sequence[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    """A log as Inspect's JSON form has it."""
    ids = list(dict.fromkeys(sample["id"] for sample in samples))
    dataset = {"samples": len(ids), "sample_ids": ids, "shuffled": False}
    spec = {
        "task": "animals",
        "model": "mock/model",
        "dataset": dataset | fields.pop("dataset", {}),
    }
    return {"version": 2, "status": "success", "eval": spec, "samples": list(samples), **fields}


def write_inspect_json(path: Path, log: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(log, indent=2), "utf-8")
    return path


def write_inspect_archive(path: Path, log: Mapping[str, Any], *, method: int = 93) -> Path:
    """The same log as an archive; method 93 is Zstandard, which zipfile cannot write."""
    head = {name: value for name, value in log.items() if name != "samples"}
    members = {"_journal/start.json": head} | {
        f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in log["samples"]
    }
    write_archive(path, members | {"header.json": head}, method=method)
    return path


def write_archive(path: Path, members: Mapping[str, Any], *, method: int = 93) -> None:
    """A zip file whose members are compressed as asked."""
    if method != 93:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, value in members.items():
                archive.writestr(name, json.dumps(value))
        return
    body, directory = b"", b""
    for name, value in members.items():
        raw, encoded = json.dumps(value).encode(), name.encode()
        packed = zstandard.ZstdCompressor().compress(raw)
        common = struct.pack(
            "<HHHHHIIIHH",
            *(63, 0, 93, 0, 33, zlib.crc32(raw), len(packed), len(raw), len(encoded), 0),
        )
        directory += (
            b"PK\x01\x02"
            + struct.pack("<H", 63)
            + common
            + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
            + encoded
        )
        body += b"PK\x03\x04" + common + encoded + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)


def helm_stat(name: str, mean: float, **fields: Any) -> dict[str, Any]:
    """One stat of an instance."""
    return {"name": {"name": name, "split": "test"} | fields, "count": 1, "sum": mean, "mean": mean}


def write_helm(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]] = (),
    *,
    model: str | None = "lab/model-1",
) -> Path:
    """A run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "per_instance_stats.json").write_text(json.dumps(list(entries)), "utf-8")
    if instances:
        (folder / "instances.json").write_text(json.dumps(list(instances)), "utf-8")
    if model:
        spec = {"name": "animals", "adapter_spec": {"model": model}}
        (folder / "run_spec.json").write_text(json.dumps(spec), "utf-8")
    return folder
