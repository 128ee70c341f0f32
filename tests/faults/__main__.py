"""Breaks parts while people answer, checks that nothing is lost, then measures how soon work goes on.

python -m tests.faults --minutes 20 --seed 360
"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.faults import harness, proofs

DATABASES = ("postgresql", "sqlite")


def main() -> None:
    """Storms on each database, then the proofs with a clock; fails if anything is not nought that must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6, help="for the storms; the proofs take about ten more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=100_000, help="at most so many on each database")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--only", choices=["storms", "proofs"])
    chosen = parser.parse_args()
    # Whoever ends it, everything that it started is stopped first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = DATABASES if chosen.database == "both" else (chosen.database,)
    is_good = True
    for name in names if chosen.only != "proofs" else ():
        seconds = chosen.minutes * 60 / len(names)
        outcome = harness.run(name, seed=chosen.seed, faults=chosen.faults, seconds=seconds)
        outcome.print()
        is_good &= outcome.is_good
    if chosen.only != "storms":
        is_good &= proofs.run(list(proofs.PROOFS))
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
