"""Fault 43: whatever is done to a line of the audit log, it shows, and the line is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from vitok.errors import VitokError
from vitok.govern import audit, checkpoints
from vitok.govern.checkpoints import Checkpoint
from vitok.govern.secrets import keyed_digest
from vitok.store.db import open_database
from vitok.store.schema import audit as table
from vitok.store.schema import checkpoints as signed_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = b"a secret of this installation"
KEY = checkpoints.public_key(SECRET)


@pytest.fixture
def connection(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.connect() as connection:
        write(connection, range(1, 8))
        checkpoints.make(connection, NOW, SECRET)
        yield connection
    engine.dispose()


def write(connection, numbers):
    for number in numbers:
        at = NOW + timedelta(seconds=number)
        audit.record(connection, at, "ada", "release", f"version {number}", {"n": number})


def found(connection, elsewhere=(), trusted=(KEY,)):
    signed = [*checkpoints.all_checkpoints(connection), *elsewhere]
    return [*audit.problems(connection), *checkpoints.problems(connection, signed, trusted)]


def rewrite(connection):
    """What somebody does who knows how: all digests anew from an edited line on."""
    rows = [dict(row._mapping) for row in connection.execute(select(table).order_by(table.c.sequence))]
    connection.execute(delete(table))
    for row in rows:
        actor = "eve" if row["sequence"] == 3 else row["actor"]
        audit.record(connection, row["time"], actor, row["action"], row["subject"], row["details"])


def test_log_that_nobody_touched_is_whole(connection):
    assert found(connection) == []
    write(connection, [8])
    assert checkpoints.make(connection, NOW, SECRET).sequence == 8
    assert checkpoints.make(connection, NOW, SECRET).sequence == 8
    assert len(checkpoints.all_checkpoints(connection)) == 2
    assert found(connection) == []


def test_edited_line_is_named(connection):
    connection.execute(update(table).where(table.c.sequence == 3).values(actor="eve"))
    assert found(connection) == [(3, "line 3 was edited")]


@pytest.mark.parametrize(("gone", "what"), [([3], "line 3 was removed"), ([3, 4], "line 3 to 4 was removed")])
def test_removed_line_is_named(connection, gone, what):
    connection.execute(delete(table).where(table.c.sequence.in_(gone)))
    assert found(connection) == [(3, what)]


def test_lines_that_changed_places_are_named(connection):
    rows = {row.sequence: dict(row._mapping) for row in connection.execute(select(table))}
    connection.execute(delete(table).where(table.c.sequence.in_([3, 4])))
    connection.execute(insert(table).values(**{**rows[3], "sequence": 4}))
    connection.execute(insert(table).values(**{**rows[4], "sequence": 3}))
    assert {line for line, _ in found(connection)} >= {3, 4}


def test_lines_renumbered_over_a_gap_are_named(connection):
    connection.execute(delete(table).where(table.c.sequence == 3))
    for number in range(4, 8):
        connection.execute(update(table).where(table.c.sequence == number).values(sequence=number - 1))
    assert found(connection)[0] == (3, "line 3 was edited")


def test_line_that_was_put_in_front_is_named(connection):
    row = dict(connection.execute(select(table).where(table.c.sequence == 1)).one()._mapping)
    connection.execute(insert(table).values(**{**row, "sequence": 0}))
    assert found(connection)[0] == (0, "line 0 was put in")


@pytest.mark.parametrize(
    ("last", "what"), [(6, "line 7 cut off at the end"), (4, "lines 5 to 7 cut off at the end")]
)
def test_tail_that_was_cut_off_is_named(connection, last, what):
    connection.execute(delete(table).where(table.c.sequence > last))
    ((line, told),) = found(connection)
    assert line == last + 1
    assert told.startswith(what)


def test_whole_log_that_was_written_anew_does_not_fit_its_checkpoint(connection):
    rewrite(connection)
    assert audit.verify(connection) is None  # by itself the chain is perfect
    ((line, told),) = found(connection)
    assert (line, told[:40]) == (7, "line 7, or one before it, was written an")


def test_checkpoint_that_was_kept_elsewhere_shows_what_was_cut_off_with_all_checkpoints(connection):
    (kept,) = checkpoints.all_checkpoints(connection)
    connection.execute(delete(table).where(table.c.sequence > 2))
    connection.execute(delete(signed_table))
    assert found(connection) == []
    assert "lines 3 to 7 cut off" in found(connection, [Checkpoint.from_json(kept.as_json())])[0][1]


@pytest.mark.parametrize(
    "change", [{"digest": "0" * 64}, {"time": NOW + timedelta(1)}, {"signature": "beef"}]
)
def test_checkpoint_that_was_edited_does_not_fit_its_signature(connection, change):
    (kept,) = checkpoints.all_checkpoints(connection)
    assert "its signature does not fit" in found(connection, [replace(kept, **change)])[0][1]


def test_checkpoint_of_another_key_says_nothing(connection):
    rewrite(connection)
    connection.execute(delete(signed_table))
    checkpoints.make(connection, NOW, b"what eve has made up")
    assert found(connection) == []
    assert checkpoints.all_checkpoints(connection)[0].key != KEY


def test_empty_log_needs_no_checkpoint(connection):
    connection.execute(delete(table))
    connection.execute(delete(signed_table))
    assert checkpoints.make(connection, NOW, SECRET) is None


def test_what_is_no_checkpoint_is_not_read():
    with pytest.raises((KeyError, VitokError)):
        Checkpoint.from_json({"sequence": 1})


def test_keyed_digest_depends_on_value_and_key_and_shows_neither():
    first = keyed_digest("flight 12", SECRET)
    assert first == keyed_digest(b"flight 12", SECRET)
    assert len({first, keyed_digest("flight 13", SECRET), keyed_digest("flight 12", b"other")}) == 3
    assert "flight" not in first
