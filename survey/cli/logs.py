"""Logs of every process: JSON lines with an allow-list of fields. A token, address or answer has no field to stand in.

What other packages log is reduced to its unfilled template ("Booting worker with pid: %s"), since what they would
fill in is what must not be there. Where they filled it in themselves only the place in their code is left: gunicorn
names the address and a part of a request that way.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from gunicorn.glogging import Logger

FIELDS = frozenset({"event", "level", "timestamp", "task", "error", "count", "review", "cycle", "route", "status"})


def log_to_stderr() -> None:
    """Has this process log to standard error, its own lines and those of other packages."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            _allowed_fields_only,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def log_others_to_stderr() -> None:
    """Has what other packages log through the standard library go the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Template())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _allowed_fields_only(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {name: value for name, value in event.items() if name in FIELDS}


class Template(logging.Formatter):
    """A record as JSON: its template without what belongs in it, or its place; the task, and the kind of its error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "event": record.msg
            if record.args and isinstance(record.msg, str)
            else f"{record.module}.{record.funcName}",
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if isinstance(record.args, Mapping) and isinstance(record.args.get("name"), str):
            line["task"] = record.args["name"]
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


class WebLogger(Logger):  # type: ignore[misc]
    """Gunicorn's logger: JSON, and no log of requests whatever the options say."""

    def setup(self, cfg: Any) -> None:
        """Sets the loggers up as gunicorn does, then gives each handler this format."""
        super().setup(cfg)
        log_to_stderr()
        for handler in self.error_log.handlers:
            handler.setFormatter(Template())

    def warning(self, msg: str, *args: object, **kwargs: Any) -> None:
        """As gunicorn's own, with the place from which it was called."""
        super().warning(msg, *args, **{"stacklevel": 3} | kwargs)

    def error(self, msg: str, *args: object, **kwargs: Any) -> None:
        """As gunicorn's own, with the place from which it was called."""
        super().error(msg, *args, **{"stacklevel": 3} | kwargs)

    def access(self, *_: object) -> None:
        """Says nothing: who asked for which page, and when, is nobody's business."""
