"""Storms over a company that answers, round after round; then what was done and what came of it, as a table."""

from __future__ import annotations

import random
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults import plant as plants
from tests.faults import rounds
from tests.faults.people import Log, Rater
from tests.faults.plant import Plant
from tests.faults.rounds import Company
from tests.faults.storm import Storm, Tally

PEOPLE = 24
HANDS = 4  # raters who answer at once
GUST = 60  # faults between the openings of two rounds
MEASURED = 10  # people under review, from which on a round is measured before it is counted
LAZY = 0.4  # the share of invitations that nobody follows before a reminder comes
BLINK = 0.05  # seconds; less is not printed
LAST_CALL = 30.0  # seconds for the last reminders, after the time
CALM = 300.0  # seconds in which everything has to be done after the faults


@dataclass
class Outcome:
    """What a run showed: what was done, what must be nought, and what else was counted."""

    database: str
    seed: int
    tally: Tally = field(default_factory=Tally)
    verdict: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """How many were injected."""
        return self.tally.struck.total()

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, and every part came back."""
        return not any(self.verdict.values()) and not self.tally.lasting

    def print(self) -> None:
        print(f"\n{self.database}, seed {self.seed}: {self.faults} faults")
        print(f"{'fault':<28}{'count':>6}   seconds until it was back: p50, p95, max")
        for kind, count in sorted(self.tally.struck.items()):
            seconds = self.tally.seconds[kind]
            times = [f"{rank(seconds, percent):>8.1f}" for percent in (50, 95, 100)]
            print(f"{kind:<28}{count:>6}", *(times if max(seconds) >= BLINK else ()), sep="")
        for name, number in {**self.verdict, **self.figures}.items():
            print(f"{name:<56}{number:>10.6g}")
        print("did not come back:", ", ".join(self.tally.lasting) or "none", flush=True)


class Crowd:
    """Raters who answer when mail comes, a few at once; some invitations lie until there is a reminder."""

    def __init__(self, plant: Plant, log: Log, seed: int) -> None:
        self._plant, self._log, self._seed = plant, log, seed
        self._pool = ThreadPoolExecutor(HANDS)
        self._seen = 0
        self._ends = threading.Event()
        self._jobs: list[Future[bool]] = []
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def is_done(self) -> bool:
        return self._seen == len(self._plant.sink.received()) and all(job.done() for job in self._jobs)

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()
        self._pool.shutdown()
        for job in self._jobs:
            job.result()

    def _watch(self) -> None:
        while not self._ends.wait(0.1):
            mails = self._plant.sink.received()
            for mail in mails[self._seen :]:
                seed = f"{self._seed} {mail.address} {len(self._jobs)}"
                if mail.token and (mail.is_reminder or random.Random(seed).random() > LAZY):
                    rater = Rater(self._plant.port, mail.token, self._log, seed)
                    self._jobs.append(self._pool.submit(rater.answer_all, self._ends.is_set))
            self._seen = len(mails)


def run(database: str, *, seed: int, faults: int, seconds: float, subjects: int = MEASURED) -> Outcome:
    """One run of this many faults, or of as many as fit into the time, after a calm round about so many subjects."""
    randomness = random.Random(seed)
    log = Log()
    with plants.running(database) as plant, rounds.company(plant, PEOPLE) as company:
        plant.sink.refused = {f"p{number}@company.test" for number in (0, 1)}
        storm = Storm(plant, company, randomness)
        outcome = Outcome(database, seed, storm.tally)
        crowd = Crowd(plant, log, seed)
        try:
            company.open(randomness, subjects=subjects)
            _be_through(company, storm, crowd)
            until = time.monotonic() + seconds
            outcome.verdict["mails twice, or tried again, before the first fault"] = (
                plant.sink.duplicates().total() + len(log.errors)
            )
            while outcome.faults < faults and time.monotonic() < until:
                company.open(randomness, subjects=4)
                # In a storm each attempt may fail; the last ones are kept for the quiet after it.
                company.hasten_retries(up_to=2)
                for name in list(company.rounds)[-3:-1]:
                    company.hasten_reminders(name)
                storm.blow(min(GUST, faults - outcome.faults), until)
                plants.wait_until(plant.is_database_there, 60, "the database")
                print(f"{outcome.faults} faults, {len(log.sent)} answers", file=sys.stderr, flush=True)
            outcome.figures["seconds until all was quiet"] = _be_through(company, storm, crowd)
            # Once more, now that every invitation is out: reminders race with those who just finish.
            for name in company.rounds:
                company.hasten_reminders(name)
            storm.blow(min(GUST, faults - outcome.faults, faults // 4), until + LAST_CALL)
            _be_through(company, storm, crowd)
        finally:
            crowd.stop()
        outcome.verdict |= rounds.verdict(company, plant, log)
        answered = company.answered()
        for name in company.rounds:
            company.close(name)
        # Each of its rounds goes through steps of its own while the worker is hit again and again.
        storm.ring("tasks.tally.sweep")
        storm.blow(min(GUST, faults // 4), time.monotonic() + 60, ("worker", "redis", "postgresql"))
        outcome.figures["seconds until all was counted"] = _be_counted(company, storm)
        outcome.verdict["reviews counted wrong, or envelopes left"] = company.miscounted(answered)
        _add_figures(outcome, plant, log, len(company.rounds), answered.total())
    return outcome


def _be_through(company: Company, storm: Storm, crowd: Crowd) -> float:
    """Waits until the parts work, all mail is out and everybody has answered; the value is how long that took."""

    def is_through() -> bool:
        company.hasten_retries()
        storm.ring("tasks.outbox.sweep")
        time.sleep(0.5)
        return company.waiting_mails() == 0 and crowd.is_done()

    return plants.wait_until(storm.works, CALM, "the parts") + plants.wait_until(is_through, CALM, "mail and answers")


def _be_counted(company: Company, storm: Storm) -> float:
    """Waits until every round is counted and its key destroyed; the value is how long that took."""

    def is_counted() -> bool:
        storm.ring("tasks.tally.sweep")
        time.sleep(1)
        return company.uncounted() == 0

    return plants.wait_until(is_counted, CALM, "the tally")


def _add_figures(outcome: Outcome, plant: Plant, log: Log, opened: int, answers: int) -> None:
    duplicates = plant.sink.duplicates().total()
    may_double = outcome.tally.may_double + plant.sink.drops
    outcome.verdict["duplicate mails beyond one per mail in hand at a fault"] = max(0, duplicates - may_double)
    outcome.figures |= {
        "rounds": opened,
        "answers": answers,
        "mails": len(plant.sink.received()),
        "reminders among them": sum(mail.is_reminder for mail in plant.sink.received()),
        "processes killed": outcome.tally.kills,
        "mails on which the server hung up after it took them": plant.sink.drops,
        "mails that came once more, with the same Message-ID": duplicates,
        "times that a rater had to try again": len(log.errors),
    }


def rank(seconds: list[float], percent: int) -> float:
    """The value that so many percent of these do not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
