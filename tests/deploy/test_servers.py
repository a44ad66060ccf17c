"""The servers that every other test leans on."""

import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_the_tests_speak_to_a_real_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) >= 150000


def test_the_tests_speak_to_a_real_broker() -> None:
    path = settings.CELERY_BROKER_URL.removeprefix("redis+socket://").split("?")[0]
    broker = redis.Redis(unix_socket_path=path)
    assert broker.ping()
    broker.close()
