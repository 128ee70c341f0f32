"""A19: an ordinary engineer or manager with a browser, and other people's ids and links."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from sqlalchemy import select, update

from survey import context
from survey.core import values as plain
from survey.core.access import Action, Role
from survey.services import people, reports
from survey.store.invitations import Invitation
from survey.store.people import Person
from tests.attacks import walks
from tests.company import csrf

SUBJECT = "sam"
READERS = {"sam": {"marta"}}
"""Whose names people see beside their own report: those of its other readers. Marta is asked as the manager, openly."""

MAY_READ = {"ana": set(), "jonas": set(), "olga": set(), "sam": {"sam"}, "marta": {"sam"}}
"""Whose reports each of them may read: ana rated, jonas reports to sam, olga manages others, marta manages sam."""

LAUNCHER, OPEN_TO_HER = (
    "marta",
    re.compile(r"^/people|^/rounds/[0-9a-f-]+/(add-person|reviews/[0-9a-f-]+/(ask|raters|withdraw))$"),
)
"""Who launched the round chose its raters by name, and chooses who else is asked, or no more: never whether they
answered (A17).

Those who report to her she sees among the people, whether or not they are raters.
"""


@pytest.mark.parametrize("name", MAY_READ)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_no_page_names_another_ones_rater_or_opens_a_report_that_is_not_theirs(company, name, accept):
    prepare(company)
    assert findings(company, name, accept) == set()


def test_with_a_link_of_ones_own_other_peoples_invitations_stay_closed(company):
    token = prepare(company)["ana"]
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    with context.reading() as session:
        rows = session.execute(select(Invitation.id, Invitation.rater_id)).all()
    own = {invitation for invitation, rater in rows if rater == company.ids["ana"]}
    assert any(client.get(f"/feedback/{invitation}").status_code == 200 for invitation in own)
    closed = {client.get(f"/feedback/{invitation}").text for invitation, _ in rows if invitation not in own}
    assert len(closed) == 1
    assert not any(canary in page for page in closed for canary in canaries(company))


@pytest.mark.parametrize("name", ["ana", "olga"])
def test_a_report_route_without_a_look_at_who_asks_is_caught(company, name):
    def weak(review_id):
        with context.reading() as session:
            edition = reports.read(session, review_id)
        return json.dumps({"subject": edition.subject, "report": plain.dump(edition.report)}, default=list)

    weak.action = Action.READ_REPORT
    company.app.add_url_rule("/reports/<uuid:review_id>.json", "weak", weak)
    prepare(company)
    found = findings(company, name, "application/json")
    assert found
    assert all(address.endswith(".json") for address, _ in found)


def prepare(company):
    """A released round and an open one about Sam, with names that stand nowhere else: the links of the open one."""
    with context.transaction() as session:
        company.ids["olga"] = people.add(session, "Olga", "olga@company.test", role=Role.MANAGER).id
    finished, finished_review = company.run()
    opened, review = company.open()
    tokens = company.tokens()
    company.answer(tokens["ben"], words="Nothing that names anybody.")
    with context.transaction() as session:
        for name, person in company.ids.items():
            session.execute(update(Person).where(Person.id == person).values(name=f"Canary {name} Qx"))
    company.values = {
        "cycle_id": [finished, opened],
        "review_id": [finished_review, review],
        "page_id": [company.page_id],
        "person_id": list(company.ids.values()),
        "token": ["wrong"],
    }
    with context.reading() as session:
        company.values["invitation_id"] = [*session.scalars(select(Invitation.id)), uuid.UUID(int=7)]
    return tokens


def findings(company, name, accept):
    """Pages on which this person finds somebody whom they should not, or a report that is none of theirs."""
    about = MAY_READ[name] | READERS.get(name, set()) | {name}
    strangers = {canary for one in company.ids if one not in about for canary in canaries(company, one)}
    pages = walks.walk(company.sign_in(name), company.app, company.values, accept=accept)
    found = {
        (address, canary)
        for address, (_, page) in pages.items()
        for canary in strangers
        if canary in page and not (name == LAUNCHER and OPEN_TO_HER.search(address))
    }
    if SUBJECT not in MAY_READ[name]:
        sentence = "No combination of the numbers in this report"
        found |= {(address, "a report") for address, (_, page) in pages.items() if sentence in page}
    assert sum(status == 200 for status, _ in pages.values()) > 3
    return found


def canaries(company, name=None):
    """What gives somebody away: their name and their address."""
    return [word for one in ([name] if name else company.ids) for word in (f"Canary {one} Qx", f"{one}@company.test")]
