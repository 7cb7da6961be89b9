"""Good inputs of every kind for the fuzzer to start from."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.logs import (
    helm_stat,
    inspect_log,
    inspect_sample,
    lm_eval_line,
    write_archive,
    write_inspect_archive,
)
from tests.hostile.cases import lines, rows, table
from tests.hostile.entries import (
    _DICTIONARY_FILES,
    _RESULTS,
    _WORKSPACE_FILES,
    _dictionary,
    _workspace,
)

TEMPLATES = (
    "Q: {{ question }}\n{% for c in choices %}{{ 'ABCD'[loop.index0] }}. {{ c }}\n{% endfor %}",
    "{{ question | upper | replace('a', 'b') }} {{ choices | join(', ') }} {{ meta.topic }}",
    "{% set x %}<{{ question }}>{% endset %}{{ x ~ n }} {{ n * 3 + x | length }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(n) }}{% if n > 2 %}{{ record['n'] }}{% endif %}",
    "{{ choices | map('upper') | sort | first }} {{ '%s' % 1 }} {{ 2 ** 3 }}",
    "{{ question.split() }} {{ record.items() | list }}",
    "{% for a in range(9) recursive %}{{ a }}{% else %}-{% endfor %}{% raw %}{{ }}{% endraw %}",
    "{{ question.__class__ }}{% include 'x' %}{% filter upper %}a{% endfilter %}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}a{% endcall %}",
    "{{ meta | tojson }} {{ meta | dictsort }} {{ none | default('x') }} {{ x | round(1) }}",
    "{{ [1, [2]] }} {{ {'a': 1} }} {{ (1, 2) }} {{ choices[1:] }} {{ choices[-1] }}",
)
DECISIONS = (
    '{"action": "decide", "id": "p1", "kind": "add", "step": 1, "v": 1, "verdict": "accept",'
    ' "who": "a", "when": "b", "note": "n", "reason": "r", "edits": {"question": "Q"}}\n'
    '{"action": "decide", "id": "p2", "kind": "remove", "more": true, "step": 2, "v": 1,'
    ' "verdict": "reject", "who": "a", "when": "b"}\n'
    '{"action": "decide", "id": "7", "kind": "concept", "step": 2, "v": 1, "verdict": "pin"}\n'
    '{"action": "undo", "of": 2, "step": 3}\n{"action": "redo", "of": 2, "step": 4}\n'
)
TASK = (
    "task: a\ndataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\n"
    "test_split: test\ndoc_to_text: '{{question}}'\ndoc_to_target: answer\ndoc_to_choice: [a, b]\n"
    "include: b.yaml\nprocess_docs: !function utils.f\ntag: x\n"
)


def seeds(name: str) -> Iterator[bytes]:
    """Yield good inputs of one entry."""
    makers = {
        "JSON Lines": _lines,
        "JSON": _json,
        "CSV": _csv,
        "results": _results,
        "template": lambda: (template.encode() for template in TEMPLATES),
        "workspace": _workspaces,
        "Parquet": _parquet,
        "Arrow": _arrow,
        "task file": lambda: iter([TASK.encode()]),
        "dictionary": _dictionaries,
        "saved dataset": _datasets,
    }
    yield from makers[name]()


def _lines() -> Iterator[bytes]:
    yield lines(3)
    yield gzip.compress(lines(3))
    yield lines(2).decode().encode("utf-16")
    yield b'{"inputs": "a?", "multiple_choice_targets": ["x", "y"], "target": 1}\n' * 2
    yield b'{"question": {"stem": "Q?", "choices": [{"label": "A", "text": "x"}]}, "key": "A"}\n'
    yield b'{"input": "Q?\\nOptions:\\n(A) x\\n(B) y", "target": "(A)", "d": [1e9, null]}\n'


def _json() -> Iterator[bytes]:
    yield json.dumps(rows(2), indent=1).encode()
    yield json.dumps({"name": "x", "examples": rows(2), "n": 2}).encode()
    yield json.dumps({"question": ["a?", "b?"], "answer": ["x", "y"]}).encode()
    yield json.dumps({"a": {"question": "a?"}, "b": {"question": "b?"}}).encode()
    yield json.dumps({"examples": [{"input": "a?", "target_scores": {"x": 1, "y": 0}}]}).encode()


def _csv() -> Iterator[bytes]:
    yield table(3)
    yield b'question;A;B;answer\r\n"Who\n""is""?";x;y;A\r\nWhy?;x;y;B\r\n'
    yield b"question\tanswer\tchoices\nWho?\tme\t\"['a', 'b']\"\n"
    yield b"Who is it?,a,b,c,d,A\nWhy is it?,a,b,c,d,B\n"


def _results() -> Iterator[bytes]:
    records = rows(2)
    log = inspect_log(
        [inspect_sample("q0", "What is 0 plus 0?", "C"), inspect_sample("q1", "b", 0.5)]
    )
    stats = [{"instance_id": "q0", "split": "test", "stats": [helm_stat("exact_match", 1.0)]}]
    samples = "\n".join(lm_eval_line(at, record, acc=1.0) for at, record in enumerate(records))
    contents = {
        "samples_task_2025-03-01T10-00-00.123456.jsonl": samples.encode(),
        "a.json": json.dumps(log).encode(),
        "per_instance_stats.json": json.dumps(stats).encode(),
        "a.csv": b"id,model,score\nq0,m,1\nq1,m,0.5\n",
        "a.jsonl": b'{"id": "q0", "model": "m", "correct": true}\n{"row": 1, "score": "C"}\n',
        "instances.json": b'[{"id": "q0", "input": {"text": "What is 0 plus 0?"}, '
        b'"references": [{"output": {"text": "0"}, "tags": ["correct"]}]}]',
        "run_spec.json": b'{"name": "x", "adapter_spec": {"model": "lab/m"}}',
    }
    for name, data in contents.items():
        for extra in (0, len(_RESULTS)):
            yield bytes([_RESULTS.index(name) + extra]) + data
    with tempfile.TemporaryDirectory() as folder:
        for method in (0, 8, 93):
            path = write_inspect_archive(Path(folder) / f"{method}.eval", log, method=method)
            yield bytes([_RESULTS.index("a.eval")]) + path.read_bytes()
        write_archive(Path(folder) / "x.eval", {"header.json": log})
        yield bytes([_RESULTS.index("a.eval")]) + (Path(folder) / "x.eval").read_bytes()


def _workspaces() -> Iterator[bytes]:
    content = {
        "workspace.json": (_workspace() / "workspace.json").read_bytes(),
        "decisions.jsonl": DECISIONS.encode(),
        "stages.json": b'{"read": {"key": "a", "finished": "b", "figures": {"n": 1}}}',
        "ui.json": b'{"screen": "gaps", "rows": {"gaps": 3}, "filter": "x"}',
        "config.toml": b'who = "a"\ntheme = "x"\n[keys]\n"app.quit" = "q"\n',
    }
    for name, data in content.items():
        yield bytes([_WORKSPACE_FILES.index(name)]) + data
    for line in DECISIONS.splitlines(keepends=True):
        yield bytes([_WORKSPACE_FILES.index("decisions.jsonl")]) + line.encode()


def _dictionaries() -> Iterator[bytes]:
    for number, name in enumerate(_DICTIONARY_FILES):
        path = _dictionary() / name
        if path.is_file():
            yield bytes([number]) + path.read_bytes()
    labels = b"concept_id,label,label_score,area\n0,cats,0.9,animals\n1,dogs,,\n"
    yield bytes([_DICTIONARY_FILES.index("labels.csv")]) + labels
    yield bytes([_DICTIONARY_FILES.index("labels.csv.gz")]) + gzip.compress(labels)
    yield bytes([_DICTIONARY_FILES.index("labels.json")]) + b'{"0": "cats", "1": {"label": "dogs"}}'
    explained = b'{"explanations": [{"modelId": "m", "index": "3", "description": "cats"}]}'
    yield bytes([_DICTIONARY_FILES.index("labels.json")]) + explained
    yield (
        bytes([_DICTIONARY_FILES.index("labels.jsonl")])
        + b'{"index": 1, "level": "terms", "label": "x"}\n'
    )


def _tables() -> Iterator[object]:
    import pyarrow as pa

    yield pa.table({"question": ["a?", "b?"], "answer": [1, 2], "choices": [["x"], []]})
    yield pa.table(
        {"question": pa.array(["a?", None]).dictionary_encode(), "x": [{"a": 1.5}, None]}
    )


def _parquet() -> Iterator[bytes]:
    import pyarrow.parquet as pq

    for arrow_table in _tables():
        for compression in ("none", "snappy", "zstd"):
            out = io.BytesIO()
            pq.write_table(arrow_table, out, compression=compression)
            yield out.getvalue()


def _arrow() -> Iterator[bytes]:
    import pyarrow as pa

    for arrow_table in _tables():
        for opened in (pa.ipc.new_file, pa.ipc.new_stream):
            out = io.BytesIO()
            with opened(out, arrow_table.schema) as writer:  # type: ignore[attr-defined]
                writer.write_table(arrow_table)
            yield out.getvalue()


def _datasets() -> Iterator[bytes]:
    yield b'1{"_data_files": [{"filename": "data.arrow"}], "_split": null, "_format_type": null}'
    yield b'0{"splits": ["train", "test"]}'
