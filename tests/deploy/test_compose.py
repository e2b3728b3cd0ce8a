"""docker-compose.yml and Dockerfile, as far as they can be judged without a Docker engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft7Validator

from app.cli import main
from app.settings import NAMED_BY, read_settings
from engine.yaml_source import read_yaml
from tests.npm import Npm
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = read_yaml((ROOT / "docker-compose.yml").read_bytes(), "docker-compose.yml").value
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
ONCE = {
    waited
    for service in SERVICES.values()
    for waited, how in service.get("depends_on", {}).items()
    if how["condition"] == "service_completed_successfully"
}
"""Services that do one thing and end: it is waited for their end, not for their health."""

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINNED = re.compile(r"[a-z0-9./_-]+:\d+\.\d+(\.\d+)?(-[a-z0-9]+)*(@sha256:[0-9a-f]{64})?")


def test_it_is_a_compose_file_by_the_specification(npm: Npm) -> None:
    schema = Draft7Validator(npm.schema_of_compose_files())
    assert [error.message for error in schema.iter_errors(COMPOSE)] == []
    wrong = {**COMPOSE, "services": {"engine": {"imagine": "no such key"}}}
    assert not schema.is_valid(wrong)


def test_the_docker_client_takes_it_where_it_has_compose(tmp_path: Path) -> None:
    there = (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, timeout=PATIENCE, check=False
        ).returncode
    )
    if not there:
        pytest.skip("docker compose is not here: install docker-compose-plugin to check with it")
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "secrets").mkdir()
    for file in ("postgres.env", "pmo.env"):
        (tmp_path / "secrets" / file).write_text("X=y\n")
    subprocess.run(
        ["docker", "compose", "config", "-q"], cwd=tmp_path, timeout=PATIENCE, check=True
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_watched_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"]), "an exact version"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("privileged") is None
    assert service.get("read_only") is True or name == "kafka"
    if name in ONCE:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "retries"}
        assert service["healthcheck"]["test"][0] == "CMD"


def test_nobody_waits_for_a_service_that_cannot_tell_when_it_is_ready() -> None:
    for name, service in SERVICES.items():
        for waited, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if waited in ONCE else "service_healthy"
            assert how == {"condition": wanted}, (name, waited)
            assert waited in ONCE or "healthcheck" in SERVICES[waited]


def test_what_is_reached_from_outside_is_reached_from_this_machine_only() -> None:
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_no_secret_stands_in_a_file_that_is_kept() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"PASS|SECRET|TOKEN|API_KEY", variable), (name, variable)
            assert not re.search(r"//[^/@]*:[^/@]*@", value), "a password in an address"
    files = {service["env_file"] for service in SERVICES.values() if "env_file" in service}
    assert files == {"secrets/postgres.env", "secrets/init.env", "secrets/pmo.env"}
    assert "secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    told = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert all(file in told for file in files), "how they are made"


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_of_ours_runs_is_something_pmo_can_do(name: str) -> None:
    service = SERVICES[name]
    assert service["build"] == "."
    resolve(service["command"])
    check = service.get("healthcheck", {}).get("test", ["CMD"])[1:]
    if check and check[0] == "pmo":
        resolve(check[1:])


def resolve(words: list[str]) -> None:
    """The words as a command line: raises where ``pmo`` would not take it. Nothing is run."""
    # With its settings: a command keeps the help option that it is first made with.
    context = click.Context(main, **main.context_settings)
    verb, command, rest = main.resolve_command(context, [*words])
    assert verb is not None
    assert command is not None
    command.make_context(verb, rest, parent=context)


def test_a_command_line_that_pmo_does_not_take_is_noticed() -> None:
    for words in (["serv"], ["serve", "--no-such-option"], ["log", "--limit", "many"]):
        with pytest.raises(click.UsageError):
            resolve(words)


def test_all_of_ours_are_the_same_program_with_the_same_home() -> None:
    for part in ("image", "volumes", "read_only", "tmpfs"):
        assert len({str(SERVICES[name][part]) for name in OURS}) == 1, part
    places = {name: role_and_place(name) for name in OURS}
    assert len({place for _, place in places.values()}) == 1
    assert {name for name, (role, _) in places.items() if role == OWNER} == {"init"}
    assert {role for role, _ in places.values()} == {OWNER, APP}
    assert SERVICES["init"]["command"] == ["init", "--admit", APP]
    files = {name: SERVICES[name]["env_file"] for name in OURS}
    assert [name for name in OURS if files[name] == files["init"]] == ["init"], "its password"


OWNER, APP = "pmo", "pmo_app"


def role_and_place(name: str) -> tuple[str, str]:
    """By which role a service works, and where its home is."""
    match = re.fullmatch(r"postgresql://(\w+)@(\S+)", SERVICES[name]["environment"]["PMO_HOME"])
    assert match is not None
    return match[1], match[2]


def test_the_settings_that_are_mounted_can_be_read_and_fit_the_services(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounted, inside, _ = SERVICES["engine"]["volumes"][0].split(":")
    assert SERVICES["engine"]["environment"][NAMED_BY] == inside
    monkeypatch.setenv(NAMED_BY, str(ROOT / mounted))
    settings = read_settings(None)
    assert settings.kafka is not None
    assert settings.kafka.bootstrap == ["kafka:9092"]
    assert settings.serve is not None
    monkeypatch.setenv("PMO_API_KEY", "0123456789abcdef0123456789abcdef")
    settings.serve.check()
    port = SERVICES["engine"]["ports"][0].rpartition(":")[2]
    assert settings.serve.port == int(port)
    assert f":{port}/ready" in SERVICES["engine"]["healthcheck"]["test"][-1]


def test_every_file_and_volume_that_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for source, *_ in (volume.split(":") for volume in service.get("volumes", ())):
            assert (ROOT / source).exists() if "/" in source else source in COMPOSE["volumes"]


def test_the_image_is_pinned_copies_what_is_there_and_runs_as_nobody_special() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(PINNED.fullmatch(base) for base in bases)
    assert len(set(bases)) == 1
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert all((ROOT / word).exists() for word in copied)
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in allowed if line.startswith("!")} == copied


def test_what_the_image_installs_has_every_file_that_the_program_needs(tmp_path: Path) -> None:
    """The image holds an installed wheel, not a checkout: a file that it leaves out is missing."""
    source = tmp_path / "src"
    packages = re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)
    for name in packages:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(
        [*command, "--quiet", "--disable-pip-version-check", "--wheel-dir", str(tmp_path)],
        cwd=source,
        timeout=PATIENCE,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(source).as_posix()
        for name in packages
        for path in (source / name).rglob("*")
        if path.is_file()
    }
    assert wanted - held == set()


def test_the_roles_are_no_superusers_and_one_owns_only_its_database() -> None:
    script = (ROOT / "deploy" / "postgres-roles.sh").read_text(encoding="utf-8")
    subprocess.run(["bash", "-n"], input=script, text=True, timeout=PATIENCE, check=True)
    host, base = role_and_place("init")[1].split(":5432/")
    assert host in SERVICES
    for role in (OWNER, APP):
        assert f"CREATE ROLE {role} LOGIN NOSUPERUSER " in script
    assert f"CREATE DATABASE {base} OWNER {OWNER} " in script
