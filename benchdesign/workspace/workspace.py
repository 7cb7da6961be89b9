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
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from benchdesign.errors import (
    InputError,
    WorkspaceError,
)
from benchdesign.foundation.paths import expand_home, is_folder, path_exists
from benchdesign.foundation.serialization import (
    load_bundle,
    read_json,
    save_bundle,
    write_json,
)
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.lock import acquire_lock
from benchdesign.workspace.set_file import (
    SetFile,
    remember_set,
    set_exists,
    with_read_state,
)
from benchdesign.workspace.settings import Settings
from benchdesign.workspace.stage_record import STAGES, StageRun, digest_inputs, read_stage_runs
from benchdesign.workspace.workspace_file import (
    FORMAT_VERSION,
    WorkspaceContent,
    read_content,
    write_content,
)

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Benchmark
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.maps.concept_map import ConceptMap

__all__ = ["Access", "Workspace", "utc_now"]


Access = Literal["write", "read", "child"]
"""`write` acquires the lock, `read` changes nothing, `child` writes under its parent's lock."""


Clock = Callable[[], datetime]


T = TypeVar("T")


_FROM_GAPS = STAGES[STAGES.index("gaps") :]

_MAX_FULL_MAP_ENTRIES = 100_000_000
"""Most entries of a map that are loaded completely: 2 GB."""


def utc_now() -> datetime:
    """Return the current time with its UTC offset; the default clock of the log."""
    return datetime.now().astimezone()


class Workspace:
    """One curation project on disk."""

    def __init__(
        self, folder: Path, content: WorkspaceContent, *, access: Access, clock: Clock
    ) -> None:
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
        settings = settings or Settings(mask_wrappers=True)
        content = WorkspaceContent(
            version=FORMAT_VERSION,
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
            write_content(folder, content)
        except OSError as problem:
            raise _workspace_write_error(folder, problem) from None
        return workspace

    @classmethod
    def open(
        cls, folder: Path, *, access: Access = "write", who: str = "", clock: Clock = utc_now
    ) -> Self:
        """Open a workspace; with `write` access, lock it until `close`."""
        folder = expand_home(folder)
        content = read_content(folder)
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

    def is_for_benchmark(self, benchmark: str | Path) -> bool:
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
        from benchdesign.workspace.load_sets import read_set

        return read_set(self._content.benchmark.path, self.settings, "benchmark")

    def load_pool(self) -> Benchmark | None:
        """Read the pool with the workspace's settings; None without a pool."""
        pool = self._content.pool
        if pool is None:
            return None
        from benchdesign.workspace.load_sets import read_set

        return read_set(pool.path, self.settings, "pool")

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
        self._content = read_content(self.folder)

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
        return read_stage_runs(self.folder / "stages.json")

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

    def due_stages(self) -> tuple[str, ...]:
        """Return the stages of the next run: those that are stale, or whose results lack groups."""
        stale = self.stale_stages()
        # Results of a version without groups can still be read, so they are not stale.
        return stale if "gaps" in stale or self.has_result("groups") else _FROM_GAPS

    @property
    def is_stale(self) -> bool:
        """Whether any stage is stale."""
        return bool(self.stale_stages())

    def stage_key(self, stage: str) -> str:
        """Return the digest of all inputs of a stage."""
        content = self._content
        return digest_inputs(
            stage,
            settings=content.settings,
            benchmark=content.benchmark,
            pool=content.pool,
            log=self.decisions,
        )

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

    def _replace(self, **changes: Any) -> None:
        self._check_writable()
        self._content = replace(self._content, **changes)
        with self._writing():
            write_content(self.folder, self._content)

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
        try:
            handle = acquire_lock(self.folder, who=self._who)
        except OSError as problem:
            raise _workspace_write_error(self.folder, problem) from None
        # Also release the lock when an unclosed workspace is garbage-collected.
        self._unlock = weakref.finalize(self, os.close, handle)


def _workspace_write_error(folder: Path, problem: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{folder}: cannot be written ({problem.strerror or problem}). "
        "Choose another folder or free space."
    )
