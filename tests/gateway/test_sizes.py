"""What the Ministry once found too big is remembered, and forgotten again: by age, by a new limit, by an officer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import call_command

from gateway import conf, outbox, queries, sizes
from gateway.models import Endpoint
from portal.records import dispatch
from tests.gateway.peer import Peer, Reply
from tests.gateway.test_forwarding import Act, act, client, token_or

__all__ = ["act", "client"]  # fixtures

pytestmark = pytest.mark.django_db
MEGABYTE = 1_000_000


@pytest.fixture
def remembered(endpoint: Endpoint, description: conf.EndpointDescription, noon: datetime) -> Endpoint:
    sizes.remember(endpoint, MEGABYTE, description=description, now=noon)
    endpoint.refresh_from_db()
    return endpoint


def test_packages_stay_below_what_was_refused(
    remembered: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    assert sizes.limit(description, now=noon + timedelta(days=29)) == 900_000
    found = sizes.remembered(description, now=noon)
    assert found is not None
    assert (found.refused_bytes, found.limit, found.until) == (MEGABYTE, 900_000, noon + timedelta(days=30))


def test_the_smallest_refused_size_counts_and_its_month_begins_with_it(
    remembered: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    later = noon + timedelta(days=20)
    sizes.remember(remembered, 2 * MEGABYTE, description=description, now=later)
    assert sizes.limit(description, now=later) == 900_000
    sizes.remember(remembered, MEGABYTE // 2, description=description, now=later)
    assert sizes.limit(description, now=later + timedelta(days=29)) == 450_000


def test_a_memory_grows_old_and_a_bigger_package_is_tried_again(
    remembered: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    old = noon + timedelta(days=31)
    assert sizes.limit(description, now=old) == description.max_document_bytes
    assert sizes.remembered(description, now=old) is None
    sizes.remember(remembered, 3 * MEGABYTE, description=description, now=old)
    assert sizes.limit(description, now=old) == 2_700_000, "what is forgotten binds nobody"


def test_a_new_limit_in_the_endpoints_file_is_a_new_beginning(
    remembered: Endpoint, description_file: Path, noon: datetime
) -> None:
    with description_file.open("a", encoding="utf-8") as file:
        file.write("[document]\nmax_document_bytes = 20000000\n")
    changed = conf.read_description(description_file)
    assert sizes.limit(changed, now=noon) == 20_000_000
    sizes.remember(remembered, 5 * MEGABYTE, description=changed, now=noon)
    assert sizes.limit(changed, now=noon) == 4_500_000


def test_an_officer_makes_it_forget(
    remembered: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    assert sizes.forget(remembered)
    assert not sizes.forget(remembered), "there is nothing left to forget"
    assert sizes.limit(description, now=noon) == description.max_document_bytes


def test_it_is_forgotten_from_the_command_line(remembered: Endpoint) -> None:
    out = StringIO()
    call_command("endpoint", "forget-size", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"changed": True, "refused_bytes": None}
    assert Endpoint.objects.get().refused_bytes is None


def test_packing_goes_by_the_same_limit(peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint) -> None:
    full = dispatch.document_room()
    peer.answer = token_or(lambda _: Reply(413, b"<html>413</html>"))
    enqueue("a", "b")
    size = act(now=outbox.database_now()).document_bytes
    assert queries.size_limit() == sizes.limit(conf.endpoint(), now=outbox.database_now()) == size * 9 // 10
    assert dispatch.document_room() == full - conf.endpoint().max_document_bytes + size * 9 // 10
    sizes.forget(endpoint)
    assert dispatch.document_room() == full
