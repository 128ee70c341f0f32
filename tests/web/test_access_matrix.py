"""Every route, with every method, for every role, on one's own things and on those of others: as the one table says.

What is expected comes from the table in survey/core/access.py, and from how people stand to the things that an address
names. Nothing is listed by route; a new route is met by itself.
"""

from __future__ import annotations

import pytest

from survey.core import access
from survey.core.access import Role
from tests.web import doors
from tests.web.doors import RATER, Door, Thing, World

ROLES = {"noor": Role.PEOPLE_OPERATIONS, "marta": Role.MANAGER, "sam": Role.ENGINEER}
VIEWERS = [*ROLES, RATER, ""]
REFUSED = {403, 404, 410}
ASK_FOR_MORE = {"comments.ask", "comments.withhold"}
"""What they are about stands in the form, and an empty form names nothing."""


def test_every_id_in_an_address_is_known_here(world):
    named = {name for door in doors.doors(world.app) for name in door.rule.arguments}
    assert named - set(doors.THINGS) == set(), "say in doors.THINGS which things these arguments name"


@pytest.mark.parametrize("name", VIEWERS, ids=lambda name: name or "a stranger")
def test_doors_that_the_table_closes_stay_closed_and_change_nothing(world, name):
    client = doors.browser(world, name)
    before = doors.rows_of_all_tables()
    wrong = []
    for door in doors.doors(world.app):
        for address, things in doors.addresses(world, door):
            if is_open(world, name, door, things):
                continue
            answer = doors.open_door(client, door, address)
            if not is_refused(answer):
                wrong.append((str(door), address, answer.status_code))
        if door.method == "POST" and doors.rows_of_all_tables() != before:
            wrong.append((str(door), "the database has changed", 0))
    assert wrong == []
    assert doors.rows_of_all_tables() == before


@pytest.mark.parametrize("name", VIEWERS, ids=lambda name: name or "a stranger")
def test_doors_that_the_table_opens_are_open(world, name):
    client = doors.browser(world, name)
    wrong = []
    for door in doors.doors(world.app):
        answers = []
        for address, things in doors.addresses(world, door):
            if is_open(world, name, door, things):
                with doors.undone(world.app):
                    answer = doors.open_door(client, door, address)
                answers.append(answer)
                if answer.status_code in {401, 403} or answer.status_code >= 500 or leads_to_the_sign_in(answer):
                    wrong.append((str(door), address, answer.status_code))
        # A report that is not released is there for nobody; so one of the things must be there, not all.
        if (
            answers
            and is_behind_the_table(door)
            and door.endpoint not in ASK_FOR_MORE
            and all(answer.status_code in REFUSED for answer in answers)
        ):
            wrong.append((str(door), "nothing is there", answers[0].status_code))
    assert wrong == []


def test_the_walk_meets_what_is_allowed_and_what_is_not_for_every_role(world):
    """Were everything open to somebody, or nothing, the two tests above would say little."""
    for name in VIEWERS:
        found = {
            is_open(world, name, door, things)
            for door in doors.doors(world.app)
            for _, things in doors.addresses(world, door)
        }
        assert found == {True, False}


def is_open(world: World, name: str, door: Door, things: tuple[Thing, ...]) -> bool:
    """Whether this door should open: by the table for accounts, by the link for raters."""
    if door.action is None:
        return not is_for_raters(door) or holds_the_link(world, name, things)
    role = ROLES.get(name)
    if role is None:
        return False
    standings = [world.standing(name, thing) for thing in things] or [frozenset()]
    return all(access.is_allowed(door.action, role, standing) for standing in standings)


def is_for_raters(door: Door) -> bool:
    # The thanks are a page without anything on it; whoever has used their link up must be able to read it.
    return door.endpoint.startswith("responses.") and door.endpoint != "responses.thanks"


def holds_the_link(world: World, name: str, things: tuple[Thing, ...]) -> bool:
    """A link in the address opens for whoever has it, but for whom it is about; all else needs the rater's cookie."""
    (thing,) = things or (None,)
    if thing is None:
        return name == RATER
    if isinstance(thing.value, str):
        return thing.holder == RATER and thing.round is not None and thing.round.subject != name
    return name == RATER and thing.holder == RATER


def is_behind_the_table(door: Door) -> bool:
    return door.action is not None


def is_refused(answer) -> bool:
    return answer.status_code in REFUSED or leads_to_the_sign_in(answer)


def leads_to_the_sign_in(answer) -> bool:
    return answer.status_code == 303 and answer.location.startswith("/sign-in?next=")
