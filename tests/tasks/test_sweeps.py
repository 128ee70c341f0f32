"""Sweeps look at what is due, visits at what is asked for. The short version of `make bench-tables`."""

from __future__ import annotations

import pytest

from survey import context
from tests.benchmarks import tables
from tests.benchmarks.visits import Visits


def test_no_sweep_reads_the_rows_that_are_not_due_and_no_visit_those_of_others(company):
    tables.measured(company, 2_000, Visits(company))


@pytest.mark.parametrize(
    ("index", "task"),
    [
        ("ix_outbox_state_lease_until", "outbox.sweep"),
        ("ix_mailing_due_at", "outbox.sweep"),
        ("ix_sign_in_expires_at", "retention.delete_due"),
    ],
)
def test_without_an_index_that_would_be_seen(company, index, task):
    with context.transaction() as session:
        session.connection().exec_driver_sql(f"DROP INDEX {index}")
    with pytest.raises(AssertionError, match=task):
        tables.measured(company, 2_000)
