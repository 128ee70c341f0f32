"""The finished report: what it puts first, what each row rests on, and that old ones stay readable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from survey.core import editions, highlights, readiness, sentences, values
from survey.core.disclosure import Band, Group
from survey.core.labels import Perception, Spread, Standing
from survey.core.readiness import Answer
from survey.core.relationships import Relationship
from survey.core.reports import Attendance, Report
from survey.core.rows import Figure, Row
from survey.core.sections import Section
from tests import portraits

STORED = Path(__file__).parent / "stored"
CASES = tuple(portraits.GROUPS)


@pytest.mark.parametrize("path", sorted(STORED.glob("*.json")), ids=lambda path: path.stem)
def test_a_report_that_an_earlier_version_stored_still_loads_and_says_what_it_rests_on(path):
    report = values.load(Report, json.loads(path.read_text()))
    assert report.compared_with == ""
    for chapter in report.chapters:
        assert chapter.reflections == ()
        for row in chapter.rows:
            assert (row.unheard, row.movements) == ((), ())
            assert sentences.rests_on(row, report)
    assert next(iter(report.rows.values())).perception is Perception.NO_CLEAR_DIFFERENCE


@pytest.mark.parametrize("case", CASES)
def test_a_report_survives_being_stored(case):
    report = portraits.edition(case, with_earlier=True).report
    assert values.load(Report, json.loads(json.dumps(values.dump(report)))) == report


@pytest.mark.parametrize("case", CASES)
def test_every_row_says_what_it_rests_on_and_why_somebody_is_missing(case):
    report = portraits.edition(case).report
    groups = portraits.GROUPS[case]
    for row in report.rows.values():
        said = sentences.rests_on(row, report)
        assert said.endswith(".")
        for figure in row.figures:
            assert sentences.people(figure.group, figure.n) in said
        if row.section is Section.SIGNALS_READY_TO_LEVEL_UP:
            assert "eers" not in said
            continue
        # Peers were asked about every other row, so each says how many answered, or that too few did.
        assert "peers" in said.lower()
        if groups[Relationship.PEER] < report.k:
            assert f"Peers: fewer than {report.k} answered, so nothing is shown." in said
        elif not row.figures:
            did = "saw" if len(row.scale) > 2 else "answered"
            assert f"Peers: fewer than {report.k} {did} this, so nothing is shown." in said


@pytest.mark.parametrize("case", CASES)
def test_a_band_is_called_an_average_and_explained_where_there_is_one(case):
    report = portraits.edition(case).report
    rows = [row for row in report.rows.values() if len(row.scale) > 2]
    bands = [sentences.says(figure, len(row.scale)) for row in rows for figure in row.figures if figure.band]
    assert all(said in {"4.5 or higher on average", "1.5 or lower on average"} for said in bands)
    assert any("a bar says so" in said for said in sentences.how_to_read(report, None)) is bool(bands)


def test_whose_line_is_as_long_as_usual_is_said_where_there_is_one_and_not_of_reports_of_earlier_versions():
    rich, suppressed = (portraits.edition(case).report for case in ("rich", "suppressed"))
    assert sentences.FEW in sentences.how_to_read(rich, None)
    assert sentences.FEW not in sentences.how_to_read(suppressed, None)
    assert sentences.FEW not in sentences.how_to_read(replace(rich, few_are_as_usual=False), None)


def test_where_nobody_may_be_shown_the_first_screen_says_so():
    report = portraits.edition("suppressed").report
    assert not report.has_figures
    few = "Fewer than 4 colleagues {}, so no rating of theirs may be shown."
    assert sentences.no_talking_points(report) == few.format("answered") + " The manager’s may."
    assert "so few answers" in sentences.no_gaps(report)
    enough = (Attendance(Relationship.PEER, 5, 5),)
    assert sentences.no_talking_points(replace(report, attendance=enough)) == few.format("saw the same behavior")


def test_a_report_begins_with_at_most_three_talking_points_and_three_strengths():
    for case in CASES:
        report = portraits.edition(case).report
        assert len(report.talking_points) <= highlights.AT_MOST
        assert len(report.strengths) <= highlights.AT_MOST
    assert len(portraits.edition("rich").report.talking_points) == 3


def test_two_camps_are_worth_talking_about_and_are_not_called_too_few_answers():
    report = portraits.edition("polarised").report
    split = [row for row in report.rows.values() if row.lead and row.lead.spread is Spread.TWO_CAMPS]
    split = [row for row in split if row.section in {Section.KEY_BEHAVIORS, Section.SUCCESS_INDICATORS}]
    assert split
    assert {row.item for row in split} & set(report.talking_points)
    for row in split:
        if row.perception is Perception.TOO_FEW:
            assert sentences.perceived(row, None).startswith("Others see this in two different ways")
        assert "two camps" in sentences.stands_out(row, None)


def test_what_is_seen_higher_comes_before_what_is_weak_divided_and_seen_lower(row):
    lower = replace(row, item="lower", perception=Perception.LOWER)
    divided = replace(row, item="divided", figures=(replace(row.figures[0], spread=Spread.TWO_CAMPS),))
    weak = replace(row, item="weak", standing=Standing.DEVELOPMENT)
    higher = replace(row, item="higher", perception=Perception.HIGHER)
    assert highlights.talking_points([lower, row, divided, weak, higher]) == ("higher", "weak", "divided")
    assert highlights.talking_points([row]) == ()


def test_the_copy_for_another_reader_has_no_private_question_and_no_answer_to_one():
    own, other = portraits.edition("rich"), portraits.edition("rich", is_own=False)
    assert any(editions.private_questions(chapter) for chapter in own.report.chapters)
    assert not any(editions.private_questions(chapter) for chapter in other.report.chapters)
    texts = {comment.text for comment in other.comments}
    assert not texts & set(portraits.REFLECTIONS)
    assert {comment.text for comment in own.comments} >= set(portraits.REFLECTIONS[:2])


def test_answers_to_a_question_stand_apart_by_who_may_be_named():
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    said = edition.said(editions.open_questions(chapter)[0])
    assert len(said.manager) == 1
    assert len(said.others) == 13
    assert said.own == ()


# Struggles


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure(Group.PEER, 7, 1.3, 1.0, 1.6, None, (5, 2), Spread.AGREE), "2 of 7 peers have seen it lately."),
        (
            Figure(Group.PEER, 4, None, None, None, Band.HIGH, None, None),
            "At least half of 4 peers have seen it lately.",
        ),
        (
            Figure(Group.PEER, 5, None, None, None, Band.LOW, None, None),
            "Fewer than half of 5 peers have seen it lately.",
        ),
    ],
)
def test_a_struggle_is_told_as_how_many_have_seen_it(row, figure, words):
    seen = replace(
        row,
        section=Section.COMMON_STRUGGLES,
        scale=("Not seen", "Seen lately"),
        own=None,
        manager=None,
        figures=(figure,),
    )
    assert sentences.struggle(seen, None) == words


def test_whoever_is_named_is_told_apart_in_a_struggle(row):
    seen = replace(row, scale=("Not seen", "Seen lately"), own=1, manager=2, figures=())
    assert sentences.struggle(seen, None) == "You have not seen it; the manager has seen it lately."
    assert sentences.struggle(seen, "Sam").startswith("Sam has not seen it")


# Readiness


def test_readiness_puts_every_voice_on_this_level_and_on_the_next():
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    found = readiness.of(edition.report, chapter)
    assert [voice.group for voice in found.voices] == [Group.SELF, Group.MANAGER, Group.PEER, Group.DIRECT_REPORT]
    for voice in found.voices:
        assert len(voice.indicators) == 4
        assert len(voice.signals) == (0 if voice.group.is_anonymous else 3)
        assert sentences.ready(voice, None).endswith(".")


def test_a_group_says_yes_or_not_yet_only_where_its_whole_interval_does(row):
    def answer(low, high):
        figure = replace(row.figures[0], mean=(low + high) / 2, low=low, high=high)
        return _answer_of(replace(row, section=Section.SUCCESS_INDICATORS, figures=(figure,)))

    assert answer(3.5, 4.7) is Answer.YES
    assert answer(3.4, 4.7) is Answer.CANNOT_SAY
    assert answer(2.1, 3.9) is Answer.NOT_YET


@pytest.mark.parametrize(("band", "answer"), [(Band.HIGH, Answer.YES), (Band.LOW, Answer.NOT_YET)])
def test_a_band_on_a_scale_of_frequency_is_a_clear_answer(row, band, answer):
    banded = Figure(Group.PEER, 4, None, None, None, band, None, None)
    assert _answer_of(replace(row, section=Section.SUCCESS_INDICATORS, figures=(banded,))) is answer


def test_who_could_not_say_is_not_counted_as_not_yet():
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    rows = tuple(
        replace(row, own=None) if row.section is Section.SIGNALS_READY_TO_LEVEL_UP else row for row in chapter.rows
    )
    own = readiness.of(edition.report, replace(chapter, rows=rows)).voices[0]
    assert set(own.signals) == {Answer.CANNOT_SAY}
    assert "3 that cannot be told" in sentences.ready(own, None)


def test_a_round_that_asked_for_no_signals_shows_no_readiness():
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    rows = chapter.under(Section.KEY_BEHAVIORS, Section.SUCCESS_INDICATORS)
    assert readiness.of(edition.report, replace(chapter, rows=rows)) is None


def _answer_of(row: Row) -> Answer:
    """What peers say of one indicator, beside a signal that nobody rated."""
    edition = portraits.edition("rich")
    (chapter,) = edition.report.chapters
    signal = replace(row, section=Section.SIGNALS_READY_TO_LEVEL_UP, figures=(), own=None, manager=None)
    found = readiness.of(edition.report, replace(chapter, rows=(row, signal)))
    (answer,) = next(voice for voice in found.voices if voice.group is Group.PEER).indicators
    return answer


@pytest.fixture
def row() -> Row:
    """A row with nothing to say about it."""
    return Row(
        item="row",
        section=Section.KEY_BEHAVIORS,
        text="Leads discussions about risk",
        origin="",
        scale=("Never", "Rarely", "Sometimes", "Often", "Always"),
        own=3,
        manager=3,
        figures=(Figure(Group.PEER, 6, 3.2, 2.4, 4.0, None, (0, 1, 3, 2, 0), Spread.AGREE),),
        withheld=(),
        perception=Perception.NO_CLEAR_DIFFERENCE,
        standing=Standing.NEITHER,
    )
