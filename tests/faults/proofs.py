"""Proofs with a clock, and one with ten thousand mails; each prints what it measured and what must hold."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.faults import plant as plants
from tests.faults import rounds
from tests.faults.harness import rank
from tests.faults.people import Log, Rater
from tests.faults.plant import Plant

PEOPLE = 40
SECONDS = 240  # in which a crowd has to be through
AWAY = 5.0  # seconds for which redis is gone


@dataclass(frozen=True)
class Proof:
    """Figures by name, and what must hold of them by name."""

    figures: dict[str, float]
    holds: dict[str, bool]


def worker_killed(database: str, *, times: int) -> Proof:
    """Seconds from the kill of a whole worker amid a batch of mail until each mail of its batch was out."""
    seconds: list[float] = []
    with plants.running(database) as plant, rounds.company(plant, PEOPLE) as company:
        randomness = random.Random(1)
        for _ in range(times):
            before = len(plant.sink.received())
            company.open(randomness, subjects=8)
            plants.wait_until(lambda since=before: len(plant.sink.received()) > since + 3, 90, "the first mail")
            plant.parts["worker"].kill()
            killed, had = time.time(), len(plant.sink.received())
            plant.parts["worker"].start()
            plants.wait_until(lambda: company.waiting_mails() == 0, 200, "the mail")
            seconds += [mail.at - killed for mail in plant.sink.received()[had:]]
        again = plant.sink.duplicates().total()
    return Proof(
        _ranks(seconds) | {"mails after a kill": len(seconds), "kills": times, "mails that came once more": again},
        {"p95 within 30 s": rank(seconds, 95) <= 30, "at most one mail twice per kill": again <= times},
    )


def redis_wiped(database: str, *, times: int) -> Proof:
    """Seconds from the return of an empty redis until all mail was out that became due while it was gone."""
    took = []
    with plants.running(database) as plant, rounds.company(plant, PEOPLE) as company:
        for turn in range(times):
            plant.parts["redis"].kill()
            company.open(random.Random(turn), subjects=8)
            time.sleep(AWAY)
            plant.parts["redis"].start()
            took.append(plants.wait_until(lambda: company.waiting_mails() == 0, 120, "the mail"))
        mails = len(plant.sink.received())
    return Proof(
        {"times": times, "mails": mails, "all out after, at most, s": max(took)},
        {"all mail out within 60 s": max(took) <= 60},
    )


def without_redis(database: str, *, turns: int) -> Proof:
    """How long sending an answer takes with redis, and after redis was killed; the same raters, in turn."""
    logs = {"redis there": Log(), "redis gone": Log()}
    with plants.running(database) as plant, rounds.company(plant, PEOPLE) as company:
        for turn in range(turns):
            for words, log in logs.items():
                _set_redis(plant, is_there=words == "redis there")
                company.open(random.Random(f"{turn} {words}"), subjects=6)
                _answer_everything(plant, company.links(), log, hands=3)
        answers = company.answers()
        lost = {id_ for log in logs.values() for id_ in log.sent} - set(answers)
    figures: dict[str, float] = {}
    for words, log in logs.items():
        figures |= {f"{words}: {name}": value for name, value in _ranks(log.seconds["send"]).items()}
        figures |= {f"{words}: answers": len(log.sent), f"{words}: errors": len(log.errors)}
    return Proof(
        figures,
        {
            "no answer lost": not lost,
            "no error without redis": not logs["redis gone"].errors,
            # As much as two crowds of the same kind differ on a machine that others use as well.
            "p95 without redis at most a quarter more": figures["redis gone: p95 s"]
            <= 1.25 * figures["redis there: p95 s"],
        },
    )


def postgresql_restarted(*, times: int) -> Proof:
    """Seconds after the return of PostgreSQL at which a rater still saw a 5xx, while raters answer all the time."""
    outages: list[tuple[float, float]] = []
    log = Log()
    with plants.running("postgresql") as plant, rounds.company(plant, PEOPLE) as company:
        for turn in range(times):
            company.open(random.Random(turn), subjects=20)
            links = company.links()
            raters = threading.Thread(target=_answer_everything, args=(plant, links, log), kwargs={"hands": 4})
            raters.start()
            time.sleep(3)
            gone = time.time()
            plant.parts["postgresql"].end(signal.SIGINT)
            time.sleep(1)
            plant.parts["postgresql"].start()
            plants.wait_until(plant.is_database_there, 30, "PostgreSQL")
            outages.append((gone, time.time()))
            raters.join()
        lost = len(set(log.sent) - set(company.answers()))
    failed = [at for at, words in log.errors if words.rpartition(" ")[2].startswith("5")]
    before = [max((outage for outage in outages if outage[0] <= at), default=(at, at)) for at in failed]
    late = [at - back for at, (_, back) in zip(failed, before, strict=True)]
    return Proof(
        {
            "restarts": times,
            "answers": len(log.sent),
            "5xx in all": len(failed),
            "5xx after it was back": sum(seconds > 0 for seconds in late),
            "the latest of them, s": max(0.0, *late, 0.0),
            "answers lost": lost,
        },
        {"no answer lost": not lost, "no 5xx later than 10 s": max(late, default=0.0) <= 10},
    )


def many_mails(database: str, *, people: int, times: int) -> Proof:
    """Nothing breaks, both children of the worker send all the time, and everybody is mailed once in each round."""
    with plants.running(database) as plant, rounds.company(plant, people + 1) as company:
        began = time.monotonic()
        for turn in range(times):
            company.open_for_everybody()
            plants.wait_until(
                lambda due=(turn + 1) * people: len(plant.sink.received()) >= due, 1200, "the mail of a round"
            )
            plants.wait_until(lambda: company.waiting_mails() == 0, 60, "the end of a round")
            company.close(f"Round {turn + 1}")
        took = time.monotonic() - began
        received = plant.sink.received()
        again = plant.sink.duplicates().total()
        told = Counter((mail.address, name) for mail in received for name in mail.rounds)
    return Proof(
        {"mails": len(received), "mails a second": len(received) / took, "mails that came once more": again},
        {
            "nothing twice": again == 0 and max(told.values()) == 1,
            "everybody told of every round": len(told) == len(received) == people * times,
        },
    )


def run(names: Iterable[str]) -> bool:
    """Runs these proofs, prints what each measured, and tells whether everything holds that must."""
    is_good = True
    for name in names:
        proof = PROOFS[name]()
        print(f"\n{name}")
        for words, value in proof.figures.items():
            print(f"    {words:<48}{value:>10.6g}")
        for words, holds in proof.holds.items():
            print(f"    {words:<48}{'yes' if holds else 'NO':>10}", flush=True)
        is_good &= all(proof.holds.values())
    return is_good


def _answer_everything(plant: Plant, tokens: Sequence[str], log: Log, *, hands: int) -> None:
    """Answers what these links ask, by so many raters at once; each tries again until it is done."""
    until = time.monotonic() + SECONDS
    waiting = list(tokens)
    lock = threading.Lock()

    def one_after_the_other() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                token = waiting.pop()
            Rater(plant.port, token, log, token).answer_all(lambda: time.monotonic() > until)

    threads = [threading.Thread(target=one_after_the_other) for _ in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _set_redis(plant: Plant, *, is_there: bool) -> None:
    if not is_there:
        plant.parts["redis"].kill()
    elif not plant.is_redis_there():
        plant.parts["redis"].start()
        plants.wait_until(plant.is_redis_there, 10, "redis")


def _ranks(seconds: list[float]) -> dict[str, float]:
    return {f"p{percent} s": rank(seconds, percent) for percent in (50, 95)} | {"max s": max(seconds)}


PROOFS: dict[str, Callable[[], Proof]] = {
    "worker killed, postgresql": lambda: worker_killed("postgresql", times=8),
    "worker killed, sqlite": lambda: worker_killed("sqlite", times=4),
    "redis wiped, postgresql": lambda: redis_wiped("postgresql", times=3),
    "redis gone, postgresql": lambda: without_redis("postgresql", turns=3),
    "redis gone, sqlite": lambda: without_redis("sqlite", turns=3),
    "postgresql restarted": lambda: postgresql_restarted(times=5),
    "ten thousand mails, postgresql": lambda: many_mails("postgresql", people=2_000, times=5),
}
