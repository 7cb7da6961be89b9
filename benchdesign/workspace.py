"""The folder that holds one curation project: settings, maps, results and decisions.

    workspace.json     where benchmark and pool are, settings
    stages.json        which stage ran on what, so that what is out of date is known
    maps/              the concept maps of benchmark and pool
    cache/             what was read through the model, where no shared cache folder is used
    results/           coverage, gaps, areas, relevance, proposals, duplicates, evidence
    decisions.jsonl    the log of decisions
    ui.json            what the interface restores
    lock               held by the process that writes

Everything but the log is written to a temporary file and renamed. Nothing is computed here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import socket
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from benchdesign.config import Settings
from benchdesign.decisions import DecisionLog, Subject, Verdict
from benchdesign.errors import (
    InputError,
    WorkspaceError,
    WorkspaceLockedError,
    WorkspaceMissingError,
)
from benchdesign.records import load_bundle, plain, read_json, revive, save_bundle, write_json
from benchdesign.regular import expanded, full_path, is_folder, is_there
from benchdesign.sets import read_benchmark, read_pool

if TYPE_CHECKING:
    from benchdesign.analysis import Analysis, Summary
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.dictionary import Dictionary
    from benchdesign.items import Benchmark

__all__ = ["STAGES", "Access", "SetFile", "StageRun", "Workspace", "utc_now"]

STAGES = ("read", "map", "gaps", "propose", "evidence")
"""In order; each needs those before it."""

Access = Literal["write", "read", "child"]
"""`write` takes the lock, `read` changes nothing, `child` writes under the lock of its parent."""

Clock = Callable[[], datetime]
T = TypeVar("T")

_VERSION = 1
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
_MOST_ENTRIES = 100_000_000
"""Entries of a map that are read whole: 2 GB."""


def utc_now() -> datetime:
    """Return the time of day for the log: the clock passed by commands and interface."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class SetFile:
    """Where a benchmark or pool is, and what it was when it was read."""

    path: str
    sha256: str = ""
    """Empty until the read stage ran."""

    n_items: int = 0
    size: int = 0
    modified_ns: int = 0
    """With `size`, tells cheaply that a file cannot have changed."""

    name: str = ""
    given: str = ""
    """The path as it was typed, which is what manifests say."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage that finished."""

    key: str
    """Digest of everything that decides the stage's result."""

    finished: str
    """ISO 8601."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """Small numbers worth showing: items mapped, seconds, gaps found."""


@dataclass(frozen=True, slots=True)
class _Content:
    version: int
    name: str
    created: str
    benchmark: SetFile
    pool: SetFile | None
    settings: Settings


class Workspace:
    """One curation project on disk."""

    def __init__(self, folder: Path, content: _Content, *, access: Access, clock: Clock) -> None:
        self.folder = folder
        self.access: Access = access
        self.clock = clock
        self._content = content
        self._unlock: weakref.finalize[[int], Any] | None = None
        self._decisions: DecisionLog | None = None
        self._who = ""

    @classmethod
    def create(
        cls,
        folder: Path,
        benchmark: str | Path,
        *,
        pool: str | Path | None = None,
        settings: Settings | None = None,
        name: str = "",
        who: str = "",
        clock: Clock = utc_now,
    ) -> Self:
        """Make a new workspace in an empty or missing folder and hold its lock."""
        folder = expanded(folder)
        if is_there(folder / "workspace.json"):
            raise WorkspaceError(
                f"{folder}: already a workspace; open it, or choose another folder."
            )
        if is_folder(folder) and any(folder.iterdir()):
            raise WorkspaceError(f"{folder}: not empty; choose a new folder for the workspace.")
        for path in (benchmark, pool):
            if path is not None and not _is_there(path):
                raise InputError(f"{path}: no such file or folder. Check the path.")
        settings = settings or Settings()
        content = _Content(
            version=_VERSION,
            name=name or Path(str(benchmark)).name.split(".")[0] or "benchmark",
            created=clock().isoformat(timespec="seconds"),
            benchmark=_set_file(benchmark),
            pool=None if pool is None else _set_file(pool),
            settings=settings,
        )
        try:
            (folder / "maps").mkdir(parents=True, exist_ok=True)
            (folder / "results").mkdir(exist_ok=True)
            workspace = cls(folder, content, access="write", clock=clock)
            workspace._who = who
            workspace._take_lock()
            workspace._write_content()
        except OSError as problem:
            raise _unwritable(folder, problem) from None
        return workspace

    @classmethod
    def open(
        cls, folder: Path, *, access: Access = "write", who: str = "", clock: Clock = utc_now
    ) -> Self:
        """Open a workspace; with `write` access, hold its lock until `close`."""
        folder = expanded(folder)
        content = _read_content(folder)
        workspace = cls(folder, content, access=access, clock=clock)
        workspace._who = who
        if access == "write":
            workspace._take_lock()
        return workspace

    def close(self) -> None:
        """Let go of the lock."""
        if self._unlock is not None:
            self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Name shown to people."""
        return self._content.name

    @property
    def created(self) -> str:
        """When the workspace was made, ISO 8601."""
        return self._content.created

    @property
    def settings(self) -> Settings:
        """What decides the results."""
        return self._content.settings

    @property
    def benchmark_file(self) -> SetFile:
        """Where the benchmark is and what it was when last read."""
        return self._content.benchmark

    @property
    def pool_file(self) -> SetFile | None:
        """Where the pool is, if there is one."""
        return self._content.pool

    @property
    def decisions(self) -> DecisionLog:
        """The log of decisions, replayed on first use."""
        if self._decisions is None:
            self._decisions = DecisionLog.from_file(
                self.folder / "decisions.jsonl", who=self._who, clock=self.clock
            )
        return self._decisions

    def is_of(self, benchmark: str | Path) -> bool:
        """Tell whether this is a workspace of that benchmark."""
        return self._content.benchmark.path == _set_file(benchmark).path

    def has_pool(self, pool: str | Path | None) -> bool:
        """Tell whether this is the pool in use."""
        used = self._content.pool
        return (None if used is None else used.path) == (
            None if pool is None else _set_file(pool).path
        )

    def change_settings(self, settings: Settings) -> None:
        """Replace the settings; stages they decide become out of date."""
        self._replace(settings=settings)

    def change_pool(self, path: str | Path | None) -> None:
        """Use another pool, or none."""
        self._replace(pool=None if path is None else _set_file(path))

    def record_read(self, benchmark: Benchmark, pool: Benchmark | None) -> None:
        """Remember what was read, so that a changed file is noticed later."""
        self._replace(
            benchmark=_as_read(self._content.benchmark, benchmark),
            pool=None
            if self._content.pool is None or pool is None
            else _as_read(self._content.pool, pool),
        )

    def load_benchmark(self) -> Benchmark:
        """Read the benchmark with the workspace's settings."""
        return read_benchmark(self._content.benchmark.path, self.settings)

    def load_pool(self) -> Benchmark | None:
        """Read the pool with the workspace's settings; None where there is none."""
        pool = self._content.pool
        return None if pool is None else read_pool(pool.path, self.settings)

    def load_dictionary(self) -> Dictionary:
        """Open the concept dictionary of the settings (without its weights)."""
        from benchdesign.mapping import load_dictionary

        return load_dictionary(self.settings.dictionary)

    def load_map(self, which: Literal["benchmark", "pool"]) -> ConceptMap:
        """Read a finished map; of a huge pool's only what counts as present."""
        from benchdesign.conceptmap import ConceptMap
        from benchdesign.mapfile import count_entries

        path = self.folder / "maps" / f"{which}.parquet"
        if not path.is_file():
            raise WorkspaceError(f"{self.folder}: the {which} is not mapped yet; run it first.")
        thresholds = None
        with contextlib.suppress(OSError, ValueError):
            if which == "pool" and count_entries(path) > _MOST_ENTRIES:
                thresholds = self.load_dictionary().table.threshold
        return ConceptMap.load(path, thresholds=thresholds)

    def save_map(self, which: str, concept_map: ConceptMap) -> None:
        """Keep a finished map."""
        self._must_write()
        with self._writing():
            concept_map.save(self.folder / "maps" / f"{which}.parquet")

    def load_analysis(self, *, on_summary: Callable[[Summary], None] | None = None) -> Analysis:
        """Load everything computed so far; needs the gaps stage, has proposals if any were made.

        `on_summary` is given what was found before the items and the maps are read.
        """
        from benchdesign.pipeline import load_analysis

        self.refresh()
        return load_analysis(self, on_summary=on_summary)

    def refresh(self) -> None:
        """Take in what a child process wrote since."""
        self._content = _read_content(self.folder)

    def save_result(self, name: str, value: object) -> None:
        """Keep a data class (arrays included) under a name."""
        self._must_write()
        with self._writing():
            save_bundle(self.folder / "results" / f"{name}.npz", value)

    def load_result(self, name: str, kind: type[T]) -> T:
        """Read what `save_result` kept."""
        path = self.folder / "results" / f"{name}.npz"
        try:
            return load_bundle(path, kind)
        except FileNotFoundError:
            raise WorkspaceError(f"{self.folder}: {name} not computed yet; run it first.") from None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise WorkspaceError(f"{path}: damaged ({problem}); delete it and run again.") from None

    def has_result(self, name: str) -> bool:
        """Tell whether `save_result` kept something under a name."""
        return (self.folder / "results" / f"{name}.npz").is_file()

    def drop_result(self, name: str) -> None:
        """Forget what `save_result` kept under a name, if anything."""
        self._must_write()
        with self._writing():
            (self.folder / "results" / f"{name}.npz").unlink(missing_ok=True)

    def stage_runs(self) -> dict[str, StageRun]:
        """Return the stages that finished, by name."""
        try:
            return {
                name: revive(StageRun, one)
                for name, one in read_json(self.folder / "stages.json").items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            raise WorkspaceError(
                f"{self.folder / 'stages.json'}: damaged ({problem}); delete it and run again."
            ) from None

    def record_stage(self, stage: str, *, figures: Mapping[str, Any] | None = None) -> None:
        """Mark a stage as finished on what the workspace holds now."""
        self._must_write()
        run = StageRun(
            self.stage_key(stage), self.clock().isoformat(timespec="seconds"), figures or {}
        )
        with self._writing():
            write_json(self.folder / "stages.json", {**self.stage_runs(), stage: run})

    def stale_stages(self) -> tuple[str, ...]:
        """Return the stages that never ran or ran on something else, in order."""
        self.refresh()
        runs = self.stage_runs()
        first = next(
            (
                place
                for place, stage in enumerate(STAGES)
                if stage not in runs or runs[stage].key != self.stage_key(stage)
            ),
            len(STAGES),
        )
        return STAGES[first:]

    @property
    def is_stale(self) -> bool:
        """Whether any stage is out of date."""
        return bool(self.stale_stages())

    def stage_key(self, stage: str) -> str:
        """Return the digest of everything that decides a stage's result."""
        settings = self.settings
        parts: dict[str, object] = {
            "benchmark": _identity(self._content.benchmark),
            "pool": None if self._content.pool is None else _identity(self._content.pool),
            "read": [
                settings.fields,
                settings.pool_fields,
                settings.template,
                settings.split,
                settings.pool_split,
                settings.limit,
                settings.pool_limit,
                *([] if settings.pool_template is None else [settings.pool_template]),
            ],
        }
        if stage != "read":
            parts["map"] = [
                settings.model,
                settings.dictionary,
                settings.dtype,
                settings.hook_module,
                *(["chat"] if settings.chat else []),
            ]
        if stage in ("gaps", "propose", "evidence"):
            parts["gaps"] = [settings.gaps, settings.scope, self._concept_verdicts()]
        if stage in ("propose", "evidence"):
            parts["propose"] = [
                settings.n_add,
                settings.n_remove,
                settings.constraints,
                settings.keep_out,
                settings.seed,
                *([] if settings.min_items == 1 else [settings.min_items]),
            ]
            if settings.weight != "gaps":
                # A result file may be named `MODEL=FILE`; one that changed is another one.
                files = [Path(one.partition("=")[2] or one) for one in settings.results]
                parts["weight"] = [
                    settings.weight,
                    settings.results,
                    settings.metrics,
                    [_stamp(one) for one in files],
                ]
        text = json.dumps(plain(parts), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def load_ui(self) -> dict[str, Any]:
        """Return what the interface saved; empty where it is missing or unreadable."""
        try:
            state = read_json(self.folder / "ui.json")
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def save_ui(self, state: Mapping[str, Any]) -> None:
        """Keep what the interface restores next time; does nothing with read access."""
        if self.access != "read":
            write_json(self.folder / "ui.json", dict(state))

    def _concept_verdicts(self) -> list[list[object]]:
        verdicts: list[list[object]] = sorted(
            [subject.value, one.subject_id, one.verdict.value]
            for subject in (Subject.CONCEPT, Subject.AREA)
            for one in self.decisions.standings(subject).values()
            if one.verdict is not Verdict.OPEN
        )
        log = self.decisions
        wants: list[list[object]] = [["want", *one] for one in sorted(log.wanted.items())]
        return verdicts + wants + [["merge", *one] for one in sorted(log.merged.items())]

    def _replace(self, **changes: Any) -> None:
        self._must_write()
        self._content = replace(self._content, **changes)
        with self._writing():
            self._write_content()

    def _write_content(self) -> None:
        write_json(self.folder / "workspace.json", self._content)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise _unwritable(self.folder, problem) from None

    def _must_write(self) -> None:
        if self.access == "read":
            raise WorkspaceError(f"{self.folder}: opened for reading; nothing can be changed.")

    def _take_lock(self) -> None:
        path = self.folder / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise _unwritable(self.folder, problem) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 200).decode("utf-8", "replace").strip()
            os.close(handle)
            raise WorkspaceLockedError(
                f"{self.folder}: in use by {holder or 'another process'}. "
                "Close it there and try again."
            ) from None
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            who = f" ({self._who})" if self._who else ""
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}{who}".encode())
        # Also let go when a workspace is forgotten without being closed.
        self._unlock = weakref.finalize(self, os.close, handle)


def _read_content(folder: Path) -> _Content:
    path = folder / "workspace.json"
    try:
        return revive(_Content, _upgradeable(read_json(path), path))
    except OSError as problem:
        if problem.errno in _NOT_THERE:
            raise WorkspaceMissingError(
                f"{folder}: not a workspace (no workspace.json). "
                "Make one with `benchdesign run` or `benchdesign open BENCHMARK`."
            ) from None
        raise WorkspaceError(f"{path}: cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise WorkspaceError(
            f"{path}: damaged ({problem}). Restore it from a backup; decisions.jsonl and maps/ "
            "beside it are still good."
        ) from None


def _set_file(path: str | Path) -> SetFile:
    text = str(path)
    if text.startswith("hf:"):
        return SetFile(path=text, name=text.rpartition("/")[2], given=text)
    resolved = full_path(text)
    return SetFile(path=str(resolved), name=resolved.name, given=text)


def _is_there(path: str | Path) -> bool:
    return str(path).startswith("hf:") or is_there(path)


def _as_read(one: SetFile, benchmark: Benchmark) -> SetFile:
    size, modified = _stamp(Path(one.path))
    return replace(
        one,
        sha256=benchmark.sha256,
        n_items=len(benchmark),
        size=size,
        modified_ns=modified,
        name=benchmark.name,
    )


def _identity(one: SetFile) -> list[object]:
    """Path and digest; a file whose size or time changed since it was read counts as another."""
    stamp = _stamp(Path(one.path))
    changed = one.size and stamp != (0, 0) and stamp != (one.size, one.modified_ns)
    return [one.path, one.sha256, "changed" if changed else ""]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        if path.is_dir():
            stats = [one.stat() for one in sorted(path.rglob("*")) if one.is_file()]
        else:
            stats = [path.stat()]
    except (OSError, ValueError):
        # Missing, or no name of a file at all: reading it says which.
        return 0, 0
    return sum(one.st_size for one in stats), max((one.st_mtime_ns for one in stats), default=0)


def _upgradeable(data: Any, path: Path) -> Any:
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if int(data.get("version", 0)) > _VERSION:
        raise WorkspaceError(
            f"{path}: made by a newer benchdesign (version {data['version']}); upgrade to open it."
        )
    return data


def _unwritable(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: cannot be written ({problem.strerror or problem}). "
        "Choose another folder, or free space."
    )
