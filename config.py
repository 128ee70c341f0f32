"""The settings of one installation, read from the environment; a bad one is refused before a start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

PREFIX = "SURVEY_"
SHORTEST_KEY = 32
LOOPBACK = ("localhost", "127.0.0.1")


class BadConfig(Exception):
    """Settings that cannot be used; the text is one sentence that names every variable at fault."""


class Mode(StrEnum):
    """What the installation is for."""

    PRODUCTION = "production"
    DEMO = "demo"
    TESTING = "testing"


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class MailPace(StrEnum):
    """When mail about waiting reviews goes out."""

    OFFICE_HOURS = "office_hours"  # of each person, and at most one a working day
    AT_ONCE = "at_once"  # for trying things out


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, checked. The field `x` is the variable `SURVEY_X`; `repr` leaves out secrets."""

    mode: Mode
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    key_directory: Path
    base_url: str
    trusted_hosts: tuple[str, ...]
    proxy_hops: int
    smtp_host: str
    smtp_port: int
    smtp_username: str
    smtp_password: str = field(repr=False)
    smtp_security: SmtpSecurity
    mail_from: str
    mail_pace: MailPace
    company: str
    timezone: ZoneInfo
    holidays: tuple[str, ...]
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    metrics_token: str = field(repr=False)
    invitations_kept_days: int
    reports_kept_months: int

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers come over https, so that cookies must be marked Secure."""
        return self.base_url.startswith("https://")


VARIABLES: tuple[str, ...] = tuple(PREFIX + each.name.upper() for each in fields(Config))
"""The names of all variables."""

SECRETS: tuple[str, ...] = tuple(PREFIX + each.name.upper() for each in fields(Config) if not each.repr)
"""Those that may instead be given as the path of a file, in a variable whose name ends in `_FILE`."""


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Return the settings in `environ` (default: the environment of this process).

    An empty variable counts as one that is not set. Raises BadConfig with everything that is wrong.
    """
    found = _Settings(os.environ if environ is None else environ)
    mode = found.choice("MODE", Mode, Mode.PRODUCTION)
    in_production = mode is Mode.PRODUCTION
    base = found.base_url("BASE_URL")
    security = found.choice(
        "SMTP_SECURITY", SmtpSecurity, SmtpSecurity.STARTTLS if in_production else SmtpSecurity.NONE
    )
    config = Config(
        mode=mode,
        secret_key=found.key("SECRET_KEY"),
        secret_key_fallbacks=found.older_keys("SECRET_KEY_FALLBACKS"),
        database_url=found.database_url("DATABASE_URL"),
        redis_url=found.redis_url("REDIS_URL"),
        key_directory=found.directory("KEY_DIRECTORY"),
        base_url=f"{base.scheme}://{base.netloc.lower()}",
        trusted_hosts=found.hosts("TRUSTED_HOSTS", base.hostname or ""),
        proxy_hops=found.whole("PROXY_HOPS", default=0, low=0, high=5),
        smtp_host=found.host("SMTP_HOST"),
        smtp_port=found.whole("SMTP_PORT", default=_PORTS[security], low=1, high=65535),
        smtp_username=found.text("SMTP_USERNAME"),
        smtp_password=found.secret("SMTP_PASSWORD"),
        smtp_security=security,
        mail_from=found.sender("MAIL_FROM", None if in_production else _SENDER),
        mail_pace=found.choice("MAIL_PACE", MailPace, MailPace.AT_ONCE if mode is Mode.DEMO else MailPace.OFFICE_HOURS),
        company=found.line("COMPANY", "Your company"),
        timezone=found.timezone("TIMEZONE"),
        holidays=found.places("HOLIDAYS"),
        oidc_issuer=found.issuer("OIDC_ISSUER"),
        oidc_client_id=found.line("OIDC_CLIENT_ID", ""),
        oidc_client_secret=found.secret("OIDC_CLIENT_SECRET"),
        metrics_token=found.token("METRICS_TOKEN"),
        invitations_kept_days=found.whole("INVITATIONS_KEPT_DAYS", default=30, low=1, high=3650),
        reports_kept_months=found.whole("REPORTS_KEPT_MONTHS", default=24, low=1, high=120),
    )
    found.refuse_half_a_login(config)
    found.refuse_half_a_provider(config)
    found.refuse_if_bad()
    return config


_PORTS = {SmtpSecurity.NONE: 25, SmtpSecurity.STARTTLS: 587, SmtpSecurity.TLS: 465}
_SENDER = "Seek Feedback <feedback@company.example>"
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_DIGITS = re.compile(r"[0-9]{1,5}")

_Choice = TypeVar("_Choice", bound=StrEnum)


class _Settings:
    """Reads one variable after another and remembers every problem, so that all are told at once.

    A variable with a problem yields some value of its type; `refuse_if_bad` keeps it from being used.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def refuse_if_bad(self) -> None:
        if self._problems:
            raise BadConfig("These settings cannot be used: " + "; ".join(self._problems) + ".")

    def text(self, name: str, default: str | None = "") -> str:
        """Return the variable's text; without a default it must be there."""
        value = self._environ.get(PREFIX + name, "").strip()
        if value:
            return value
        if default is None:
            self._bad(name, "is not set")
        return default or ""

    def secret(self, name: str, default: str | None = "") -> str:
        """Return the text of the variable, or of the file that `…_FILE` names."""
        path = self._environ.get(f"{PREFIX}{name}_FILE", "").strip()
        if not path:
            return self.text(name, default)
        if self.text(name):
            return self._bad(name, f"is set twice, also as {PREFIX}{name}_FILE")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return self._bad(f"{name}_FILE", "names a file that cannot be read")
        return value or self._bad(f"{name}_FILE", "names an empty file")

    def choice(self, name: str, kind: type[_Choice], default: _Choice) -> _Choice:
        value = self.text(name, default.value)
        try:
            return kind(value)
        except ValueError:
            self._bad(name, "must be one of " + ", ".join(kind))
            return default

    def whole(self, name: str, *, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not _DIGITS.fullmatch(value) or not low <= int(value) <= high:
            self._bad(name, f"must be a whole number from {low} to {high}")
            return default
        return int(value)

    def line(self, name: str, default: str | None) -> str:
        """Return a text that can stand in the header of a mail."""
        value = self.text(name, default)
        return value if len(value.splitlines()) <= 1 else self._bad(name, "must be one line of text")

    def key(self, name: str) -> str:
        value = self.secret(name, None)
        if value and len(value) < SHORTEST_KEY:
            self._bad(name, f"must have at least {SHORTEST_KEY} characters")
        return value

    def token(self, name: str) -> str:
        value = self.secret(name)
        if value and (len(value) < SHORTEST_KEY or not (value.isascii() and value.isprintable() and " " not in value)):
            return self._bad(name, f"must have at least {SHORTEST_KEY} characters, all of them ASCII and no spaces")
        return value

    def older_keys(self, name: str) -> tuple[str, ...]:
        keys = _parts(self.secret(name))
        if any(len(key) < SHORTEST_KEY for key in keys):
            self._bad(name, f"must be keys of at least {SHORTEST_KEY} characters, with commas between them")
        return keys

    def database_url(self, name: str) -> str:
        value = self.secret(name, None)
        if not value:
            return value
        for scheme in ("postgresql://", "postgresql+psycopg://"):
            if value.startswith(scheme) and _database_name(value):
                return "postgresql+psycopg://" + value.removeprefix(scheme)
        if not re.fullmatch(r"sqlite:////[^/?][^?]*", value):
            self._bad(
                name,
                "must be postgresql+psycopg:// with the name of a database, or sqlite:/// with an absolute path",
            )
        return value

    def redis_url(self, name: str) -> str:
        value = self.secret(name, None)
        url = _split(value)
        if value and (url is None or url.scheme not in ("redis", "rediss") or not url.hostname):
            self._bad(name, "must be redis:// or rediss:// with a host")
        return value

    def directory(self, name: str) -> Path:
        value = self.text(name, None)
        if value and not Path(value).is_absolute():
            self._bad(name, "must be an absolute path")
        return Path(value)

    def base_url(self, name: str) -> SplitResult:
        """Return the parts of the address that people use; plain http is for this machine alone."""
        value = self.text(name, None)
        url = _split(value)
        if (
            url is None
            or url.scheme not in ("http", "https")
            or not _HOST.fullmatch(url.hostname or "")
            or url.path not in ("", "/")
            or url.query
            or url.fragment
            or "@" in url.netloc
        ):
            if value:
                self._bad(name, "must be http:// or https:// with a host and no path")
            return urlsplit("")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            self._bad(name, "must be https:// unless its host is " + " or ".join(LOOPBACK))
        return url

    def issuer(self, name: str) -> str:
        """Return the address of the OpenID provider, without a slash at its end; plain http is for this machine."""
        value = self.text(name)
        url = _split(value)
        if value and (
            url is None
            or url.scheme not in ("http", "https")
            or not url.hostname
            or (url.scheme == "http" and url.hostname not in LOOPBACK)
        ):
            return self._bad(name, "must be https:// and the address of the provider")
        return value.rstrip("/")

    def host(self, name: str) -> str:
        value = self.text(name, None)
        return value if not value or _HOST.fullmatch(value) else self._bad(name, "must be the name of a host")

    def hosts(self, name: str, default: str) -> tuple[str, ...]:
        value = self.text(name, default)
        names = _parts(value)
        if value and not (names and all(_HOST.fullmatch(host.removeprefix(".")) for host in names)):
            self._bad(name, "must be names of hosts, with commas between them")
        return names

    def sender(self, name: str, default: str | None) -> str:
        value = self.line(name, default)
        mailbox, _, domain = parseaddr(value)[1].rpartition("@")
        if value and not (mailbox and _HOST.fullmatch(domain)):
            self._bad(name, "must be a mail address, with or without a name before it")
        return value

    def timezone(self, name: str) -> ZoneInfo:
        value = self.text(name, "UTC")
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            self._bad(name, "must be the name of a time zone, such as Europe/Vienna")
            return ZoneInfo("UTC")

    def places(self, name: str) -> tuple[str, ...]:
        """Return ISO codes of countries or parts of them; whether there are such places is not known here."""
        codes = _parts(self.text(name).upper())
        if not all(_PLACE.fullmatch(code) for code in codes):
            self._bad(name, "must be codes such as AT or DE-BY, with commas between them")
        return codes

    def refuse_half_a_login(self, config: Config) -> None:
        """Refuse a name without a password, and one that would cross a network unprotected."""
        if bool(config.smtp_username) != bool(config.smtp_password):
            self._bad("SMTP_USERNAME", f"and {PREFIX}SMTP_PASSWORD must be set together")
        unprotected = config.smtp_security is SmtpSecurity.NONE and config.smtp_host not in LOOPBACK
        if config.smtp_username and unprotected:
            self._bad("SMTP_SECURITY", "must be starttls or tls where a password is sent")

    def refuse_half_a_provider(self, config: Config) -> None:
        """Refuse a provider of company accounts of which something is missing."""
        given = (config.oidc_issuer, config.oidc_client_id, config.oidc_client_secret)
        if any(given) and not all(given):
            names = f"{PREFIX}OIDC_CLIENT_ID and {PREFIX}OIDC_CLIENT_SECRET"
            self._bad("OIDC_ISSUER", f"must be set together with {names}")

    def _bad(self, name: str, problem: str) -> str:
        self._problems.append(f"{PREFIX}{name} {problem}")
        return ""


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _split(value: str) -> SplitResult | None:
    try:
        url = urlsplit(value)
        # Reading the port is what makes urlsplit check it.
        _ = url.port
    except ValueError:
        return None
    return url


def _database_name(value: str) -> str:
    url = _split(value)
    return url.path.strip("/") if url else ""
