"""One synthetic province with its PKI, registered in the database, and the hand-ins of its schools."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.records import intake, processing
from portal.records.models import Batch
from portal.records.processing import trial
from portal.records.states import Door
from portal.rehearsal.batches import list_batch
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.install import install, load_revocation_lists
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import open_pki, write_pki
from portal.rehearsal.province import Province, make_province
from portal.rehearsal.province import School as MadeSchool
from portal.rehearsal.records import MadeRecord, make_record
from portal.schools.models import School

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def this_process_keeps_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial bounds the process that it runs in: run in the tests' own, it would bound every test after it."""
    monkeypatch.setattr(trial, "limit", lambda: None)


@pytest.fixture(scope="session")
def province() -> Province:
    return make_province(seed=7, calendar=Calendar.last_finished(NOW), schools=12, communes=3)


@pytest.fixture(scope="session")
def pki_folder(tmp_path_factory: pytest.TempPathFactory, province: Province) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    write_pki(open_pki(folder, seed="7", calendar=province.calendar), folder, schools=len(province.schools), now=NOW)
    return folder


@pytest.fixture(scope="session")
def pki(pki_folder: Path, province: Province) -> Pki:
    return open_pki(pki_folder, seed="7", calendar=province.calendar)


@pytest.fixture
def keys(settings, pki_folder: Path) -> None:
    settings.SIGNING_KEY_FILE = pki_folder / "department.p12"
    settings.SIGNING_KEY_PASSPHRASE_FILE = pki_folder / "department.pass"
    settings.SIGNING_ALLOW_KEY_FILE = True
    settings.GATEWAY_ENDPOINT_FILE = None


@dataclass(frozen=True)
class Cast:
    """The registered province: made schools beside their rows."""

    province: Province
    pki: Pki
    schools: dict[str, School]

    def made(self, level: str, index: int = 0) -> MadeSchool:
        return [school for school in self.province.schools if school.level == level][index]

    def row(self, made: MadeSchool) -> School:
        return self.schools[made.code]

    def records(self, made: MadeSchool, count: int, first: int = 0) -> list[MadeRecord]:
        return [make_record(self.province, self.pki, made, number) for number in range(first, first + count)]

    @staticmethod
    def replaced(record: MadeRecord, data: bytes) -> MadeRecord:
        """The same record with other bytes."""
        return replace(record, data=data)

    def signed_list(self, made: MadeSchool, records: list[MadeRecord], by: MadeSchool | None = None) -> bytes:
        """The list as `made`'s software sends it, sealed by the school itself or by another one."""
        at = self.province.calendar.moment(month=5, day=29)
        return list_batch(records, identity=self.pki.organisation(by or made), at=at).data


@pytest.fixture
def cast(db, keys: None, province: Province, pki: Pki) -> Cast:
    installed = install(province, pki, password="mot-mat-khau-dai", api_password="khoa-truy-cap", now=NOW)
    load_revocation_lists(pki, schools=len(province.schools), now=NOW)
    return Cast(province, pki, dict(installed.schools))


HandIn = Callable[..., Batch]


@pytest.fixture
def hand_in(cast: Cast) -> HandIn:
    """Hands in bytes for a school and processes them to the end."""

    def go(made: MadeSchool, data: bytes, *, door: Door = Door.BROWSER, process: bool = True, **more: object) -> Batch:
        received = intake.receive_batch(
            school=cast.row(made), file=[data], door=door, file_name="tep.xml", now=NOW, **more
        )
        if process:
            processing.process_batch(batch_id=received.batch.id, clock=lambda: NOW)
        return Batch.objects.get(id=received.batch.id)

    return go
