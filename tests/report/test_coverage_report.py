"""The report says what the analysis and the revision say, and whatever items hold stays text."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchdesign.benchmarks.items import Finding
from benchdesign.cli.actions.coverage import print_coverage
from benchdesign.coverage.area_gaps import find_area_gaps
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps, rejudge
from benchdesign.coverage.gap_settings import GapSettings
from benchdesign.coverage.reference import Reference
from benchdesign.coverage.share_interval import ShareInterval
from benchdesign.coverage.status import Status
from benchdesign.report.collect_coverage import collect_report
from benchdesign.report.coverage_data import ReportData
from benchdesign.report.coverage_report import render_html, render_markdown, write_report
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import Revision, plan_revision
from benchdesign.selection.proposal import GapFilled
from benchdesign.workspace.analysis import Analysis
from tests.words import analyse_words, make_set

HOSTILE = (
    "</style><script>alert('1')</script> | `x` [a](http://evil.example) \x1b[31m \u202e {{ 7 }}"
)
SUBJECTS = ("ocean", "desert", "forest", "mountain")


def make_sets_with_hole(
    *, label: str = "glacier", extra: str = ""
) -> tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]:
    """A benchmark over four subjects and a pool over those and one more."""
    bench = [f"Which {SUBJECTS[row % 4]} is number {row} on this list?" for row in range(60)]
    pool = [f"Which {SUBJECTS[row % 4]} is number {row} on this list?" for row in range(60, 220)]
    pool += [f"Which {label} is number {row} on this list? {extra}" for row in range(40)]
    return (
        bench,
        [SUBJECTS[row % 4] for row in range(60)],
        pool,
        [*(SUBJECTS[row % 4] for row in range(60, 220)), *[label] * 40],
    )


def analyse_hole(*, n_add: int = 6, extra: str = "", label: str = "glacier") -> Analysis:
    bench, bench_labels, pool, pool_labels = make_sets_with_hole(label=label, extra=extra)
    return analyse_words(
        make_set(bench, prefix="b", categories=bench_labels),
        make_set(pool, prefix="p", categories=pool_labels),
        n_add=n_add,
    )


def revise(analysis: Analysis) -> Revision:
    return plan_revision(analysis, Choice.all_proposals(analysis))


def report_of(analysis: Analysis) -> ReportData:
    return collect_report(analysis, revise(analysis))


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse_hole()


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.data: dict[str, list[str]] = {}
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside = tag

    def handle_data(self, data: str) -> None:
        self.data.setdefault(self._inside, []).append(data)

    @property
    def text(self) -> str:
        return "".join(
            part
            for tag, parts in self.data.items()
            if tag not in ("script", "style")
            for part in parts
        )


def test_planted_hole_is_the_first_area_and_its_items_are_the_evidence(
    analysis: Analysis,
) -> None:
    report = report_of(analysis)
    first = report.areas[0]
    assert first.name == "glacier"
    assert first.n_gaps >= 1
    for gap in first.gaps:
        assert gap.status is Status.MISSING
        assert gap.count == 0
        assert all("glacier" in "".join(p.text for p in example.pieces) for example in gap.evidence)


def test_marked_piece_is_the_word_that_shows_the_concept(analysis: Analysis) -> None:
    gaps = [gap for area in report_of(analysis).areas for gap in area.gaps]
    word = next(gap for gap in gaps if gap.label == "glacier")
    assert [p.text for p in word.evidence[0].pieces if p.strength] == ["glacier"]


def test_items_of_one_area_are_not_shown_twice_while_others_are_left(analysis: Analysis) -> None:
    for area in report_of(analysis).areas:
        item_ids = [example.item_id for gap in area.gaps for example in gap.evidence]
        assert len(item_ids) == len(set(item_ids))


def test_evidence_that_opens_alike_is_shown_once() -> None:
    bench, labels, pool, pool_labels = make_sets_with_hole()
    opening = "Read the following passage with care and then answer the question below it: "
    analysis = analyse_words(
        make_set(bench, prefix="b", categories=labels),
        make_set([opening + text for text in pool], prefix="p", categories=pool_labels),
    )
    gaps = [gap for area in report_of(analysis).areas for gap in area.gaps]
    assert max(len(gap.evidence) for gap in gaps if gap.label == "passage") == 1


def test_added_items_carry_rank_reason_and_closest_item(analysis: Analysis) -> None:
    added = report_of(analysis).added
    assert len(added) == len(analysis.proposals) >= 3
    assert [addition.rank for addition in added] == list(range(1, len(added) + 1))
    assert {addition.category for addition in added} == {"glacier"}
    assert all(addition.fills and addition.nearest_id is not None for addition in added)


def test_what_was_passed_over_is_said_in_words(analysis: Analysis) -> None:
    counts = {"near duplicate of the benchmark": 1200, "quota of category": 3, "no answer": 2}
    report = report_of(replace(analysis, left_out=counts))
    reason = (
        "1\u202f200 nearly the same as a benchmark item, "
        "3 over the quota for their category, 2 without answer."
    )
    assert reason in Page(render_html(report)).text
    assert reason.replace("\u202f", "") in render_markdown(report)


def test_findings_are_counted_by_row_and_name_no_folder(analysis: Analysis) -> None:
    path = Path("/home/ann/secret/b.jsonl")
    analysis = replace(analysis, benchmark=replace(analysis.benchmark, path=path))
    finding = Finding("duplicate-text", f"{path}:3 (also 4 and 5): same text.", (2, 3, 4))
    report = report_of(replace(analysis, findings=(finding,)))
    page = Page(render_html(report))
    assert "Duplicate text: 3" in page.text
    assert "b.jsonl:3 (also 4 and 5): same text." in page.text
    assert "secret" not in page.text


def test_keys_have_no_position_where_the_format_names_them_apart(analysis: Analysis) -> None:
    items = [
        replace(item, choices=("a", "b"), answer="a", answer_index=0)
        for item in analysis.benchmark.items
    ]
    benchmark = replace(analysis.benchmark, items=tuple(items))
    assert report_of(replace(analysis, benchmark=benchmark)).worse.keys
    apart = replace(benchmark.mapping, choices_kind="distractors")
    benchmark = replace(benchmark, mapping=apart)
    assert report_of(replace(analysis, benchmark=benchmark)).worse.keys == ()


def test_many_areas_are_folded_to_those_that_lack_something_as_a_whole(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not lacking as a whole" not in render_html(report_of(analysis))
    monkeypatch.setattr("benchdesign.report.collect_coverage._MAX_EXPANDED_AREAS", 0)
    report = report_of(analysis)
    n_first = report.n_areas_first
    lacking = {Status.MISSING, Status.UNDER}
    for place, area in enumerate(report.areas):
        assert (place < n_first) is bool({area.status, area.status_after} & lacking)
    html = render_html(report)
    for place, area in enumerate(report.areas, start=1):
        assert f'<a href="#area-{place}">{area.name}</a>' in html


def test_what_was_called_a_gap_stands_first_among_what_an_item_fills(analysis: Analysis) -> None:
    for addition in report_of(analysis).added:
        marks = [fill.is_gap for fill in addition.fills]
        assert marks == sorted(marks, reverse=True)
        assert marks[0]


def test_what_an_item_fills_beside_what_is_listed_is_counted(analysis: Analysis) -> None:
    revision = revise(analysis)
    first = revision.added[0]
    before = collect_report(analysis, revision).added[0]
    longer = replace(first, n_fills=first.n_fills + 5)
    report = collect_report(analysis, replace(revision, added=(longer, *revision.added[1:])))
    assert report.added[0].n_more_fills == before.n_more_fills + 5
    remainder = f"and {report.added[0].n_more_fills} more"
    assert remainder in Page(render_html(report)).text
    assert remainder in render_markdown(report)


def test_expected_items_are_the_whole_number_that_is_wanted_everywhere(
    analysis: Analysis, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(analysis)
    gaps = analysis.gaps
    lines = [gap for area in report.areas for gap in area.gaps]
    fractional = next(gap for gap in lines if gap.expected % 1 > 0.01)
    target = int(gaps.target[fractional.concept_id])
    assert target == int(fractional.expected) + 1
    assert f" of {target} expected" in render_markdown(report)
    area_gaps = find_area_gaps(analysis.areas, gaps, concept_map=analysis.benchmark_map)
    print_coverage(analysis.benchmark, gaps, area_gaps, top=20)
    row = rf"^ *{fractional.concept_id}  +\w+ +\d+ +(\S+)"
    printed = re.findall(row, capsys.readouterr().out, re.M)
    assert printed == [str(target)]
    assert "wanted in the grown set" in render_markdown(report)
    assert "wanted in the grown set" in Page(render_html(report)).text


def test_gap_counts_as_closed_only_if_more_items_show_it(analysis: Analysis) -> None:
    revision = revise(analysis)
    report = collect_report(analysis, revision)
    gone = analysis.gaps.is_gap & ~revision.gaps_after.is_gap
    grown = revision.gaps_after.count > analysis.gaps.count
    assert report.n_gaps_closed == int((gone & grown).sum())
    assert report.n_gaps_closed + report.n_gaps_lapsed == int(gone.sum())
    assert report.n_gaps_closed == revision.n_gaps_closed


def test_gap_without_new_items_is_reported_as_lapsed(analysis: Analysis) -> None:
    gap = report_of(analysis).areas[0].gaps[0]
    assert replace(gap, status_after=Status.ADEQUATE, count_after=gap.count).lapsed
    assert not replace(gap, status_after=Status.ADEQUATE, count_after=gap.count + 1).lapsed
    assert not replace(gap, status_after=Status.UNDER, count_after=gap.count).lapsed


def test_diluted_concepts_are_those_that_became_gaps() -> None:
    analysis = analyse_hole(n_add=40)
    revision = revise(analysis)
    report = collect_report(analysis, revision)
    became = revision.gaps_after.is_gap & ~analysis.gaps.is_gap
    assert report.worse.n_diluted == int(became.sum())
    assert {concept.concept_id for concept in report.worse.diluted} <= set(np.flatnonzero(became))


def test_labels_of_the_sets_are_counted_before_and_after(analysis: Analysis) -> None:
    first = report_of(analysis).categories[0]
    assert (first.name, first.before, first.after) == ("glacier", 0, len(analysis.proposals))


def test_free_answers_have_no_key_balance(analysis: Analysis) -> None:
    assert report_of(analysis).worse.keys == ()


def test_key_balance_counts_positions_of_the_right_answer(analysis: Analysis) -> None:
    items = tuple(
        replace(item, choices=("x", "y"), answer_index=int(item.row % 3 == 0))
        for item in analysis.benchmark.items
    )
    keyed = replace(analysis, benchmark=replace(analysis.benchmark, items=items))
    keys = report_of(keyed).worse.keys
    assert [(key.name, key.before) for key in keys] == [("A", 40), ("B", 20)]


def test_report_says_how_much_the_gaps_depend_on_the_settings(analysis: Analysis) -> None:
    limits = report_of(analysis).limits
    assert limits.sensitivity[0].is_reported
    assert limits.sensitivity[0].n_kept == int(analysis.gaps.is_gap.sum())
    assert len(limits.sensitivity) == 7
    assert limits.null is not None
    assert limits.null.n_items == 60


def test_folder_of_a_file_is_not_in_the_report(analysis: Analysis) -> None:
    moved = replace(analysis.benchmark, path=Path("/home/someone/secret/b.jsonl"))
    html = render_html(report_of(replace(analysis, benchmark=moved)))
    assert "b.jsonl" in html
    assert "secret" not in html


def test_page_allows_only_the_style_and_script_it_was_written_with(analysis: Analysis) -> None:
    html = render_html(report_of(analysis))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    for tag in ("style", "script"):
        matches = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(matches) == 1
        digest = base64.b64encode(hashlib.sha256(matches[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_page_refers_to_nothing_outside_itself(analysis: Analysis) -> None:
    page = Page(render_html(report_of(analysis)))
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "style", "xlink:href", "action"), (tag, name)
        if name == "href":
            assert value.startswith("#")


def test_every_link_of_the_page_leads_somewhere(analysis: Analysis) -> None:
    page = Page(render_html(report_of(analysis)))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for _, name, value in page.attributes if name == "href"}
    labels = {value for _, name, value in page.attributes if name == "aria-labelledby"}
    assert links | labels <= set(ids)


def test_hostile_item_label_and_id_stay_text_on_the_page() -> None:
    analysis = analyse_hole(extra=HOSTILE, label=HOSTILE)
    page = Page(render_html(report_of(analysis)))
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert "alert" not in "".join(page.data["script"])
    assert "<script>alert('1')</script>" in page.text
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text
    assert "{{ 7 }}" in page.text


def test_lone_surrogate_in_an_item_does_not_stop_the_report(tmp_path: Path) -> None:
    analysis = analyse_hole(extra="broken \ud800 text")
    paths = write_report(analysis, revise(analysis), tmp_path)
    assert "[U+D800]" in paths.html.read_text(encoding="utf-8")


def test_hostile_text_cannot_leave_its_cell_in_markdown() -> None:
    markdown = render_markdown(report_of(analyse_hole(extra=HOSTILE, label=HOSTILE)))
    assert re.search(r"(?<!\\)<script", markdown) is None
    assert re.search(r"(?<!\\)\]\(", markdown) is None
    assert "http://" not in markdown
    tables = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    assert tables
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_markdown_and_page_carry_the_same_figures(analysis: Analysis) -> None:
    report = report_of(analysis)
    markdown = render_markdown(report)
    assert f"| Missing | {report.before.n_missing} | {report.after.n_missing} |" in markdown
    assert f"| Items | {report.before.n_items} | {report.after.n_items} |" in markdown
    for name, value in report.provenance:
        assert name in markdown
        assert value.split("_")[0] in markdown


def test_same_analysis_gives_the_same_bytes(analysis: Analysis, tmp_path: Path) -> None:
    revision = revise(analysis)
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths = write_report(analysis, revision, tmp_path / name)
        written.append((paths.html.read_bytes(), paths.markdown.read_bytes()))
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            "report.html",
            "report.md",
        ]
    assert written[0] == written[1]


def test_report_without_pool_and_without_base_rates_says_that_nothing_was_judged(
    analysis: Analysis,
) -> None:
    coverage = measure_coverage(analysis.benchmark_map, analysis.dictionary)
    alone = replace(
        analysis,
        pool=None,
        pool_map=None,
        proposals=(),
        coverage_before=coverage,
        gaps=find_gaps(coverage, analysis.dictionary),
    )
    report = report_of(alone)
    assert not report.has_pool
    assert report.limits.null is None
    assert "could be described but not judged" in Page(render_html(report)).text
    assert "No gaps were found" in render_markdown(report)


def test_report_of_a_benchmark_without_gaps_renders(analysis: Analysis) -> None:
    assert analysis.pool is not None
    same = analyse_words(analysis.pool, analysis.pool, n_add=3)
    report = report_of(same)
    assert report.areas == ()
    assert "no concept is missing or under-covered" in Page(render_html(report)).text
    assert "Nothing was added" in render_html(report)
    assert render_markdown(report).count("No gaps were found.") == 1


def test_additions_without_certain_gaps_are_explained(analysis: Analysis) -> None:
    unsure = replace(analysis, gaps=rejudge(analysis.gaps, GapSettings(fdr=1e-300)))
    report = report_of(unsure)
    assert report.n_gaps == 0
    assert report.n_added > 0
    assert "though none of them by itself" in Page(render_html(report)).text


def test_removed_items_are_listed_with_the_item_that_stays(analysis: Analysis) -> None:
    choice = Choice(added=(), removed=("b3",), made_by="decisions")
    report = collect_report(analysis, plan_revision(analysis, choice))
    assert report.n_removed == 1
    assert report.removed[0].item_id == "b3"
    assert "What was removed" in render_html(report)


def test_what_only_removed_items_showed_is_said_to_be_lost(analysis: Analysis) -> None:
    ids = tuple(f"b{row}" for row in range(60) if row % 4 == 1)
    report = collect_report(
        analysis, plan_revision(analysis, Choice(added=(), removed=ids, made_by="decisions"))
    )
    assert report.n_lost == 4  # the word and its strands
    assert all(removal.lost[0] == "desert" for removal in report.removed)
    text = Page(render_html(report)).text
    assert "4 concepts are shown by no other item" in text
    assert "Lost with it: desert" in text
    assert "Concepts lost: 4" in render_markdown(report)


def test_area_that_lacks_as_a_whole_is_listed_without_single_gaps(analysis: Analysis) -> None:
    revision = revise(analysis)
    names = {area.name for area in collect_report(analysis, revision).areas}
    before = find_area_gaps(
        analysis.areas,
        analysis.gaps,
        concept_map=analysis.benchmark_map,
        reference_map=analysis.pool_map,
    )
    lacking = {row.name for row in before.rows() if row.status in (Status.MISSING, Status.UNDER)}
    strict = rejudge(analysis.gaps, GapSettings(fdr=1e-300))
    report = report_of(replace(analysis, gaps=strict))
    assert lacking <= names
    assert report.n_gaps == 0
    assert len(report.areas) >= report.n_areas_under
    assert all(not area.gaps for area in report.areas)
    if report.areas:
        assert "only together do they appear too rarely" in Page(render_html(report)).text


def test_what_had_enough_is_no_reason_to_add_an_item(analysis: Analysis) -> None:
    revision = revise(analysis)
    first = revision.added[0]
    other = next(
        concept_id
        for concept_id in range(99)
        if concept_id not in {fill.concept_id for fill in first.fills}
    )
    enough = GapFilled(other, gain=9.0, before=5, after=6, target=3)
    more = replace(revision, added=(replace(first, fills=(enough, *first.fills)),))
    (line,) = collect_report(analysis, more).added
    assert analysis.dictionary.label(other) not in {fill.label for fill in line.fills}
    only = replace(revision, added=(replace(first, fills=(enough,)),))
    assert len(collect_report(analysis, only).added[0].fills) == 1


def test_the_share_covered_is_of_the_concepts_drawn(analysis: Analysis) -> None:
    report = report_of(analysis)
    drawn = {part.name: part.n for part in report.bars[0].parts}
    assert sum(drawn.values()) == report.before.n_judged
    lacking = drawn.get("missing", 0) + drawn.get("under", 0)
    assert report.before.covered_share == pytest.approx(1 - lacking / report.before.n_judged)


def test_long_list_of_additions_is_cut_with_a_pointer(analysis: Analysis) -> None:
    report = report_of(analysis)
    cut_short = replace(report, n_added=report.n_added + 5)
    assert "5 more items in" in render_html(cut_short)


def test_report_says_how_sure_the_covered_share_is(analysis: Analysis) -> None:
    interval = ShareInterval(analysis.gaps.covered_share, 0.612, 0.808, 0.95, 200)
    known = replace(analysis, share_interval=interval)
    statement = "The covered share before is uncertain: 61.2% to 80.8%"
    assert statement in Page(render_html(report_of(known))).text
    assert statement in render_markdown(report_of(known))
    other = replace(analysis, share_interval=replace(interval, share=interval.share - 0.01))
    assert "is uncertain" not in render_markdown(report_of(other))


def test_report_reference_is_named_for_dictionary_base_rates(analysis: Analysis) -> None:
    rates = np.full((analysis.dictionary.n_concepts, 1), 0.2, dtype=np.float32)
    table = replace(analysis.dictionary.table, base_rates=rates)
    dictionary = replace(analysis.dictionary, table=table)
    coverage = measure_coverage(
        analysis.benchmark_map, dictionary, reference=Reference.from_dictionary(dictionary)
    )
    alone = replace(
        analysis,
        pool=None,
        pool_map=None,
        proposals=(),
        dictionary=dictionary,
        coverage_before=coverage,
        gaps=find_gaps(coverage, dictionary),
    )
    text = Page(render_html(report_of(alone))).text
    assert "Compared with text at large" in text
    assert "Base rates come from a whole corpus" in text


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 420])
def test_page_loads_in_a_browser_without_errors_or_requests(
    analysis: Analysis, tmp_path: Path, width: int
) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        pytest.skip("needs Chromium")
    paths = write_report(analysis, revise(analysis), tmp_path)
    done = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--no-first-run", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'user'}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={width},2000"),
            "--dump-dom",
            paths.html.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    # The policy refuses every request, and each refusal would be told on the console.
    assert "CONSOLE" not in done.stderr
    # The script ran: it shows the tools that are hidden without it.
    assert '<div class="tools">' in done.stdout


def test_concepts_that_are_called_alike_are_listed_once_with_an_added_item(
    analysis: Analysis,
) -> None:
    table = analysis.dictionary.table
    alike = replace(table, label=tuple("glacier" for _ in table.label))
    dictionary = replace(analysis.dictionary, table=alike)
    for addition in report_of(replace(analysis, dictionary=dictionary)).added:
        (fill,) = addition.fills
        assert re.fullmatch(r"glacier #\d+", fill.label)
        assert addition.n_more_fills >= 1


def test_a_set_too_small_to_judge_by_says_so(analysis: Analysis) -> None:
    report = report_of(analysis)
    few = replace(report, before=replace(report.before, n_judged=2, n_in_scope=3000))
    assert "with so few items" not in Page(render_html(report)).text
    statement = "Only 2 concepts of 3\u202f000 could be judged with so few items"
    assert statement in Page(render_html(few)).text


def test_a_set_in_which_nothing_can_be_judged_is_not_called_complete(analysis: Analysis) -> None:
    report = report_of(analysis)
    sides = {side: replace(getattr(report, side), n_judged=0) for side in ("before", "after")}
    text = Page(render_html(replace(report, n_gaps=0, areas=(), **sides))).text  # type: ignore[arg-type]
    assert "60 items are too few to judge any concept against the pool" in text
    assert "no concept is missing" not in text
    assert "No concept was common enough to be judged." in text
