"""Rounds whose key people hold: nothing opens before they unlock it, and every wrong guess counts."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.audit import Event
from survey.core.custody import Holder
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, KeyMissing, TooManyGuesses
from survey.core.relationships import Relationship
from survey.services import audit, custody, cycles, drafts, responses, tally
from survey.store.custody import Custody
from survey.store.envelopes import Draft, Envelope
from survey.store.keys import MARK
from survey.store.reports import Report
from tasks import cycles as tasks
from tests import custodians
from tests.company import answers_to
from tests.custodians import ONE, TWO

pytestmark = pytest.mark.usefixtures("cheap_guesses")


@pytest.mark.parametrize("passphrases", [ONE, TWO])
def test_a_round_with_custodians_runs_from_draft_to_release(company, passphrases):
    cycle_id, review_id = custodians.open_held(company, passphrases)
    for token in company.tokens().values():
        company.answer(token, words="Something to say.")
    company.close(cycle_id)
    with context.reading() as session:
        assert custody.of(session, cycle_id).is_waiting
    company.count()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.CLOSED
        assert session.scalar(select(func.count()).select_from(Envelope)) == 10
    custodians.unlock(company, cycle_id, passphrases)
    company.count()
    company.release(cycle_id)
    with context.reading() as session:
        assert session.get(Report, review_id) is not None
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
    assert [file.name for file in context.installation().keyring.directory.iterdir()] == [MARK]


def test_opening_is_refused_without_a_test_and_says_so_in_the_draft(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE, is_tested=False)
    with context.reading() as session:
        assert any("has tested the passphrase" in warning.message for warning in drafts.warnings(session, cycle_id))
    with pytest.raises(BadInput, match="Test the passphrase"):
        custodians.launch(cycle_id)


def test_opening_is_refused_when_the_wrapped_key_is_gone_or_another(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    keyring = context.installation().keyring
    keyring.make_wrapped(cycle_id, TWO)
    with pytest.raises(BadInput, match="not where it should be"):
        custodians.launch(cycle_id)
    keyring.destroy(cycle_id)
    with pytest.raises(BadInput, match="not where it should be"):
        custodians.launch(cycle_id)
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.DRAFT


def test_other_custodians_take_the_place_of_the_first_and_need_a_test_of_their_own(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    old = context.installation().keyring.wrapped_public_key(cycle_id)
    custodians.appoint(company, cycle_id, TWO, is_tested=False)
    with context.reading() as session:
        assert custody.of(session, cycle_id) == custody.Standing(Holder.TWO, is_tested=False, is_waiting=False)
    with pytest.raises(BadInput, match="changed just now"), context.transaction() as session:
        custody.tested(session, cycle_id, old)


def test_a_draft_goes_back_to_the_server_and_opens_with_a_key_of_its_own(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    keyring = context.installation().keyring
    with context.transaction() as session:
        custody.dismiss(session, cycle_id, keyring, actor_id=company.ids["marta"], now=context.now())
    assert not keyring.is_kept(cycle_id)
    custodians.launch(cycle_id)
    assert keyring.read(cycle_id)


def test_a_deleted_draft_leaves_no_wrapped_key(company):
    cycle_id, _ = company.draft()
    custodians.appoint(company, cycle_id, ONE)
    with context.transaction() as session:
        custody.forget(session, cycle_id, context.installation().keyring)
        drafts.discard(session, cycle_id)
    assert not context.installation().keyring.is_kept(cycle_id)
    with context.reading() as session:
        assert session.get(Custody, cycle_id) is None


def test_custodians_cannot_be_changed_after_the_launch(company):
    cycle_id, _ = custodians.open_held(company)
    with pytest.raises(IllegalStep):
        custodians.appoint(company, cycle_id, TWO)
    keyring = context.installation().keyring
    with pytest.raises(IllegalStep), context.transaction() as session:
        custody.dismiss(session, cycle_id, keyring, actor_id=company.ids["marta"], now=context.now())
    assert keyring.wrapped_public_key(cycle_id)


def test_an_open_round_cannot_be_unlocked(company):
    cycle_id, _ = custodians.open_held(company)
    with pytest.raises(IllegalStep):
        custodians.unlock(company, cycle_id)
    with pytest.raises(KeyMissing):
        context.installation().keyring.read(cycle_id)


def test_a_guess_counts_before_it_is_looked_at_and_pauses_double(company, clock):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    told = [_guess_wrong(company, cycle_id) for _ in range(5)]
    assert told[0] == "That does not open the key. 4 more tries, then a pause."
    assert told[3] == "That does not open the key. 1 more try, then a pause."
    assert told[4] == "That does not open the key. Please try again in 1 minute."
    with pytest.raises(TooManyGuesses, match="again in 1 minute"):
        custodians.unlock(company, cycle_id)
    clock.move(minutes=1)
    assert _guess_wrong(company, cycle_id).endswith("again in 2 minutes.")
    clock.move(minutes=1)
    with pytest.raises(TooManyGuesses):
        custodians.unlock(company, cycle_id)
    clock.move(minutes=1)
    custodians.unlock(company, cycle_id)
    with context.reading() as session:
        assert session.get(Custody, cycle_id).guesses == 0


def test_every_wrong_guess_is_in_the_audit_log_and_no_passphrase_is(company):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    _guess_wrong(company, cycle_id)
    custodians.unlock(company, cycle_id)
    with context.reading() as session:
        entries = [entry for entry in audit.newest(session) if entry.about == cycle_id]
        assert audit.verify(session).is_whole
    ours = {Event.KEY_UNLOCKED, Event.UNLOCK_REFUSED, Event.CUSTODY_CHANGED}
    assert [(entry.event, dict(entry.detail)) for entry in entries if entry.event in ours] == [
        (Event.KEY_UNLOCKED, {}),
        (Event.UNLOCK_REFUSED, {"guesses": "1"}),
        (Event.CUSTODY_CHANGED, {"holder": "one"}),
    ]


def test_a_round_that_closes_by_itself_asks_launcher_and_people_operations_for_the_passphrase(company, clock):
    cycle_id, _ = custodians.open_held(company)
    list(company.letters())
    clock.move(days=14)
    assert tasks.close_due() == 1
    letters = {letter.address: letter for letter, _ in company.letters()}
    assert set(letters) == {"marta@company.test", "noor@company.test"}
    assert letters["marta@company.test"].kind == "locked"
    assert letters["marta@company.test"].path == f"/rounds/{cycle_id}/custody/unlock"


def test_no_mail_asks_for_a_passphrase_that_was_typed_meanwhile_or_never_chosen(company):
    cycle_id, _ = custodians.open_held(company)
    list(company.letters())
    company.close(cycle_id)
    custodians.unlock(company, cycle_id)
    assert list(company.letters()) == []
    other, _ = company.open({"ana": Relationship.PEER}, subject="ben")
    list(company.letters())
    company.close(other)
    assert list(company.letters()) == []


def test_drafts_of_raters_do_not_wait_for_the_passphrase(company):
    cycle_id, _ = custodians.open_held(company)
    token = company.tokens()["ana"]
    with context.transaction() as session:
        invitation = responses.waiting(session, token)[0].invitation_id
        questionnaire = responses.asked(session, token, invitation).questionnaire
        responses.save_draft(session, token, invitation, answers_to(questionnaire), draft_secret=b"s" * 32)
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Draft)) == 0


def test_a_round_whose_passphrase_is_lost_is_given_up_whole(company):
    cycle_id, review_id = custodians.open_held(company)
    company.answer(company.tokens()["ana"])
    with pytest.raises(IllegalStep):
        _give_up(company, cycle_id)
    company.close(cycle_id)
    _give_up(company, cycle_id)
    company.count()
    company.release(cycle_id)
    with context.reading() as session:
        assert session.get(Report, review_id) is None
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
    assert not context.installation().keyring.is_kept(cycle_id)
    (letter,) = [letter for letter, _ in company.letters() if letter.address == "sam@company.test"]
    assert letter.kind == "no_report"


def test_an_unlocked_round_is_not_given_up(company):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    custodians.unlock(company, cycle_id)
    with pytest.raises(IllegalStep):
        _give_up(company, cycle_id)


def test_a_crash_between_the_key_and_its_note_is_made_good_by_typing_it_again(company):
    cycle_id, review_id = custodians.open_held(company)
    company.close(cycle_id)
    keyring = context.installation().keyring
    keyring.lay_open(cycle_id, keyring.unwrap(cycle_id, ONE))
    with context.reading() as session:
        assert list(tally.waiting(session)) == []
    custodians.unlock(company, cycle_id)
    with context.reading() as session:
        assert list(tally.waiting(session)) == [[review_id]]


def test_a_slow_second_unlocking_does_not_bring_a_destroyed_key_back(company):
    cycle_id, _ = custodians.open_held(company)
    company.close(cycle_id)
    keyring = context.installation().keyring
    slow = keyring.unwrap(cycle_id, ONE)
    custodians.unlock(company, cycle_id)
    company.count()
    with pytest.raises(IllegalStep), context.transaction() as session:
        custody.unlock(session, cycle_id, slow, keyring, actor_id=company.ids["marta"], now=context.now())
    assert [file.name for file in keyring.directory.iterdir()] == [MARK]


def _give_up(company, cycle_id):
    with context.transaction() as session:
        tally.abandon_locked(session, cycle_id, actor_id=company.ids["noor"], now=context.now())


def _guess_wrong(company, cycle_id):
    with context.transaction() as session:
        custody.begin_guess(session, cycle_id, custody.CLOSED, now=context.now())
    with context.transaction() as session:
        return custody.refuse(session, cycle_id, actor_id=company.ids["marta"], now=context.now())


@pytest.fixture
def cheap_guesses(app):
    custodians.guess_cheaply()
