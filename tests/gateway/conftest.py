"""The gateway's cast: an endpoint description, a submission in the outbox, a clock that stands still."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from gateway import circuit, conf, outbox
from gateway.models import Endpoint, Submission
from gateway.outbox import Claim, NewItem, Purpose
from tests.gateway.peer import Peer, Pki

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DOCUMENT = '<DANH_SACH_HOC_BA id="dataDanhSach"><HOC_BA id="x">Đặng Thị Ánh</HOC_BA></DANH_SACH_HOC_BA>'.encode()


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def description_file(tmp_path: Path, settings: pytest.FixtureRequest) -> Path:
    """A description of this test's own, to which it may append."""
    path = tmp_path / "endpoint.toml"
    path.write_text('extends = "simulator"\n[endpoint]\nname = "test"\n', "utf-8")
    settings.GATEWAY_ENDPOINT_FILE = path
    return path


@pytest.fixture
def description(description_file: Path) -> conf.EndpointDescription:
    return conf.read_description(description_file)


@pytest.fixture
def endpoint(db: None, description: conf.EndpointDescription) -> Endpoint:
    return circuit.row(description)


Enqueue = Callable[..., UUID]


@pytest.fixture
def enqueue(endpoint: Endpoint) -> Enqueue:
    """Put a package with these keys into the outbox."""

    def put(
        *keys: str,
        now: datetime = NOON,
        kind: str = "RECORDS",
        document: bytes = DOCUMENT,
        submission_id: UUID | None = None,
        details: dict[str, object] | None = None,
    ) -> UUID:
        submission_id = submission_id or uuid4()
        with transaction.atomic():
            outbox.enqueue(
                submission_id=submission_id,
                kind=kind,
                unit_code="79",
                school_year=2025,
                document=document,
                items=[NewItem(key, key.encode()) for key in keys or (str(uuid4()),)],
                now=now,
                details=details,
            )
        return submission_id

    return put


@pytest.fixture
def claim(endpoint: Endpoint, description: conf.EndpointDescription) -> Callable[..., Claim]:
    """Claim the one submission that is due."""

    def take(purpose: Purpose = Purpose.SEND, now: datetime = NOON) -> Claim:
        (only,) = outbox.claim_due(
            purpose=purpose, endpoint_id=endpoint.pk, now=now, lease=description.lease(), worker="w1"
        )
        return only

    return take


@pytest.fixture
def state_of() -> Callable[[UUID], str]:
    return lambda submission_id: Submission.objects.values_list("state", flat=True).get(pk=submission_id)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki")).make()


@pytest.fixture
def peer(pki: Pki) -> Iterator[Peer]:
    """A Ministry that logs everybody in and then does what the test says."""
    peer = Peer(pki, client_ca=pki.ca)
    yield peer
    peer.close()


@pytest.fixture
def line(peer: Peer, pki: Pki, description_file: Path) -> Callable[..., conf.EndpointDescription]:
    """Point the description at the peer; keyword arguments overwrite [connection]."""

    def describe(**connection: object) -> conf.EndpointDescription:
        values: dict[str, object] = {
            "client_certificate": str(pki.folder / "client.pem"),
            "client_key": str(pki.folder / "client.key"),
            "ca": str(pki.ca),
            "connect_timeout": 5.0,
            "read_timeout": 8.0,
            "total_timeout": 15.0,
            **connection,
        }
        rows = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
        description_file.write_text(
            f'extends = "simulator"\n[endpoint]\nname = "test"\nbase_url = "{peer.url}"\n[connection]\n{rows}\n',
            "utf-8",
        )
        return conf.read_description(description_file)

    return describe
