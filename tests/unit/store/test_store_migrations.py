"""A database of any earlier schema is brought up to date with every row that it had."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from vitok.store.copies import dump_rows, load_rows
from vitok.store.db import new_database, open_database
from vitok.store.schema import HEAD, metadata

REVISIONS = [f"{number:04}" for number in range(1, int(HEAD) + 1)]
ROWS = 3
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def value_of(column, number):
    """A value of a column's type, another one in each row."""
    kind = column.type
    if isinstance(kind, sa.DateTime):
        return MOMENT.replace(minute=number)
    if isinstance(kind, sa.JSON):
        return {"row": number, "text": "Übung"}
    if isinstance(kind, sa.Boolean):
        return bool(number % 2)
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, (sa.Float, sa.REAL)):
        return number / 4
    return f"{column.name} {number}"


def filled(engine):
    """Puts rows into every table; gives them by table."""
    there, rows = sa.MetaData(), {}
    there.reflect(engine)
    with engine.begin() as connection:
        for table in there.sorted_tables:
            if table.name != "alembic_version":
                rows[table.name] = [
                    {column.name: value_of(column, number) for column in table.c}
                    for number in range(1, ROWS + 1)
                ]
                connection.execute(sa.insert(table), rows[table.name])
    return rows


@pytest.mark.parametrize("revision", REVISIONS)
def test_no_row_is_lost_on_the_way_to_the_present_schema(tmp_path, revision):
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    engine = new_database(url, revision)
    rows = filled(engine)
    engine.dispose()
    engine = open_database(url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == HEAD
        for name, before in rows.items():
            table = metadata.tables[name]
            found = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings().all()
            assert len(found) == ROWS, name
            for old, new in zip(before, found, strict=True):
                kept = {key: value for key, value in old.items() if key in table.c}
                assert {key: new[key] for key in kept} == kept, name
        assert set(rows) <= set(metadata.tables)


def test_turns_from_before_they_had_numbers_are_numbered(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    filled(new_database(url, "0006"))
    with open_database(url).connect() as connection:
        assert connection.execute(sa.text("SELECT number FROM turns ORDER BY started")).scalars().all() == [
            1,
            2,
            3,
        ]


def test_of_two_roll_outs_that_both_go_on_the_newest_does(tmp_path):
    """Before, two operators could begin one each at the same moment."""
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    engine = new_database(url, "0011")
    there = sa.MetaData()
    there.reflect(engine)
    with engine.begin() as connection:
        table = there.tables["rollouts"]
        rows = [{column.name: value_of(column, number) for column in table.c} for number in range(1, 4)]
        ends = [rows[0]["ended"], None, None]
        news = [row | {"state": "stepping", "ended": end} for row, end in zip(rows, ends, strict=True)]
        connection.execute(sa.insert(table), news)
    engine.dispose()
    with open_database(url).connect() as connection:
        after, steps = metadata.tables["rollouts"], metadata.tables["transitions"]
        found = connection.execute(
            sa.select(after.c.state, after.c.ended, after.c.going).order_by("number")
        ).all()
        assert found == [
            ("stepping", ends[0], None),
            ("aborted", rows[2]["started"], None),
            ("stepping", None, 1),
        ]
        (step,) = connection.execute(
            sa.select(steps.c.rollout, steps.c.number, steps.c.before, steps.c.state)
        )
        assert step == (2, 1, "stepping", "aborted")


def test_the_rows_of_a_dump_go_into_an_empty_database_as_they_were(tmp_path):
    source = new_database(f"sqlite:///{tmp_path / 'one.sqlite'}", HEAD)
    target = new_database(f"sqlite:///{tmp_path / 'two.sqlite'}", HEAD)
    rows = filled(source)
    with source.connect() as connection:
        lines = list(dump_rows(connection))
    assert load_rows(target, iter(lines)) == len(lines) == ROWS * len(rows)
    with target.connect() as connection:
        assert list(dump_rows(connection)) == lines
