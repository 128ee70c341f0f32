"""Files of people as people make them: what they would do, and which line speaks against them."""

from __future__ import annotations

import csv
import io
import time
import zoneinfo
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from survey.core import imports, people, sheets
from survey.core.access import Role
from survey.core.errors import BadInput
from survey.core.people import Profile

ZONES = {zone.lower(): zone for zone in zoneinfo.available_timezones()}
NOOR = Profile("Noor", "noor@company.test", role=Role.PEOPLE_OPERATIONS)
MARTA = Profile("Marta", "marta@company.test", role=Role.MANAGER)
SAM = Profile("Sam", "sam@company.test", "marta@company.test", "Platform", 3, "Europe/Vienna")
KNOWN = {person.address: person for person in (NOOR, MARTA, SAM)}
HEAD = "Name,Address,Manager's address,Team,Level,Time zone,Language\n"


def plan(source, known=KNOWN, *, is_everybody=False):
    content = source if isinstance(source, bytes) else source.encode()
    return imports.plan(content, known, is_everybody=is_everybody, zones=ZONES)


def problems(source, **kwargs):
    return {(problem.line, problem.message) for problem in plan(source, **kwargs).problems}


def only(source, **kwargs):
    ((line, message),) = problems(source, **kwargs)
    return line, message


def test_people_are_added_changed_and_left_as_they_are_field_by_field():
    found = plan(HEAD + "Ana,ana@company.test,sam@company.test,Search,L2,europe/berlin,de_at\n"
                 "Sam,SAM@company.test,marta@company.test,,4,Europe/Vienna,en\n"
                 "Marta,marta@company.test,,,,,\n")  # fmt: skip
    assert found.problems == ()
    (ana,) = found.additions
    assert ana.line == 2
    assert ana.person == Profile("Ana", "ana@company.test", "sam@company.test", "Search", 2, "Europe/Berlin", "de-AT")
    (sam,) = found.updates
    assert [(each.field, each.before, each.after) for each in sam.differences] == [
        ("Team", "Platform", "–"),
        ("Level", "3", "4"),
        ("Account", "Engineer", "Manager"),
    ]
    assert (found.unchanged, found.departures) == (1, ())


def test_a_column_that_is_missing_changes_nothing_and_one_that_is_unknown_is_named():
    found = plan("e-mail,Shoe size\nsam@company.test,43\n")
    assert (found.updates, found.unchanged) == ((), 1)
    assert found.notes == ("Not used: the columns “Shoe size”.",)


@pytest.mark.parametrize(
    "head",
    [
        "NAME,E-Mail,Manager",
        " name ; Email address ; reports to ",
        "Full name\tmail\tSupervisor",
        "sep=;\nName;Email;Manager",
    ],
)
def test_headings_are_forgiving(head):
    mark = ";" if ";" in head else "\t" if "\t" in head else ","
    found = plan(f"{head}\n{mark.join(('Ana', 'ana@company.test', 'sam@company.test'))}\n")
    assert [each.person.manager for each in found.additions] == ["sam@company.test"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_do_not_matter(encoding, end):
    text = f'Name,Address,Team{end}Zoë,zoe@company.test,"One{end}Two"{end}Łukasz,lu@company.test,{end}'
    found = plan(text.encode(encoding))
    assert [(each.line, each.person.name, each.person.team) for each in found.additions] == [
        (2, "Zoë", "One Two"),
        (4, "Łukasz", ""),
    ]
    assert found.notes == ()


def test_windows_1252_is_read_and_said_so_with_the_words_to_check():
    found = plan("Name,Address\nZoë Müller,zoe@company.test\n".encode("windows-1252"))
    assert found.additions[0].person.name == "Zoë Müller"
    assert "read as Windows-1252" in found.notes[0]
    assert "“Zoë”, “Müller”" in found.notes[0]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n\r\n", "empty"),
        (b"\x00\x00\x00", "empty"),
        (HEAD.encode(), "nobody below"),
        (b"Ana,ana@company.test\n", "no column is named"),
        (b"Name,Address,E-mail\nAna,a@company.test,b@company.test\n", "“Address” and “E-mail” are both"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"Name,Address\nAna\x81,a@company.test\n", "neither UTF-8 nor Windows-1252"),
        (b"\xff\xfeN", "cut off"),
        (b"Address\n" + b"x" * imports.LARGEST, "too large"),
    ],
)
def test_what_is_no_table_of_people_is_refused_with_a_sentence(source, reason):
    with pytest.raises(BadInput, match=reason):
        plan(source)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",ana@company.test,,,,,", "needs a name"),
        ("=cmd|calc,ana@company.test,,,,,", "begins with “=”"),
        ("Ana,=HYPERLINK(1),,,,,", "begins with “=”"),
        ("Ana,ana,,,,,", "not an e-mail address"),
        ("Ana,,,,,,", "not an e-mail address"),
        ("Ana,ana@company.test,who@company.test,,,,", "neither in this file nor known"),
        ("Ana,ana@company.test,nonsense,,,,", "The manager: “nonsense” is not an e-mail address"),
        ("Ana,ana@company.test,ana@company.test,,,,", "report to themselves"),
        ("Ana,ana@company.test,,,high,,", "not a level"),
        ("Ana,ana@company.test,,,0,,", "not a level"),
        ("Ana,ana@company.test,,,,Vienna,", "not the name of a time zone"),
        ("Ana,ana@company.test,,,,,German", "not the code of a language"),
        ("Ana,ana@company.test,,,,,,,surplus", "has 9 cells"),
        ("Ana,ana@company.test", "has 2 cells"),
        ("An\x00a,ana@company.test,,,,,", "cannot be seen"),
        ("An\u202ea,ana@company.test,,,,,", "cannot be seen"),
        ('"Ana,ana@company.test,,,,,', "none closes it"),
        ('"An"a,ana@company.test,,,,,', "middle of a cell"),
        ("A" * 300 + ",ana@company.test,,,,,", "longer than 200"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_its_reason(row, reason):
    found = plan(HEAD + "Good,good@company.test,,,,,\n\n" + row + "\n")
    ((line, message),) = {(problem.line, problem.message) for problem in found.problems}
    assert line == 4
    assert reason in message
    assert not found.is_possible


def test_a_formula_in_a_team_is_kept_as_data():
    (sam,) = plan("Address,Team\nsam@company.test,=1+1\n").updates
    assert sam.after.team == "=1+1"


def test_an_address_that_stands_twice_names_the_line_where_it_stood_first():
    line, message = only("Name,Address\nA,a@company.test\nB,b@company.test\nA,A@company.test\n")
    assert (line, message) == (4, "The address a@company.test stands in line 2 already.")


def test_a_circle_of_managers_is_named_once_also_through_people_who_are_not_in_the_file():
    line, message = only("Address,Manager\nmarta@company.test,sam@company.test\n")
    assert line == 2
    assert "marta@company.test → sam@company.test → marta@company.test" in message
    rows = "".join(f"P{i},p{i}@company.test,p{(i + 1) % 5}@company.test\n" for i in range(5))
    assert len(problems("Name,Address,Manager\n" + rows)) == 1


def test_a_manager_may_stand_below_in_the_same_file_and_gets_the_account_of_one():
    found = plan("Name,Address,Manager\nA,a@company.test,b@company.test\nB,b@company.test,\n")
    assert {each.person.name: each.person.role for each in found.additions} == {
        "A": Role.ENGINEER,
        "B": Role.MANAGER,
    }


def test_somebody_whom_people_operations_left_an_engineer_stays_one_when_nothing_changes():
    known = KNOWN | {"marta@company.test": replace(MARTA, role=Role.ENGINEER)}
    assert plan(imports.export(known.values()), known).is_empty


def test_only_a_file_that_is_everybody_deactivates_and_never_people_operations():
    source = "Address\nmarta@company.test\n"
    assert plan(source).departures == ()
    found = plan(source, is_everybody=True)
    assert found.departures == (SAM,)
    assert "kept because they are people operations: Noor" in found.notes[0]


def test_with_everybody_a_manager_must_be_in_the_file():
    line, message = only("Address\nsam@company.test\n", is_everybody=True)
    assert line == 2
    assert "not in this file, which is said to name everybody" in message


def test_a_deactivated_manager_is_refused_unless_it_was_so_before():
    known = KNOWN | {"marta@company.test": replace(MARTA, is_active=False)}
    assert plan("Address,Manager\nsam@company.test,marta@company.test\n", known).is_empty
    assert "deactivated" in only("Name,Address,Manager\nA,a@company.test,marta@company.test\n", known=known)[1]


def test_whoever_stands_in_a_file_again_is_here_again():
    known = KNOWN | {"sam@company.test": replace(SAM, is_active=False)}
    (sam,) = plan("Address\nsam@company.test\n", known).updates
    assert [(each.field, each.before, each.after) for each in sam.differences] == [("Here", "no", "yes")]


@pytest.mark.parametrize(("left", "is_drastic"), [(6, False), (5, True)])
def test_more_than_forty_per_cent_has_to_be_confirmed(left, is_drastic):
    known = {f"p{i}@company.test": Profile(f"P{i}", f"p{i}@company.test") for i in range(10)}
    rows = "".join(f"p{i}@company.test\n" for i in range(left))
    assert plan("Address\n" + rows, known, is_everybody=True).is_drastic is is_drastic


def test_the_fingerprint_tells_plans_apart_that_do_something_else():
    source = "Address,Team\nsam@company.test,Search\n"
    other = KNOWN | {"sam@company.test": replace(SAM, team="Other")}
    unrelated = KNOWN | {"marta@company.test": replace(MARTA, team="Other")}
    assert plan(source).fingerprint == plan(source, unrelated).fingerprint
    assert plan(source).fingerprint != plan(source, other).fingerprint
    assert plan(source).fingerprint != plan(source, KNOWN | {"sam@company.test": replace(SAM, level=4)}).fingerprint


def test_fifty_thousand_lines_are_read_in_seconds_and_each_bad_one_is_named():
    rows = [
        f"Person {i},person{i}@company.test,{f'person{(i - 1) // 8}@company.test' if i else ''},Team {i // 8},3,UTC,en"
        for i in range(50_000)
    ]
    rows[777] = "=bad,person777@company.test,,,,,"
    rows[49_999] = "Person,nonsense,,,,,"
    before = time.process_time()
    found = plan(HEAD + "\n".join(rows))
    assert time.process_time() - before < 20  # measured: 2 seconds; a machine of the tests may be busy
    assert [problem.line for problem in found.problems] == [779, 50_001]


def test_an_export_reads_back_as_it_was():
    known = KNOWN | {"zoe@company.test": Profile("Zoë", "zoe@company.test", None, '=1+1;"x"', 2, None, "pt-BR")}
    assert b"'=1+1" in imports.export(known.values())
    assert plan(imports.export(known.values()), known).is_empty


@given(st.text())
@example("  =1")
@example("\t=1")
@example("'=1")
@example("\u00a0@x")
def test_no_cell_is_run_as_a_formula_and_each_reads_back(cell):
    written = sheets.neutral(cell)
    assert not written.startswith(sheets.FORMULA)
    assert not written.lstrip().startswith(sheets.FORMULA)
    assert sheets.plain(written) == cell


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=400)
def test_no_bytes_make_the_reader_fail(source, is_everybody):
    _survives(source, is_everybody)


CELLS = st.one_of(
    st.sampled_from(
        ["sam@company.test", "MARTA@company.test", "a@b.test", "=x", '"', "\x00", "", "3", "UTC", "\ud7ff"]
    ),
    st.text(max_size=8),
)


@given(
    st.lists(st.lists(CELLS, max_size=9), max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1252"]),
    st.booleans(),
    st.binary(max_size=3),
)
@settings(max_examples=400)
def test_no_table_makes_the_reader_fail(rows, delimiter, encoding, is_everybody, tail):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([HEAD.strip().split(","), *rows])
    _survives(out.getvalue().encode(encoding, "replace") + tail, is_everybody)


LOCAL = st.from_regex(r"[a-z0-9]{1,9}([._+-][a-z0-9]{1,9}){0,8}", fullmatch=True)


@given(LOCAL)
def test_the_short_way_to_check_an_address_lets_nothing_through_that_the_long_one_refuses(local):
    address = f"{local}@company.test"
    found = plan(f"Name,Address\nFirst,first--@company.test\nSecond,{address}\n")
    assert found.additions[-1].person.address == people.check_address(address)


def _survives(source, is_everybody):
    try:
        found = plan(source, is_everybody=is_everybody)
    except BadInput:
        return
    last = max(source.count(b"\n") + source.count(b"\r"), 0) + 1
    assert all(1 <= problem.line <= last and problem.message for problem in found.problems)
    assert len(found.fingerprint) == 32
    for each in (*found.additions, *found.updates):
        person = each.person if hasattr(each, "person") else each.after
        assert "\x00" not in person.name + person.team + person.address
