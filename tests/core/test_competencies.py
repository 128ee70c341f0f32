from __future__ import annotations

import random
import re
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from survey.core import competencies
from survey.core.competencies import MindsetShift, Page, Problem, Section
from survey.core.errors import BadPage

SAMPLES = Path(__file__).parents[2] / "survey" / "samples"
REAL = (SAMPLES / "product-stability-level-3.txt").read_text(encoding="utf-8")
HEADINGS = [section.heading for section in Section]
QUESTION = '- "Where do we feel least confident in our reliability?"'
SMALL = f"Success Indicators\n- Spot fragility\n- Help others\nSeek Feedback\n{QUESTION}\n"


def test_the_real_page_is_read_exactly() -> None:
    page = competencies.parse(REAL.encode())

    assert page.competency is None
    assert page.level == 3
    assert page.intro.startswith("At Level 3, product stability becomes part of how you lead. You proactively")
    assert page.intro.endswith(
        "fixing them—before customers feel the pain. You make reliability a team value, not just a personal practice."
    )
    assert page.key_behaviors == (
        "Leads discussions about risk during planning or estimation",
        "Surfaces systemic reliability gaps and proposes durable solutions",
        "Advocates for observability, alerting, and operational ownership",
        "Improves test coverage, rollback strategies, and failure handling",
        "Helps create tools or patterns that reduce the chance of regression",
    )
    assert page.common_struggles == (
        "May encounter resistance when prioritizing stability over speed",
        "Might take on too much stabilization work alone",
        "Can struggle to balance short-term fixes with long-term improvements",
    )
    assert page.success_indicators == (
        "Spot fragility and propose structural improvements",
        "Build credibility by improving both feature quality and reliability",
        "Influence planning by raising stability concerns before incidents happen",
        "Help others debug, test, and build more resiliently",
    )
    assert page.mindset_shift == MindsetShift(
        "I reduce risk through my work.", "I help our systems, teams, and practices become more resilient."
    )
    assert page.questions_to_ask_yourself == (
        "What are the recurring failure modes in our systems?",
        "Where is reliability dependent on tribal knowledge?",
        "How can I scale resilience beyond my own contributions?",
    )
    assert page.build_these_habits == (
        "Lead discussions about stability debt or operational risk",
        "Champion postmortem reviews that lead to real change",
        "Look for opportunities to simplify or strengthen fragile systems",
    )
    assert page.seek_feedback == (
        "What's the hidden cost of maintaining this feature or service?",
        "Where do we feel least confident in our reliability?",
        "How are we reinforcing or eroding customer trust with stability?",
    )
    assert page.signals_ready_to_level_up == (
        "You guide architectural decisions toward greater resilience",
        "Others look to you when stability is at stake",
        "Your work helps prevent entire classes of failure",
    )
    assert page.focus_summary == ("Lead with care", "Simplify the fragile", "Make reliability routine")
    assert page.closing == (
        "At Level 3, stability becomes leadership. You help others think more clearly, act more safely, "
        "and recover more quickly."
    )
    assert page.unknown_sections == ()
    assert page.problems == ()


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.txt")), ids=lambda sample: sample.stem)
def test_every_sample_page_has_all_nine_parts_and_no_problem(sample: Path) -> None:
    page = competencies.parse(sample.read_bytes())

    assert page.problems == ()
    assert f"-level-{page.level}" in sample.stem
    assert [len(page.items(section)) for section in Section] == [5, 3, 4, 2, 3, 3, 3, 3, 3]
    assert page.intro.startswith(f"At Level {page.level}, ")
    assert page.closing.startswith(f"At Level {page.level}, ")
    if page.competency:
        assert sample.stem.startswith(page.competency.lower().replace(" ", "-"))


def test_each_level_begins_where_the_one_before_it_ends() -> None:
    pages = [competencies.parse(sample.read_bytes()) for sample in sorted(SAMPLES.glob("product-*.txt"))]

    assert [page.level for page in pages] == [1, 2, 3, 4]
    for lower, higher in pairwise(pages):
        assert lower.mindset_shift is not None
        assert higher.mindset_shift is not None
        assert higher.mindset_shift.origin == lower.mindset_shift.target


def _each(pattern: str, replacement: str) -> str:
    return re.sub(pattern, replacement, REAL, flags=re.MULTILINE)


def _headings(form: str) -> str:
    return re.sub(rf"^({'|'.join(HEADINGS)})$", lambda found: form.format(found[1]), REAL, flags=re.MULTILINE)


def _numbered(mark: str) -> str:
    lines, number = [], 0
    for line in REAL.split("\n"):
        number = number + 1 if line.startswith("- ") else 0
        lines.append(mark.format(number) + re.sub(r"^- \d?", "", line) if number else line)
    return "\n".join(lines)


def _wrapped(width: int, indent: str = "", text: str = REAL) -> str:
    return "\n".join("\n".join(textwrap.wrap(line, width, subsequent_indent=indent)) for line in text.split("\n"))


def _shuffled(seed: int) -> str:
    """The real page with its sections in another order, and the closing words still at its end."""
    pieces = re.split(rf"^(?=(?:{'|'.join(HEADINGS)})$)", REAL, flags=re.MULTILINE)
    body, closing = pieces[-1].rsplit("\n", 1)
    sections = [*pieces[1:-1], f"{body}\n"]
    random.Random(seed).shuffle(sections)
    return pieces[0] + "".join(sections) + closing


def _without_bullets() -> str:
    return _each(r"^- ", "")


WAYS_OF_WRITING = {
    "Windows line ends": REAL.replace("\n", "\r\n"),
    "old Mac line ends": REAL.replace("\n", "\r"),
    "Unicode line separators": REAL.replace("\n", "\u2028"),
    "a byte-order mark": f"\ufeff{REAL}",
    "non-breaking spaces": REAL.replace(" ", "\u00a0"),
    "some non-breaking spaces": REAL.replace("- ", "-\u00a0").replace("Seek ", "Seek\u202f"),
    "soft hyphens and zero-width spaces": REAL.replace("stability", "sta\u00adbil\u200bity"),
    "trailing spaces": REAL.replace("\n", "  \t\n"),
    "tabs after bullets": REAL.replace("- ", "-\t"),
    "an indented page": textwrap.indent(REAL, "    "),
    "empty lines between all lines": REAL.replace("\n", "\n\n"),
    "empty lines around headings": _headings("\n{}\n"),
    "empty lines at both ends": f"\n\n \n{REAL}\n\n\n",
    "one hash": _headings("# {}"),
    "three hashes": _headings("### {}"),
    "hashes on both sides": _headings("## {} ##"),
    "a hash without a space": _headings("##{}"),
    "bold headings": _headings("**{}**"),
    "bold headings with a colon": _headings("**{}:**"),
    "bold headings before a colon": _headings("**{}**:"),
    "underscored headings": _headings("__{}__"),
    "hashes and bold": _headings("## **{}**"),
    "headings with a colon": _headings("{}:"),
    "numbered headings": _headings("1. {}"),
    "numbered hash headings": _headings("## 2. {}"),
    "underlined headings": _headings("{}\n=================="),
    "rules between sections": _headings("\n---\n\n{}"),
    "headings with remarks": _headings("{} (see the guide)"),
    "upper-case headings": re.sub(rf"^({'|'.join(HEADINGS)})$", lambda found: found[1].upper(), REAL, flags=re.M),
    "lower-case headings": re.sub(rf"^({'|'.join(HEADINGS)})$", lambda found: found[1].lower(), REAL, flags=re.M),
    "a curly apostrophe in headings": REAL.replace("You're Ready", "You’re Ready"),
    "no apostrophe in headings": REAL.replace("You're Ready", "You Are Ready"),
    "an ampersand and British spelling": REAL.replace("Key Behaviors", "Key & Behaviours"),
    "stars": _each(r"^- ", "* "),
    "round bullets": _each(r"^- ", "• "),
    "round bullets without a space": _each(r"^- ", "•"),
    "round bullets and tabs": _each(r"^- ", "  •\t"),
    "en dashes": _each(r"^- ", "– "),
    "dashes without a space": _each(r"^- ", "-"),
    "indented bullets": _each(r"^- ", "   - "),
    "bullets alone on their lines": _each(r"^- ", "•\n"),
    "task boxes": _each(r"^- ", "- [ ] "),
    "numbers with a dot": _numbered("{}. "),
    "numbers with a bracket": _numbered("{}) "),
    "numbers in brackets": _numbered("({}) "),
    "glued numbers": _numbered("{}"),
    "glued numbers after bullets": _numbered("- {}"),
    "numbers after bullets": _numbered("- {}. "),
    "no bullets": _without_bullets(),
    "no bullets and indented items": _each(r"^- ", "    "),
    "curly quotes": _each(r'"([^"\n]*)"', r"“\1”"),
    "single quotes": _each(r'"([^"\n]*)"', r"'\1'"),
    "curly single quotes": _each(r'"([^"\n]*)"', r"‘\1’"),
    "angle quotes": _each(r'"([^"\n]*)"', r"«\1»"),
    "low quotes": _each(r'"([^"\n]*)"', r"„\1“"),
    "no quotes": REAL.replace('"', ""),
    "bold items": _each(r"^- (\d?)(.*)$", r"- \1**\2**"),
    "bold beginnings of items": _each(r"^- ([A-Z]\S*)", r"- **\1**"),
    "italic items": _each(r"^- ([A-Z].*)$", r"- *\1*"),
    "a bold lead-in": REAL.replace("You know you're successful when you:", "**You know you're successful when you:**"),
    "no lead-in": REAL.replace("You know you're successful when you:\n", ""),
    "more lead-ins": REAL.replace("Seek Feedback\n", "Seek Feedback\nAsk your peers:\n"),
    "a shift on two lines": REAL.replace("From:\n", "From: ").replace("To:\n", "To: "),
    "a shift in bullets": REAL.replace("From:\n", "- From: ").replace("To:\n", "- To: "),
    "a shift with bold labels": REAL.replace("From:\n", "**From:** ").replace("To:\n", "**To**: "),
    "a shift with headings": REAL.replace("From:\n", "### From\n").replace("To:\n", "### To\n"),
    "a shift with bulleted sentences": REAL.replace("From:\n", "From:\n- ").replace("To:\n", "To:\n- "),
    "a shift with lone labels": REAL.replace("From:\n", "FROM\n").replace("To:\n", "TO\n"),
    "a shift on one line": REAL.replace("From:\n", "From: ").replace("\nTo:\n", " To: "),
    "a shift with an arrow": REAL.replace("From:\n", "").replace("\nTo:\n", " → "),
    "a shift without labels": REAL.replace("From:\n", "").replace("To:\n", ""),
    "quoted mail": _each(r"^", "> "),
    "wrapped": _wrapped(60),
    "wrapped and indented": _wrapped(60, "  "),
    "wrapped narrowly": _wrapped(36),
    "wrapped without bullets": _wrapped(60, text=_without_bullets()),
    "wrapped with lower-case headings": _wrapped(60, "  ", _headings("{}").replace("Seek F", "seek f")),
    "UTF-16": REAL,
} | {f"sections in order {seed}": _shuffled(seed) for seed in range(12)}


@pytest.mark.parametrize("way", WAYS_OF_WRITING)
def test_each_way_of_writing_gives_the_same_page(way: str) -> None:
    text = WAYS_OF_WRITING[way]
    source = text.encode("utf-16" if way == "UTF-16" else "utf-8")

    assert competencies.parse(source) == competencies.parse(REAL.encode())


@given(
    width=st.integers(36, 130),
    indent=st.sampled_from(["", "  ", "      "]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    bullet=st.sampled_from(["- ", "* ", "• ", "–\u00a0", ""]),
    heading=st.sampled_from(["{}", "# {}", "**{}**", "{}:", "\n{}\n"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=150)
def test_the_ways_of_writing_can_be_combined(
    width: int, indent: str, line_end: str, bullet: str, heading: str, seed: int
) -> None:
    text = re.sub("^- ", bullet, _shuffled(seed), flags=re.M)
    text = re.sub(rf"^({'|'.join(HEADINGS)})$", lambda found: heading.format(found[1]), text, flags=re.M)
    text = _wrapped(width, indent if bullet else "", text).replace("\n", line_end)

    assert competencies.parse(text.encode()) == competencies.parse(REAL.encode())


def test_digits_that_are_no_list_numbers_stay() -> None:
    items = (
        "24/7 on-call is shared",
        "2FA is enforced",
        "100% of incidents are reviewed",
        "3 of our services are mirrored",
        "1Password holds every secret",
        "-5 degrees stop nothing",
        "2.5x growth is survived",
    )
    assert _page(key=items).key_behaviors == items


def test_a_quotation_inside_an_item_stays() -> None:
    items = (
        '"A" and "B"',
        "“Done” and “done done”",
        "'A' or 'B'",
        "'Tis the teams' plan",
        'Says "no" early',
        'Asks "why?"',
        '"Why?" is asked',
        "Keeps 'quoted words'",
    )
    assert _page(key=items).key_behaviors == items


def test_one_pair_of_quotes_around_an_item_goes_and_those_inside_it_stay() -> None:
    page = _page(key=('"Is "done" really done?"', "“Is “done” done?”", "'What's the teams' cost?'", '"Ask" him"'))

    assert page.key_behaviors == ('Is "done" really done?', "Is “done” done?", "What's the teams' cost?", '"Ask" him"')


def test_stars_and_underscores_that_are_no_emphasis_stay() -> None:
    items = ("Computes 2 * 3 * 4", "Reads __init__ first", "Names a snake_case_name", "Passes **options on")
    assert _page(key=items).key_behaviors == items


def test_a_compound_broken_at_its_hyphen_is_mended() -> None:
    page = competencies.parse(
        f"{SMALL}Key Behaviors\n- Balances short-\n  term fixes with pre-\n  and post-checks\n".encode()
    )

    assert page.key_behaviors == ("Balances short-term fixes with pre- and post-checks",)


def test_a_wrapped_line_that_happens_to_be_a_heading_stays_in_its_item() -> None:
    page = competencies.parse(f"{SMALL}Build These Habits\n- Make it easy for others to\n  seek feedback\n".encode())

    assert page.build_these_habits == ("Make it easy for others to seek feedback",)
    assert page.problems == ()


def test_a_numbered_item_that_happens_to_be_a_heading_stays_an_item() -> None:
    page = competencies.parse(f"{SMALL}Build These Habits\n1. Write daily\n2. Seek feedback\n".encode())

    assert page.build_these_habits == ("Write daily", "Seek feedback")


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("## Useful Links", "Useful Links"),
        ("**Useful links:**", "Useful links"),
        ("Useful Links", "Useful Links"),
        ("Useful Links:", "Useful Links"),
        ("\nUseful links", "Useful links"),
        ("Useful links\n============", "Useful links"),
        ("Resources", "Resources"),
    ],
)
@pytest.mark.parametrize("place", ["in the middle", "at the end"])
def test_an_unknown_heading_is_kept_and_reported_and_takes_its_items_with_it(
    heading: str, name: str, place: str
) -> None:
    unknown = f"{heading}\n- Our handbook\n- Our wiki\n"
    known = "Focus Summary\n- Stay calm\n"
    text = SMALL + (unknown + known if place == "in the middle" else known + unknown)
    page = competencies.parse(text.encode())

    assert page.unknown_sections == (name,)
    assert page.seek_feedback == ("Where do we feel least confident in our reliability?",)
    assert page.focus_summary == ("Stay calm",)
    line = text[: text.index(heading.strip().split("\n")[0])].count("\n") + 1
    assert [problem.line for problem in page.problems] == [line]
    assert f"“{name}”" in page.problems[0].message


def test_an_unknown_heading_in_a_page_without_bullets_is_known_by_the_block_under_it() -> None:
    page = competencies.parse(
        b"Success Indicators\nSpot it\nFix it\n\nFurther Reading\nA book\n\nSeek Feedback\nWhy?\n"
    )

    assert page.unknown_sections == ("Further Reading",)
    assert page.success_indicators == ("Spot it", "Fix it")


def test_closing_words_after_an_unknown_part_close_the_page() -> None:
    page = competencies.parse(f"{SMALL}## Links\n- A wiki\n\nAt Level 2, you\nkeep calm.".encode())

    assert page.closing == "At Level 2, you keep calm."


@pytest.mark.parametrize(
    ("ending", "closing"),
    [
        ("Stay dependable.", "Stay dependable."),
        (
            "Stay dependable. You can\nrely on it.\n\nSo can others.",
            "Stay dependable. You can rely on it.\n\nSo can others.",
        ),
        ("\nAt Level 3, you lead", "At Level 3, you lead"),
    ],
)
@pytest.mark.parametrize("bullet", ["- ", ""])
def test_the_paragraph_after_the_focus_summary_closes_the_page(ending: str, closing: str, bullet: str) -> None:
    page = competencies.parse(f"{SMALL}Focus Summary\n{bullet}Lead with care\n{bullet}Stay calm\n{ending}".encode())

    assert page.focus_summary == ("Lead with care", "Stay calm")
    assert page.closing == closing
    assert page.problems == ()


def test_opening_words_keep_their_paragraphs() -> None:
    page = competencies.parse(f"At Level 2, you\nlearn.\n\n**You** also *teach*.\n{SMALL}".encode())

    assert page.intro == "At Level 2, you learn.\n\nYou also teach."


@pytest.mark.parametrize(
    "title",
    [
        "Product Stability – Level 3",
        "Product Stability - Level 3",
        "Product Stability (Level 3)",
        "Product Stability, level 3",
        "Product Stability Level 3",
        "Product Stability | L3",
        "Product Stability (L3)",
        "Level 3: Product Stability",
        "PRODUCT STABILITY: LEVEL 3",
        "# Product Stability – Level 3",
        "**Product Stability** – Level 3",
        "**Product Stability – Level 3**",
        "Product Stability – Level 3\n===========================",
        "# Product Stability\n## Level 3",
        "Product Stability\n",
        "# Product Stability",
        "# Product Stability\n\n## Overview",
        "Competency: Product Stability",
        "Competency: “Product Stability”\nLevel: 3",
        "# Competency: Product Stability (Level 3)",
        "**Competency:** Product Stability",
    ],
)
def test_a_title_states_the_competency_and_the_level(title: str) -> None:
    page = competencies.parse(f"{title}\n{REAL}".encode(), competency="product stability")
    real = competencies.parse(REAL.encode(), competency="Product Stability")

    assert page.competency is not None
    assert page.competency.title() == "Product Stability"
    assert (page.level, page.intro, page.problems) == (3, real.intro, ())


def test_a_given_name_counts_when_the_page_states_none() -> None:
    assert competencies.parse(REAL.encode(), competency=" Product \n Stability ").competency == "Product Stability"
    assert competencies.parse(REAL.encode(), competency="  ").competency is None


def test_a_name_on_the_page_counts_and_another_one_beside_it_is_reported() -> None:
    page = competencies.parse(f"\nProduct Stability – Level 3\n{REAL}".encode(), competency="Teamwork")

    assert page.competency == "Product Stability"
    assert page.problems == (Problem(2, "The page is about “Product Stability”; the name “Teamwork” was not used."),)


def test_a_title_that_contradicts_the_opening_words_is_reported() -> None:
    page = competencies.parse(f"Product Stability – Level 2\n{REAL}".encode())

    assert page.level == 2
    assert [problem.line for problem in page.problems] == [1]


def test_a_page_may_leave_its_level_unsaid() -> None:
    page = competencies.parse(SMALL.encode())

    assert (page.level, page.intro, page.closing) == (None, "", "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{SMALL}Key Behaviors\nFocus Summary\n- Stay calm", 6, "Key Behaviors has no items."),
        (f"{SMALL}Mindset Shift\nFrom: “I do.”\n", 6, "Mindset Shift needs one sentence after “From:”"),
        (f"{SMALL}Mindset Shift\nFrom: I do.\nTo: We do.\nThink.\nKey Behaviors\n- Acts", 9, "left out"),
        (f"{SMALL}Success Indicators\n- Learn", 6, "Success Indicators began on line 1 already"),
        (f"{SMALL}Focus Summary\n- Care\n- Care", 8, "The same sentence stands in Focus Summary already"),
        (f"{SMALL}Key Behaviors\n- Acts\nThinks of others\n- Learns", 8, "but it has no bullet"),
        (f"{SMALL}Key Behaviors\nWe look at these.\n- Acts", 7, "was read as a lead-in to Key Behaviors"),
        (f"{SMALL}Key Behaviors\n- Acts\nAnd also:\nFocus Summary\n- Care", 8, "nothing follows it"),
    ],
)
def test_whatever_may_be_misread_is_reported_with_its_line(text: str, line: int, words: str) -> None:
    (problem,) = competencies.parse(text.encode()).problems

    assert problem.line == line
    assert words in problem.message


def test_a_section_that_stands_twice_is_put_together() -> None:
    page = competencies.parse(f"{SMALL}Success Indicators\n- Learn\n- Spot fragility\n".encode())

    assert page.success_indicators == ("Spot fragility", "Help others", "Learn")


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        (b"", 1, "empty"),
        (b" \r\n\t\n---\n", 1, "empty"),
        (b"Seek Feedback\n- Why?\n\0\n", 3, "binary"),
        (b"\x89PNG\r\n\x1a\n\0\0", 1, "not text in UTF-8"),
        (b"Seek Feedback\n- Caf\xe9?\n", 2, "not text in UTF-8"),
        (b"Seek Feedback\r- Caf\xe9?\r", 2, "not text in UTF-8"),
        (REAL.encode("utf-16-le"), 1, "binary"),
        (b"\xff\xfea", 1, "not text"),
        (b"Success Indicators\n- Learn\n- Teach\n\n", 3, "There is no Seek Feedback"),
        (b"Seek Feedback\n- Why?\n", 2, "There is no Success Indicators"),
        (b"Success Indicators\n- Learn\nSeek Feedback\n\nFocus Summary\n- Care\n", 3, "Seek Feedback has no items"),
        (b"\nSuccess Indicators\nYou do well when you:\nSeek Feedback\n- Why?\n", 2, "Success Indicators has no items"),
        (b"Success Indicators\n- Learn\n# Seek Fedback\n- Why?\n", 4, "not recognised: “Seek Fedback” on line 3"),
        (b"x\n" * 131_000 + b"y" * 200, 131_001, "has 262,200 bytes; a page has at most 262,144 (256 KiB)"),
    ],
)
def test_what_is_no_page_is_refused_with_its_line_and_reason(source: bytes, line: int, words: str) -> None:
    with pytest.raises(BadPage) as refusal:
        competencies.parse(source)

    (problem,) = refusal.value.problems
    assert problem.line == line
    assert words in problem.message
    assert f"Line {line}: " in str(refusal.value)


def test_both_missing_parts_are_named_at_once() -> None:
    with pytest.raises(BadPage) as refusal:
        competencies.parse(b"Dear team,\nhello.\n")

    assert [problem.line for problem in refusal.value.problems] == [2, 2]


def test_a_page_of_exactly_256_kib_is_read() -> None:
    page = competencies.parse(SMALL.encode() + b"\n" * (256 * 1024 - len(SMALL.encode())))

    assert page.success_indicators == ("Spot fragility", "Help others")


# One pattern that looks back over what it has read would need minutes for these.
@pytest.mark.parametrize(
    ("text", "section", "items"),
    [
        ("- " + "word " * 50_000, Section.SEEK_FEEDBACK, 2),
        ("".join(f"- {number:x}\n" for number in range(30_000)), Section.SEEK_FEEDBACK, 30_001),
        ("- A\n" + "a\n" * 120_000, Section.SEEK_FEEDBACK, 2),
        ('- "' + '"a" ' * 60_000 + '"', Section.SEEK_FEEDBACK, 2),
        ("- '" + " 'a" * 80_000 + "'", Section.SEEK_FEEDBACK, 2),
        ("- “" + "“" * 80_000 + "a”", Section.SEEK_FEEDBACK, 2),
        ("- a" + "*" * 250_000, Section.SEEK_FEEDBACK, 2),
        ("- a " + "**a " * 60_000, Section.SEEK_FEEDBACK, 2),
        ("Focus Summary\n- a\n" + "A.\n\n" * 60_000, Section.FOCUS_SUMMARY, 1),
        ("Focus Summary\n" + "# a\n" * 60_000, Section.FOCUS_SUMMARY, 0),
        ("Mindset Shift\nFrom: a" + "-" * 250_000 + "> b", Section.MINDSET_SHIFT, 2),
        ("Seek Feedback\n" * 18_000, Section.SUCCESS_INDICATORS, 2),
        (" " * 250_000 + "- a", Section.SEEK_FEEDBACK, 2),
        ("- " + "(" * 250_000 + "a", Section.SEEK_FEEDBACK, 2),
    ],
    ids=lambda value: f"{value[:12]!r}" if isinstance(value, str) else "",
)
def test_the_largest_pages_are_read_in_one_pass(text: str, section: Section, items: int) -> None:
    page = competencies.parse(f"{SMALL}{text}".encode())

    assert len(page.items(section)) == items


@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf")
@example(b"#")
@example(b"# :\n**:**\n-\n1.\n>\n__\n")
def test_no_bytes_bring_the_parser_down(source: bytes) -> None:
    with pytest.raises(BadPage):
        competencies.parse(source)


@given(edits=st.lists(st.tuples(st.integers(0, len(REAL)), st.integers(0, 40), st.text(max_size=12)), max_size=8))
def test_no_edit_of_a_page_brings_the_parser_down(edits: list[tuple[int, int, str]]) -> None:
    text = REAL
    for start, length, insertion in edits:
        text = text[:start] + insertion + text[start + length :]
    try:
        page = competencies.parse(text.encode("utf-8", "replace"))
    except BadPage:
        return
    assert competencies.from_json(competencies.as_json(page)) == page
    assert all(text == text.strip() != "" for section in Section for text in page.items(section))


MARKS = ["#", "**", "-", "1.", ":", '"', "From:", "\n", "\n\n", " ", "To:", "Aa", "a", "At Level 3,", "...", "->", "__"]


@given(st.lists(st.sampled_from([*MARKS, *(f"\n{heading}\n" for heading in HEADINGS)]), max_size=60).map("".join))
def test_no_heap_of_marks_brings_the_parser_down(heap: str) -> None:
    page = competencies.parse(f"{heap}\n{SMALL}".encode())

    assert competencies.from_json(competencies.as_json(page)) == page


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)
sentences = st.builds(
    lambda first, rest: " ".join([first.capitalize(), *rest]), words, st.lists(words, min_size=1, max_size=9)
)
items = st.lists(sentences.filter(lambda text: text.title() not in HEADINGS), max_size=4, unique=True).map(tuple)
some_items = items.filter(bool)
pages = st.builds(
    Page,
    competency=st.none() | st.just("Clear Writing"),
    level=st.none() | st.integers(1, 9),
    intro=sentences.map("{}.".format),
    key_behaviors=some_items,
    common_struggles=some_items,
    success_indicators=some_items,
    mindset_shift=st.builds(MindsetShift, sentences, sentences),
    questions_to_ask_yourself=some_items,
    build_these_habits=some_items,
    seek_feedback=some_items,
    signals_ready_to_level_up=some_items,
    focus_summary=some_items,
    closing=st.just("") | sentences.map("{}.".format),
)


@given(
    page=pages, mark=st.sampled_from(["- ", "* ", "• ", "+ ", "1. ", "1) "]), quotes=st.sampled_from(['""', "“”", "  "])
)
def test_a_page_written_out_is_read_back(page: Page, mark: str, quotes: str) -> None:
    assert competencies.parse(_written(page, mark, quotes).encode()) == page


@given(
    page=st.builds(
        Page,
        competency=st.none() | st.text(),
        level=st.none() | st.integers(),
        intro=st.text(),
        key_behaviors=st.lists(st.text()).map(tuple),
        seek_feedback=st.lists(st.text()).map(tuple),
        mindset_shift=st.none() | st.builds(MindsetShift, st.text(), st.text()),
        closing=st.text(),
        unknown_sections=st.lists(st.text()).map(tuple),
        problems=st.lists(st.builds(Problem, st.integers(), st.text())).map(tuple),
    )
)
def test_a_page_survives_its_json(page: Page) -> None:
    assert competencies.from_json(competencies.as_json(page)) == page


def test_the_json_has_exactly_the_keys_that_are_promised() -> None:
    plain = competencies.as_json(competencies.parse(f"{REAL}\n# Links\n- A wiki".encode()))

    assert list(plain) == ["competency", "level", "intro", "sections", "closing", "unknown_sections", "problems"]
    assert list(plain["sections"]) == [section.value for section in Section]
    assert plain["sections"]["mindset_shift"] == {
        "from": "I reduce risk through my work.",
        "to": "I help our systems, teams, and practices become more resilient.",
    }
    assert plain["sections"]["focus_summary"] == ["Lead with care", "Simplify the fragile", "Make reliability routine"]
    assert plain["unknown_sections"] == ["Links"]
    assert [list(problem) for problem in plain["problems"]] == [["line", "message"]]
    assert competencies.as_json(competencies.parse(SMALL.encode()))["sections"]["mindset_shift"] is None


def _page(*, key: tuple[str, ...]) -> Page:
    return competencies.parse("\n".join([SMALL, "Key Behaviors", *(f"- {item}" for item in key)]).encode())


def _written(page: Page, mark: str, quotes: str) -> str:
    level = f" – Level {page.level}" if page.level else ""
    lines = [f"# {page.competency or ''}{level}"] if page.competency or level else []
    lines.append(page.intro)
    for section in Section:
        lines.append(f"## {section.heading}")
        for label, text in zip(("From: ", "To: "), page.items(section), strict=False):
            if section is Section.MINDSET_SHIFT:
                lines.append(f"{label}{quotes[0]}{text}{quotes[1]}")
        if section is not Section.MINDSET_SHIFT:
            lines += [f"{mark}{quotes[0]}{text}{quotes[1]}" for text in page.items(section)]
    return "\n".join([*lines, "", page.closing])
