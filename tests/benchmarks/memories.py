"""How many answers the memory of the processes leads from to their raters, after the count: part of `make bench-links`.

44 raters answer over HTTP in a real installation; the round is closed and counted, and the key destroyed. Then root
reads the memory of every process. A link is a rater whose body, the token of whose form, whose cookie and whose mailed
link are all there; an older dump says whose link it was. The obvious design goes on with the processes that it has.
"""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path

import config as settings
from survey import context
from survey.app import create_app
from survey.services import people
from tests import installations, servers
from tests.attacks.test_a20_memory import ANSWERING, Walk
from tests.company import Company

RATERS = 44
DESIGNS: dict[str, dict[str, object]] = {
    "obvious design": {
        "web": "tests.attacks.weakened:unwatched_app()",
        "worker": ("--max-tasks-per-child", "1000"),
    },
    "this design": {},
}


def main() -> None:
    """Prints the links for each database and design, while the round is open and after the count."""
    print(f"\nLinks recovered from memory, of {RATERS} answers sent over HTTP")
    print(
        f"{'database':<12}{'design':<18}{'while open':>12}{'after the count, with memory':>30}{'bodies':>8}{'words':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        mailbox = servers.Mailbox()
        mailbox.start()
        try:
            for kind in ("postgresql", "sqlite"):
                for design in DESIGNS:
                    mailbox.messages.clear()
                    _run(databases, mailbox, kind, design)
        finally:
            mailbox.stop()
            databases.stop()


def _run(databases: servers.Databases, mailbox: servers.Mailbox, kind: str, design: str) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environ = {
            "SURVEY_MODE": "testing",
            "SURVEY_SECRET_KEY": secrets.token_urlsafe(48),
            "SURVEY_DATABASE_URL": databases.make(kind),
            "SURVEY_REDIS_URL": "redis://127.0.0.1:1/0",
            "SURVEY_KEY_DIRECTORY": str(folder / "keys"),
            "SURVEY_BASE_URL": "http://127.0.0.1:1",
            "SURVEY_SMTP_HOST": "127.0.0.1",
            "SURVEY_SMTP_PORT": str(mailbox.port),
            "SURVEY_MAIL_PACE": "at_once",
        }
        app = create_app(settings.load(environ))
        stack.enter_context(app.app_context())
        stack.callback(context.installation().engine.dispose)
        company = Company(app)
        names = [*ANSWERING, *(f"peer{number}" for number in range(RATERS - len(ANSWERING)))]
        with context.transaction() as session:
            for name in names[len(ANSWERING) :]:
                company.ids[name] = people.add(session, name.capitalize(), f"{name}@company.test").id
        running = installations.running(environ, folder, is_readable=True, **DESIGNS[design])  # type: ignore[arg-type]
        database = {kind: databases.pid()} if kind == "postgresql" else {}
        walk = Walk(stack.enter_context(running), mailbox, company, database, kind, names)
        walk.let_everybody_answer()
        before = walk.search()
        walk.close_and_count()
        if design == "this design":
            walk.wait_for_replacements()
        after = walk.search()
        # In PostgreSQL the comments are rows without a rater.
        held = {needle: what for each in after if each.part != kind for needle, what in each.needles.items()}
        bodies, words = (sum(what == each for what in held.values()) for each in ("bodies", "words"))
        counts = f"{walk.linked(before):>12}{walk.linked(after):>30}{bodies:>8}{words:>7}"
        print(f"{kind:<12}{design:<18}{counts}", flush=True)


if __name__ == "__main__":
    main()
