"""A13: `kill -9` at each statement of submit, opening and tally, at each write of a key, and between the steps."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from survey import context
from survey.core.errors import LinkClosed
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations, responses
from survey.store import envelopes, openings
from survey.store.envelopes import Draft
from survey.store.invitations import Invitation
from survey.store.keys import MARK
from tests.attacks import killed, weakened
from tests.attacks.rounds import as_built

MORE_THAN_ENOUGH = 20
PEERS = ("ana", "ben", "chloe", "dev")


def test_an_answer_is_marked_and_kept_or_neither_wherever_the_server_dies(gather, killer):
    crowd = gather(MORE_THAN_ENOUGH)
    points, wrong, answered = _kill_submit(crowd, killer, killed.submit)
    assert wrong == []
    # Everything in one statement, or in one transaction.
    is_one = crowd.engine.dialect.name == "postgresql"
    steps = ("WITH claimed AS",) if is_one else ("UPDATE invitation SET", "INSERT INTO envelope", "DELETE FROM draft")
    assert {f"{side} {step}" for step in steps for side in ("before", "after")} <= set(points)
    assert points[-2:] == ["before COMMIT", "after COMMIT"]
    assert len(points) >= (8 if is_one else 14)
    # Every rater who was not marked could answer with the same link; all are counted, each once.
    crowd.close_and_count()
    with crowd.engine.connect() as connection:
        counted = connection.scalars(text("SELECT DISTINCT n FROM cell WHERE \"group\" = 'peer'")).all()
    assert counted == [answered]


@pytest.mark.parametrize("weak", weakened.SUBMISSIONS)
def test_a_mark_and_an_envelope_in_two_transactions_come_apart(gather, killer, weak):
    _, wrong, _ = _kill_submit(gather(MORE_THAN_ENOUGH), killer, weak)
    assert wrong == ["after COMMIT"]


def test_every_answer_is_counted_once_and_the_key_goes_wherever_the_tally_dies(company, killer):
    round_ = _closed(company)
    points, wrong = _kill_tally(round_, killer, killed.sweep)
    assert wrong == []
    assert {
        "after INSERT INTO cell",
        "after INSERT INTO comment",
        "after INSERT INTO report",
        "after DELETE FROM envelope",
        "before COMMIT",
        "between the end of the count and the key",
        "between the finding of the key and its end",
        "before the sync of a key",
        "after the sync of a key",
        "before the removal of a key",
        "after the removal of a key",
        "between the key and the vacuum",
        "between the vacuum and the note",
    } <= set(points)
    assert len(points) >= 80
    assert round_.state() == (2, 0, True, True, "tallied", [])
    company.release(round_.cycle_id)


@pytest.mark.parametrize("weak", weakened.TALLIES)
def test_a_tally_in_two_transactions_loses_or_doubles_answers(company, killer, weak):
    _, wrong = _kill_tally(_closed(company), killer, weak)
    assert wrong != []


def test_a_round_opens_with_each_invitation_once_wherever_the_worker_dies(company, killer, monkeypatch):
    monkeypatch.setattr(openings, "PORTION", 1)
    round_ = Opening(_drafted(company))
    # Every second point: after a statement is before the next one.
    parts, points, at = context.installation(), [], 2
    with context.transaction() as session:
        cycles.open_(session, round_.cycle_id, parts.keyring, actor_id=company.ids["marta"], now=context.now())
    while True:
        before = round_.state()
        end = killer.run(killed.open_round, context.now().isoformat(), at=at)
        assert round_.is_whole(), end.point
        if not end.was_killed:
            break
        points.append(end.point)
        at = at + 2 if round_.state() == before else 2
    assert {
        "after UPDATE review SET",
        "after INSERT INTO invitation",
        "after the sync of a key",
        "after UPDATE cycle SET",
        "after INSERT INTO mailing",
        "after INSERT INTO audit_entry",
        "after COMMIT",
    } <= set(points)
    assert len(points) >= 30
    assert round_.state() == ("open", 2, 2 * len(PEERS), 4 * len(PEERS), 1)


def test_every_answer_is_in_one_envelope_wherever_a_shake_dies(gather, killer):
    crowd = gather(6)
    crowd.answer(as_built)
    boxes, points, at = _boxes(crowd.engine), [], 1
    while True:
        end = killer.run(killed.shake, at=at)
        assert _boxes(crowd.engine) == boxes, end.point
        if not end.was_killed:
            break
        points.append(end.point)
        at += 1
    assert {
        "after DELETE FROM envelope",
        "after INSERT INTO envelope",
        "after UPDATE invitation SET",
        "before COMMIT",
        "after COMMIT",
        "between the shake and the cleaning",
        "between the cleaning and the note",
        "after UPDATE review SET",
    } <= set(points)
    with crowd.engine.connect() as connection:
        states = connection.scalars(text("SELECT state FROM invitation")).all()
        assert connection.scalar(text("SELECT max(shaken) FROM review")) == len(boxes)
    assert states == ["done"] * len(boxes)


def _kill_submit(crowd, killer, step):
    """Where a rater's server was killed, the point that went wrong, and how many have answered in the end."""
    points = []
    for at, ticket in enumerate(crowd.tickets, 1):
        answers, secret = crowd.answers(ticket), secrets.token_bytes(32)
        with context.transaction() as session:
            responses.save_draft(session, ticket.token, ticket.invitation, answers, draft_secret=secret)
        sent = (ticket.token, str(ticket.invitation), [dict(answers.ratings), dict(answers.comments)], secret.hex())
        before = _envelopes(crowd.engine)
        end = killer.run(step, *sent, at=at)
        is_done, written = _is_done(crowd.engine, ticket), _envelopes(crowd.engine) - before
        if (is_done, written) not in {(True, 1), (False, 0)} or _has_draft(secret, ticket) is is_done:
            return points, [end.point], at
        if is_done:
            with pytest.raises(LinkClosed):
                as_built(crowd, ticket, answers)
        elif step is killed.submit:
            as_built(crowd, ticket, answers)
        if not end.was_killed:
            return points, [], at
        points.append(end.point)
    raise AssertionError("there are more points than raters")


def _kill_tally(round_, killer, step):
    """Where the tally was killed, and the point that went wrong.

    Each child begins where the one before was killed. One that changed nothing is followed by one that comes a point
    further; one that did is followed by one that dies at its first point. So every point is met in every state.
    """
    points, at, state = [], 1, round_.progress()
    while len(points) < 400:
        end = killer.run(step, at=at)
        if not round_.is_whole():
            return points, [end.point]
        if not end.was_killed:
            return points, []
        points.append(end.point)
        at, state = (at + 1 if round_.progress() == state else 1), round_.progress()
    raise AssertionError("the tally does not come to an end")


@dataclass(frozen=True)
class Round:
    """A closed round about two people, each with four peers who answered."""

    company: object
    cycle_id: object
    key: bytes

    @property
    def engine(self):
        return context.installation().engine

    def state(self):
        """Reviews counted, envelopes left, whether the key is gone and said to be, the phase, is it whole."""
        keyring = context.installation().keyring
        with self.engine.connect() as connection:
            return (
                connection.scalar(text("SELECT count(*) FROM review WHERE is_tallied")),
                connection.scalar(text("SELECT count(*) FROM envelope")),
                not keyring.is_kept(self.cycle_id),
                bool(connection.scalar(text("SELECT is_key_destroyed FROM cycle"))),
                connection.scalar(text("SELECT phase FROM cycle")),
                # Overwritten with something else each time, before it goes.
                [file.read_bytes() == self.key for file in keyring.directory.iterdir() if file.name != MARK],
            )

    def progress(self):
        """The state, and whether the round is measured, its spread is fixed, and how many reports are built."""
        with self.engine.connect() as connection:
            steps = "SELECT count(*) FROM instrument", "SELECT count(spreads) FROM cycle", "SELECT count(*) FROM report"
            return self.state(), [connection.scalar(text(step)) for step in steps]

    def is_whole(self):
        """Whether each review is counted and its envelopes gone, or all its envelopes there and nothing counted."""
        counted, _, is_gone, is_said, _, keys = self.state()
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("""
                    SELECT is_tallied, (SELECT count(*) FROM envelope e WHERE e.review_id = r.id),
                        (SELECT count(*) FROM comment c WHERE c.review_id = r.id),
                        (SELECT count(*) FROM report p WHERE p.review_id = r.id),
                        (SELECT min(n) FROM cell c WHERE c.review_id = r.id)
                    FROM review r
                """)
            ).all()
        # Counted, or counted and built into its report, or not begun.
        whole = {
            (True, 0, 3 * len(PEERS), 0, len(PEERS)),
            (True, 0, 3 * len(PEERS), 1, len(PEERS)),
            (False, len(PEERS), 0, 0, None),
        }
        return (
            {(bool(is_tallied), *rest) for is_tallied, *rest in rows} <= whole
            and (counted == len(rows) or keys == [True])
            and (is_gone or not is_said)
        )


@dataclass(frozen=True)
class Opening:
    """A round about two people, each with four peers, on its way to being open."""

    cycle_id: object

    def state(self):
        """The phase, and how many reviews are frozen, invitations, mailings and entries of the audit log there are."""
        counts = (
            "SELECT count(questionnaire) FROM review",
            "SELECT count(*) FROM invitation",
            "SELECT count(*) FROM mailing",
            "SELECT count(*) FROM audit_entry WHERE event = 'cycle opened'",
        )
        with context.installation().engine.connect() as connection:
            phase = connection.scalar(text("SELECT phase FROM cycle"))
            return (phase, *(connection.scalar(text(count)) for count in counts))

    def is_whole(self):
        """Whether each review has all its invitations or none, and nothing is open before everything is."""
        phase, frozen, invitations, *rest = self.state()
        with context.reading() as session:
            sealed = cycles.get(session, self.cycle_id).public_key
        keyring = context.installation().keyring
        if phase == "open":
            done = keyring.read(self.cycle_id).public_key.encode() == sealed and rest == [4 * len(PEERS), 1]
            return done and frozen == 2 and invitations == frozen * len(PEERS)
        return phase == "opening" and sealed is None and rest == [0, 0] and invitations == frozen * len(PEERS)


def _drafted(company):
    """A round in draft about two people."""
    cycle_id, _ = company.draft(dict.fromkeys(PEERS, Relationship.PEER))
    with context.transaction() as session:
        other = drafts.add_review(session, cycle_id, company.ids["ewa"], [company.page_id])
        nominations.choose(session, other.id, {company.ids[name]: Relationship.PEER for name in PEERS})
    return cycle_id


def _closed(company):
    """A round that waits to be counted."""
    cycle_id = _drafted(company)
    with context.transaction() as session:
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    for name, token in company.tokens().items():
        for _ in range(2):
            company.answer(token, words=f"{name} has this to say.")
    company.close(cycle_id)
    return Round(company, cycle_id, bytes(context.installation().keyring.read(cycle_id)))


def _envelopes(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM envelope"))


def _boxes(engine):
    with engine.connect() as connection:
        return sorted(connection.scalars(text("SELECT box FROM envelope")))


def _is_done(engine, ticket):
    with context.reading() as session:
        return session.get(Invitation, ticket.invitation).state == "done"


def _has_draft(secret, ticket):
    with context.reading() as session:
        return session.get(Draft, envelopes.draft_id(secret, ticket.invitation)) is not None


@pytest.fixture(scope="module")
def one_killer():
    with killed.killer() as process:
        yield process


@pytest.fixture
def killer(one_killer, database_url, app):
    one_killer.work_on(database_url, context.installation().keyring.directory)
    return one_killer
