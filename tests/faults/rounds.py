"""The rounds that are answered while things break, and what must be true of them afterwards."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import config as settings
from survey import context
from survey.app import create_app
from survey.core.access import Role
from survey.core.mailings import Slot
from survey.core.relationships import Relationship
from survey.services import canary, competencies, cycles, drafts, nominations, people
from survey.store import envelopes
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, InvitationToken, State, mint
from survey.store.mailings import Mailing, RefusedAddress
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.reports import Cell
from tests.company import SAMPLES
from tests.faults.people import Log
from tests.faults.plant import Plant
from tests.faults.sink import Received

RATERS = 6  # about each subject


class Company:
    """People, and rounds about some of them. Looks at the database past the wires that are cut."""

    def __init__(self, plant: Plant, size: int) -> None:
        self.app = create_app(settings.load(plant.environ | {"SURVEY_DATABASE_URL": plant.database}))
        self.rounds: dict[str, uuid.UUID] = {}
        self.planned: Counter[uuid.UUID] = Counter()  # how many mails a person may get at most
        with self.app.app_context(), context.transaction() as session:
            self.noor = people.add(session, "Noor", "noor@company.test", role=Role.PEOPLE_OPERATIONS).id
            rows = [
                {"id": uuid.uuid4(), "name": f"P{n}", "address": f"p{n}@company.test", "role": Role.ENGINEER}
                for n in range(size)
            ]
            session.execute(insert(Person), rows)
            self.people = [row["id"] for row in rows]
            page = (SAMPLES / "product-stability-level-3.txt").read_bytes()
            self.page = competencies.import_page(session, page, competency="Product Stability").id

    def open(self, randomness: random.Random, subjects: int, raters: int = RATERS) -> None:
        """Opens one more round about this many people, each with raters by chance. Mail is due at once."""
        chosen = {}
        for subject in randomness.sample(self.people, subjects):
            others = [person for person in self.people if person != subject]
            chosen[subject] = randomness.sample(others, raters)
        self._open(chosen)

    def open_for_everybody(self) -> None:
        """Opens a round in which everybody but the first is asked exactly once, about somebody of the others."""
        raters = self.people[1:]
        groups = [raters[index : index + 20] for index in range(0, len(raters), 20)]
        self._open({groups[index - 1][0]: group for index, group in enumerate(groups)})

    def _open(self, chosen: dict[uuid.UUID, list[uuid.UUID]]) -> None:
        name = f"Round {len(self.rounds) + 1}"
        with self.app.app_context(), context.transaction() as session:
            parts, now = context.installation(), context.now()
            ends = now + timedelta(days=10)
            cycle = drafts.make(session, name, launcher_id=self.noor, closes_at=ends, now=now)
            for subject, raters in chosen.items():
                review = drafts.add_review(session, cycle.id, subject, [self.page])
                nominations.choose(session, review.id, dict.fromkeys(raters, Relationship.PEER))
            cycles.open_(session, cycle.id, parts.keyring, pace=parts.pace, actor_id=self.noor, now=now)
            self.rounds[name] = cycle.id
        self.planned.update({rater for raters in chosen.values() for rater in raters})

    def links(self) -> list[str]:
        """A link for everybody who is still asked: what the newest mails would hold, without sending them."""
        with self.app.app_context(), context.transaction() as session:
            found: dict[uuid.UUID, tuple[str, bytes]] = {}
            for invitation_id, rater_id in session.execute(
                select(Invitation.id, Invitation.rater_id).where(Invitation.state == State.OPEN)
            ).all():
                _, hashed = found.setdefault(rater_id, mint())
                session.add(InvitationToken(hash=hashed, invitation_id=invitation_id))
            return [token for token, _ in found.values()]

    def hasten_reminders(self, round_: str) -> None:
        """Makes the first reminder of this round due now: nobody waits for days here."""
        with self.app.app_context(), context.transaction() as session:
            to_come = (
                Mailing.cycle_id == self.rounds[round_],
                Mailing.mail_id.is_(None),
                Mailing.slot.not_in([slot for slot in Slot if slot.is_invitation]),
            )
            first = session.scalar(select(Mailing.slot).where(*to_come).order_by(Mailing.due_at).limit(1))
            moved = session.scalars(
                update(Mailing)
                .where(*to_come, Mailing.slot == first)
                .values(due_at=context.now())
                .returning(Mailing.person_id)
            ).all()
        self.planned.update(moved)

    def hasten_retries(self, *, up_to: int = 6) -> None:
        """Makes mail due now that was put off after so many attempts: pauses of minutes and hours are passed over."""
        with self.app.app_context(), context.transaction() as session:
            session.execute(
                update(Mail)
                .where(Mail.state == "waiting", Mail.attempts.between(1, up_to))
                .values(due_at=context.now())
            )

    def waiting_mails(self) -> int:
        """How many mails are due and not out."""
        with self.app.app_context(), context.reading() as session:
            now = context.now()
            unbound = select(func.count()).where(Mailing.mail_id.is_(None), Mailing.due_at <= now)
            unsent = select(func.count()).where(Mail.state == "waiting", Mail.due_at <= now)
            return (session.scalar(unbound) or 0) + (session.scalar(unsent) or 0)

    def sang_at(self) -> float:
        """When a task last came through the broker, as far as the database can be asked."""
        try:
            with self.app.app_context(), context.reading() as session:
                moment = canary.last_sang(session)
                return moment.timestamp() if moment else 0.0
        except DBAPIError:
            return 0.0

    def close(self, name: str) -> None:
        """Closes this round."""
        with self.app.app_context(), context.transaction() as session:
            cycles.close(session, self.rounds[name], actor_id=self.noor, now=context.now())

    def uncounted(self) -> int:
        """How many rounds still have their key."""
        try:
            with self.app.app_context(), context.reading() as session:
                return session.scalar(select(func.count()).where(Cycle.is_key_destroyed.is_(False))) or 0
        except DBAPIError:
            return len(self.rounds)

    def addresses(self) -> dict[uuid.UUID, str]:
        with self.app.app_context(), context.reading() as session:
            return dict(session.execute(select(Person.id, Person.address)).all())

    def answers(self) -> Counter[str]:
        """The envelopes, opened before the close: which invitation's answer lies in how many of them."""
        found: Counter[str] = Counter()
        with self.app.app_context(), context.reading() as session:
            for cycle_id in self.rounds.values():
                key = context.installation().keyring.read(cycle_id)
                boxes = session.scalars(
                    select(Envelope.box)
                    .join(Review, Review.id == Envelope.review_id)
                    .where(Review.cycle_id == cycle_id)
                )
                for box in boxes:
                    said = set(envelopes.unseal(box, key).answers.comments.values())
                    assert len(said) == 1, "an answer is made of two"
                    found[said.pop().removeprefix("said in ")] += 1
        return found

    def invitations(self) -> list[tuple[str, uuid.UUID, str, bool]]:
        """Of every invitation: its id, its rater, the round, and whether it is answered."""
        with self.app.app_context(), context.reading() as session:
            return [(str(id_), rater_id, name, state == State.DONE) for id_, rater_id, name, state in _invited(session)]

    def refused(self) -> set[uuid.UUID]:
        """Whose address is marked as one that takes no mail."""
        with self.app.app_context(), context.reading() as session:
            return set(session.scalars(select(RefusedAddress.person_id)))

    def answered(self) -> Counter[uuid.UUID]:
        """How many answered about whom, by review."""
        with self.app.app_context(), context.reading() as session:
            return Counter(session.scalars(select(Invitation.review_id).where(Invitation.state == State.DONE)).all())

    def miscounted(self, answered: Counter[uuid.UUID]) -> int:
        """Reviews whose figures rest on more or fewer answers than were given, and envelopes that are left."""
        with self.app.app_context(), context.reading() as session:
            counted = dict(
                session.execute(
                    select(Cell.review_id, func.max(Cell.n)).where(Cell.group == "peer").group_by(Cell.review_id)
                ).all()
            )
            left = session.scalar(select(func.count()).select_from(Envelope)) or 0
        return left + sum(counted.get(review_id) != number for review_id, number in answered.items() if number >= 4)

    def dispose(self) -> None:
        with self.app.app_context():
            context.installation().engine.dispose()


@contextmanager
def company(plant: Plant, size: int) -> Iterator[Company]:
    """A company of this size, and its connections closed in the end."""
    made = Company(plant, size)
    try:
        yield made
    finally:
        made.dispose()


def verdict(company: Company, plant: Plant, log: Log) -> dict[str, int]:
    """What must be nought, counted. To be asked while the rounds are still open and all is quiet."""
    answers, invitations, received = company.answers(), company.invitations(), plant.sink.received()
    done = {id_ for id_, _, _, is_done in invitations if is_done}
    addresses, marked = company.addresses(), company.refused()
    told = {(mail.address, name) for mail in received for name in mail.rounds}
    refuses = {person_id for person_id in addresses if addresses[person_id] in plant.sink.refused}
    untold = {
        (rater_id, name)
        for _, rater_id, name, is_done in invitations
        if not is_done and rater_id not in refuses and (addresses[rater_id], name) not in told
    }
    asked = {rater_id for _, rater_id, _, _ in invitations}
    different = Counter(address for address, _ in {(mail.address, mail.message_id) for mail in received})
    return {
        "answers lost (thanked, and no envelope)": len(set(log.sent) - set(answers)),
        "answers marked and not there": len(done - set(answers)),
        "answers there and not marked": len(set(answers) - done),
        "answers twice": sum(number - 1 for number in answers.values()),
        "invitations never sent": len(untold) + len(marked - refuses),
        "addresses that refuse, and are not marked": len((refuses & asked) - marked),
        "mails beyond the plan, with another Message-ID": sum(
            max(0, different[addresses[person_id]] - company.planned[person_id]) for person_id in asked
        ),
        "reminders to somebody who had finished": _too_late(invitations, received, log, addresses),
    }


def _too_late(
    invitations: Sequence[tuple[str, uuid.UUID, str, bool]],
    received: Sequence[Received],
    log: Log,
    addresses: dict[uuid.UUID, str],
) -> int:
    """Reminders of a round that were composed when their reader had answered everything that it asks of them."""
    times: dict[tuple[str, str], float] = {}
    for id_, rater_id, name, _ in invitations:
        key = (addresses[rater_id], name)
        times[key] = max(times.get(key, 0.0), log.sent.get(id_, float("inf")))
    # The date of a mail has whole seconds, so that it is never later than the truth.
    return sum(
        mail.composed_at > times[mail.address, name] for mail in received if mail.is_reminder for name in mail.rounds
    )


def _invited(session: Session) -> Sequence[Row[tuple[uuid.UUID, uuid.UUID, str, str]]]:
    return session.execute(
        select(Invitation.id, Invitation.rater_id, Cycle.name, Invitation.state)
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
    ).all()
