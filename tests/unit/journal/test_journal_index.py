"""The index of ids: one by one, and as ranges of what batches made."""

import polars as pl
import pytest

from vitok.journal.index import Index, Lookup
from vitok.journal.made_ids import made_ids, made_range

RUN = "01m82txf0jpqfxkd4xf5"


def ids(first, last, run=RUN):
    return pl.select(made_ids(run, pl.int_range(first, last + 1, dtype=pl.Int64))).to_series()


def found(folder, *wanted):
    lookup = Lookup(folder)
    try:
        return lookup.find(wanted)[0]
    finally:
        lookup.close()


def test_made_ids_keep_the_order_of_their_rows():
    assert ids(9, 10).to_list() == [f"{RUN}-0000000009", f"{RUN}-0000000010"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (ids(0, 4), (0, 4)),
        (ids(5, 5), (5, 5)),
        (pl.concat([ids(3, 6), ids(3, 6)]), (3, 6)),  # a shadow answered them too
        (pl.concat([ids(0, 1), ids(3, 4)]), None),
        (pl.concat([ids(0, 1), pl.Series(["N14228"])]), None),
        (ids(0, 3, "other"), None),
        (pl.Series(["N1", "N2"]), None),
        (pl.Series([f"{RUN}-12"]), None),
        (pl.Series([], dtype=pl.String), None),
    ],
)
def test_range_is_told_only_of_rows_in_a_row_of_the_run(given, expected):
    assert made_range(RUN, given) == expected


def test_ids_of_a_range_are_found_and_no_others(tmp_path):
    index = Index(tmp_path)
    for _ in range(2):  # what is done again changes nothing
        index.add_range(RUN, 0, 49_999)
        index.add_range(RUN, 50_000, 60_000)
        index.add_range(RUN, 50_000, 60_000)
        index.add_range(RUN, 70_000, 70_001)
        index.add(["N1", f"{RUN}-0000065000"], ())
    (rows,) = index._connection.execute("SELECT count(*) FROM runs").fetchone()
    assert rows == 2
    index.close()
    inside = {f"{RUN}-{number:010}" for number in (0, 49_999, 50_000, 60_000, 65_000, 70_001)} | {"N1"}
    outside = {f"{RUN}-{number:010}" for number in (60_001, 69_999, 70_002)}
    outside |= {f"{RUN}-0", "N2", "other-0000000001", f"{RUN}-00000000010", RUN, ""}
    assert found(tmp_path, *inside, *outside) == inside
