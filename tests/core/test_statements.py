"""What a rater reads before the first question, for every relationship and every size of group."""

from __future__ import annotations

import itertools

import pytest

from survey.core import statements
from survey.core.competencies import Section
from survey.core.disclosure import publish
from survey.core.questionnaires import EVERYBODY, FREQUENCY, Item, Part, Questionnaire
from survey.core.relationships import ANONYMOUS, COLLEAGUES, Relationship
from survey.core.responses import Answers, Response

K = 4
NEVER_ALONE = "your group is never shown on its own"
POOLED_OR_NOT = "your ratings are pooled with other small groups, or not shown at all."
NOT_AT_ALL = "your ratings are not shown at all."
NEVER = "so your ratings will not be shown to anybody."


@pytest.mark.parametrize("relationship", COLLEAGUES)
@pytest.mark.parametrize(
    ("count", "others", "company", "few"),
    [
        (1, 0, "You are the only", NEVER),
        (1, 2, "You are the only", NEVER),
        (1, 3, "You are the only", NEVER_ALONE),
        (1, 9, "You are the only", NEVER_ALONE),
        (3, 0, "3 {plural} were asked about Sam, you among them.", NEVER),
        (3, 1, "3 {plural} were asked about Sam, you among them.", NEVER_ALONE),
        (4, 0, "4 {plural} were asked about Sam, you among them.", f"Unless every one of you answers, {NOT_AT_ALL}"),
        (4, 1, "4 {plural} were asked about Sam, you among them.", f"Unless every one of you answers, {POOLED_OR_NOT}"),
        (5, 0, "5 {plural} were asked about Sam, you among them.", f"If fewer than 4 of you answer, {NOT_AT_ALL}"),
        (5, 6, "5 {plural} were asked about Sam, you among them.", f"If fewer than 4 of you answer, {POOLED_OR_NOT}"),
    ],
)
def test_anonymous_raters_read_how_many_they_are_and_what_happens_if_few_answer(
    relationship, count, others, company, few
):
    plural = {"peer": "peers", "direct_report": "direct reports", "other": "other colleagues"}[relationship]
    statement = _of(relationship, {relationship: count, _another(relationship): others, "self": 1, "manager": 1})
    assert statement.is_anonymous
    assert statement.lines[0].startswith(company.format(plural=plural))
    assert "Sam, and the managers they report to, see figures of groups, never a single rating." in statement.lines[1]
    assert few in statement.lines[1]


def test_words_have_a_line_of_their_own_only_where_words_are_asked_for():
    invited = {"peer": 6}
    assert "only if at least 4 people answer that question" in _of(Relationship.PEER, invited).lines[2]
    assert len(_of(Relationship.PEER, invited, has_open_questions=False).lines) == 2


def test_words_that_nobody_can_ever_read_are_not_asked_for_under_another_name():
    assert "nobody will read what you write" in _of(Relationship.PEER, {"peer": 2, "other": 1}).lines[2]
    assert "nobody" not in _of(Relationship.PEER, {"peer": 2, "other": 2}).lines[2]


@pytest.mark.parametrize("relationship", COLLEAGUES)
def test_a_colleague_reads_how_many_from_outside_are_asked_and_that_none_is_counted_with_them(relationship):
    alone = _of(relationship, {relationship: 4}).lines
    assert "Nobody from outside is counted with your group." in alone[0]
    assert "outside rater" not in " ".join(alone)
    beside = _of(relationship, {relationship: 4, "outside": 3}).lines
    assert "3 outside raters were asked too, and are a group of their own." in beside[0]
    assert alone[1] == beside[1], "outside raters lift nobody over the minimum"
    assert "only if at least 4 colleagues answer" in beside[2]


@pytest.mark.parametrize(("count", "few"), [(1, NEVER), (3, NEVER), (4, NOT_AT_ALL), (5, NOT_AT_ALL)])
def test_an_outside_rater_reads_that_the_whole_group_is_from_outside_and_never_pooled(count, few):
    said = _of(Relationship.OUTSIDE, {"outside": count, "peer": 9}).lines
    asked = "You are the only outside rater" if count == 1 else f"{count} outside raters were asked about Sam"
    assert said[0].startswith(asked)
    assert "never counted with colleagues" in said[0]
    assert few in said[1]
    assert "pooled" not in said[1]


def test_the_manager_reads_that_nothing_is_anonymous_and_that_no_minimum_helps():
    statement = _of(Relationship.MANAGER, {"manager": 1, "peer": 6})
    assert not statement.is_anonymous
    said = " ".join(statement.lines)
    assert "your answers are not anonymous" in said
    assert "your ratings and, word for word, what you write" in said
    assert "even if nobody else answers" in said
    assert "word for word" not in " ".join(_of(Relationship.MANAGER, {}, has_open_questions=False).lines)


def test_only_those_who_are_attributed_read_that_they_are_not_anonymous():
    for relationship in Relationship:
        statement = _of(relationship, {relationship: 5})
        assert ("not anonymous" in " ".join(statement.lines)) is not relationship.is_anonymous
        assert statement.is_anonymous is relationship.is_anonymous


def test_the_subject_reads_who_sees_the_ratings_and_that_reflections_stay_private():
    said = _of(Relationship.SELF, {"self": 1}).lines
    assert "the managers you report to see them" in said[0]
    assert said[1].endswith("is shown to you alone.")
    assert len(_of(Relationship.SELF, {"self": 1}, has_open_questions=False).lines) == 1


def test_whatever_is_said_to_be_impossible_is_impossible_whoever_answers():
    """The statement against the rules of disclosure, over every turnout of many small invitations."""
    tried = 0
    for invited in itertools.product(range(6), range(4), range(2), (0, 1, 4)):
        counts = dict(zip(ANONYMOUS, invited, strict=True))
        published = [
            _published(dict(zip(ANONYMOUS, answered, strict=True)))
            for answered in itertools.product(*(range(count + 1) for count in invited))
        ]
        for relationship in (kind for kind, count in counts.items() if count):
            tried += 1
            said = " ".join(_of(relationship, counts).lines)
            alone = any(relationship in groups for groups, _, _ in published)
            pooled = relationship in COLLEAGUES and any(
                "pooled" in groups and relationship not in groups and sizes[relationship]
                for groups, _, sizes in published
            )
            group = "outside" if relationship is Relationship.OUTSIDE else "pooled"
            words = any(group in voices for _, voices, _ in published)
            assert (NEVER_ALONE in said or NEVER in said) is not alone, (counts, said)
            assert (NEVER in said or NOT_AT_ALL in said.replace(POOLED_OR_NOT, "")) is not pooled, (counts, said)
            assert ("nobody will read" in said) is not words, (counts, said)
    assert tried > 80


def _published(counts):
    answers = Answers({RATED.key: 3}, {OPEN.key: "Words."})
    responses = [Response(kind, answers) for kind, count in counts.items() for _ in range(count)]
    found = publish(ASKED, responses, k=K, shuffle=lambda comments: None)
    return {str(cell.group) for cell in found.cells}, {str(one.group) for one in found.comments}, counts


RATED = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Does it", FREQUENCY, EVERYBODY)
OPEN = Item("1.seek_feedback.1", Section.SEEK_FEEDBACK, "What now?", None, EVERYBODY)
ASKED = Questionnaire((Part("page", "Stability", 3, 1, "", (RATED, OPEN)),))


def _another(relationship):
    return COLLEAGUES[(COLLEAGUES.index(relationship) + 1) % len(COLLEAGUES)]


def _of(relationship, invited, *, has_open_questions=True):
    return statements.of(relationship, subject="Sam", invited=invited, k=K, has_open_questions=has_open_questions)
