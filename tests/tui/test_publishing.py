"""What is said before publishing, and the near-duplicates that are to be looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchdesign.decisions import Decision, Subject, Verdict
from benchdesign.items import Finding
from benchdesign.revision import Choice, plan_revision
from benchdesign.tui.model import Session
from benchdesign.tui.publishing import publish_checks
from benchdesign.tui.screens.items import ItemsScreen
from tests.keywords import use_keywords, write_sets
from tests.tui.conftest import Bench, make_bench, until
from tests.tui.test_screens import go, visible_text


def said(session: Session, *, problem: str = "") -> list[tuple[str, str]]:
    assert session.analysis is not None
    plan = plan_revision(session.analysis, Choice.from_decisions(session.log))
    return [tuple(one) for one in publish_checks(session, plan, problem=problem)]


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
    pool.write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    return make_bench(tmp_path, benchmark, pool)


async def test_licences_and_failed_checks_of_what_is_accepted_are_counted(repeating: Bench) -> None:
    async with repeating.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        assert ("estimate", "nothing is accepted or dropped so far") in said(session)
        ids = [one.id for one in session.analysis.proposals]
        session.record(*(Decision(Subject.ADD, one, Verdict.ACCEPT) for one in ids))
        checks = said(session, problem="it cannot be")
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
        assert ("warn", text) in said(session)


async def test_no_licence_is_known_where_the_pool_names_none(bench: Bench) -> None:
    async with bench.opened() as (app, _):
        session = app.session
        assert session is not None and session.analysis is not None
        first = session.analysis.proposals[0].id
        session.record(Decision(Subject.ADD, first, Verdict.ACCEPT))
        assert ("estimate", "no licence known of 1 accepted item") in said(session)


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
        shown = [screen.table.rows.row_id(row) for row in screen.table.view]
        assert shown == ["item:b-0", "item:again"]
        await until(pilot, lambda: "repeats    again · similarity 1.00" in screen.detail.text)
        await pilot.press("x", "down")
        await until(pilot, lambda: "b-0 · similarity 1.00, left out" in screen.detail.text)
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
        found = [Finding("skipped-file", f"{one}.jsonl: not a file.") for one in "abc"]
        found += [Finding("empty-text", "no text", (3, 4)), Finding("skipped-row", "not JSON")]
        benchmark = replace(session.analysis.benchmark, findings=tuple(found))
        analysis = replace(session.analysis, benchmark=benchmark)
        assert session.loaded is not None
        session.replace(replace(session.loaded, analysis=analysis))
        texts = [text for state, text in said(session) if state == "warn"]
        assert "3 skipped files of the benchmark" in texts
        assert "empty text in 2 rows of the benchmark" in texts
        assert "1 skipped row of the benchmark" in texts
