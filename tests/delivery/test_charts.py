"""Figures say in words what they draw, stay on their axis, and never break."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core.disclosure import Band, Group
from survey.core.labels import Perception, Spread, Standing
from survey.core.readiness import Answer, Readiness, Voice
from survey.core.relationships import Relationship
from survey.core.rows import Figure, Row
from survey.core.sections import Section
from survey.delivery import charts, ladders, marks, shifts

FREQUENCY = ("Never", "Rarely", "Sometimes", "Often", "Always")
ANONYMOUS = [group for group in Group if group.is_anonymous]


def test_the_text_alternative_says_every_value_in_words(row: Row) -> None:
    assert words_of(row) == (
        "Self: 4, Often. Peers (6 people): 3.2 on average, probably between 2.4 and 4.0; 1 × Rarely, "
        "3 × Sometimes, 2 × Often. Direct reports (4 people): "
        "3.8 on average. Manager: 3, Sometimes. The scale runs from 1, Never, to 5, Always."
    )


def test_the_engineer_reads_their_own_rating_as_theirs(row: Row) -> None:
    assert words_of(row, "You").startswith("You: 4, Often.")


def test_every_voice_has_a_mark_of_its_own_shape(row: Row) -> None:
    drawn = parse(row)
    assert [(mark.tag, mark.get("class")) for mark in drawn.iter() if "mark" in mark.get("class", "")] == [
        ("circle", "mark-self"),
        ("circle", "mark-lead"),
        ("circle", "mark-other"),
        ("path", "mark-manager"),
    ]


def test_marks_lie_where_their_values_are(row: Row) -> None:
    step = (charts.RIGHT - charts.LEFT) / 4
    places = {mark.get("class"): float(mark.get("cx", "nan")) for mark in parse(row).iter("circle")}
    assert places["mark-self"] == charts.LEFT + 3 * step
    assert places["mark-lead"] == pytest.approx(charts.LEFT + 2.2 * step, abs=0.1)


def test_an_interval_is_cut_at_the_ends_of_the_scale(row: Row, peers: Figure) -> None:
    wide = replace(row, figures=(replace(peers, mean=4.5, low=3.6, high=5.4),))
    assert reach_of(wide) == pytest.approx((charts.LEFT + 2.6 * 45, charts.RIGHT))
    assert "probably between 3.6 and 5.0;" in words_of(wide)


def test_only_an_end_that_was_not_cut_has_a_stop(row: Row, peers: Figure) -> None:
    inside = replace(row, figures=(peers,))
    cut = replace(row, figures=(replace(peers, mean=4.5, low=3.6, high=5.4),))
    assert [path_of(one).count("v10") for one in (inside, cut)] == [2, 1]


@pytest.mark.parametrize(
    ("band", "words", "edges"),
    [
        (Band.HIGH, "Peers (4 people): 4.5 or higher.", (charts.RIGHT - 22.5, charts.RIGHT)),
        (Band.LOW, "Peers (4 people): 1.5 or lower.", (charts.LEFT, charts.LEFT + 22.5)),
    ],
)
def test_a_band_is_a_bar_over_its_range(
    row: Row, peers: Figure, band: Band, words: str, edges: tuple[float, float]
) -> None:
    banded = replace(row, figures=(replace(peers, n=4, mean=None, low=None, high=None, band=band),))
    (bar,) = parse(banded).iter("rect")
    left = float(bar.get("x", "nan"))
    assert (left, left + float(bar.get("width", "nan"))) == edges
    assert words in words_of(banded)


def test_a_band_leaves_no_mean_in_the_drawing(row: Row, peers: Figure) -> None:
    banded = replace(row, figures=(replace(peers, mean=None, low=None, high=None, band=Band.HIGH),))
    assert "mark-lead" not in charts.axis(banded)
    assert "reach" not in charts.axis(banded)


def test_a_row_without_a_self_rating_has_no_ring(row: Row) -> None:
    without = replace(row, own=None)
    assert "mark-self" not in charts.axis(without)
    assert "Self" not in words_of(without)


def test_a_group_that_is_withheld_is_named_and_not_drawn(row: Row, peers: Figure) -> None:
    held = replace(row, figures=(peers,), withheld=(Group.DIRECT_REPORT,))
    assert "Direct reports: too few saw this, not shown." in words_of(held)
    assert [name.text for name in parse(held).iter("text") if name.get("class") == "name"] == [
        "Self",
        "Peers (6)",
        "Manager",
    ]


def test_a_row_that_nobody_rated_says_so(row: Row) -> None:
    nothing = replace(row, own=None, manager=None, figures=())
    assert words_of(nothing) == "No ratings to show. The scale runs from 1, Never, to 5, Always."


def test_labels_are_escaped(row: Row) -> None:
    hostile = replace(row, scale=('<b>"No"</b>', "&", "<i>", "x", "Yes"))
    assert "<b>" not in charts.axis(hostile, "<script>")
    assert words_of(hostile, "<script>").startswith("<script>: 4, x.")
    assert '1, <b>"No"</b>,' in words_of(hostile)


def test_long_end_labels_stand_below_each_other(row: Row) -> None:
    long = replace(row, scale=("All of the first", "More", "Between", "More", "All of the second"))
    heights = [label.get("y") for label in parse(long).iter("text") if "end" in label.get("class", "").split()]
    assert len(set(heights)) == 2
    assert height_of(long) - height_of(row) == charts.LINE


def test_a_label_that_does_not_fit_is_shortened_in_the_drawing_alone(row: Row) -> None:
    endless = "a label of a scale that somebody made much too long"
    drawn = replace(row, scale=(endless, *FREQUENCY[1:]))
    assert f"from 1, {endless}, to" in words_of(drawn)
    assert endless not in [text.text for text in parse(drawn).iter("text")]


def test_nothing_is_styled_in_place(row: Row) -> None:
    for drawing in (charts.axis(row), shifts.line(row), ladders.ladder(ready())):
        assert not re.search(r"style=|fill=|stroke=|<style", drawing)


def test_columns_say_how_many_of_six_and_more_chose_each_point(row: Row, peers: Figure) -> None:
    columns = [path for path in parse(row).iter("path") if path.get("class") == "tally"]
    assert len(columns) == 3
    few = replace(row, figures=(replace(peers, n=5, counts=None),))
    assert "tally" not in charts.axis(few)


def test_a_relationship_that_is_shown_nowhere_is_named_in_words(row: Row) -> None:
    unheard = replace(row, unheard=(Relationship.DIRECT_REPORT,))
    assert "Direct reports: too few answered, not shown." in words_of(unheard)


def test_a_drawing_for_paper_is_the_same_drawing_with_colours_and_the_same_words(row: Row) -> None:
    drawing = charts.axis(row)
    alone = ElementTree.fromstring(marks.standalone(drawing))
    assert alone.tag == "{http://www.w3.org/2000/svg}svg"
    assert alone.get("aria-label") == marks.alternative(drawing) == words_of(row)
    classes = set(re.findall(r'class="([\w-]+)', drawing)) - {"figure", "value"}
    assert not [name for name in classes if f".{name}" not in marks.standalone(drawing)]


# The mindset line


def test_everybody_stands_on_one_line_between_the_two_sentences(shift: Row) -> None:
    root = ElementTree.fromstring(shifts.line(shift))
    assert root.get("aria-label", "").endswith(
        "The line runs from 1, “I reduce risk.”, to 5, “I help us become resilient.”."
    )
    for mark in root.iter():
        if mark.get("class", "").startswith("mark-") and mark.tag == "circle":
            assert mark.get("cy") == "0"
    names = [text for text in root.iter("text") if text.get("class") == "name"]
    assert [text.text.strip() for text in names] == ["Self", "Manager", "Peers (6)", "Direct reports (4)"]
    assert len({text.get("y") for text in names}) == 4


@pytest.mark.parametrize("own", [1, 3, 5])
def test_the_ring_of_self_goes_round_whatever_lies_at_the_same_place(shift: Row, own: int) -> None:
    together = replace(shift, own=own, manager=own)
    circles = list(ElementTree.fromstring(shifts.line(together)).iter("circle"))
    assert circles[-1].get("class") == "mark-self"
    assert float(circles[-1].get("r", "0")) > 9


@given(st.data())
def test_every_name_of_the_mindset_line_begins_or_ends_at_its_mark_within_the_frame(data: st.DataObject) -> None:
    row = data.draw(rows())
    root = ElementTree.fromstring(shifts.line(row))
    height = float(root.get("viewBox", "").split()[3])
    middle = float(re.search(r"translate\(0 ([\d.]+)\)", shifts.line(row))[1])
    for text in root.iter("text"):
        assert 0 < middle + float(text.get("y", "nan")) < height
        x = float(text.get("x", "nan"))
        # A name that is set to the left has room on the left, and one to the right on the right.
        room = x if text.get("text-anchor") == "end" else charts.WIDTH - x
        assert room >= 145


# Readiness


def test_each_answer_has_a_mark_of_its_own_shape_on_its_side_of_the_border() -> None:
    root = ElementTree.fromstring(ladders.ladder(ready()))
    kinds = [mark.get("class") for mark in root.iter() if mark.get("class", "").startswith("is-")]
    legend = ["is-yes", "is-not_yet", "is-cannot_say"]
    assert kinds == ["is-yes", "is-not_yet", "is-yes", "is-yes", "is-cannot_say", *legend]
    border = float(re.search(r'class="axis" d="M([\d.]+)', ladders.ladder(ready()))[1])
    first, *_ = [float(mark.get("cx", "nan")) for mark in root.iter("circle")]
    assert ladders.LEFT == first < border


def test_readiness_says_in_words_what_it_draws() -> None:
    root = ElementTree.fromstring(ladders.ladder(ready()))
    assert root.get("aria-label") == (
        "You: yes to 1 of 2 indicators of this level and 1 of 1 signals for the next. "
        "6 peers: yes to 1 of 2 indicators of this level; 1 that cannot be told."
    )


@pytest.mark.parametrize("count", [1, 8, 40])
def test_many_answers_stay_within_the_frame(count: int) -> None:
    many = replace(
        ready(),
        indicators=ready().indicators[:1] * count,
        voices=(Voice(Group.SELF, 1, (Answer.YES,) * count, (Answer.NOT_YET,)),),
    )
    for circle in ElementTree.fromstring(ladders.ladder(many)).iter("circle"):
        assert ladders.LEFT <= float(circle.get("cx", "nan")) <= charts.WIDTH


def ready() -> Readiness:
    indicator = Row("i", Section.SUCCESS_INDICATORS, "Spots", "", FREQUENCY, 4, None, (), (), None, None)
    signal = replace(indicator, item="s", section=Section.SIGNALS_READY_TO_LEVEL_UP)
    return Readiness(
        (indicator, indicator),
        (signal,),
        (
            Voice(Group.SELF, 1, (Answer.YES, Answer.NOT_YET), (Answer.YES,)),
            Voice(Group.PEER, 6, (Answer.YES, Answer.CANNOT_SAY), ()),
        ),
    )


@given(st.data())
def test_every_valid_row_is_drawn_within_its_frame(data: st.DataObject) -> None:
    row = data.draw(rows())
    root = parse(row)
    assert words_of(row).endswith(".")
    for circle in root.iter("circle"):
        assert charts.LEFT <= float(circle.get("cx", "nan")) <= charts.RIGHT
    for bar in root.iter("rect"):
        left = float(bar.get("x", "nan"))
        assert charts.LEFT <= left < left + float(bar.get("width", "nan")) <= charts.RIGHT + 0.1
    for path in root.iter("path"):
        if path.get("class") == "reach":
            left, right = ends_of(path.get("d", ""))
            assert charts.LEFT <= left <= right <= charts.RIGHT
    assert all(0 < float(text.get("y", "nan")) < height_of(row) for text in root.iter("text"))


@st.composite
def rows(draw: st.DrawFn) -> Row:
    label = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=60)
    scale = tuple(draw(st.lists(label, min_size=2, max_size=9)))
    rating = st.none() | st.integers(1, len(scale))
    groups = draw(st.lists(st.sampled_from(ANONYMOUS), unique=True))
    shown = draw(st.integers(0, len(groups)))
    return Row(
        item="1.key_behaviors.1",
        section=draw(st.sampled_from(Section)),
        text=draw(label),
        origin="",
        scale=scale,
        own=draw(rating),
        manager=draw(rating),
        figures=tuple(draw(figures(group, len(scale))) for group in groups[:shown]),
        withheld=tuple(groups[shown:]),
        perception=draw(st.none() | st.sampled_from(Perception)),
        standing=draw(st.none() | st.sampled_from(Standing)),
    )


@st.composite
def figures(draw: st.DrawFn, group: Group, points: int) -> Figure:
    n = draw(st.integers(3, 60))
    if draw(st.booleans()):
        return Figure(group, n, None, None, None, draw(st.sampled_from(Band)), None, None)
    mean = draw(st.floats(1, points))
    half = draw(st.floats(0, 9))
    spread = draw(st.none() | st.sampled_from(Spread))
    return Figure(group, n, mean, mean - half, mean + half, None, None, spread)


def parse(row: Row, own_label: str = "Self") -> ElementTree.Element:
    return ElementTree.fromstring(str(charts.axis(row, own_label)))


def words_of(row: Row, own_label: str = "Self") -> str:
    root = parse(row, own_label)
    assert root.get("role") == "img"
    return root.get("aria-label", "")


def height_of(row: Row) -> float:
    return float(parse(row).get("viewBox", "").split()[3])


def path_of(row: Row) -> str:
    (path,) = (path.get("d", "") for path in parse(row).iter("path") if path.get("class") == "reach")
    return path


def reach_of(row: Row) -> tuple[float, float]:
    return ends_of(path_of(row))


def ends_of(path: str) -> tuple[float, float]:
    found = re.match(r"M([\d.]+) 0H([\d.]+)", path)
    assert found
    return float(found[1]), float(found[2])


@pytest.fixture
def peers() -> Figure:
    return Figure(Group.PEER, 6, 3.2, 2.4, 4.0, None, (0, 1, 3, 2, 0), Spread.AGREE)


@pytest.fixture
def row(peers: Figure) -> Row:
    return Row(
        item="1.key_behaviors.1",
        section=Section.KEY_BEHAVIORS,
        text="Leads discussions about risk",
        origin="",
        scale=FREQUENCY,
        own=4,
        manager=3,
        figures=(peers, Figure(Group.DIRECT_REPORT, 4, 3.75, 2.0, 5.5, None, None, None)),
        withheld=(),
        perception=Perception.HIGHER,
        standing=Standing.NEITHER,
    )


@pytest.fixture
def shift(row: Row) -> Row:
    return replace(
        row, section=Section.MINDSET_SHIFT, origin="I reduce risk.", text="I help us become resilient.", perception=None
    )
