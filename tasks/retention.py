"""What has been kept long enough is deleted."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.core.retention import months_before
from survey.services import retention, sign_ins
from survey.store import base


@shared_task(name="tasks.retention.delete_due")
def delete_due() -> int:
    """Deletes what is due; the value is how many rounds lost invitations or reports. Harmless when it runs twice."""
    now, kept = context.now(), context.installation()
    with context.transaction() as session:
        sign_ins.forget_expired(session, now=now)
    with context.transaction() as session:
        done = retention.delete_invitations(session, before=now - kept.invitations_kept, now=now)
    with context.transaction() as session:
        today = now.astimezone(kept.pace.home)
        done += retention.delete_reports(session, before=months_before(today, kept.reports_kept_months), now=now)
    if done:
        base.rewrite(kept.engine, retention.touched())
    return done
