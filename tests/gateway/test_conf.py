"""The endpoint's description: one file, inherited, strict, and with hours of sending."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import conf


def write(folder: Path, text: str) -> Path:
    path = folder / "endpoint.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["simulator.toml", "production.example.toml"])
def test_the_shipped_descriptions_can_be_read(name: str) -> None:
    assert conf.read_description(conf.SHIPPED / name).sending.parallelism >= 1


def test_a_description_states_only_where_it_differs_and_paths_are_its_own_folders(tmp_path: Path) -> None:
    path = write(tmp_path, 'extends = "simulator"\n[connection]\nca = "pki/ca.pem"\n[endpoint]\nunit_code = "01"\n')
    found = conf.read_description(path)
    assert (found.unit_code, found.connection.ca) == ("01", str(tmp_path / "pki" / "ca.pem"))
    assert found.services.submit.path == "/api/hoc-ba/gui"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[sending]\nparalelism = 4\n", "sending.paralelism"),
        ('[endpoint]\nbase_url = "http://khong-ma-hoa.example"\n', "endpoint.base_url"),
        ("[sending]\nlease_seconds = 10\n", "ba lần connection.total_timeout"),
        ('[sending]\nwindows = [{ days = "thu-hai", from = "06:00", to = "07:00" }]\n', "sending.windows"),
        ("không phải toml", "endpoint.toml"),
    ],
)
def test_a_wrong_description_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(conf.EndpointUnreadable) as problem:
        conf.read_description(write(tmp_path, f'extends = "simulator"\n{text}'))
    assert problem.value.code == "ENDPOINT_FILE_INVALID"
    assert named in problem.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sending]\nparalelism = 4\n", "không có dòng nào tên như vậy"),
        ('[endpoint]\nbase_url = "http://x.example"\n', "giá trị không đúng dạng"),
        ('[sending]\nparallelism = "bốn"\n', "phải là số nguyên."),
        ("[sending\n", "viết sai cú pháp TOML"),
        (
            "[sending]\nmaintenance = [{ from = 2027-07-01T22:00:00, to = 2027-07-02T02:00:00+07:00 }]\n",
            r"sending\.maintenance\.0\.from: thiếu múi giờ",
        ),
        ('[sending]\nwindows = [{ days = "mon", from = "06:00+07:00", to = "07:00" }]\n', "không ghi múi giờ"),
        ('[sending]\ntimezone = "Asia/Saigon_"\n', r"sending\.timezone: không có múi giờ tên như vậy"),
        ('[sending]\ntimezone = "../etc"\n', r"sending\.timezone: không có múi giờ tên như vậy"),
        ("[login]\ntoken_life_seconds = 1000000000000\n", r"login\.token_life_seconds: số quá lớn"),
        ("[probe]\nlongest_delay_seconds = 1e12\n", r"probe\.longest_delay_seconds: số quá lớn"),
        ("[schedule]\nkeep_documents_days = 10000000\n", r"schedule\.keep_documents_days: số quá lớn"),
    ],
)
def test_what_is_wrong_with_a_description_is_said_in_vietnamese(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(conf.EndpointUnreadable, match=said):
        conf.read_description(write(tmp_path, f'extends = "simulator"\n{text}'))


def test_a_missing_description_says_so(tmp_path: Path) -> None:
    with pytest.raises(conf.EndpointUnreadable) as problem:
        conf.read_description(tmp_path / "khong-co.toml")
    assert problem.value.code == "ENDPOINT_FILE_MISSING"


@pytest.mark.parametrize(
    ("local", "allowed"),
    [
        ("2026-06-01T05:59", False),  # a Monday
        ("2026-06-01T06:00", True),
        ("2026-06-01T21:59", True),
        ("2026-06-01T22:00", False),
        ("2026-06-06T12:00", False),  # a Saturday
        ("2026-06-06T23:30", True),
        ("2026-06-07T01:59", True),
        ("2026-06-07T02:00", False),
    ],
)
def test_sending_is_allowed_only_in_its_hours_over_midnight_too(tmp_path: Path, local: str, allowed: bool) -> None:
    windows = '[{ days = "mon-fri", from = "06:00", to = "22:00" }, { days = "sat", from = "23:00", to = "02:00" }]'
    found = conf.read_description(write(tmp_path, f'extends = "simulator"\n[sending]\nwindows = {windows}\n'))
    assert found.sending_allowed(datetime.fromisoformat(f"{local}:00+07:00")) is allowed


def test_nothing_leaves_during_announced_maintenance(tmp_path: Path) -> None:
    row = '[{ from = 2026-07-01T00:00:00+07:00, to = 2026-07-01T06:00:00+07:00, reason = "Nâng cấp" }]'
    found = conf.read_description(write(tmp_path, f'extends = "simulator"\n[sending]\nmaintenance = {row}\n'))
    inside = datetime(2026, 6, 30, 20, 0, tzinfo=UTC)
    assert not found.sending_allowed(inside)
    maintenance = found.maintenance_at(inside)
    assert maintenance is not None
    assert maintenance.reason == "Nâng cấp"


def test_the_password_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("bí mật\n", "utf-8")
    found = conf.read_description(write(tmp_path, 'extends = "simulator"\n[login]\npassword_file = "secret"\n'))
    assert found.login.secret() == "bí mật"
    assert "mat-khau" not in repr(found)
