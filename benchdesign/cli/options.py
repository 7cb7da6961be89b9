"""Options that several commands share, and what they turn into.

Nothing here imports more than the settings; `--help` must stay free.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchdesign.errors import UsageError
from benchdesign.foundation.paths import path_exists, read_regular_text, resolve_path
from benchdesign.foundation.text import MAX_DIGITS, is_whole_number

if TYPE_CHECKING:
    from benchdesign.coverage.scope import Scope

__all__ = [
    "AsJson",
    "BenchmarkPath",
    "Chat",
    "Device",
    "DictionarySpec",
    "Dtype",
    "Fields",
    "HookModule",
    "ModelSpec",
    "PoolPath",
    "PoolTemplateFile",
    "Quiet",
    "Split",
    "TemplateFile",
    "WorkspacePath",
    "chosen_scope",
    "named",
    "pairs",
    "read_pool_template",
    "read_template",
    "stopping",
    "weighting",
    "whole_numbers",
]

_MOST_EXAMPLES = 200
"""Items that say what a benchmark is about; every concept is compared with each."""


def named(given: Any) -> Any:
    """Refuse an empty name, which would be taken for the folder that one is in."""
    names = [given] if isinstance(given, str) else given or ()
    if not all(name.strip() for name in names):
        raise typer.BadParameter("a name is empty; give a file, a folder or hf:owner/name")
    return given


BenchmarkPath = Annotated[
    str,
    typer.Argument(
        metavar="BENCHMARK",
        help="File, folder, or `hf:owner/name`.",
        show_default=False,
        callback=named,
    ),
]
WorkspacePath = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", help="Workspace folder.", show_default=False)
]
PoolPath = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="POOL",
        help="Candidate items: file, folder or `hf:owner/name`.",
        callback=named,
    ),
]
ModelSpec = Annotated[
    str,
    typer.Option("--model", metavar="NAME", help="Reference model: builtin, a folder, a hub id."),
]
DictionarySpec = Annotated[
    str,
    typer.Option(
        "--dictionary",
        metavar="SPEC",
        help="Concept dictionary: builtin, a folder, sae-lens:RELEASE/SAE_ID, "
        "hf:OWNER/REPO[/FOLDER].",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu, cuda or mps; auto spreads the model's layers over devices. "
        "[default: cuda where there is one, else cpu]",
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        help="Precision of the model: float32, bfloat16 or float16. "
        "[default: float32 on the CPU, else the model's own]",
    ),
]
HookModule = Annotated[
    str | None,
    typer.Option("--hook-module", help="Module to read where the architecture is not known."),
]
Chat = Annotated[
    bool,
    typer.Option("--chat", help="Read each item as the user's turn in the model's chat template."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=FIELD",
        help="Which field holds what (prompt=question). Repeatable.",
    ),
]
TemplateFile = Annotated[
    Path | None,
    typer.Option("--template", metavar="FILE", help="Jinja2 template that renders an item."),
]
PoolTemplateFile = Annotated[
    str | None,
    typer.Option(
        "--pool-template",
        metavar="FILE",
        help="As --template, for the pool; `none` reads it without. [default: that of --template]",
    ),
]
Split = Annotated[str | None, typer.Option("--split", help="Split or shard group to read.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Only errors: no progress, notes or summary of what was written."
    ),
]


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return NAME=VALUE options as a dictionary."""
    from benchdesign.benchmarks.fields.detect import ROLES

    found: dict[str, str] = {}
    for one in given or ():
        name, sign, value = one.partition("=")
        if not sign or not name or not value:
            raise UsageError(f"{option} {one}: write it as NAME=VALUE.")
        if option.endswith("field") and name not in ROLES:
            raise UsageError(f"{option} {one}: unknown name; known: {', '.join(ROLES)}.")
        found[name] = value
    return found


def whole_numbers(given: Sequence[str] | None, option: str) -> dict[str, int]:
    """Return NAME=NUMBER options as a dictionary."""
    found = {}
    for name, value in pairs(given, option).items():
        if not is_whole_number(value):
            raise UsageError(
                f"{option} {name}={value[:40]}: not a whole number of up to {MAX_DIGITS} digits."
            )
        found[name] = int(value)
    return found


def weighting(
    weight: str | None, results: Sequence[str] | None, metrics: Sequence[str] | None
) -> dict[str, Any]:
    """Return the settings of `--weight`, with results at their full paths."""
    if weight not in (None, "gaps", "model-gaps"):
        raise UsageError(f"--weight {weight}: unknown; it is gaps or model-gaps.")
    if (weight == "model-gaps") != bool(results):
        raise UsageError("--weight model-gaps and --results FILE belong together; give both.")
    if not results:
        return {"weight": "gaps", "results": (), "metrics": ()}
    files = []
    for given in results:
        name, sign, rest = given.partition("=")
        path = Path(rest) if sign and name and rest and not path_exists(given) else Path(given)
        if not path_exists(path):
            raise UsageError(f"--results {given}: no such file or folder.")
        prefix = f"{name}=" if path != Path(given) else ""
        # A workspace may be opened from anywhere.
        files.append(f"{prefix}{resolve_path(path)}")
    return {"weight": weight, "results": tuple(files), "metrics": tuple(metrics or ())}


def read_template(path: Path | None) -> str | None:
    """Return the source of an item template."""
    if path is None:
        return None
    try:
        return read_regular_text(path)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"--template {path}: cannot be read ({reason}). Check the path.") from None


def read_pool_template(given: str | None) -> str | None:
    """Return the source of the pool's template: empty for none, None for the benchmark's."""
    if given == "none":
        return ""
    return None if given is None else read_template(Path(given))


def chosen_scope(
    sentence: str,
    examples: str | None,
    pins: Sequence[int] | None,
    exclusions: Sequence[int] | None,
    cutoff: float | None,
) -> Scope:
    """Return the scope that the options describe."""
    from benchdesign.coverage.scope import Scope

    texts: tuple[str, ...] = ()
    if examples is not None:
        from benchdesign.benchmarks.load import load_benchmark

        items = load_benchmark(examples, limit=_MOST_EXAMPLES + 1).items
        if len(items) > _MOST_EXAMPLES:
            raise UsageError(
                f"--scope-examples {examples}: more than {_MOST_EXAMPLES} items. "
                "Give a few that are certainly meant."
            )
        texts = tuple(item.text for item in items)
    return Scope(
        sentence=sentence if sentence.strip() else "",
        examples=texts,
        pins=tuple(pins or ()),
        exclusions=tuple(exclusions or ()),
        cutoff=Scope().cutoff if cutoff is None else cutoff,
    )


@contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yield a stop check that turns true on the first Ctrl-C; a second one interrupts at once."""
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("Stopping after what is being done now; Ctrl-C again stops at once.")

    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)
