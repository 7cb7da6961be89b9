"""What is said before publishing, and the near-duplicates that are to be looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.benchmarks.items import Finding
from benchdesign.pipeline.write_revision import write_revision
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.revision.publish_checks import publish_checks
from benchdesign.tui.screens.items import ItemsScreen
from benchdesign.tui.session.session import Session
from benchdesign.workspace.decisions import Decision, Subject, Verdict
from tests.keywords import use_keywords, write_sets
from tests.tui.conftest import Bench, make_bench, until
from tests.tui.test_screens import go, visible_text


def check_lines(session: Session, *, problem: str = "") -> list[tuple[str, str]]:
    assert session.analysis is not None
    plan = plan_revision(session.analysis, Choice.from_decisions(session.log))
    checks = publish_checks(
        session.analysis, session.log, plan, is_stale=session.workspace.is_stale, problem=problem
    )
    return [(check.state, check.text) for check in checks]


@pytest.fixture
def repeating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The first question twice, and a pool with a licence for most."""
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    lines = benchmark.read_text("utf-8").splitlines()
    again = {**json.loads(lines[0]), "id": "again"}
    benchmark.write_text("\n".join([*lines, json.dumps(again)]) + "\n", "utf-8")
    records = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for row, record in enumerate(records):
        record["licence"] = "" if row == 3 else ("MIT", "CC-BY-4.0", "MIT")[row % 3]
    pool.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return make_bench(tmp_path, benchmark, pool)


async def test_licences_and_failed_checks_of_what_is_accepted_are_counted(repeating: Bench) -> None:
    async with repeating.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        assert ("estimate", "nothing accepted or dropped yet") in check_lines(session)
        ids = [proposal.id for proposal in session.analysis.proposals]
        session.record(*(Decision(Subject.ADD, item_id, Verdict.ACCEPT) for item_id in ids))
        checks = check_lines(session, problem="it cannot be")
        assert ("pass", "every accepted item has a key") in checks
        assert checks[-1] == ("fail", "it cannot be")
        licences = next(text for _, text in checks if "licence" in text)
        assert licences.count("MIT") == 1 and "CC-BY-4.0" in licences
        proposals = session.analysis.proposals
        failed = replace(proposals[0].checks[0], passed=False, message="closest item 0.97")
        first = replace(proposals[0], checks=(failed,))
        analysis = replace(session.analysis, proposals=(first, *proposals[1:]))
        assert session.loaded is not None
        session.replace(replace(session.loaded, analysis=analysis))
        text = "1 accepted item with a failed check: closest item 0.97"
        assert ("warn", text) in check_lines(session)


async def test_no_licence_is_known_where_the_pool_names_none(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        first = session.analysis.proposals[0].id
        session.record(Decision(Subject.ADD, first, Verdict.ACCEPT))
        assert ("estimate", "no known licence for 1 accepted item") in check_lines(session)


async def test_near_duplicates_are_one_state_of_the_items_until_one_is_dropped(
    repeating: Bench,
) -> None:
    async with repeating.opened() as (app, pilot):
        await go(pilot, app, "export")
        await until(pilot, lambda: "1 near-duplicate pair: 6, f" in visible_text(app))
        await go(pilot, app, "items")
        screen = app.screen
        assert isinstance(screen, ItemsScreen)
        await pilot.press("f", "f", "f", "f")
        row_ids = [screen.table.rows.row_id(row) for row in screen.table.view]
        assert row_ids == ["item:b-0", "item:again"]
        await until(pilot, lambda: "repeats    again · similarity 1.00" in screen.detail.text)
        await pilot.press("x", "down")
        await until(pilot, lambda: "b-0 · similarity 1.00, dropped" in screen.detail.text)
        await go(pilot, app, "export")
        await until(pilot, lambda: "no near duplicates" in visible_text(app))


async def test_without_near_duplicates_there_is_no_such_state(bench: Bench) -> None:
    async with bench.opened() as (app, pilot):
        await go(pilot, app, "items")
        assert isinstance(app.screen, ItemsScreen)
        assert "repeats" not in [name for name, _ in app.screen.facets()]


async def test_what_was_found_in_no_row_is_counted_by_itself(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        findings = [Finding("skipped-file", f"{name}.jsonl: not a file.") for name in "abc"]
        findings += [Finding("empty-text", "no text", (3, 4)), Finding("skipped-row", "not JSON")]
        benchmark = replace(session.analysis.benchmark, findings=tuple(findings))
        analysis = replace(session.analysis, benchmark=benchmark)
        assert session.loaded is not None
        session.replace(replace(session.loaded, analysis=analysis))
        texts = [text for state, text in check_lines(session) if state == "warn"]
        assert "3 skipped files of the benchmark" in texts
        assert "empty text in 2 rows of the benchmark" in texts
        assert "1 skipped row of the benchmark" in texts


@pytest.fixture
def sparse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A benchmark with fields that the pool has nothing for, one of whose names is nasty."""
    use_keywords(monkeypatch)
    benchmark, pool = write_sets(tmp_path)
    records = [json.loads(line) for line in benchmark.read_text("utf-8").splitlines()]
    for row, record in enumerate(records):
        extra = {"hint": f"think {row}", "best": "yes", "[red]\x1b[0m": f"x {row}"}
        record |= extra | {"why": f"so {row}", "level": row}
    benchmark.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    records = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for record in records[:2]:
        record["hint"] = "count legs"
    pool.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return make_bench(tmp_path, benchmark, pool)


async def test_fields_that_stay_empty_are_told_before_anything_is_written(sparse: Bench) -> None:
    async with sparse.opened(size=(80, 24)) as (app, pilot):
        session = app.session
        assert session is not None and session.analysis is not None
        assert not any("empty in" in text for _, text in check_lines(session))
        ids = [proposal.id for proposal in session.analysis.proposals][:3]
        session.record(*(Decision(Subject.ADD, item_id, Verdict.ACCEPT) for item_id in ids))
        plan = plan_revision(session.analysis, Choice.from_decisions(session.log))
        written = write_revision(
            session.analysis, sparse.folder / "out", choice=Choice.from_decisions(session.log)
        )
        assert plan.empty_fields and plan.empty_fields == written.empty_fields
        text = "empty in accepted items: hint 3, best 3, [red]␛[0m 3, 2 more"
        assert ("warn", text) in check_lines(session)
        app.workspaces.refresh_screens()
        await go(pilot, app, "export")
        await until(pilot, lambda: "hint 3, best 3, [red]␛[0m 3" in visible_text(app))


async def test_of_the_pool_only_what_is_accepted_is_found_fault_with(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        pool = session.analysis.pool
        assert pool is not None
        first, second = session.analysis.proposals[:2]
        rows = (0, pool.items[first.row].row, pool.items[second.row].row)
        findings = (Finding("answer-in-prompt", "told", rows), Finding("skipped-row", "not JSON"))
        analysis = replace(session.analysis, pool=replace(pool, findings=findings))
        assert session.loaded is not None
        session.replace(replace(session.loaded, analysis=analysis))
        assert not any("prompt" in text or "skipped" in text for _, text in check_lines(session))
        session.record(Decision(Subject.ADD, first.id, Verdict.ACCEPT))
        assert ("warn", "answer in prompt in 1 accepted item") in check_lines(session)
        session.record(Decision(Subject.ADD, second.id, Verdict.ACCEPT))
        assert ("warn", "answer in prompt in 2 accepted items") in check_lines(session)


async def test_a_short_export_has_its_files_and_the_sum_of_items_below_the_checks(
    bench: Bench,
) -> None:
    async with bench.opened(size=(80, 24)) as (app, pilot):
        await go(pilot, app, "export")
        await until(pilot, lambda: app.screen.plan is not None)
        await until(pilot, lambda: "Changes" in visible_text(app))
        lines = visible_text(app).splitlines()
        checks = next(at for at, line in enumerate(lines) if "Before you publish" in line)
        names = ("animals.revised", "revision.json", "concepts.parquet", "report.html", "report.md")
        places = [next(at for at, line in enumerate(lines) if name in line) for name in names]
        assert checks < places[0] and places == list(range(places[0], places[0] + 5))
        assert "Items   80  - 0 dropped  + 0 accepted  = 80" in lines[places[-1] + 1]
