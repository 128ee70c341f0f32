"""A18: the person under review, with their own mail, a second address, a forwarded link, and forged forms."""

from __future__ import annotations

import pytest
from flask import request
from sqlalchemy import func, select

from survey import context
from survey.core import nominations as rules
from survey.core.errors import BadInput
from survey.core.relationships import Relationship
from survey.core.responses import Response
from survey.services import nominations, people, responses
from survey.store import envelopes
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation
from tests.company import csrf, hidden, radios


def test_without_the_check_the_subject_is_mailed_a_peer_s_link(company, monkeypatch):
    monkeypatch.setattr(rules, "check", lambda subject, raters: None)
    company.open(company.usual_raters() | {"sam": Relationship.PEER})
    assert _asked_about_oneself(company, "sam") == [Relationship.PEER]


def test_the_subject_is_mailed_no_link_but_the_one_to_their_own_view(company):
    company.open()
    assert _asked_about_oneself(company, "sam") == [Relationship.SELF]


@pytest.mark.parametrize("kind", [kind for kind in Relationship if kind is not Relationship.SELF])
def test_nobody_can_choose_the_subject_as_anything_but_themselves(company, kind):
    with pytest.raises(BadInput, match="as nothing else"):
        company.draft({"sam": kind, "ana": Relationship.PEER})
    _, review_id = company.draft()
    manager = company.sign_in("marta")
    page = manager.get(f"/reviews/{review_id}/raters")
    forged = {"csrf_token": csrf(page.text), f"rater-{company.ids['sam']}": kind, f"rater-{company.ids['ana']}": "peer"}
    answer = manager.post(f"/reviews/{review_id}/raters", data=forged)
    assert answer.status_code == 422
    with context.reading() as session:
        assert nominations.of(session, review_id)[company.ids["sam"]] is Relationship.SELF


def test_one_address_is_one_person_and_one_rater_of_a_review(company):
    with context.transaction() as session, pytest.raises(BadInput, match="here already"):
        people.add(session, "Sam again", " SAM@Company.test ")
    company.open()
    with context.reading() as session:
        raters = session.scalars(select(Invitation.rater_id)).all()
    assert len(raters) == len(set(raters))


def test_without_a_look_at_who_is_signed_in_a_forwarded_link_is_the_subject_s_to_answer(company, monkeypatch):
    company.open()
    token = company.tokens()["ana"]
    sam = company.sign_in("sam")
    monkeypatch.setattr("survey.web.responses._reader", lambda: None)
    assert _answer(sam, token).status_code == 303
    assert _envelopes() == 1


@pytest.mark.parametrize("name", ["ana", "marta", "ines"])
def test_a_forwarded_link_does_not_open_where_the_subject_is_signed_in_and_still_works_for_the_rater(company, name):
    company.open()
    token = company.tokens()[name]
    sam = company.sign_in("sam")
    rater = company.app.test_client()
    form = _form(rater, token)
    wrong = sam.get("/r/" + "x" * 43)
    forwarded = sam.get(f"/r/{token}")
    assert (forwarded.status_code, forwarded.data) == (wrong.status_code, wrong.data)
    sam.set_cookie("rater", token)
    data = _complete(form.text) | {"is_meant": "y", "code": "0"}
    data["csrf_token"] = csrf(sam.get("/reports").text)
    for action in ("submit", "save", "code"):
        assert sam.post(form.request.path, data=data | {"action": action}).status_code == 410
    assert sam.post(form.request.path + "/decline", data=data).status_code == 410
    assert sam.post("/feedback/resume", data=data).status_code == 410
    assert sam.get("/feedback").status_code == 410
    assert _envelopes() == 0
    assert rater.post(form.request.path, data=_complete(form.text)).status_code == 303


def test_one_s_own_link_opens_where_one_is_signed_in(company):
    company.open()
    assert _answer(company.sign_in("sam"), company.tokens()["sam"]).status_code == 303


def test_the_subject_s_own_link_opens_no_one_else_s_invitation(company):
    cycle_id, _ = company.open()
    token = company.tokens()["sam"]
    sam = company.app.test_client()
    form = _form(sam, token)
    with context.reading() as session:
        others = session.scalars(select(Invitation.id).where(Invitation.rater_id != company.ids["sam"])).all()
    assert len(others) == 9
    for invitation_id in others:
        path = f"/feedback/{invitation_id}"
        assert sam.get(path).status_code == 410
        assert sam.post(path, data=_complete(form.text)).status_code == 410
        assert sam.post(path + "/decline", data={"csrf_token": csrf(form.text), "is_meant": "y"}).status_code == 410
    assert _envelopes() == 0
    # Nor does a field in one's own form name another one.
    forged = _complete(form.text) | _forged(company, others[0])
    assert sam.post(form.request.path, data=forged).status_code == 303
    assert _relationships(cycle_id) == [Relationship.SELF]


def test_a_build_that_believes_the_form_lets_a_peer_answer_as_the_manager(company, monkeypatch):
    cycle_id, _ = company.open()
    token = company.tokens()["ana"]
    believing = lambda kind, answers: Response(Relationship(request.form.get("relationship", kind)), answers)  # noqa: E731
    monkeypatch.setattr(responses, "Response", believing)
    assert _answer(company.app.test_client(), token, {"relationship": "manager"}).status_code == 303
    assert _relationships(cycle_id) == [Relationship.MANAGER]


def test_forged_fields_change_neither_relationship_nor_review_nor_what_is_asked(company):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    with context.reading() as session:
        of_marta = session.scalar(select(Invitation.id).where(Invitation.rater_id == company.ids["marta"]))
    answer = _answer(company.app.test_client(), tokens["ana"], _forged(company, of_marta))
    assert answer.status_code == 303
    assert _relationships(cycle_id) == [Relationship.PEER]
    with context.reading() as session:
        states = dict(session.execute(select(Invitation.rater_id, Invitation.state)).all())
        assert session.scalar(select(Envelope.review_id)) == review_id
    assert {rater for rater, state in states.items() if state == "done"} == {company.ids["ana"]}


def _forged(company, invitation_id):
    return {
        "relationship": "manager",
        "invitation_id": str(invitation_id),
        "rater_id": str(company.ids["marta"]),
        "subject_id": str(company.ids["ben"]),
        "state": "open",
        "k": "1",
        "1.signals_ready_to_level_up.1": "2",
        "1.questions_to_ask_yourself.1": "For Sam's eyes",
    }


def _asked_about_oneself(company, name):
    """As what this person is asked about themselves, by every mail that reaches them."""
    found = []
    own = company.person(name).name
    for letter, person_id in company.letters():
        if person_id == company.ids[name] and letter.token:
            found += [each.relationship for each in letter.colleagues if each.name == own]
            with context.reading() as session:
                opened = [each.relationship for each in responses.waiting(session, letter.token) if each.subject == own]
            assert opened == found
    return found


def _form(client, token):
    page = client.get(f"/r/{token}")
    assert page.status_code == 200
    return client.get(client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)}).location)


def _answer(client, token, more=()):
    form = _form(client, token)
    return client.post(form.request.path, data=_complete(form.text) | dict(more))


def _complete(page):
    fields = {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint"), "action": "submit"}
    return fields | {name: values[0] for name, values in radios(page).items()}


def _envelopes():
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(Envelope))


def _relationships(cycle_id):
    key = context.installation().keyring.read(cycle_id)
    with context.reading() as session:
        boxes = session.scalars(select(Envelope.box)).all()
    opened = [envelopes.unseal(box, key) for box in boxes]
    assert all("signals_ready" not in item for each in opened for item in each.answers.ratings)
    return [each.relationship for each in opened]
