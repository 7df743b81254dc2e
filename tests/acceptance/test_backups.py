"""A project goes into one archive and comes out of it elsewhere, whole or not at all."""

import tarfile

import polars as pl
import pytest

from commands import cancer, edit, files_of
from disks import small_disk
from vitok.errors import UserMistake
from vitok.loop.backup import back_up
from vitok.loop.doctor import examine
from vitok.loop.restore import restore
from vitok.loop.turns import list_turns
from vitok.registry.releases import all_releases
from vitok.registry.versions import all_versions
from vitok.wire import open_project


def released_with_answers(vitok, project):
    rows = project / "rows.csv"
    cancer().drop("diagnosis").head(40).write_csv(rows)
    assert vitok("predict", rows, "-o", project / "before.parquet", "--project", project).code == 0
    return rows


@pytest.fixture(scope="module")
def archive(released_once, tmp_path_factory):
    """An archive of the released project."""
    file = tmp_path_factory.mktemp("kept") / "all.tar.gz"
    back_up(open_project(released_once), file)
    return file


def names_in(archive):
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_the_restored_project_gives_the_same_answers_and_has_the_same_history(vitok, released, tmp_path):
    rows = released_with_answers(vitok, released)
    (released / ".vitok" / "secret-of-somebody").write_text("not ours")
    archive = tmp_path / "all.tar.gz"
    made = vitok("backup", "-o", archive, "--project", released).json
    assert made["lake"] == "inside"
    names = names_in(archive)
    assert not [name for name in names if name.startswith("/") or "secret" in name or name.endswith(".csv")]
    again = tmp_path / "elsewhere" / "again"
    restored = vitok("restore", archive, "--project", again).json
    assert (restored["kind"], restored["version"]) == ("whole", 1)
    assert str(released) not in "".join(str(path) for path in again.rglob("*"))
    assert vitok("doctor", "--project", again).json["ok"]
    assert vitok("predict", rows, "-o", tmp_path / "after.parquet", "--project", again).code == 0
    before, after = (
        pl.read_parquet(path) for path in (released / "before.parquet", tmp_path / "after.parquet")
    )
    assert before.equals(after)
    old, new = open_project(released), open_project(again)
    assert list_turns(new) == list_turns(old)
    with old.engine.connect() as there, new.engine.connect() as here:
        for read in (all_versions, all_releases):
            assert read(here) == read(there)


def test_a_backup_is_written_before_a_release_and_few_are_kept(vitok, released):
    (first,) = (released / ".vitok" / "backups").iterdir()
    assert "before-release" in first.name
    names = set(names_in(first))
    assert {".vitok/state.sqlite", "vitok.yaml", "expectations.yaml", "manifest.json"} <= names
    assert not [name for name in names if "blobs" in name or "lake" in name]


def test_a_release_without_its_backup_is_refused_unless_the_charter_wants_none(vitok, mistake, drafted):
    assert vitok("run", "--quick", "--project", drafted).code == 0
    (drafted / ".vitok" / "backups").write_text("in the way")
    mistake("release", 1, "--project", drafted, says=["backup cannot be written", "keep: 0"])
    assert not (drafted / ".vitok" / "plan.json").exists()
    edit(drafted, lambda charter: charter.update(backup={"keep": 0}))
    assert vitok("release", 1, "--project", drafted).code == 0


def test_the_state_from_before_a_release_goes_back_into_its_project(vitok, mistake, released, tmp_path):
    (before,) = (released / ".vitok" / "backups").iterdir()
    mistake("restore", before, "--project", tmp_path / "new", says=["without bundles"])
    assert not (tmp_path / "new").exists()
    back = vitok("restore", before, "--project", released).json
    assert back["version"] is None
    assert vitok("releases", "--project", released).json["releases"] == []
    assert (released / ".vitok" / back["replaced"].rpartition("/")[2] / "plan.json").exists()
    assert vitok("release", 1, "--project", released).json["version"] == 1


def test_what_is_there_is_never_written_over(archive, released, tmp_path):
    before = files_of(released)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for file, place, says in [
        (archive, released, "is a project already"),
        (archive, tmp_path / "full", "is not empty"),
        (tmp_path / "none.tar.gz", tmp_path / "x", "is not there"),
    ]:
        with pytest.raises(UserMistake, match=says):
            restore(file, place, open_project)
    assert files_of(released) == before
    assert not (tmp_path / "x").exists()


def test_rows_go_into_the_database_that_the_settings_name(archive, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'named.sqlite'}"
    monkeypatch.setenv("VITOK_DATABASE_URL", url)
    again = tmp_path / "again"
    assert restore(archive, again, open_project, database=url)["version"] == 1
    assert not (again / ".vitok" / "state.sqlite").exists()
    assert examine(open_project(again))["ok"]
    with pytest.raises(UserMistake, match="has rows in"):
        restore(archive, tmp_path / "third", open_project, database=url)
    assert not (tmp_path / "third").exists()


def test_a_full_disk_leaves_nothing(archive, tmp_path):
    with small_disk(tmp_path / "small", "200k") as small:
        with pytest.raises(UserMistake, match="Free disk space"):
            restore(archive, small / "again", open_project)
        assert list(small.iterdir()) == []
