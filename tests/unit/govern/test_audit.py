from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from vitok.govern.audit import record, verify
from vitok.store.db import open_database
from vitok.store.schema import audit

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.begin() as connection:
        for number in range(5):
            record(
                connection,
                NOW + timedelta(seconds=number),
                "ada",
                "release",
                f"version {number}",
                {"é": number},
            )
    yield engine
    engine.dispose()


def test_untouched_log_is_whole(engine):
    with engine.connect() as connection:
        assert verify(connection) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "eve"},
        {"action": "rollback"},
        {"subject": "version 9"},
        {"details": {"é": 9}},
        {"time": NOW + timedelta(days=1)},
        {"previous": "f" * 64},
        {"digest": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_edit_of_any_column_shows(engine, change):
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.sequence == 3).values(**change))
        assert verify(connection) == 3


def test_removed_line_shows(engine):
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.sequence == 2))
        assert verify(connection) == 2


def test_line_of_a_transaction_that_fails_is_not_kept(engine):
    def fail():
        with engine.begin() as connection:
            record(connection, NOW, "ada", "release", "version 9", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with engine.connect() as connection:
        assert verify(connection) is None
