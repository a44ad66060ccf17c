"""The settings of each mode: production fails closed, nothing secret is built in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from pytest_django.fixtures import Settings as SettingsWrapper

_PRODUCTION = {
    "HOCBA_MODE": "production",
    "HOCBA_PUBLIC_HOST": "hocba.example.vn",
    "HOCBA_PG_HOST": "/run/postgresql",
    "HOCBA_BROKER_URL": "redis+socket:///run/redis/redis.sock?virtual_host=0",
    "DJANGO_SETTINGS_MODULE": "portal.settings.production",
}


def _run(checkout: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _secrets(folder: Path, key: str = "k" * 25 + "0123456789" * 4) -> dict[str, str]:
    (folder / "hocba_secret_key").write_text(key)
    return {"HOCBA_SECRETS_DIR": str(folder)}


@pytest.mark.parametrize("missing", ["HOCBA_PUBLIC_HOST", "HOCBA_PG_HOST", "HOCBA_BROKER_URL"])
def test_production_refuses_to_start_without_a_value_and_names_it(checkout: Path, tmp_path: Path, missing: str) -> None:
    env = {name: value for name, value in _PRODUCTION.items() if name != missing}
    done = _run(checkout, "from django.conf import settings; settings.DEBUG", **env, **_secrets(tmp_path))
    assert done.returncode != 0
    assert missing in done.stderr


def test_production_refuses_to_start_without_its_secret(checkout: Path) -> None:
    done = _run(checkout, "from django.conf import settings; settings.DEBUG", **_PRODUCTION)
    assert done.returncode != 0
    assert "HOCBA_SECRET_KEY" in done.stderr
    assert "hocba_secret_key" in done.stderr


def test_production_refuses_a_short_secret(checkout: Path, tmp_path: Path) -> None:
    done = _run(
        checkout, "from django.conf import settings; settings.DEBUG", **_PRODUCTION, **_secrets(tmp_path, "khoa-ngan")
    )
    assert "HOCBA_SECRET_KEY" in done.stderr
    assert "khoa-ngan" not in done.stderr


def test_the_deployment_check_has_nothing_to_say(checkout: Path, tmp_path: Path) -> None:
    code = (
        "import django, sys; django.setup(); from django.core import checks;"
        "found = checks.run_checks(include_deployment_checks=True);"
        "print([str(one) for one in found if one.level >= 30 and one.id != 'gateway.W001'])"
    )
    (tmp_path / "uploads").mkdir()
    # A key in a file is refused in production (records.E001): the department's key is said to be at a remote service.
    key = {
        "HOCBA_KEY_KIND": "remote",
        "HOCBA_REMOTE_URL": "https://ky.example",
        "HOCBA_REMOTE_CREDENTIAL": "so-gddt",
    }
    done = _run(checkout, code, **_PRODUCTION, **_secrets(tmp_path), **key, HOCBA_VAR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    done = _run(checkout, code, **_PRODUCTION, **_secrets(tmp_path), HOCBA_VAR=str(tmp_path))
    assert "records.E001" in done.stdout


def test_production_starts_nothing_embedded(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--production"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "systemd" in done.stderr


def test_two_processes_agree_on_the_secret_of_an_embedded_installation(checkout: Path, tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.SECRET_KEY)"
    env = {"HOCBA_VAR": str(tmp_path / "var"), "DJANGO_SETTINGS_MODULE": "portal.settings.embedded"}
    first, second = _run(checkout, code, **env), _run(checkout, code, **env)
    assert first.stdout == second.stdout
    assert len(first.stdout) > 60
    secret = tmp_path / "var" / "secrets" / "django"
    assert secret.stat().st_mode & 0o077 == 0


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_the_system_check_is_silent(settings: SettingsWrapper) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["gateway.W001"]  # the tests' folder has no endpoint description
    call_command("check", fail_level="WARNING")


def test_every_room_of_the_portal_is_installed() -> None:
    names = {config.name for config in apps.get_app_configs()}
    assert {"portal.schools", "portal.accounts", "portal.audit", "portal.records", "portal.web", "portal.api"} <= names


def test_what_sounds_like_a_childs_data_is_blanked_in_every_log_line() -> None:
    from portal.settings.logging import LOGGING, blank_personal

    event = blank_personal(None, "info", {"event": "handed in", "batch": 7, "ho_va_ten": "Mẫu", "so_cccd": "099"})
    assert event == {"event": "handed in", "batch": 7, "ho_va_ten": "***", "so_cccd": "***"}
    assert blank_personal in LOGGING["formatters"]["lines"]["foreign_pre_chain"]


def test_the_house_logging_is_in_force(settings: SettingsWrapper) -> None:
    assert settings.LOGGING["handlers"]["stderr"]["formatter"] == "lines"
