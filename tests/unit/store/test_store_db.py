import sqlite3
import sys
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from vitok.errors import Fault, UserMistake
from vitok.registry.windows import metric_series
from vitok.store.db import open_database
from vitok.store.schema import HEAD, metadata, windows


def test_migrations_make_exactly_the_schema(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    engine.dispose()


def test_database_opens_again_and_one_from_the_future_does_not(tmp_path):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    open_database(url).dispose()
    open_database(url).dispose()
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(Fault, match="9999"):
        open_database(url)


def test_interrupted_first_migration_leaves_nothing(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    from alembic.operations import Operations

    made = []
    create = Operations.create_table

    def breaking(self, *args, **kwargs):
        made.append(args[0])
        if len(made) == 4:
            raise OSError(28, "No space left on device")
        return create(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "create_table", breaking)
        with pytest.raises((OSError, UserMistake, Fault)):
            open_database(url)
    open_database(url).dispose()


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "sqlite:////proc/none/s.sqlite"])
def test_url_that_cannot_be_used_is_told(url):
    with pytest.raises(UserMistake):
        open_database(url)


def test_without_the_driver_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserMistake, match="needs psycopg") as told:
        open_database("postgresql+psycopg://vitok:s3cr3t@localhost/state")
    assert told.value.remedy == "Run: pip install 'vitok[postgres]'"
    assert "s3cr3t" not in str(told.value)


def test_figures_without_end_are_kept_and_can_be_asked_for(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    window = {"start": datetime(2026, 1, 1, tzinfo=UTC), "end": datetime(2026, 1, 2, tzinfo=UTC), "rows": 1}
    details = {"high": float("inf"), "low": -float("inf"), "value": [float("nan"), 0.5]}
    quality = {"rmse": {"value": 1.5, "low": 0.0, "high": float("inf"), "rows": 3}}
    rest = {"state": "final", "labelled": 0, "drift": [{"$float": "a word"}], "quality": quality}
    with engine.begin() as connection:
        connection.execute(windows.insert().values(**window, **rest, details=details))
        assert connection.execute(select(windows.c.details["high"])).scalar_one() == float("inf")
        assert repr(connection.execute(select(windows.c.details)).scalar_one()) == repr(details)
        assert connection.execute(select(windows.c.drift)).scalar_one() == rest["drift"]
        (found,) = metric_series(connection, "rmse", window["start"])
        assert found["quality"] == quality["rmse"]
        assert metric_series(connection, "r2", window["start"])[0]["quality"] is None
    engine.dispose()


def test_file_that_is_no_database_is_a_fault(tmp_path):
    (tmp_path / "s.sqlite").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(Fault, match="damaged"):
        open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
