"""What has been kept long enough is deleted."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.core.clocks import Sweeps
from survey.services import retention, sign_ins
from survey.store import base
from tasks import clocks


@shared_task(name="tasks.retention.delete_due")
def delete_due() -> int:
    """Deletes what is due; the value is how many rounds lost invitations or reports. Harmless when it runs twice."""
    now, kept = context.now(), context.kept()
    with context.transaction() as session:
        sign_ins.forget_expired(session, now=now)
    if not clocks.may(Sweeps.DELETIONS):
        return 0
    with context.transaction() as session:
        done = retention.delete_invitations(session, before=kept.invitations_from, now=now)
    with context.transaction() as session:
        done += retention.delete_reports(session, before=kept.reports_from, now=now)
    if done:
        base.rewrite(context.installation().engine, retention.touched())
    return done
