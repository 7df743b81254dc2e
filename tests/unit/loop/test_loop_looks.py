"""Which version a window is judged for."""

from datetime import UTC, datetime, timedelta

import polars as pl

from vitok.journal.profiles import Group, Part, ProfileStore
from vitok.loop.looks import leading, watched_groups
from vitok.stats.bins import fit_bins
from vitok.stats.packed import pack
from vitok.stats.profiles import profile

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_the_champion_is_judged_however_much_others_answer() -> None:
    champion = Group("a", 1, "champion", 400)
    assert leading([champion, Group("b", 2, "challenger", 600)]) == (1, "a")
    assert leading([champion, Group("a", 1, "fallback", 900), Group("b", 2, "variant", 600)]) == (1, "a")
    assert leading([champion, Group("b", 2, "champion", 401)]) == (
        2,
        "b",
    )  # released in the middle of the window
    assert leading([Group("b", 2, "fallback", 3), Group("c", 3, "variant", 5)]) == (3, "c")


def test_shadows_and_rows_that_failed_are_nobodys_answers() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0]})
    bins = fit_bins(frame, ["x"], [])
    store = ProfileStore(None, timedelta(days=1), {})
    roles = ("champion", "shadow", "failed")
    parts = [Part(START, "a", 1, role, "", pack(profile(frame, bins), bins)) for role in roles]
    assert store.add(parts, {"w": 0}, {})
    assert watched_groups(store, START, START + timedelta(days=1)) == [Group("a", 1, "champion", 2)]
