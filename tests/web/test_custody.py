"""The pages of custody: chosen, tested, unlocked, given up; and what a wrong passphrase meets."""

from __future__ import annotations

import pytest

from survey import context
from survey.core.custody import Holder
from survey.core.cycles import Phase
from survey.services import custody, cycles
from survey.store.keys import MARK
from tasks.keys import watch
from tests import custodians
from tests.company import csrf
from tests.custodians import ONE, TWO

pytestmark = pytest.mark.usefixtures("cheap_guesses")


def test_a_launcher_has_two_people_hold_the_key_and_tests_it_before_opening(company):
    cycle_id, _ = company.draft()
    client = company.sign_in("marta")
    assert "The server. It counts by itself" in client.get(f"/rounds/{cycle_id}/setup").text
    made = _choose(client, cycle_id, holder="two", first=TWO[0], second=TWO[1])
    assert made.location == f"/rounds/{cycle_id}/custody/test"
    assert "Nobody has tested the passphrase" in client.get(f"/rounds/{cycle_id}/open").text
    refused = _post(client, f"/rounds/{cycle_id}/open")
    assert refused.status_code == 400
    assert "Test the passphrase of this round first" in refused.text
    wrong = _post(client, made.location, first=TWO[1], second=TWO[0])
    assert wrong.status_code == 422
    assert "These two together do not open the key. 4 more tries, then a pause." in wrong.text
    assert _post(client, made.location, first=f" {TWO[0]}", second=TWO[1]).status_code == 303
    page = client.get(f"/rounds/{cycle_id}/setup").text
    assert "It opens." in page
    assert "It has been tested: the key opens." in page
    assert _post(client, f"/rounds/{cycle_id}/open").status_code == 303
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.OPEN


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"holder": "one", "first": "too short"}, "at least 12 characters"),
        ({"holder": "one", "first": ONE[0], "first_again": "something else entirely"}, "These two are not the same"),
        ({"holder": "one", "first": ONE[0], "understood": ""}, "Please tick this box"),
        ({"holder": "two", "first": TWO[0], "second": ""}, "at least 12 characters"),
        ({"holder": "two", "first": TWO[0], "second": TWO[0]}, "The two passphrases must differ"),
        ({"holder": "nobody", "first": ONE[0]}, "Not a valid choice"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field_and_nothing_is_changed(company, fields, reason):
    cycle_id, _ = company.draft()
    answer = _choose(company.sign_in("marta"), cycle_id, **fields)
    assert answer.status_code == 422
    assert reason in answer.text
    assert ONE[0] not in answer.text
    with context.reading() as session:
        assert custody.of(session, cycle_id).holder is Holder.SERVER
    assert not context.installation().keyring.is_kept(cycle_id)


def test_the_key_goes_back_to_the_server_without_a_passphrase(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    client = company.sign_in("marta")
    assert "needs a test of its own" in client.get(f"/rounds/{cycle_id}/custody").text
    assert _post(client, f"/rounds/{cycle_id}/custody", holder="server").location == f"/rounds/{cycle_id}"
    with context.reading() as session:
        assert custody.of(session, cycle_id).holder is Holder.SERVER


def test_a_closed_round_waits_and_is_counted_when_the_passphrase_is_typed(company, rung):
    cycle_id, _ = custodians.open_held(company)
    company.answer(company.tokens()["ana"])
    client = company.sign_in("marta")
    closing = client.get(f"/rounds/{cycle_id}/close").text
    assert "when the passphrase has been typed" in closing
    closed = _post(client, f"/rounds/{cycle_id}/close")
    assert closed.location == f"/rounds/{cycle_id}/custody/unlock"
    page = client.get(f"/rounds/{cycle_id}").text
    assert "The answers wait for their passphrase" in page
    assert "being counted" not in page
    rung.tasks.clear()
    assert _post(client, closed.location, first=ONE[0]).status_code == 303
    assert rung.tasks == ["tasks.tally.sweep"]
    assert "being counted" in client.get(f"/rounds/{cycle_id}").text
    company.count()
    assert "Release the reports" in client.get(f"/rounds/{cycle_id}").text


def test_too_many_wrong_guesses_meet_a_pause_even_for_the_right_one(company, clock):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    client, path = company.sign_in("marta"), f"/rounds/{cycle_id}/custody/unlock"
    for _ in range(5):
        assert _post(client, path, first="a wrong passphrase").status_code == 422
    paused = _post(client, path, first=ONE[0])
    assert paused.status_code == 429
    assert "Nothing is lost; please try again in 1 minute." in paused.text
    clock.move(minutes=1)
    assert _post(client, path, first=ONE[0]).status_code == 303


def test_people_operations_alone_may_give_a_round_up(company):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    path = f"/rounds/{cycle_id}/custody/give-up"
    manager, people = company.sign_in("marta"), company.sign_in("noor")
    assert manager.get(path).status_code == 403
    assert "give-up" not in manager.get(f"/rounds/{cycle_id}/custody/unlock").text
    assert path in people.get(f"/rounds/{cycle_id}/custody/unlock").text
    assert _post(people, path).status_code == 303
    company.count()
    company.release(cycle_id)
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.RELEASED


@pytest.mark.parametrize("page", ["", "/test", "/unlock"])
def test_only_who_runs_the_round_sees_its_custody(company, page):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    assert company.sign_in("ana").get(f"/rounds/{cycle_id}/custody{page}").status_code == 403


def test_a_round_of_the_server_asks_for_no_passphrase(company):
    cycle_id, _ = company.draft()
    client = company.sign_in("marta")
    assert client.get(f"/rounds/{cycle_id}/custody/test").status_code == 409
    assert client.get(f"/rounds/{cycle_id}/custody/unlock").status_code == 409


def test_deleting_the_draft_deletes_its_wrapped_key(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    assert _post(company.sign_in("marta"), f"/rounds/{cycle_id}/delete").status_code == 303
    assert [file.name for file in context.installation().keyring.directory.iterdir()] == [MARK]


def _choose(client, cycle_id, **fields):
    typed = {"understood": "y"} | fields
    typed = {"first_again": typed.get("first", ""), "second_again": typed.get("second", "")} | typed
    return _post(client, f"/rounds/{cycle_id}/custody", **typed)


def _post(client, path, **fields):
    return client.post(path, data={"csrf_token": csrf(client.get(path).text)} | fields)


@pytest.fixture
def cheap_guesses(app):
    custodians.guess_cheaply()


def test_a_round_whose_key_is_missing_says_so_and_people_operations_alone_may_give_it_up(company, clock):
    cycle_id, _ = company.open()
    for token in company.tokens().values():
        company.answer(token)
    company.close(cycle_id)
    context.installation().keyring.destroy(cycle_id)
    watch()
    manager, people = company.sign_in("marta"), company.sign_in("noor")
    page = manager.get(f"/rounds/{cycle_id}").text
    assert "The key of this round is missing" in page
    assert "being counted" not in page
    path = f"/rounds/{cycle_id}/custody/give-up-key"
    assert manager.get(path).status_code == 403
    assert path in people.get(f"/rounds/{cycle_id}").text
    assert "deleted, unopened" in people.get(path).text
    assert _post(people, path).status_code == 303
    company.count()
    page = people.get(f"/rounds/{cycle_id}").text
    assert "the key is destroyed" not in page
    assert "goes on without its key" in page
    company.release(cycle_id)
    assert people.get(path).status_code == 409


def test_a_key_that_is_back_is_not_given_up(company, clock, tmp_path):
    cycle_id, _ = company.open()
    company.close(cycle_id)
    keyring = context.installation().keyring
    key = keyring.directory / f"{cycle_id}.key"
    key.rename(tmp_path / "aside")
    watch()
    people, path = company.sign_in("noor"), f"/rounds/{cycle_id}/custody/give-up-key"
    people.get(path)
    (tmp_path / "aside").rename(key)
    assert _post(people, path).status_code == 409
    company.count()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).is_key_destroyed
