"""How many answers can be traced to their raters: in the design that looks anonymous, and in this one.

Run with `python -m tests.benchmarks.links`. 200 raters answer one after the other about one person, in an order that
the attackers know; each writes a word that nobody else uses. The round is closed, counted and vacuumed. Then every
attack of tests/attacks/attackers.py is tried on the database: joins by transaction, row numbers, the place in the
file, the order of every column. A link is a rater whose own words were named.

Then the same while the round is open, by somebody who has the key as well: with one copy, taken after 196 answers, a
shake and four more; and with a copy after each answer. In the obvious design there is no key: its rows are read.

The obvious design keeps a row per response: random key, no foreign key to a rater, no time. It writes it in the
transaction that marks the rater, or in one of its own. Guessing gives one link on average; the best of many attacks
is then a handful.
"""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select, text

from survey import context
from survey.core.shakes import HANDFUL
from survey.store import envelopes
from survey.store.invitations import Invitation, State
from tasks import shakes
from tests import servers
from tests.attacks import attackers, rounds, snapshots, weakened
from tests.attacks.attackers import Place, Result
from tests.attacks.rounds import Crowd, as_built
from tests.company import Company

RATERS = 200
COMMENTS = [Place("comment", "text", f"item = '1.seek_feedback.{number}'") for number in (1, 2, 3)]
DESIGNS = {
    "obvious design, one transaction": (weakened.in_one_transaction, [weakened.RESPONSES]),
    "obvious design, two transactions": (weakened.in_two_transactions, [weakened.RESPONSES]),
    "this design": (as_built, COMMENTS),
}

WHILE_OPEN: dict[str, Callable[..., None]] = {
    "obvious design, one transaction": weakened.in_one_transaction,
    "this design": as_built,
}


def main() -> None:
    """Prints the links that were recovered, for each database and design."""
    print(f"Links recovered, of {RATERS} answers given in a known order\n")
    print(f"{'database':<12}{'design':<34}{'links':>6}  {'by':<26}{'attacks':>8}{'order (Spearman)':>18}")
    with _databases() as databases:
        for kind in ("postgresql", "sqlite"):
            for design, (give, places) in DESIGNS.items():
                results = _attacked(databases, kind, give, places)
                name, best = max(results, key=lambda found: found[1].links)
                order = max(abs(result.correlation) for _, result in results)
                print(f"{kind:<12}{design:<34}{best.links:>6}  {name:<26}{len(results):>8}{order:>18.2f}", flush=True)
    chance = _best_by_chance(len(results))
    print(f"\nThe best of {len(results)} blind guesses names {chance:.1f} of {RATERS} on average.")
    _show_open_rounds()


def _show_open_rounds() -> None:
    """Prints what copies of an open round and its key link, for each database and design."""
    print(f"\nLinks recovered while the round is open, of {RATERS} answers, with the key\n")
    print(f"{'database':<12}{'design':<34}{'one copy':>10}  {'by':<20}{'copies after each answer':>26}")
    with _databases() as databases:
        for kind in ("postgresql", "sqlite"):
            for design, give in WHILE_OPEN.items():
                with _crowd(databases, kind) as crowd:
                    one, repeated = _watched(crowd, give)
                name, links = max(one.items(), key=lambda found: found[1])
                print(f"{kind:<12}{design:<34}{links:>10}  {name:<20}{repeated:>26}", flush=True)


def _watched(crowd: Crowd, give: Callable[..., None]) -> tuple[dict[str, int], int]:
    """What one copy links, and what somebody links who copies after each answer."""
    is_sealed = give is as_built
    weakened.add_responses(crowd.engine)
    seen, marks = _copied(crowd, is_sealed=is_sealed)
    repeated = 0
    for number in range(1, RATERS + 1):
        crowd.answer(give, first=1)
        said, done = _copied(crowd, is_sealed=is_sealed)
        came, brought = done - marks, said - seen
        repeated += len(came) == len(brought) == 1 and crowd.truth[next(iter(came))] in next(iter(brought))
        seen, marks = said, done
        if is_sealed and number % HANDFUL == 0 and number < RATERS:
            shakes.sweep()
    if is_sealed:
        return snapshots.linked(crowd), repeated
    found = attackers.recover(crowd.engine, weakened.RESPONSES, crowd.order, crowd.truth)
    return {name: result.links for name, result in found.items()}, repeated


def _copied(crowd: Crowd, *, is_sealed: bool) -> tuple[set[str], set[uuid.UUID]]:
    """Every answer as one reads it who has the key, and who is done."""
    with crowd.engine.connect() as connection:
        marks = set(connection.scalars(select(Invitation.rater_id).where(Invitation.state == State.DONE)))
        if not is_sealed:
            return set(connection.scalars(text("SELECT body FROM response"))), marks
        boxes = connection.scalars(text("SELECT box FROM envelope")).all()
    key = context.installation().keyring.read(crowd.cycle_id)
    return {" ".join(envelopes.unseal(box, key).answers.comments.values()) for box in boxes}, marks


@contextmanager
def _crowd(databases: servers.Databases, kind: str) -> Iterator[Crowd]:
    with tempfile.TemporaryDirectory() as folder, rounds.installation(databases, kind, Path(folder)) as app:
        yield rounds.gather(Company(app), RATERS)


def _attacked(
    databases: servers.Databases, kind: str, give: Callable[..., None], places: Sequence[Place]
) -> list[tuple[str, Result]]:
    """What every attack gave on a new database of this kind."""
    with tempfile.TemporaryDirectory() as folder, rounds.installation(databases, kind, Path(folder)) as app:
        crowd: Crowd = rounds.gather(Company(app), RATERS)
        weakened.add_responses(crowd.engine)
        crowd.answer(give)
        crowd.close_and_count()
        crowd.vacuum()
        return [
            found
            for place in places
            for found in attackers.recover(crowd.engine, place, crowd.order, crowd.truth).items()
        ]


def _best_by_chance(attacks: int, *, times: int = 400) -> float:
    """The most links of so many random orders, each read forwards and backwards, on average."""
    dice = random.Random(RATERS)
    best = 0
    for _ in range(times):
        best += max(_fixed(dice) for _ in range(2 * attacks))
    return best / times


def _fixed(dice: random.Random) -> int:
    order = dice.sample(range(RATERS), RATERS)
    return sum(place == rater for place, rater in enumerate(order))


@contextmanager
def _databases() -> Iterator[servers.Databases]:
    with tempfile.TemporaryDirectory() as folder:
        made = servers.Databases(Path(folder))
        yield made
        made.stop()


if __name__ == "__main__":
    main()
