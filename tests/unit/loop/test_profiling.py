"""Profiles of predictions: made as rows arrive, once, whoever comes first and whatever dies."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from examples import CHARTER
from probes import flights, with_reference
from vitok.charter.load import load_charter
from vitok.journal.ledger import MemoryLedger
from vitok.loop.profiling import ACTION, MICROS, Profiler, counted_by, profiles_in_memory, reference_of_bundle
from vitok.model.bundle import load_manifest
from vitok.stats.packed import unpack
from vitok.store.blobs import Blobs

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=40)


@pytest.fixture
def setting(tmp_path):
    blobs = Blobs(tmp_path)
    digest = with_reference(blobs)
    manifest = load_manifest(blobs, digest)
    charter = load_charter(CHARTER + "monitor: {window: 1d, slices: [carrier]}\n").charter
    return SimpleNamespace(
        blobs=blobs,
        digest=digest,
        charter=charter,
        bins=counted_by(reference_of_bundle(blobs, manifest), manifest),
    )


def rows(setting, count, day=0, role="champion", action="model", digest=None):
    inputs = [
        pl.DataFrame([row]).select(pl.struct(pl.all()).struct.json_encode()).item()
        for row in flights(count, seed=day)
    ]
    return pl.DataFrame(
        {
            "id": [f"{role}-{action}-{day}-{number}" for number in range(count)],
            "time": [START + timedelta(days=day, minutes=number) for number in range(count)],
            "version": 1,
            "digest": digest or setting.digest,
            "role": role,
            "action": action,
            "score": [None if action == "failed" else number / count for number in range(count)],
            "micros": [None if action == "failed" else 400] * count,
            "decision": "false",
            "inputs": inputs,
        }
    )


def profiler(setting):
    return Profiler(setting.blobs, setting.charter, profiles_in_memory(setting.charter))


def whole(found, setting, **how):
    packed = found.store.read(START, END, setting.digest, **how)
    return None if packed is None else unpack(packed, setting.bins)


def test_rows_are_counted_once_however_often_and_in_whatever_parts_they_come(setting):
    journal, found = MemoryLedger(), profiler(setting)
    for day in range(4):
        journal.append_predictions(rows(setting, 30, day))
        found.catch_up(journal)
        found.catch_up(journal)
    (all_rows,) = journal.uncounted({})
    found.take(all_rows)
    fresh = profiler(setting)
    fresh.take(all_rows)
    assert whole(found, setting).rows == 120
    assert whole(found, setting) == whole(fresh, setting)


def test_what_the_mover_tells_needs_no_second_look(setting):
    journal, found = MemoryLedger(), profiler(setting)
    found.catch_up(journal)
    before = journal.revision()
    journal.append_predictions(rows(setting, 10))
    (told,) = journal.uncounted({})
    found.moved(told, before, journal.revision())
    journal.uncounted = lambda counted: pytest.fail("the journal was read again")
    found.catch_up(journal)
    assert whole(found, setting).rows == 10


def test_rows_of_others_between_two_moves_are_found_later(setting):
    journal, found = MemoryLedger(), profiler(setting)
    journal.append_predictions(rows(setting, 10))
    before = journal.revision()
    journal.append_predictions(rows(setting, 5, day=1))
    (all_rows,) = journal.uncounted({})
    found.moved(all_rows.tail(0), before, journal.revision())
    found.catch_up(journal)
    assert whole(found, setting).rows == 15


def test_roles_slices_and_failures_are_apart(setting):
    journal, found = MemoryLedger(), profiler(setting)
    journal.append_predictions(rows(setting, 40))
    journal.append_predictions(rows(setting, 20, role="shadow"))
    journal.append_predictions(rows(setting, 3, action="failed"))
    found.catch_up(journal)
    counts = {group.role: group.rows for group in found.store.groups(START, END)}
    assert counts == {"champion": 40, "shadow": 20, "failed": 3}
    parts = found.store.slices(START, END, setting.digest)
    assert parts
    assert all(part.startswith("carrier=") for part in parts)
    roles = {"shadow", "failed"}
    sliced = [whole(found, setting, part=part, without=roles).rows for part in parts]
    assert sum(sliced) == 40
    champion = whole(found, setting, without=roles)
    assert champion.columns[MICROS].finite == 40
    assert champion.columns[ACTION].counts.tolist() == [40, 0, 0, 0, 0, 0]
    assert champion.columns["score"].rows == 40


def test_rows_of_a_bundle_that_is_gone_keep_their_service_figures(setting):
    journal, found = MemoryLedger(), profiler(setting)
    journal.append_predictions(rows(setting, 10, digest="f" * 64))
    found.catch_up(journal)
    packed = found.store.read(START, END, "f" * 64)
    assert packed is not None
    assert packed.rows == 10
