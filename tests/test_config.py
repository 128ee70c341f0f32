"""Settings: all are checked at the start, and what is wrong is said in one sentence without a secret."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import config
from config import BadConfig, Config, MailPace, Mode, SmtpSecurity

KEY = "k" * 32
COMPLETE = {
    "SURVEY_SECRET_KEY": KEY,
    "SURVEY_DATABASE_URL": "postgresql+psycopg://survey:db-secret@db/survey",
    "SURVEY_REDIS_URL": "redis://:redis-secret@queue:6379/0",
    "SURVEY_KEY_DIRECTORY": "/var/lib/survey/keys",
    "SURVEY_BASE_URL": "https://feedback.example.org",
    "SURVEY_SMTP_HOST": "mail.example.org",
    "SURVEY_MAIL_FROM": "Feedback <feedback@example.org>",
}
PROVIDER = {
    "SURVEY_OIDC_ISSUER": "https://login.example.org",
    "SURVEY_OIDC_CLIENT_ID": "seek-feedback",
    "SURVEY_OIDC_CLIENT_SECRET": "oidc-secret",
}
LOGIN = {"SURVEY_SMTP_USERNAME": "mailer", "SURVEY_SMTP_PASSWORD": "mail-secret"}


def test_the_required_settings_are_enough_and_the_rest_has_safe_values() -> None:
    assert config.load(COMPLETE) == Config(
        mode=Mode.PRODUCTION,
        secret_key=KEY,
        secret_key_fallbacks=(),
        database_url="postgresql+psycopg://survey:db-secret@db/survey",
        redis_url="redis://:redis-secret@queue:6379/0",
        key_directory=Path("/var/lib/survey/keys"),
        base_url="https://feedback.example.org",
        trusted_hosts=("feedback.example.org",),
        proxy_hops=0,
        smtp_host="mail.example.org",
        smtp_port=587,
        smtp_username="",
        smtp_password="",
        smtp_security=SmtpSecurity.STARTTLS,
        mail_from="Feedback <feedback@example.org>",
        mail_pace=MailPace.OFFICE_HOURS,
        company="Your company",
        timezone=ZoneInfo("UTC"),
        holidays=(),
        oidc_issuer="",
        oidc_client_id="",
        oidc_client_secret="",
        metrics_token="",
        invitations_kept_days=30,
        reports_kept_months=24,
    )


def test_every_setting_can_be_changed() -> None:
    changed = config.load(
        COMPLETE
        | {
            "SURVEY_SECRET_KEY_FALLBACKS": f"{'a' * 32}, {'b' * 32}",
            "SURVEY_BASE_URL": "https://Feedback.example.org:8443/",
            "SURVEY_TRUSTED_HOSTS": "feedback.example.org, .internal",
            "SURVEY_PROXY_HOPS": "2",
            "SURVEY_SMTP_PORT": "2525",
            "SURVEY_SMTP_USERNAME": "mailer",
            "SURVEY_SMTP_PASSWORD": "mail-secret",
            "SURVEY_SMTP_SECURITY": "tls",
            "SURVEY_MAIL_PACE": "at_once",
            "SURVEY_COMPANY": "Møller & Søn",
            "SURVEY_TIMEZONE": "Europe/Copenhagen",
            "SURVEY_HOLIDAYS": "dk, DE-SH",
            "SURVEY_OIDC_ISSUER": "https://login.example.org/",
            "SURVEY_OIDC_CLIENT_ID": "seek-feedback",
            "SURVEY_OIDC_CLIENT_SECRET": "oidc-secret",
            "SURVEY_METRICS_TOKEN": "m" * 32,
            "SURVEY_INVITATIONS_KEPT_DAYS": "7",
            "SURVEY_REPORTS_KEPT_MONTHS": "12",
        }
    )
    assert changed.secret_key_fallbacks == ("a" * 32, "b" * 32)
    assert changed.base_url == "https://feedback.example.org:8443"
    assert changed.trusted_hosts == ("feedback.example.org", ".internal")
    assert (changed.proxy_hops, changed.smtp_port) == (2, 2525)
    assert (changed.smtp_username, changed.smtp_password) == ("mailer", "mail-secret")
    assert changed.smtp_security is SmtpSecurity.TLS
    assert changed.mail_pace is MailPace.AT_ONCE
    assert (changed.company, changed.timezone.key) == ("Møller & Søn", "Europe/Copenhagen")
    assert changed.holidays == ("DK", "DE-SH")
    assert changed.oidc_issuer == "https://login.example.org"
    assert (changed.oidc_client_id, changed.oidc_client_secret) == ("seek-feedback", "oidc-secret")
    assert changed.metrics_token == "m" * 32
    assert (changed.invitations_kept_days, changed.reports_kept_months) == (7, 12)


def test_a_provider_of_company_accounts_is_named_whole_or_not_at_all(refusal: Refusal) -> None:
    said = refusal(COMPLETE | {"SURVEY_OIDC_ISSUER": "https://login.example.org"})
    assert said == (
        "These settings cannot be used: SURVEY_OIDC_ISSUER must be set together with SURVEY_OIDC_CLIENT_ID and "
        "SURVEY_OIDC_CLIENT_SECRET."
    )
    assert "must be https://" in refusal(COMPLETE | {"SURVEY_OIDC_ISSUER": "http://login.example.org"})


def test_without_an_argument_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    for name in set(config.VARIABLES) - set(COMPLETE):
        monkeypatch.delenv(name, raising=False)
    assert config.load() == config.load(COMPLETE)


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_in_production_each_required_setting_is_missed_by_name(name: str, refusal: Refusal) -> None:
    assert refusal(COMPLETE | {name: "  "}) == f"These settings cannot be used: {name} is not set."


@pytest.mark.parametrize("mode", ["demo", "testing"])
def test_the_other_modes_give_up_only_the_sender_and_the_protected_mail(mode: str, refusal: Refusal) -> None:
    relaxed = config.load(without(COMPLETE, "SURVEY_MAIL_FROM") | {"SURVEY_MODE": mode})
    assert relaxed.mode == mode
    assert relaxed.smtp_security is SmtpSecurity.NONE
    assert relaxed.smtp_port == 25
    assert "@" in relaxed.mail_from
    for name in set(COMPLETE) - {"SURVEY_MAIL_FROM"}:
        assert f"{name} is not set" in refusal(without(COMPLETE, name) | {"SURVEY_MODE": mode})
    assert "must be https" in refusal(
        COMPLETE | {"SURVEY_MODE": mode, "SURVEY_BASE_URL": "http://feedback.example.org"}
    )


def test_all_problems_are_told_in_one_sentence(refusal: Refusal) -> None:
    assert refusal({"SURVEY_BASE_URL": "ftp://x", "SURVEY_SECRET_KEY": "short"}) == (
        "These settings cannot be used: "
        "SURVEY_BASE_URL must be http:// or https:// with a host and no path; "
        "SURVEY_SECRET_KEY must have at least 32 characters; "
        "SURVEY_DATABASE_URL is not set; "
        "SURVEY_REDIS_URL is not set; "
        "SURVEY_KEY_DIRECTORY is not set; "
        "SURVEY_SMTP_HOST is not set; "
        "SURVEY_MAIL_FROM is not set."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SURVEY_MODE", "debug"),
        ("SURVEY_SECRET_KEY", "k" * 31),
        ("SURVEY_SECRET_KEY_FALLBACKS", f"{KEY},short"),
        ("SURVEY_DATABASE_URL", "sqlite:///relative.sqlite"),
        ("SURVEY_DATABASE_URL", "sqlite://"),
        ("SURVEY_DATABASE_URL", "sqlite:////"),
        ("SURVEY_DATABASE_URL", "mysql://db/survey"),
        ("SURVEY_DATABASE_URL", "postgresql://db"),
        ("SURVEY_DATABASE_URL", "postgresql://db:port/survey"),
        ("SURVEY_REDIS_URL", "http://queue"),
        ("SURVEY_REDIS_URL", "redis://"),
        ("SURVEY_REDIS_URL", "redis://queue:99999"),
        ("SURVEY_KEY_DIRECTORY", "keys"),
        ("SURVEY_BASE_URL", "feedback.example.org"),
        ("SURVEY_BASE_URL", "https://"),
        ("SURVEY_BASE_URL", "https://feedback.example.org/app"),
        ("SURVEY_BASE_URL", "https://feedback.example.org?x=1"),
        ("SURVEY_BASE_URL", "https://me@feedback.example.org"),
        ("SURVEY_BASE_URL", "https://feedback.example.org:port"),
        ("SURVEY_BASE_URL", "http://feedback.example.org"),
        ("SURVEY_BASE_URL", "http://localhost.example.org"),
        ("SURVEY_TRUSTED_HOSTS", "*"),
        ("SURVEY_TRUSTED_HOSTS", ","),
        ("SURVEY_TRUSTED_HOSTS", "https://feedback.example.org"),
        ("SURVEY_PROXY_HOPS", "6"),
        ("SURVEY_PROXY_HOPS", "-1"),
        ("SURVEY_PROXY_HOPS", "one"),
        ("SURVEY_SMTP_HOST", "mail.example.org:25"),
        ("SURVEY_SMTP_PORT", "0"),
        ("SURVEY_SMTP_PORT", "65536"),
        ("SURVEY_SMTP_PORT", "٢٥"),
        ("SURVEY_SMTP_USERNAME", "mailer"),
        ("SURVEY_SMTP_SECURITY", "ssl"),
        ("SURVEY_MAIL_FROM", "feedback"),
        ("SURVEY_MAIL_FROM", "feedback@example.org\r\nBcc: all@example.org"),
        ("SURVEY_COMPANY", "Acme\nInc"),
        ("SURVEY_TIMEZONE", "Mars/Olympus"),
        ("SURVEY_TIMEZONE", "../UTC"),
        ("SURVEY_METRICS_TOKEN", "m" * 31),
        ("SURVEY_METRICS_TOKEN", "two words " * 4),
        ("SURVEY_INVITATIONS_KEPT_DAYS", "0"),
        ("SURVEY_REPORTS_KEPT_MONTHS", "for ever"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, refusal: Refusal) -> None:
    sentence = refusal(COMPLETE | {name: value})
    assert sentence.startswith(f"These settings cannot be used: {name} ")
    assert "\n" not in sentence
    assert "; " not in sentence


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_plain_http_is_for_this_machine_alone_and_so_are_cookies_without_secure(host: str) -> None:
    local = config.load(COMPLETE | {"SURVEY_BASE_URL": f"http://{host}:8360"})
    assert not local.secure_cookies
    assert local.trusted_hosts == (host,)
    assert config.load(COMPLETE).secure_cookies


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            "postgresql://u:p@db:5432/survey?sslmode=require",
            "postgresql+psycopg://u:p@db:5432/survey?sslmode=require",
        ),
        (
            "postgresql://postgres:@/postgres?host=/run/pg",
            "postgresql+psycopg://postgres:@/postgres?host=/run/pg",
        ),
        ("postgresql+psycopg://db/survey", "postgresql+psycopg://db/survey"),
        ("sqlite:////var/lib/survey/feedback.sqlite", "sqlite:////var/lib/survey/feedback.sqlite"),
    ],
)
def test_postgresql_is_always_spoken_through_psycopg_3(given: str, kept: str) -> None:
    assert config.load(COMPLETE | {"SURVEY_DATABASE_URL": given}).database_url == kept


def test_a_password_is_never_sent_over_an_open_network(refusal: Refusal) -> None:
    login = LOGIN | {"SURVEY_SMTP_SECURITY": "none"}
    assert "SURVEY_SMTP_SECURITY must be starttls or tls" in refusal(COMPLETE | login)
    assert config.load(COMPLETE | login | {"SURVEY_SMTP_HOST": "localhost"}).smtp_username == "mailer"


@pytest.mark.parametrize("name", config.SECRETS)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    given = COMPLETE | LOGIN | PROVIDER | {"SURVEY_SECRET_KEY_FALLBACKS": "f" * 32, "SURVEY_METRICS_TOKEN": "m" * 32}
    path = tmp_path / "secret"
    path.write_text(given[name] + "\n", encoding="utf-8")
    assert config.load(without(given, name) | {f"{name}_FILE": str(path)}) == config.load(given)


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    missing = {"SURVEY_SECRET_KEY_FILE": str(tmp_path / "missing")}
    empty = tmp_path / "empty"
    empty.touch()
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    keyless = without(COMPLETE, "SURVEY_SECRET_KEY")
    assert refusal(keyless | missing).endswith("SURVEY_SECRET_KEY_FILE names a file that cannot be read.")
    assert refusal(keyless | {"SURVEY_SECRET_KEY_FILE": str(empty)}).endswith("names an empty file.")
    assert refusal(keyless | {"SURVEY_SECRET_KEY_FILE": str(binary)}).endswith("cannot be read.")
    assert "set twice" in refusal(COMPLETE | missing)


def test_no_secret_is_in_the_repr_or_in_a_refusal(refusal: Refusal) -> None:
    secrets = LOGIN | {"SURVEY_SECRET_KEY_FALLBACKS": "f" * 40}
    hidden = (KEY, "f" * 40, "mail-secret", "db-secret", "redis-secret")
    shown = repr(config.load(COMPLETE | secrets))
    assert "feedback.example.org" in shown
    assert not [secret for secret in hidden if secret in shown]
    bad = {
        "SURVEY_SECRET_KEY": "mail-secret",
        "SURVEY_SECRET_KEY_FALLBACKS": "redis-secret",
        "SURVEY_DATABASE_URL": "mysql://u:db-secret@db/survey",
        "SURVEY_REDIS_URL": "http://:redis-secret@queue",
    }
    sentence = refusal(COMPLETE | bad)
    assert sentence.count("must") == len(bad)
    assert not [secret for secret in hidden if secret in sentence]


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.load(COMPLETE).base_url = "http://elsewhere"  # type: ignore[misc]


def test_reading_the_settings_needs_nothing_but_the_standard_library() -> None:
    folder = str(Path(config.__file__).parent)
    program = f"import sys; sys.path.append({folder!r}); import config"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


def without(environ: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key != name}


Refusal = Callable[[dict[str, str]], str]


@pytest.fixture
def refusal() -> Refusal:
    def sentence(environ: dict[str, str]) -> str:
        with pytest.raises(BadConfig) as refused:
            config.load(environ)
        return str(refused.value)

    return sentence
