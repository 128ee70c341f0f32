"""The one place where things are wired together."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import jinja2
from celery import Celery
from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from werkzeug.middleware.proxy_fix import ProxyFix

import config as settings
from config import Config, MailPace
from survey import context, web
from survey.cli.arrivals import LARGEST_BODY
from survey.cli.logs import log_to_stderr
from survey.core import days
from survey.core.errors import BadInput, CopyOfKeys, KeysElsewhere, KeysExposed, NotFound, SurveyError
from survey.core.mailings import Pace
from survey.delivery import holidays
from survey.services import keys
from survey.store import base
from survey.store.keys import Keyring

ROOT = Path(__file__).resolve().parent.parent
BOOT = Path("/proc/sys/kernel/random/boot_id")
BROKER_TIMEOUT = 1.0  # seconds that a page may wait for a doorbell
YEARS_OF_HOLIDAYS = 5  # from the start of a process


def create_app(
    config: Config | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    is_audit: bool = False,
    is_command: bool = False,
) -> Flask:
    """The app for these settings, by default those of the environment.

    Raises config.BadConfig with every setting that is wrong, and if others could read the keys; an audit is let in
    then, because it reports that among what else it finds. What serves people is not made either where the directory
    of keys is not that of this installation; a command looks for itself, if it needs keys.
    """
    config = config or settings.load()
    if not is_audit:
        _refuse_exposed_keys(config)
    app = Flask("survey", root_path=str(ROOT / "survey"), template_folder=str(ROOT / "templates"))
    app.config.update(_flask_settings(config))
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.session_interface = _Sessions()
    app.extensions[context.EXTENSION] = wire(config, base.connect(config.database_url), clock=clock)
    app.extensions["config"] = config
    if not is_audit and not is_command:
        refuse_other_keys(app)
    if config.proxy_hops:
        hops = config.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    _add_company_accounts(app, config)
    web.register(app, CSRFProtect(app), redis_url=config.redis_url)
    _add_filters(app)
    _add_asset_hashes(app)
    return app


def wire(config: Config, engine: Engine, *, clock: Callable[[], datetime] | None) -> context.Installation:
    """The parts of an installation with these settings on this engine."""
    now = clock or (lambda: datetime.now(UTC))
    return context.Installation(
        engine=engine,
        write=base.writing(engine),
        read=base.reading(engine),
        look=base.looking(engine),
        step=base.one_step(engine),
        keyring=Keyring(config.key_directory),
        clock=now,
        ring=_doorbell(config.redis_url),
        base_url=config.base_url,
        company=config.company,
        secure=config.secure_cookies,
        pace=Pace(
            home=config.timezone,
            is_considerate=config.mail_pace is MailPace.OFFICE_HOURS,
            days_off=_days_off(config, now().year),
        ),
        metrics_token=config.metrics_token,
        invitations_kept=timedelta(days=config.invitations_kept_days),
        reports_kept_months=config.reports_kept_months,
        uptime=_unknown if clock else _uptime,
    )


def _uptime() -> tuple[str, timedelta]:
    """Since which boot this machine is up, and for how long, sleep and all; nothing where it does not say."""
    try:
        boot = BOOT.read_text(encoding="ascii").strip()
        return boot, timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return _unknown()


def _unknown() -> tuple[str, timedelta]:
    return "", timedelta(0)


def refuse_other_keys(app: Flask) -> None:
    """Raises config.BadConfig if the directory of keys is not that of this installation.

    Where the database does not answer nothing is known; whoever needs a key looks again.
    """
    with app.app_context():
        try:
            with context.reading() as session:
                keys.check(session, context.installation().keyring)
        except KeysElsewhere as error:
            if isinstance(error, CopyOfKeys):
                with context.transaction() as session:
                    keys.note_copy(session, now=context.now())
            raise settings.BadConfig(str(error)) from None
        except (OperationalError, ProgrammingError):
            return
        finally:
            # Processes that come of this one make connections of their own.
            context.installation().engine.dispose()


def command_line() -> None:
    """The `survey` command."""
    # Servers have no use for them.
    from survey.cli import commands  # noqa: PLC0415

    log_to_stderr()

    def make(environ: Mapping[str, str], *, is_audit: bool = False) -> Flask:
        try:
            return create_app(settings.load(environ), is_audit=is_audit, is_command=True)
        except settings.BadConfig as error:
            raise SurveyError(str(error)) from None

    commands.main(make)


def _days_off(config: Config, year: int) -> Mapping[date, str]:
    """The holidays for as long as a process and the rounds that it plans may last."""
    try:
        return holidays.of(config.holidays, range(year, year + YEARS_OF_HOLIDAYS))
    except BadInput as error:
        raise settings.BadConfig(f"These settings cannot be used: SURVEY_HOLIDAYS. {error}") from None


def _refuse_exposed_keys(config: Config) -> None:
    url = make_url(config.database_url)
    file = url.database if url.get_backend_name() == "sqlite" else None
    try:
        Keyring(config.key_directory).check(Path(file).parent if file else None)
    except KeysExposed as error:
        raise settings.BadConfig(str(error)) from None


def _flask_settings(config: Config) -> dict[str, object]:
    return {
        "SECRET_KEY": config.secret_key,
        "SECRET_KEY_FALLBACKS": list(config.secret_key_fallbacks),
        "TRUSTED_HOSTS": list(config.trusted_hosts),
        "MAX_CONTENT_LENGTH": LARGEST_BODY,
        "MAX_FORM_MEMORY_SIZE": LARGEST_BODY,
        "MAX_FORM_PARTS": 5_000,
        "SESSION_COOKIE_NAME": "__Host-session" if config.secure_cookies else "session",
        "SESSION_COOKIE_SECURE": config.secure_cookies,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        # So that a page that was open while the key was changed can still be sent: the last one signs.
        "WTF_CSRF_SECRET_KEY": [*config.secret_key_fallbacks, config.secret_key],
        # The default hour would lose the work of slow raters.
        "WTF_CSRF_TIME_LIMIT": None,
        "SEND_FILE_MAX_AGE_DEFAULT": 31_536_000,
        "PREFERRED_URL_SCHEME": "https" if config.secure_cookies else "http",
    }


def _add_company_accounts(app: Flask, config: Config) -> None:
    """Signing in at the company's own OpenID provider, where one is named. Nothing is fetched before it is used."""
    if not config.oidc_issuer:
        app.extensions[context.COMPANY_ACCOUNTS] = None
        return
    # Most installations name none, and need not load what speaks with one.
    from survey.delivery import providers  # noqa: PLC0415

    client = providers.register(app, config.oidc_issuer, config.oidc_client_id, config.oidc_client_secret)
    app.extensions[context.COMPANY_ACCOUNTS] = client


class _Sessions(SecureCookieSessionInterface):
    """Flask's sessions in signed cookies. What signs them is made once, not for each request."""

    _signing: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs and reads the cookie of this app, whose secret stays the same for as long as it runs."""
        if self._signing is None:
            self._signing = super().get_signing_serializer(app)
        return self._signing


def _doorbell(redis_url: str) -> Callable[[str], None]:
    bell = Celery("doorbell", broker=redis_url)
    bell.conf.update(
        broker_transport=context.DOORBELLS,
        broker_transport_options={
            "socket_timeout": BROKER_TIMEOUT,
            "socket_connect_timeout": BROKER_TIMEOUT,
            "max_retries": 0,
        },
        broker_connection_timeout=BROKER_TIMEOUT,
        task_ignore_result=True,
    )

    def ring(task: str) -> None:
        bell.send_task(task, retry=False)

    return ring


def _add_filters(app: Flask) -> None:
    def day(moment: datetime | date, zone: tzinfo | None = None) -> str:
        """A day, or that of a moment in a zone that must be said."""
        return days.in_words(days.local_day(moment, _said(zone)) if isinstance(moment, datetime) else moment)

    def short_day(day: date) -> str:
        return f"{day.day} {day:%b}"

    def moment(moment: datetime, zone: tzinfo) -> str:
        return days.moment_in_words(moment, zone)

    def one_decimal(value: float) -> str:
        return f"{value:.1f}"

    for name, function in (("day", day), ("short_day", short_day), ("moment", moment), ("one_decimal", one_decimal)):
        app.template_filter(name)(function)


def _said(zone: tzinfo | None) -> tzinfo:
    if zone is None:
        raise ValueError("A moment has no day: say in which zone.")
    return zone


def _add_asset_hashes(app: Flask) -> None:
    """Static files have a hash of their content in their name, and no other name: browsers may keep them for ever.

    They are sent compressed to whoever can read that.
    """
    folder = ROOT / "survey" / "static"
    named: dict[str, str] = {}
    for path in filter(Path.is_file, folder.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        named[path.relative_to(folder).as_posix()] = (
            path.relative_to(folder).with_stem(f"{path.stem}.{digest}").as_posix()
        )
    files = {name: file for file, name in named.items()}
    # No secret is in them. Pages hold one, beside words of others, and are sent as they are.
    packed = {name: gzip.compress((folder / file).read_bytes(), mtime=0) for name, file in files.items()}

    @app.url_defaults
    def add_hash(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == "static":
            file = str(values["filename"])
            values["filename"] = named.get(file, file)

    def send(filename: str) -> Response:
        if filename not in files:
            raise NotFound("There is no such file.")
        if request.accept_encodings.quality("gzip") > 0:
            response = Response(packed[filename], mimetype=mimetypes.guess_type(filename)[0])
            response.content_encoding = "gzip"
        else:
            response = app.send_static_file(files[filename])
        response.vary.add("Accept-Encoding")
        return response

    app.view_functions["static"] = send
