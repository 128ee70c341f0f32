"""Sweeps look at what is due, and at nothing else. The short version of `make bench-tables`."""

from __future__ import annotations

import pytest

from survey import context
from tests.benchmarks import tables


def test_no_sweep_reads_the_rows_that_are_not_due(company):
    tables.measured(company, 2_000)


@pytest.mark.parametrize("index", ["ix_outbox_state_lease_until", "ix_mailing_due_at", "ix_outbox_state_due_at"])
def test_without_an_index_that_would_be_seen(company, index):
    with context.transaction() as session:
        session.connection().exec_driver_sql(f"DROP INDEX {index}")
    with pytest.raises(AssertionError, match=r"tasks\.outbox\.sweep"):
        tables.measured(company, 2_000)
