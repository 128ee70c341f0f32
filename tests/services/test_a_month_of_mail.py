"""A month of mail, time travelled through the real outbox: three overlapping rounds, and people who answer, decline,
put off or ignore it by a seed. `pytest -s` prints what went out."""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from survey import context
from survey.core import mailings as rules
from survey.core.days import end_of, local_day
from survey.core.letters import Kind, Letter
from survey.core.mailings import Pace
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, mailings, nominations, outbox, responses
from survey.store import mailings as plans
from survey.store.outbox import Mail
from survey.store.people import Person
from tests.company import answers_to

ZONES = [ZoneInfo(name) for name in ("Europe/Vienna", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")]
PACE = Pace(home=ZONES[0])
# Over the change of the clocks in New York and in Vienna. Opened on a Monday, later on that day, and on a Saturday.
ROUNDS = {
    "Spring round": (datetime(2026, 3, 2, 10, 0, tzinfo=UTC), end_of(date(2026, 3, 16), ZONES[0])),
    "Leads": (datetime(2026, 3, 2, 15, 0, tzinfo=UTC), end_of(date(2026, 3, 20), ZONES[0])),
    "Platform": (datetime(2026, 3, 14, 12, 0, tzinfo=UTC), end_of(date(2026, 3, 29), ZONES[0])),
}


@dataclass
class Month:
    """What happened, as the people saw it; `waiting` is what each of them was still asked, by round and name."""

    zones: dict[uuid.UUID, ZoneInfo]
    waiting: dict[uuid.UUID, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    asked: dict[uuid.UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    snoozed: dict[tuple[uuid.UUID, str], date | None] = field(default_factory=dict)
    mails: list[tuple[uuid.UUID, datetime, Letter]] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)

    def is_snoozed(self, person_id: uuid.UUID, name: str, day: date) -> bool:
        until = self.snoozed.get((person_id, name), date.min)
        return until is None or until > day


# On SQLite alone: that many people are a matter of time, not of the database.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_month_of_three_overlapping_rounds_for_300_people(company, clock):
    _live_through(company, clock, size=300)


def test_a_month_on_both_databases(company, clock):
    _live_through(company, clock, size=24)


def _live_through(company, clock, *, size):
    dice = random.Random(4)
    month = _people(size)
    # Everybody has dice of their own: in which order mails go out changes nothing.
    habits = {person_id: random.Random(number) for number, person_id in enumerate(month.zones)}
    idle = {person_id for person_id in month.zones if dice.random() < 0.2}
    opened = dict[str, uuid.UUID]()
    clock.moment = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    while clock.moment < datetime(2026, 4, 1, tzinfo=UTC):
        for name, (opens_at, closes_at) in ROUNDS.items():
            if name not in opened and clock.moment >= opens_at:
                opened[name] = _open(company, month, name, closes_at, dice)
        with context.transaction() as session:
            for cycle_id in cycles.due_to_close(session, now=clock.moment):
                assert cycles.close_due(session, cycle_id, now=clock.moment)
                gone = next(name for name, opened_id in opened.items() if opened_id == cycle_id)
                for waiting in month.waiting.values():
                    waiting -= {each for each in waiting if each[0] == gone}
        for person_id, letter in _sweep(clock.moment):
            _check(month, person_id, letter, clock.moment)
            month.mails.append((person_id, clock.moment, letter))
            if person_id not in idle:
                _act(month, person_id, letter, opened, clock.moment, habits[person_id])
        clock.moment += timedelta(hours=1)
    _check_that_nobody_is_forgotten(month, idle)
    _tell(month, idle, size)
    with context.reading() as session:
        assert session.scalars(select(Mail.state).where(Mail.state != "settled")).all() == []
        assert session.scalars(select(plans.Mailing.slot)).all() == []


def _check(month, person_id, letter, now):
    """Nothing out of hours, nothing twice a day, nothing about what is done, declined or put off."""
    zone = month.zones[person_id]
    local = now.astimezone(zone)
    assert local.weekday() < 5, f"a weekend: {local}"
    assert 9 <= local.hour < 17, f"not at work: {local}"
    earlier = [then.astimezone(zone).date() for other, then, _ in month.mails if other == person_id]
    assert local.date() not in earlier, "a second mail on one day"
    listed = {(part.cycle, colleague.name) for part in letter.parts for colleague in part.colleagues}
    wanted = {each for each in month.waiting[person_id] if not month.is_snoozed(person_id, each[0], local.date())}
    assert listed == wanted
    assert listed


def _check_that_nobody_is_forgotten(month, idle):
    """Who never says a word is told of each round once, and reminded on every day of the plan."""
    told = defaultdict(lambda: defaultdict(list))
    for person_id, then, letter in month.mails:
        for part in letter.parts:
            told[person_id][part.cycle].append((then, letter.kind))
    for person_id in idle:
        zone = month.zones[person_id]
        for name in month.asked[person_id]:
            opens_at, closes_at = ROUNDS[name]
            opening, *reminders = PACE.plan(opens_at.replace(minute=5), closes_at, zone)
            days = [local_day(then, zone) for then, _ in told[person_id][name]]
            assert told[person_id][name][0][1] is Kind.INVITATION
            next_day = rules.next_office_moment(opening.due_at, zone, after=local_day(opening.due_at, zone))
            assert local_day(opening.due_at, zone) <= days[0] <= local_day(next_day, zone)
            assert {local_day(each.due_at, zone) for each in reminders} <= set(days)
            assert len(reminders) == 3


def _act(month, person_id, letter, opened, now, dice):
    """What somebody does with a mail: answers some, declines one, puts a round off, stops its reminders, or nothing."""
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        with context.reading() as session:
            try:
                waiting = responses.waiting(session, letter.token)
            except responses.LinkClosed:
                return
            chosen = dice.choice(waiting)
            asked = responses.asked(session, letter.token, chosen.invitation_id)
        declines = dice.random() < 0.15
        with context.transaction() as session:
            if declines:
                responses.decline(session, letter.token, chosen.invitation_id, draft_secret=None)
            else:
                given = answers_to(asked.questionnaire)
                responses.submit(session, asked, given, draft_secret=None)
        month.acts["declined" if declines else "answered"] += 1
        month.waiting[person_id].discard((chosen.cycle, chosen.subject))
    left = [part for part in letter.parts if any(name == part.cycle for name, _ in month.waiting[person_id])]
    if not left or dice.random() > 0.35:
        return
    part = dice.choice(left)
    if letter.stop and dice.random() < 0.3:
        with context.transaction() as session:
            mailings.stop(session, letter.stop)
        for each in left:
            month.snoozed[person_id, each.cycle] = None
        month.acts["stopped by one click"] += 1
        return
    days = rules.days_to_choose(now, part.closes_at, month.zones[person_id])
    if days:
        day = dice.choice(days)
        with context.transaction() as session:
            mailings.snooze(session, letter.token, opened[part.cycle], day, pace=PACE, now=now)
        month.snoozed[person_id, part.cycle] = day
        month.acts["put off"] += 1


def _sweep(now):
    """What the task does, with every mail taken by the server."""
    out = []
    while True:
        with context.transaction() as session:
            mailings.gather(session, pace=PACE, now=now)
            leased = outbox.lease(session, now=now)
        for mail_id in leased:
            with context.transaction() as session:
                letter = outbox.compose(session, mail_id, leased_at=now, pace=PACE, now=now)
                person_id = session.get_one(Mail, mail_id).person_id
            if letter is not None:
                with context.transaction() as session:
                    outbox.sent(session, mail_id)
                out.append((person_id, letter))
        if not leased:
            return out


def _people(size):
    rows = [
        {"id": uuid.uuid4(), "name": f"Person {number:03}", "address": f"person{number}@company.test"}
        | {"time_zone": ZONES[number % len(ZONES)].key}
        for number in range(size)
    ]
    with context.transaction() as session:
        session.execute(insert(Person), rows)
    return Month({row["id"]: ZONES[number % len(ZONES)] for number, row in enumerate(rows)})


def _open(company, month, name, closes_at, dice):
    """A round about a sixth of the people, each seen by themselves and seven others."""
    everybody = list(month.zones)
    subjects = dice.sample(everybody, max(3, len(everybody) // 6))
    now = context.now()
    with context.transaction() as session:
        cycle = drafts.make(
            session,
            name,
            launcher_id=company.ids["marta"],
            minimum=4,
            closes_at=closes_at,
            zone=PACE.home,
            now=now,
        )
        names = {person.id: person.name for person in session.scalars(select(Person))}
        for subject in subjects:
            review = drafts.add_review(session, cycle.id, subject, [company.page_id])
            others = dice.sample([each for each in everybody if each != subject], 7)
            raters = {subject: Relationship.SELF} | dict.fromkeys(others, Relationship.PEER)
            nominations.choose(session, review.id, raters)
            for rater in raters:
                month.waiting[rater].add((name, names[subject]))
                month.asked[rater].add(name)
        cycles.open_(session, cycle.id, context.installation().keyring, pace=PACE, actor_id=None, now=now)
    return cycle.id


def _tell(month, idle, size):
    """The table of what went out."""
    per_day = Counter(then.date() for _, then, _ in month.mails)
    per_person = Counter(Counter(person_id for person_id, _, _ in month.mails).values())
    listed = Counter((part.cycle, letter.kind) for _, _, letter in month.mails for part in letter.parts)
    print(f"\n{size} people, {len(idle)} of whom never react; {len(month.mails)} mails in all")
    print("  " + ", ".join(f"{act}: {count}" for act, count in sorted(month.acts.items())))
    print(f"  {'round':<14}{'asked':>7}{'in invitations':>16}{'in reminders':>14}")
    for name in ROUNDS:
        asked = sum(name in theirs for theirs in month.asked.values())
        print(f"  {name:<14}{asked:>7}{listed[name, Kind.INVITATION]:>16}{listed[name, Kind.REMINDER]:>14}")
    print("  mails per person: " + ", ".join(f"{count} → {per_person[count]}" for count in sorted(per_person)))
    print("  mails per day (UTC): " + ", ".join(f"{day:%d %b} {count}" for day, count in sorted(per_day.items())))
