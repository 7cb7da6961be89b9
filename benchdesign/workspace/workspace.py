"""The workspace folder of one curation project: settings, maps, results and decisions.

    workspace.json     paths of benchmark and pool, settings
    stages.json        finished stages with digests of their inputs, to detect stale results
    maps/              concept maps of benchmark and pool
    cache/             cached model output, unless a shared cache folder is used
    results/           coverage, gaps, areas, relevance, proposals, duplicates, evidence
    decisions.jsonl    log of decisions
    ui.json            saved state of the interface
    lock               lock file of the process with write access

All files except the log and the lock are written atomically. This module computes no results.
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
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from benchdesign.errors import (
    InputError,
    WorkspaceError,
    WorkspaceLockedError,
    WorkspaceMissingError,
)
from benchdesign.foundation.paths import expand_home, is_folder, path_exists
from benchdesign.foundation.serialization import (
    from_json,
    load_bundle,
    read_json,
    save_bundle,
    to_json,
    write_json,
)
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.load_sets import read_set
from benchdesign.workspace.set_file import (
    SetFile,
    file_identity,
    file_stamp,
    remember_set,
    set_exists,
    with_read_state,
)
from benchdesign.workspace.settings import Settings, settings_from_json, settings_to_json
from benchdesign.workspace.stage_record import STAGES, StageRun

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap

__all__ = ["Access", "Workspace", "utc_now"]


Access = Literal["write", "read", "child"]
"""`write` acquires the lock, `read` changes nothing, `child` writes under its parent's lock."""


Clock = Callable[[], datetime]


T = TypeVar("T")


_VERSION = 1


_MISSING_ERRNOS = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


_MAX_FULL_MAP_ENTRIES = 100_000_000
"""Most entries of a map that are loaded completely: 2 GB."""


def utc_now() -> datetime:
    """Return the current time with its UTC offset; the default clock of the log."""
    return datetime.now().astimezone()


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
        """Create a workspace in an empty or missing folder and acquire its lock."""
        folder = expand_home(folder)
        if path_exists(folder / "workspace.json"):
            raise WorkspaceError(
                f"{folder}: already a workspace; open it, or choose another folder."
            )
        if is_folder(folder) and any(folder.iterdir()):
            raise WorkspaceError(f"{folder}: not empty; choose a new folder for the workspace.")
        for path in (benchmark, pool):
            if path is not None and not set_exists(path):
                raise InputError(f"{path}: no such file or folder. Check the path.")
        settings = settings or Settings()
        content = _Content(
            version=_VERSION,
            name=name or Path(str(benchmark)).name.split(".")[0] or "benchmark",
            created=clock().isoformat(timespec="seconds"),
            benchmark=remember_set(benchmark),
            pool=None if pool is None else remember_set(pool),
            settings=settings,
        )
        try:
            (folder / "maps").mkdir(parents=True, exist_ok=True)
            (folder / "results").mkdir(exist_ok=True)
            workspace = cls(folder, content, access="write", clock=clock)
            workspace._who = who
            workspace._acquire_lock()
            workspace._write_content()
        except OSError as problem:
            raise _workspace_write_error(folder, problem) from None
        return workspace

    @classmethod
    def open(
        cls, folder: Path, *, access: Access = "write", who: str = "", clock: Clock = utc_now
    ) -> Self:
        """Open a workspace; with `write` access, lock it until `close`."""
        folder = expand_home(folder)
        content = _read_content(folder)
        workspace = cls(folder, content, access=access, clock=clock)
        workspace._who = who
        if access == "write":
            workspace._acquire_lock()
        return workspace

    def close(self) -> None:
        """Release the lock."""
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
        """Display name."""
        return self._content.name

    @property
    def created(self) -> str:
        """Time of creation, ISO 8601."""
        return self._content.created

    @property
    def settings(self) -> Settings:
        """Settings that determine the results."""
        return self._content.settings

    @property
    def benchmark_file(self) -> SetFile:
        """Path of the benchmark, with its state when last read."""
        return self._content.benchmark

    @property
    def pool_file(self) -> SetFile | None:
        """Path of the pool, with its state when last read; None without a pool."""
        return self._content.pool

    @property
    def decisions(self) -> DecisionLog:
        """Log of decisions, replayed on first use."""
        if self._decisions is None:
            self._decisions = DecisionLog.from_file(
                self.folder / "decisions.jsonl", who=self._who, clock=self.clock
            )
        return self._decisions

    def is_of(self, benchmark: str | Path) -> bool:
        """Whether this is a workspace of that benchmark."""
        return self._content.benchmark.path == remember_set(benchmark).path

    def has_pool(self, pool: str | Path | None) -> bool:
        """Whether that pool is the one in use; None stands for no pool."""
        current = self._content.pool
        return (None if current is None else current.path) == (
            None if pool is None else remember_set(pool).path
        )

    def change_settings(self, settings: Settings) -> None:
        """Replace the settings; stages that depend on them become stale."""
        self._replace(settings=settings)

    def change_pool(self, path: str | Path | None) -> None:
        """Replace the pool, or remove it with None."""
        self._replace(pool=None if path is None else remember_set(path))

    def record_read(self, benchmark: Benchmark, pool: Benchmark | None) -> None:
        """Record the state of the files read, so that later changes are detected."""
        self._replace(
            benchmark=with_read_state(self._content.benchmark, benchmark),
            pool=None
            if self._content.pool is None or pool is None
            else with_read_state(self._content.pool, pool),
        )

    def load_benchmark(self) -> Benchmark:
        """Read the benchmark with the workspace's settings."""
        return read_set(self._content.benchmark.path, self.settings, "benchmark")

    def load_pool(self) -> Benchmark | None:
        """Read the pool with the workspace's settings; None without a pool."""
        pool = self._content.pool
        return None if pool is None else read_set(pool.path, self.settings, "pool")

    def load_dictionary(self) -> Dictionary:
        """Open the concept dictionary of the settings, without its weights."""
        from benchdesign.concepts.dictionaries.open import load_dictionary

        return load_dictionary(self.settings.dictionary)

    def load_map(self, which: Literal["benchmark", "pool"]) -> ConceptMap:
        """Load a finished map; for a very large pool, only entries above the presence threshold."""
        from benchdesign.concepts.maps.map_file import read_map
        from benchdesign.concepts.maps.peak_places import count_entries

        path = self.folder / "maps" / f"{which}.parquet"
        if not path.is_file():
            raise WorkspaceError(f"{self.folder}: the {which} is not mapped yet; map it first.")
        thresholds = None
        with contextlib.suppress(OSError, ValueError):
            if which == "pool" and count_entries(path) > _MAX_FULL_MAP_ENTRIES:
                thresholds = self.load_dictionary().table.threshold
        return read_map(path, thresholds=thresholds)

    def save_map(self, which: str, concept_map: ConceptMap) -> None:
        """Save a finished map."""
        from benchdesign.concepts.maps.map_file import write_map

        self._check_writable()
        with self._writing():
            write_map(concept_map, self.folder / "maps" / f"{which}.parquet")

    def refresh(self) -> None:
        """Reload what a child process has written."""
        self._content = _read_content(self.folder)

    def save_result(self, name: str, value: object) -> None:
        """Save a data class, including arrays, under a name."""
        self._check_writable()
        with self._writing():
            save_bundle(self.folder / "results" / f"{name}.npz", value)

    def load_result(self, name: str, kind: type[T]) -> T:
        """Load a result saved by `save_result`."""
        path = self.folder / "results" / f"{name}.npz"
        try:
            return load_bundle(path, kind)
        except FileNotFoundError:
            raise WorkspaceError(f"{self.folder}: {name} not computed yet; run it first.") from None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise WorkspaceError(f"{path}: damaged ({problem}); delete it and run again.") from None

    def has_result(self, name: str) -> bool:
        """Whether `save_result` saved a result under a name."""
        return (self.folder / "results" / f"{name}.npz").is_file()

    def drop_result(self, name: str) -> None:
        """Delete the result saved under a name, if there is one."""
        self._check_writable()
        with self._writing():
            (self.folder / "results" / f"{name}.npz").unlink(missing_ok=True)

    def stage_runs(self) -> dict[str, StageRun]:
        """Return the finished stages by name."""
        try:
            return {
                name: from_json(StageRun, run)
                for name, run in read_json(self.folder / "stages.json").items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            raise WorkspaceError(
                f"{self.folder / 'stages.json'}: damaged ({problem}); delete it and run again."
            ) from None

    def record_stage(self, stage: str, *, figures: Mapping[str, Any] | None = None) -> None:
        """Mark a stage as finished with the present inputs."""
        self._check_writable()
        run = StageRun(
            self.stage_key(stage), self.clock().isoformat(timespec="seconds"), figures or {}
        )
        with self._writing():
            write_json(self.folder / "stages.json", {**self.stage_runs(), stage: run})

    def stale_stages(self) -> tuple[str, ...]:
        """Return the stages that never ran or whose inputs have changed, in order."""
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
        """Whether any stage is stale."""
        return bool(self.stale_stages())

    def stage_key(self, stage: str) -> str:
        """Return the digest of all inputs of a stage."""
        settings = self.settings
        parts: dict[str, object] = {
            "benchmark": file_identity(self._content.benchmark),
            "pool": None if self._content.pool is None else file_identity(self._content.pool),
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
            parts["gaps"] = [
                settings.chosen("gaps"),
                settings.chosen("scope"),
                self._concept_verdicts(),
            ]
        if stage in ("propose", "evidence"):
            parts["propose"] = [
                settings.n_add,
                settings.n_remove,
                settings.chosen("constraints"),
                settings.keep_out,
                settings.seed,
                *([] if settings.min_items == 1 else [settings.min_items]),
            ]
            if settings.weight != "gaps":
                # A result file may be given as `MODEL=FILE`; the stamp detects a changed file.
                files = [Path(result.partition("=")[2] or result) for result in settings.results]
                parts["weight"] = [
                    settings.weight,
                    settings.results,
                    settings.metrics,
                    [file_stamp(path) for path in files],
                ]
        text = json.dumps(to_json(parts), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def load_ui(self) -> dict[str, Any]:
        """Load the saved state of the interface; empty if missing or unreadable."""
        try:
            state = read_json(self.folder / "ui.json")
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def save_ui(self, state: Mapping[str, Any]) -> None:
        """Save the state of the interface; does nothing with read access."""
        if self.access != "read":
            write_json(self.folder / "ui.json", dict(state))

    def _concept_verdicts(self) -> list[list[object]]:
        verdicts: list[list[object]] = sorted(
            [subject.value, standing.subject_id, standing.verdict.value]
            for subject in (Subject.CONCEPT, Subject.AREA)
            for standing in self.decisions.standings(subject).values()
            if standing.verdict is not Verdict.OPEN
        )
        log = self.decisions
        wants: list[list[object]] = [["want", *target] for target in sorted(log.wanted.items())]
        return verdicts + wants + [["merge", *merge] for merge in sorted(log.merged.items())]

    def _replace(self, **changes: Any) -> None:
        self._check_writable()
        self._content = replace(self._content, **changes)
        with self._writing():
            self._write_content()

    def _write_content(self) -> None:
        content = {**to_json(self._content), "settings": settings_to_json(self.settings)}
        write_json(self.folder / "workspace.json", content)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise _workspace_write_error(self.folder, problem) from None

    def _check_writable(self) -> None:
        if self.access == "read":
            raise WorkspaceError(f"{self.folder}: opened read-only; it cannot be changed.")

    def _acquire_lock(self) -> None:
        path = self.folder / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise _workspace_write_error(self.folder, problem) from None
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
        # Also release the lock when an unclosed workspace is garbage-collected.
        self._unlock = weakref.finalize(self, os.close, handle)


def _read_content(folder: Path) -> _Content:
    path = folder / "workspace.json"
    try:
        data = _check_format_version(read_json(path), path)
        settings = settings_from_json(data["settings"])
        return replace(from_json(_Content, {**data, "settings": {}}), settings=settings)
    except OSError as problem:
        if problem.errno in _MISSING_ERRNOS:
            raise WorkspaceMissingError(
                f"{folder}: not a workspace (no workspace.json). "
                "Create one with `benchdesign run` or `benchdesign open BENCHMARK`."
            ) from None
        raise WorkspaceError(f"{path}: cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise WorkspaceError(
            f"{path}: damaged ({problem}). Restore it from a backup; decisions.jsonl and maps/ "
            "beside it are not affected."
        ) from None


def _check_format_version(data: Any, path: Path) -> Any:
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if int(data.get("version", 0)) > _VERSION:
        raise WorkspaceError(
            f"{path}: made by a newer version of benchdesign (format {data['version']}); "
            "upgrade benchdesign to open it."
        )
    return data


def _workspace_write_error(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: cannot be written ({problem.strerror or problem}). "
        "Choose another folder or free space."
    )
