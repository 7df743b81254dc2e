"""The doctor finds each damage that is planted, mends what loses nothing, and says what it did."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import polars as pl
import pytest

from examples import flight_bundle
from rollouts import two_versions
from vitok.errors import Fault
from vitok.kernel.clock import system_clock
from vitok.loop.backup import archives, back_up
from vitok.loop.doctor import examine
from vitok.loop.pins import turn_folder
from vitok.loop.release import PLAN_FILE
from vitok.model.bundle import load_manifest
from vitok.registry import releases, turns, versions
from vitok.store.blobs import Blobs
from vitok.wire import open_project

DAYS_AGO = system_clock().timestamp() - 3 * 86400


@pytest.fixture
def project(tmp_path):
    (tmp_path / "expectations.yaml").write_text("columns: {}\n")
    made = replace(two_versions(tmp_path, system_clock), say=lambda line: None)
    made.lake.write_version("snapshots", pl.DataFrame({"x": [1, 2, 3]}))
    back_up(made)
    return made


def part(found, name):
    return next(check for check in found["checks"] if check["check"] == name)


def is_unsound(project, name, says):
    found = examine(project)
    assert not found["ok"]
    assert not part(found, name)["ok"]
    assert says in part(found, name)["detail"]


def is_mended(project, says):
    found = examine(project, mend=True)
    assert found["ok"], found["checks"]
    assert says in " ".join(found["mended"])
    again = examine(project, mend=True)
    assert again["mended"] == []
    return found


def begun(project, state):
    with project.engine.begin() as connection:
        now = project.clock()
        moment = {"now": now, "as_of": now, "trigger": "by hand", "charter": "", "actor": "ada"}
        turns.begin(connection, f"turn-{state}", **moment, quick=True, pins={})
        turns.advance(connection, f"turn-{state}", state=state)
    folder = turn_folder(project, f"turn-{state}")
    folder.mkdir(parents=True)
    (folder / "data.parquet").write_bytes(b"x")
    return folder


def blob_of(project, version=2):
    with project.engine.connect() as connection:
        digest = load_manifest(project.blobs, versions.get(connection, version).digest).files["model.onnx"]
    return project.blobs.folder / digest[:2] / digest


def test_a_sound_project_is_left_as_it_is(project):
    found = examine(project, mend=True)
    assert found["ok"], found["checks"]
    assert found["mended"] == []


def test_lost_plan_is_published_again(project):
    path = project.state / PLAN_FILE
    before = path.read_bytes()
    path.unlink()
    is_unsound(project, "release plan", "is not the plan in force")
    is_mended(project, "plan.json was gone")
    assert path.read_bytes() == before


def test_a_plan_that_cannot_be_read_is_published_again(project):
    path = project.state / PLAN_FILE
    before = path.read_bytes()
    path.write_bytes(b'{"epoch": "of another Vitok"}')
    assert not part(examine(project), "release plan")["ok"]
    is_mended(project, "plan.json was another one")
    assert path.read_bytes() == before


def test_a_plan_that_is_ahead_of_the_database_is_never_overwritten(project):
    path = project.state / PLAN_FILE
    path.write_bytes(path.read_bytes().replace(b'"epoch":1', b'"epoch":7'))
    before = path.read_bytes()
    is_unsound(project, "release plan", "is not the plan in force")
    assert not examine(project, mend=True)["ok"]
    assert path.read_bytes() == before


def test_a_plan_without_its_release_is_told(project, tmp_path):
    (project.state / "state.sqlite").unlink()
    is_unsound(open_project(tmp_path), "release plan", "knows of no release")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
def test_a_lost_file_of_a_bundle_comes_back_from_an_archive(project, damage):
    path = blob_of(project)
    before = path.read_bytes()
    damage(path)
    is_unsound(project, "bundles", "1 file(s) of bundles are gone")
    is_mended(project, f"blob {path.name[:12]} was lost")
    assert path.read_bytes() == before


def test_an_archive_elsewhere_helps_too(project, tmp_path):
    (own,) = [path for path in archives(project) if "before" not in path.name]
    given = own.rename(tmp_path / "elsewhere.tar.gz")
    blob_of(project).unlink()
    assert not examine(project, mend=True)["ok"]
    assert examine(project, mend=True, given=[given])["ok"]


def test_blobs_that_nothing_names_go_after_a_day(project):
    old, young = (project.blobs.put(text) for text in (b"nobody names this", b"somebody is at work"))
    path = project.blobs.folder / old[:2] / old
    os.utime(path, (DAYS_AGO, DAYS_AGO))
    assert "1 file(s) that nothing names" in part(examine(project), "bundles")["detail"]
    is_mended(project, "1 blob(s) that nothing names are removed")
    assert not path.exists()
    assert project.blobs.has(young)


def test_no_blob_that_is_named_is_ever_removed(project):
    for _, path in project.blobs.all():
        os.utime(path, (DAYS_AGO, DAYS_AGO))
    before = list(project.blobs.all())
    examine(project, mend=True)
    assert list(project.blobs.all()) == before


def test_a_lost_file_of_a_table_comes_back(project):
    (path,) = (project.state / "lake" / "snapshots").glob("*.parquet")
    for damage in (path.unlink, lambda: path.write_bytes(b"torn")):
        damage()
        is_unsound(project, "lake", "1 of its files")
        is_mended(project, "was lost: it is as an archive had it")
        assert project.lake.read("snapshots")["x"].to_list() == [1, 2, 3]


def test_folders_of_ended_turns_go_and_others_stay(project):
    ended, waiting = begun(project, "accepted"), begun(project, "failed")
    assert "1 folder(s) of turns that have ended" in part(examine(project), "turns")["detail"]
    is_mended(project, "which has ended, is removed")
    assert not ended.exists()
    assert waiting.exists()


def test_a_turn_that_was_cut_off_is_told_with_what_goes_on_with_it(project):
    begun(project, "running")
    is_unsound(project, "turns", "was cut off")
    assert "`vitok turns resume 1`" in part(examine(project, mend=True), "turns")["remedy"]


def test_what_workers_left_is_moved_and_removed(project):
    journal = project.state / "journal"
    journal.mkdir(exist_ok=True)
    for name in ("spool-gone.moved", "spool-gone.lock"):
        (journal / name).write_bytes(b"")
    is_mended(project, "was left by a worker that is gone")
    assert not list(journal.glob("spool-*"))


def test_a_lost_expectations_file_comes_back(project, tmp_path):
    path = tmp_path / "expectations.yaml"
    path.unlink()
    is_unsound(project, "charter", "is not there")
    is_mended(project, "expectations.yaml was gone: it is as an archive had it")
    assert path.read_text() == "columns: {}\n"


def test_a_bundle_of_a_newer_vitok_is_told(project):
    digest = flight_bundle(Blobs(project.blobs.folder), 0.7, code={"vitok": "99.1.0"})
    with project.engine.begin() as connection:
        facts = {"created": datetime.now(UTC), "turn": "t", "verdict": "refused", "gates": [], "metrics": {}}
        versions.register(connection, digest=digest, summary={}, **facts)
    is_unsound(project, "bundles", "was made by Vitok 99.1.0")


def test_other_libraries_than_the_champions_are_named(project):
    digest = flight_bundle(Blobs(project.blobs.folder), 0.9, environment={"polars": "0.1.0"})
    with project.engine.connect() as connection:
        plan = releases.current(connection).plan
    arms = tuple(msgspec.structs.replace(arm, digest=digest) for arm in plan.arms)
    made = msgspec.structs.replace(plan, arms=arms, verdicts={digest: "accepted:t"}, epoch=plan.epoch + 1)
    with project.engine.begin() as connection:
        about = {
            "release_id": "r",
            "now": system_clock(),
            "actor": "a",
            "before": "superseded",
            "evidence": {},
        }
        releases.activate(connection, made, **about)
    (project.state / PLAN_FILE).write_bytes(made.to_json())
    assert "polars 0.1.0 then" in part(examine(project), "champion")["detail"]


def test_the_cache_of_replays_and_what_nobody_finished_is_cleared(project):
    (project.state / "fits").mkdir()
    (project.state / "fits" / "one").write_bytes(b"x" * 1000)
    old, young = project.state / ".writing-old", project.state / ".writing-young"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (DAYS_AGO, DAYS_AGO))
    is_mended(project, "the cache of replays is cleared")
    assert not old.exists()
    assert young.exists()


def test_a_newer_schema_is_told(project, tmp_path):
    with project.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Fault, match="schema 9999"):
        open_project(tmp_path)


def test_a_damaged_database_is_told(project):
    project.engine.dispose()
    path = project.state / "state.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:16384] = bytes(8192)
    path.write_bytes(bytes(content))
    assert not examine(project)["ok"]


def test_what_was_mended_is_on_record(project):
    (project.state / PLAN_FILE).unlink()
    examine(project, mend=True, actor="mona")
    with project.engine.connect() as connection:
        lines = connection.exec_driver_sql("SELECT actor, action FROM audit WHERE action = 'mend'").all()
    assert lines == [("mona", "mend")]
