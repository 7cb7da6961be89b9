"""What the coverage report says of its sources, settings and findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchdesign.report.coverage_data import FindingGroup, SetFacts
from benchdesign.version import __version__
from benchdesign.workspace.analysis import Analysis

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Finding
    from benchdesign.revision.plan import Revision

__all__ = ["changed_limits", "findings_of", "provenance_of", "set_facts"]


_MAX_NAMED = 10


_MAX_MESSAGES = 5


def set_facts(analysis: Analysis) -> Iterator[SetFacts]:
    """Yield the facts about the benchmark and the pool."""
    for role, item_set in (("benchmark", analysis.benchmark), ("pool", analysis.pool)):
        if item_set is not None:
            mapping = item_set.mapping
            names = ("prompt", "context", "choices", "answer", "id", "category", "source")
            fields = tuple(
                (name, path, mapping.origin.get(name, "detected"))
                for name in names
                if (path := getattr(mapping, name))
            )
            # The name only: reports are shared, and folder names are private.
            yield SetFacts(
                role,
                item_set.name,
                item_set.path.name or str(item_set.path),
                item_set.source.format,
                len(item_set),
                item_set.sha256,
                fields,
            )


def changed_limits(analysis: Analysis) -> Iterator[str]:
    """Yield the constraints on candidates and removals, in words."""
    settings, constraints = analysis.settings, analysis.settings.constraints
    low, high = constraints.min_tokens, constraints.max_tokens
    if low or high:
        yield f"{low or 1} to {high} tokens" if high else f"at least {low} tokens"
    for name, quotas in (
        ("category", constraints.quotas_by_category),
        ("source", constraints.quotas_by_source),
    ):
        for value, quota in sorted(quotas.items(), key=lambda entry: (entry[0] == "*", entry[0])):
            group = f"every other {name}" if value == "*" else f"{name} {value}"
            yield f"at most {quota} of {group}"
    for ids, word in ((constraints.pinned, "added first"), (constraints.excluded, "never added")):
        if ids:
            yield f"{word}: {', '.join(sorted(ids)[:_MAX_NAMED])}" + (
                f" and {len(ids) - _MAX_NAMED} more" if len(ids) > _MAX_NAMED else ""
            )
    if settings.keep_out:
        yield f"nothing on {', '.join(Path(file).name for file in settings.keep_out)}"
    if settings.n_remove and settings.min_items > 1:
        yield f"at least {settings.min_items} of the benchmark’s items stay"


def findings_of(analysis: Analysis) -> tuple[FindingGroup, ...]:
    """Collect the findings in the files by kind, without the names of private folders."""
    folders = {f"{analysis.benchmark.path.parent}/"}
    if analysis.pool is not None:
        folders.add(f"{analysis.pool.path.parent}/")
    by_kind: dict[str, list[Finding]] = {}
    for finding in analysis.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    rows = []
    for kind, findings in by_kind.items():
        messages = [finding.message for finding in findings[:_MAX_MESSAGES]]
        for folder in folders - {"./"}:
            messages = [message.replace(folder, "") for message in messages]
        rows.append(
            FindingGroup(
                kind.replace("-", " "),
                sum(finding.n_rows for finding in findings),
                tuple(messages),
                max(len(findings) - _MAX_MESSAGES, 0),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.n_rows, row.kind)))


def provenance_of(analysis: Analysis, revision: Revision) -> Iterator[tuple[str, str]]:
    """Yield what the results were computed from, as names and values."""
    dictionary, manifest = analysis.dictionary, revision.manifest
    yield "Program", f"benchdesign {__version__}"
    for facts in set_facts(analysis):
        yield f"{facts.role.capitalize()} SHA-256", facts.sha256
    if sha256 := manifest.get("revised", {}).get("sha256"):
        yield "Revised benchmark SHA-256", str(sha256)
    yield "Reference model", analysis.settings.model
    yield "Dictionary", f"{dictionary.name}, built for {dictionary.model}"
    yield "Dictionary fingerprint", dictionary.fingerprint
    for level in dictionary.levels:
        yield (
            f"Level {level.name}",
            f"{level.width:,} concepts, measured per {level.unit} at {level.hook_point}",
        )
    yield "Item template", "custom" if analysis.settings.template else "default"
    yield "Seed", str(analysis.settings.seed)
    yield "Chosen by", revision.choice.made_by
    if revision.choice.decisions_sha256:
        yield "Decisions SHA-256", revision.choice.decisions_sha256
