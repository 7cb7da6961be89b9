"""The record of finished stages, with the digest of their inputs: `stages.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchdesign.errors import WorkspaceError
from benchdesign.foundation.serialization import from_json, read_json, to_json
from benchdesign.workspace.decision_log import DecisionLog
from benchdesign.workspace.decisions import Subject, Verdict
from benchdesign.workspace.set_file import SetFile, file_identity, file_stamp
from benchdesign.workspace.settings import Settings

__all__ = ["STAGES", "StageRun", "digest_inputs", "read_stage_runs"]


STAGES = ("read", "map", "gaps", "propose", "evidence")
"""The stages in order; each needs the ones before it."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One finished stage."""

    key: str
    """Digest of all inputs of the stage."""

    finished: str
    """Time of completion, ISO 8601."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """Figures for display: items mapped, seconds, gaps found."""


def read_stage_runs(path: Path) -> dict[str, StageRun]:
    """Return the finished stages by name; none if there is no record."""
    try:
        return {name: from_json(StageRun, run) for name, run in read_json(path).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        raise WorkspaceError(f"{path}: damaged ({problem}); delete it and run again.") from None


def digest_inputs(
    stage: str,
    *,
    settings: Settings,
    benchmark: SetFile,
    pool: SetFile | None,
    log: DecisionLog,
) -> str:
    """Return the digest of all inputs of a stage."""
    parts: dict[str, object] = {
        "benchmark": file_identity(benchmark),
        "pool": None if pool is None else file_identity(pool),
        "read": [
            settings.fields,
            settings.pool_fields,
            settings.template,
            settings.split,
            settings.pool_split,
            settings.limit,
            settings.pool_limit,
            *([] if settings.pool_template is None else [settings.pool_template]),
            *(["cut wrappers"] if settings.mask_wrappers else []),
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
            _concept_verdicts(log),
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


def _concept_verdicts(log: DecisionLog) -> list[list[object]]:
    verdicts: list[list[object]] = sorted(
        [subject.value, standing.subject_id, standing.verdict.value]
        for subject in (Subject.CONCEPT, Subject.AREA, Subject.POOL_ITEM)
        for standing in log.standings(subject).values()
        if standing.verdict is not Verdict.OPEN
    )
    wants: list[list[object]] = [["want", *target] for target in sorted(log.wanted.items())]
    return verdicts + wants + [["merge", *merge] for merge in sorted(log.merged.items())]
