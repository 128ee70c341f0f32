"""The Celery app. A message is a doorbell: what is to be done stands in the database, and a sweep finds it."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, worker_process_init
from flask import Flask

from config import Config
from survey import context
from survey.app import create_app
from survey.cli.logs import log_others_to_stderr, log_to_stderr
from survey.context import EXTENSION
from tasks.schedule import SCHEDULE

TIME_LIMIT = 120
VISIBILITY = 300


class TaskFailed(Exception):
    """A task ended with an error. Says its kind and the line of code, never its text: that may hold an answer."""


def make_worker(app: Flask) -> Celery:
    """A Celery app whose tasks run inside this Flask app."""
    config: Config = app.extensions["config"]

    class InContext(Task):
        """A task with the app around it."""

        abstract = True

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            try:
                with app.app_context():
                    return self.run(*args, **kwargs)
            except Exception as error:
                raise TaskFailed(context.described(error)) from None

    worker = Celery("survey", broker=config.redis_url, task_cls=InContext, include=TASKS)
    worker.conf.update(
        beat_schedule=SCHEDULE,
        timezone="UTC",
        task_ignore_result=True,
        # A task that was taken and not finished is given to somebody else; every task here may run twice.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=TIME_LIMIT,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # Longer than any task may run, or it would run twice at once.
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
        },
        worker_hijack_root_logger=False,
    )
    return worker


TASKS = ["tasks.outbox", "tasks.cycles", "tasks.tally", "tasks.people", "tasks.releases", "tasks.retention"]


def _make() -> Celery:
    log_to_stderr()
    app = create_app()
    worker = make_worker(app)

    @setup_logging.connect(weak=False)
    def log_as_the_program_does(**_: object) -> None:
        # With a receiver Celery leaves logging alone: its own lines would name the error of a task by its text.
        log_others_to_stderr()

    @worker_process_init.connect(weak=False)
    def leave_connections_to_the_parent(**_: object) -> None:
        # A connection that two processes write to answers the wrong one.
        app.extensions[EXTENSION].engine.dispose(close=False)

    return worker


celery = _make()
