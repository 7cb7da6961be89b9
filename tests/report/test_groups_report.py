"""The report leads with groups of similar items, and what is not known never reads as a pass."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from benchdesign.coverage.groups.gap_group import (
    ConceptShare,
    GapGroup,
    GapGroups,
    GroupPower,
    GroupStatus,
)
from benchdesign.report.collect_coverage import collect_report
from benchdesign.report.coverage_report import render_html, render_markdown
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.workspace.analysis import Analysis
from tests.group_builders import make_group, make_groups
from tests.report.test_coverage_report import HOSTILE, Page, analyse_hole, report_of

ICE_ROWS = tuple(range(160, 200))
"""Rows of the pool whose items ask about the subject that the benchmark lacks."""


def ice_group(name: str = "ice and glaciers", **changes: Any) -> GapGroup:
    """A group of the pool's items about glaciers, of which the benchmark has none."""
    values: dict[str, Any] = {
        "id": "ice",
        "expected": 12.04,
        "share": 0.2,
        "lift": -2.8,
        "lift_low": -20.0,
        "lift_high": -3.0,
        "p_value": 0.005,
        "relevance": 0.93,
        "pool_rows": ICE_ROWS,
        "typical": (160, 161),
        "nearest_own": (3,),
        "concepts": (ConceptShare(0, "frozen water", 0.75, 0.02),),
        "words": ("glacier", "snow"),
    }
    return make_group(name, **{**values, **changes})


def groups_of(*groups: GapGroup, **changes: Any) -> GapGroups:
    """Those groups, found against the pool of 200 items."""
    return make_groups(*groups, n_pool=200, **{"n_items": 60, **changes})


@pytest.fixture(scope="module")
def plain() -> Analysis:
    """An analysis for which no groups were searched."""
    return analyse_hole()


def page_of(analysis: Analysis, groups: GapGroups) -> tuple[str, str, str]:
    """Return the page, its text on one line, and the Markdown."""
    report = report_of(replace(analysis, groups=groups))
    html = render_html(report)
    return html, text_of(html), render_markdown(report)


def text_of(html: str) -> str:
    """Return what a page says, in its order."""
    shown = re.sub(r"(?s)<(style|script)>.*?</\1>|<[^>]*>", " ", html)
    return re.sub(r"\s+", " ", re.sub(r" ([,;.)])", r"\1", unescape(" ".join(shown.split()))))


def test_report_of_an_analysis_without_groups_does_not_mention_them(plain: Analysis) -> None:
    report = report_of(plain)
    assert report.groups is None
    text = Page(render_html(report)).text
    assert "What is missing" not in text
    assert "Coverage at a glance" in text
    assert "What is missing" not in render_markdown(report)


def test_verdict_power_reference_warning_and_next_step_come_first(plain: Analysis) -> None:
    warning = "9 of 10 pool items are short."
    html, text, markdown = page_of(plain, groups_of(ice_group(), warnings=(warning,)))
    first = text[: text.index("Closed by what was added")]
    for said in (
        "Rarely asks about ice and glaciers (0 of 12 expected).",
        "a group of 4.0% of the reference",
        "Judged against all 200 pool items.",
        warning,
        "What to do next",
    ):
        assert said in first
        assert said in markdown[: markdown.index("## What is missing")]
    assert "covered" not in first
    assert html.index('id="missing"') < html.index('id="glance"')
    assert markdown.index("## What is missing") < markdown.index("Judged concepts covered")


def test_group_is_closed_only_when_its_items_reach_what_is_expected(plain: Analysis) -> None:
    n_added = len(plain.proposals)
    assert n_added >= 3
    for expected, is_closed in ((float(n_added), True), (n_added + 0.2, False)):
        analysis = replace(plain, groups=groups_of(ice_group(expected=expected)))
        report = report_of(analysis)
        assert report.groups is not None
        (line,) = report.groups.lacking
        assert (line.count.before, line.count.n_added) == (0, n_added)
        assert line.count.is_closed is is_closed
        assert report.groups.n_closed == int(is_closed)
        text = text_of(render_html(report))
        assert f"0 had + {n_added} added of {expected:.1f} expected" in text
        assert ("still 0.2 short" in text) is not is_closed
        assert ("(1 more)" in report.groups.next_step) is not is_closed


def test_only_additions_from_its_pool_rows_count_for_a_group(plain: Analysis) -> None:
    row_of = {item.id: row for row, item in enumerate(plain.pool.items)}  # type: ignore[union-attr]
    chosen = row_of[plain.proposals[0].id]
    report = report_of(replace(plain, groups=groups_of(ice_group(pool_rows=(chosen,)))))
    assert report.groups is not None
    (line,) = report.groups.lacking
    assert [one.pool_id for one in line.added] == [plain.proposals[0].id]
    assert report.groups.n_ungrouped == len(plain.proposals) - 1
    assert report.added[0].group == "ice and glaciers"
    assert report.added[1].group is None


def test_removed_items_of_a_group_are_taken_off_what_it_had(plain: Analysis) -> None:
    group = ice_group(status=GroupStatus.UNDER, count=2, own_rows=(3, 4), expected=2.0)
    analysis = replace(plain, groups=groups_of(group))
    choice = Choice(added=(), removed=("b3",), made_by="decisions")
    report = collect_report(analysis, plan_revision(analysis, choice))
    assert report.groups is not None
    (line,) = report.groups.lacking
    assert line.count.after == 1
    assert not line.count.is_closed
    assert "2 had − 1 removed of 2.0 expected" in text_of(render_html(report))


def test_part_stands_inside_its_whole_and_is_not_counted(plain: Analysis) -> None:
    part = ice_group("ice cores", id="part", parent="ice", expected=3.0, pool_rows=ICE_ROWS[:-1])
    # A part of the same pool items as its whole has the id of the whole.
    same = ice_group(name="the same again", parent="ice")
    alone = report_of(replace(plain, groups=groups_of(ice_group(), same)))
    assert alone.added[0].group == "ice and glaciers"
    report = report_of(replace(plain, groups=groups_of(ice_group(), part, same)))
    assert report.groups is not None
    (line,) = report.groups.lacking
    assert [one.name for one in line.parts] == ["ice cores"]
    assert report.added[0].group == "ice cores"
    html = render_html(report)
    assert html.index("ice and glaciers</h4>") < html.index("ice cores</h5>")
    assert "| – ice cores | missing |" in render_markdown(report)


def test_suspicions_stand_apart_with_their_odds(plain: Analysis) -> None:
    suspicion = ice_group(
        id="s", name="perhaps rivers", status=GroupStatus.SUSPECTED, p_value=0.37, pool_rows=(1,)
    )
    html, text, markdown = page_of(plain, groups_of(ice_group(), suspicion))
    assert "by chance in 4 of 10 runs" in text
    missing, suspected = html.index('id="missing"'), html.index('id="suspected"')
    assert missing < html.index("ice and glaciers</h4>") < suspected
    assert suspected < html.index("perhaps rivers</h4>")
    table = markdown[markdown.index("## What is missing") : markdown.index("## Suspected")]
    assert "perhaps rivers" not in table
    assert "Groups that lack items | 1 |" in markdown
    assert "by chance in 4 of 10 runs" in markdown


def test_evidence_of_a_group_is_shown_with_shares_items_and_plain_ratio(plain: Analysis) -> None:
    _, text, markdown = page_of(plain, groups_of(ice_group(count=3, lift_low=-3.0, lift_high=-1.0)))
    assert "0.25 times what is expected (0.12 to 0.50)" in text
    assert "frozen water 75% 2%" in text
    for said in ("glacier, snow", "frozen water", "Which glacier is number 0 on this list?"):
        assert said in text
        assert said in markdown
    assert "b3" in markdown
    assert "20.0% of the reference" in text
    assert "relevance 0.93" in text


def test_groups_with_too_many_items_and_out_of_scope_have_their_own_sections(
    plain: Analysis,
) -> None:
    over = ice_group(id="o", name="oceans", status=GroupStatus.OVER, count=30, expected=12.5)
    outside = ice_group(id="x", name="court cases", status=GroupStatus.SUSPECTED)
    html, text, markdown = page_of(
        plain, groups_of(ice_group(), over=(over,), out_of_scope=(outside,))
    )
    assert "12.5" in text[text.index("oceans") :]
    assert html.index('id="over"') < html.index('id="outside"') < html.index('id="glance"')
    assert "| oceans | 30 |" in markdown
    assert "## Out of scope" in markdown


def test_could_not_tell_is_the_headline_and_nothing_reads_as_a_pass(plain: Analysis) -> None:
    why = "12 items are too few to judge groups; at least 20 are needed."
    unknown = groups_of(could_not_tell=why, power=GroupPower(None, 0.8))
    _, text, markdown = page_of(plain, unknown)
    for said in (text, markdown):
        assert f"Could not tell what is missing. {why}" in said
        assert "could not tell" in said
        assert "Judged concepts covered" not in said
        assert "covered share" not in said
        assert "lacks items for certain" not in said
        assert "No gaps" not in said
        assert "Judged against" not in said
        assert "closed" not in said
        assert "No concept became" not in said
        assert "In no group" not in said
        assert "as reported" not in said.lower()
    assert markdown.splitlines()[2].startswith("**Could not tell")


def test_nothing_found_where_nothing_could_be_found_is_no_pass(plain: Analysis) -> None:
    _, text, markdown = page_of(plain, groups_of(power=GroupPower(None, 0.8)))
    assert "Groups that lack items could not tell" in text
    assert "| Groups that lack items | could not tell |" in markdown
    _, text, markdown = page_of(plain, groups_of())
    assert "Groups that lack items 0" in text
    assert "| Groups that lack items | 0 |" in markdown


def test_markdown_carries_prompt_choices_and_key_of_what_was_added(plain: Analysis) -> None:
    assert plain.pool is not None
    items = [
        replace(
            item, prompt=f"{item.prompt}\n# second | line", choices=("- one", "two"), answer="two"
        )
        for item in plain.pool.items
    ]
    pool = replace(plain.pool, items=tuple(items))
    row_of = {item.id: row for row, item in enumerate(items)}
    chosen = row_of[plain.proposals[0].id]
    groups = groups_of(ice_group(pool_rows=(chosen,)))
    markdown = render_markdown(report_of(replace(plain, pool=pool, groups=groups)))
    inside = markdown.index("### Added to ice and glaciers")
    outside = markdown.index("### Added to no group")
    of_group = markdown[inside:outside]
    assert of_group.count("Prompt: ") == 1
    assert r"<br>\# second \| line" in of_group
    assert "  - A: - one\n  - B: two\n" in of_group
    assert "Key: two" in of_group
    assert markdown[outside:].count("Prompt: ") == len(plain.proposals) - 1


def test_hostile_name_word_and_concept_of_a_group_stay_text(plain: Analysis) -> None:
    group = ice_group(
        name=HOSTILE, words=(HOSTILE,), concepts=(ConceptShare(0, HOSTILE, 0.5, 0.1),)
    )
    suspicion = replace(group, id="s", status=GroupStatus.SUSPECTED, pool_rows=(1,))
    over = replace(group, id="o", status=GroupStatus.OVER)
    groups = groups_of(group, suspicion, over=(over,), out_of_scope=(over,), warnings=(HOSTILE,))
    html, text, markdown = page_of(plain, groups)
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "alert" not in "".join(page.data["script"])
    assert "<script>alert('1')</script>" in text
    for shown in (html, markdown):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert re.search(r"(?<!\\)<script", markdown) is None
    assert "http://" not in markdown
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_every_link_of_a_page_with_groups_leads_somewhere(plain: Analysis) -> None:
    part = ice_group(id="part", name="ice cores", parent="ice")
    over = ice_group(id="o", status=GroupStatus.OVER)
    html, _, _ = page_of(plain, groups_of(ice_group(), part, over=(over,), out_of_scope=(over,)))
    page = Page(html)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for _, name, value in page.attributes if name == "href"}
    labels = {value for _, name, value in page.attributes if name == "aria-labelledby"}
    assert links | labels <= set(ids)
    assert not any(name == "style" for _, name, _ in page.attributes)
