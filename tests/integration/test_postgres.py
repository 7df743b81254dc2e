"""The state on Postgres: the same project by one setting, and a server that stops and starts while it is at work."""

import json
import os
import re
import signal
import subprocess
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from test_rollout_faults import project as rolling  # noqa: F401 - a fixture
from test_rollout_faults import test_a_good_version_goes_all_the_way as canary
from test_store_migrations import ROWS, filled
from test_ways_back import project as three  # noqa: F401 - a fixture
from test_ways_back import (
    test_a_promotion_in_the_moment_of_a_rollback_is_taken_back_and_stands_in_the_history as late,
)
from test_ways_back import test_a_second_roll_out_cannot_even_be_written as no_second
from test_ways_back import (
    test_of_two_operators_at_the_same_moment_one_wins_and_the_other_is_told as two_operators,
)
from test_ways_back import test_two_rollbacks_at_the_same_moment_are_one as two_rollbacks

import postgres
from commands import COMMAND, cancer, edit, run_vitok
from examples import flight_bundle
from repositories import exercise
from rollouts import CHARTER, GUARD
from serving import free_port
from vitok.errors import Fault, Refused, UserMistake, VitokError
from vitok.govern import audit
from vitok.journal.ledger import Ledger
from vitok.loop.approving import answer_approval
from vitok.loop.backup import back_up
from vitok.loop.doctor import examine
from vitok.loop.mending import orphans
from vitok.loop.release import release_at_once
from vitok.loop.restore import restore
from vitok.loop.rollout import release_version
from vitok.loop.turn import run_turn
from vitok.loop.turns import resume_turn
from vitok.registry import releases, requests, steps, turns, versions
from vitok.store.copies import dump_rows
from vitok.store.db import new_database, open_database
from vitok.store.schema import HEAD, metadata
from vitok.wire import open_project

pytestmark = [
    pytest.mark.xdist_group("postgres"),
    pytest.mark.skipif(
        postgres.programs() is None, reason="no Postgres server here: apt-get install postgresql"
    ),
]
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOWN_SECONDS = 5.0


@pytest.fixture(scope="module")
def cluster():
    with postgres.server(postgres.programs()) as running:
        yield running


@pytest.fixture
def url(cluster):
    return cluster.database("one")


@pytest.fixture
def named(url, monkeypatch):
    """The setting that projects are opened by."""
    monkeypatch.setenv("VITOK_DATABASE_URL", url)


@pytest.fixture
def either(request, tmp_path):
    """The URL of an empty database of each kind: what holds of one must hold of the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite'}"
    return request.getfixturevalue("url")


@pytest.fixture
def opened():
    """Opens databases, and closes them at the end."""
    engines = []

    def open_one(url, how=open_database):
        engines.append(how(url))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.dispose()


on_both = pytest.mark.parametrize("either", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="module")
def home(cluster, tmp_path_factory):
    """A project on Postgres after a turn and a release."""
    folder = tmp_path_factory.mktemp("postgres") / "cancer"
    folder.mkdir()
    cancer().write_csv(folder / "cancer.csv")
    words = ["--data", folder / "cancer.csv", "--target", "diagnosis", "--id", "patient"]
    assert run_vitok("init", folder, *words).code == 0
    edit(folder, lambda charter: charter["train"].update(candidates=["linear"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_DATABASE_URL", cluster.database("home"))
        project = open_project(folder)
        run_turn(project, quick=True)
        release_version(project, Ledger(project.lake), 1, actor="ada")
        project.engine.dispose()
        yield folder


@pytest.fixture
def said():
    return []


@pytest.fixture
def project(home, said):
    project = open_project(home, say=said.append)
    yield project
    project.engine.dispose()


def test_every_repository_gives_the_same_as_on_sqlite(url, tmp_path, opened):
    found = []
    for each in (url, f"sqlite:///{tmp_path / 'state.sqlite'}"):
        with opened(each).begin() as connection:
            found.append(exercise(connection))
    for here, there in zip(*found, strict=True):
        assert here == there


def test_a_canary_goes_all_the_way(named, rolling):  # noqa: F811
    canary(rolling)
    rolling.engine.dispose()


@pytest.mark.parametrize("strategy", ["canary", "immediate"])
def test_of_two_operators_at_once_one_wins(named, three, monkeypatch, strategy):  # noqa: F811
    two_operators(three, monkeypatch, strategy)


def test_of_two_who_take_back_at_once_one_does(named, three, monkeypatch):  # noqa: F811
    two_rollbacks(three, monkeypatch)


def test_a_rollback_that_meets_a_promotion_takes_it_back(named, three, monkeypatch):  # noqa: F811
    late(three, monkeypatch, None)


def test_a_second_roll_out_is_refused_by_the_database(named, three):  # noqa: F811
    no_second(three)


def test_migrations_make_exactly_the_schema(url, opened):
    with opened(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("revision", ["0001", "0006"])
def test_no_row_is_lost_on_the_way_to_the_present_schema(url, revision, opened):
    old = new_database(url, revision)
    rows = filled(old)
    old.dispose()
    with opened(url).connect() as connection:
        for name, before in rows.items():
            table = metadata.tables[name]
            found = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings().all()
            assert len(found) == ROWS
            for was, now in zip(before, found, strict=True):
                kept = {key: value for key, value in was.items() if key in table.c}
                assert {key: now[key] for key in kept} == kept, name


def at_once(number, work):
    """Does something several times at the same moment; gives what came of each, errors too."""
    gate = threading.Barrier(number)

    def one(which):
        gate.wait()
        try:
            return work(which)
        except Exception as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@on_both
def test_an_empty_database_that_two_open_at_once_is_made_once(either, opened):
    for engine in at_once(2, lambda _: opened(either)):
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == HEAD


@on_both
def test_those_who_write_at_once_get_numbers_in_a_row_and_one_whole_audit_log(either, opened):
    engine = opened(either)
    facts = {"created": NOW, "turn": "t", "verdict": "accepted", "gates": [], "metrics": {}, "summary": {}}

    def work(which):
        for each in range(8):
            with engine.begin() as connection:
                audit.record(connection, NOW, "ada", "act", f"{which}", {})
                about = {"now": NOW, "as_of": NOW, "trigger": "by hand", "charter": ""}
                turns.begin(connection, f"{which}.{each}", **about)
                versions.register(connection, digest=f"{which}.{each}", **facts)
                if each % 3 == 2:
                    connection.rollback()  # a failure leaves no gap
        return "done"

    assert at_once(4, work) == ["done"] * 4
    with engine.connect() as connection:
        assert audit.verify(connection) is None
        count = audit.count(connection)
        assert count == 24
        assert [turn.number for turn in turns.all_turns(connection)] == list(range(1, count + 1))
        assert [found.number for found in versions.all_versions(connection)] == list(range(1, count + 1))


def test_who_writes_for_too_long_is_no_reason_to_wait_for_ever(url, opened):
    first = opened(url)
    second = first.execution_options(vitok_wait_seconds=0.2)
    with first.begin() as one:
        audit.record(one, NOW, "ada", "act", "x", {})
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"), second.begin() as other:
            audit.record(other, NOW, "ada", "act", "y", {})


def test_names_of_any_length_are_kept_as_they_are(url, opened):
    engine = opened(url)
    with engine.begin() as connection:
        audit.record(connection, NOW, "a" * 500, "release", "version 1", {"é": "ü"})
        steps.begin(connection, "t", "candidate " + "x" * 100, NOW)
    with engine.connect() as connection:
        assert audit.verify(connection) is None


TEAM = """
team: {olga: [domain_expert], pavlo: [domain_expert]}
approve: {high: [domain_expert], within: 3d}
"""


@pytest.fixture
def asked(either, tmp_path, monkeypatch):
    """A project whose first version waits for one of two people."""
    monkeypatch.setenv("VITOK_DATABASE_URL", either)
    (tmp_path / "vitok.yaml").write_text(CHARTER.replace("RELEASE", "").replace("GUARD", GUARD) + TEAM)
    project = open_project(tmp_path)
    digest = flight_bundle(project.blobs)
    with project.engine.begin() as connection:
        turns.begin(connection, "t", now=NOW, as_of=NOW, trigger="by hand", charter="", actor="ada")
        facts = {"created": NOW, "turn": "t", "gates": [], "metrics": {}, "summary": {}}
        versions.register(connection, digest=digest, verdict="accepted", **facts)
    with pytest.raises(Refused, match=r"r1\.1"):
        release_at_once(project, 1, actor="ada")
    yield project
    project.engine.dispose()


@on_both
def test_two_answers_at_once_and_two_releases_at_once_have_one_winner(asked):
    people = ["olga", "pavlo"]
    done = at_once(2, lambda which: answer_approval(asked, "r1.1", yes=True, who=people[which], reason=""))
    (won,) = [each for each in done if isinstance(each, dict)]
    (lost,) = [each for each in done if isinstance(each, Exception)]
    assert won["state"] == "approved"
    assert f"was answered with yes by {won['approvals'][0]['by']}" in str(lost)
    done = at_once(2, lambda _: release_at_once(asked, 1, actor="ada"))
    assert [each for each in done if not isinstance(each, VitokError)], done
    assert not [each for each in done if isinstance(each, Exception) and not isinstance(each, VitokError)], (
        done
    )
    with asked.engine.connect() as connection:
        states = [release.state for release in releases.all_releases(connection)]
        assert states.count("in force") == 1
        assert requests.get(connection, 1).state == "released"
        assert audit.verify(connection) is None


def stop_for(cluster, seconds, how="fast"):
    """Stops the server, and starts it again after some seconds."""
    cluster.stop(how)
    threading.Timer(seconds, cluster.start).start()


def attempts_of(project):
    with project.engine.connect() as connection:
        turn = turns.last(connection)
        return turn, {step.name: step.attempts for step in steps.of_turn(connection, turn.id)}


def test_a_turn_waits_for_the_server_and_no_step_runs_twice(cluster, project, said, monkeypatch):
    from vitok.loop import turn_stages

    track, outages = turn_stages.track_turn, []

    def track_during_an_outage(*words):
        track(*words)
        outages.append(stop_for(cluster, DOWN_SECONDS))  # the step's end cannot be noted now

    monkeypatch.setattr(turn_stages, "track_turn", track_during_an_outage)
    result = run_turn(project, quick=True)
    assert len(outages) == 1
    turn, attempts = attempts_of(project)
    assert (turn.state, turn.version) == ("accepted", result.version.number)
    assert set(attempts.values()) == {1}, attempts


def test_a_transaction_that_a_crash_of_the_server_cuts_off_leaves_nothing_by_half(cluster, project, said):
    crashed = []

    def crash(connection, cursor, statement, parameters, context, many):
        if statement.startswith("INSERT INTO versions") and not crashed:
            crashed.append(statement)
            stop_for(cluster, 1.0, "immediate")

    with project.engine.connect() as connection:
        before = [version.number for version in versions.all_versions(connection)]
    edit(project.folder, lambda charter: charter["train"].update(seed=7))
    project = open_project(project.folder, say=said.append)
    sa.event.listen(project.engine, "after_cursor_execute", crash)
    result = run_turn(project, quick=True)
    assert crashed
    assert result.version.number == before[-1] + 1
    turn, attempts = attempts_of(project)
    assert attempts.pop("register") == 2
    assert set(attempts.values()) == {1}, attempts
    waited = [line for line in said if line.startswith("The database is")]
    assert [line.split("(")[0] for line in waited] == [
        "The database is away ",
        "The database is back; going on.",
    ]
    with project.engine.connect() as connection:
        assert [version.number for version in versions.all_versions(connection)] == [*before, before[-1] + 1]
        assert audit.verify(connection) is None
        assert turns.get(connection, turn.id).state == "accepted"


def test_a_killed_turn_goes_on_at_its_step_and_its_files_are_not_left_over(project, home):
    process = subprocess.Popen(
        [*COMMAND, "run", "--quick", "--project", str(home)], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("Writing runs"):
            break
    process.kill()
    process.communicate()
    turn, before = attempts_of(project)
    assert turn.state == "running"
    assert orphans(project) == []  # what only the workflow engine names is needed still
    resume_turn(project, str(turn.number))
    turn, after = attempts_of(project)
    assert turn.state == "accepted"
    assert {name: tries for name, tries in after.items() if name in before and tries != before[name]} in (
        {},
        {"tracking": 2},
    )


def test_an_archive_goes_into_an_empty_database_and_back_to_sqlite(cluster, project, tmp_path, monkeypatch):
    file = tmp_path / "all.tar.gz"
    back_up(project, file)
    with project.engine.connect() as connection:
        before = list(dump_rows(connection))
    for name, url in (("pg", cluster.database("again")), ("sqlite", None)):
        if url is None:
            monkeypatch.delenv("VITOK_DATABASE_URL")
        else:
            monkeypatch.setenv("VITOK_DATABASE_URL", url)
        restore(file, tmp_path / name, open_project, database=url)
        again = open_project(tmp_path / name)
        assert examine(again)["ok"]
        with again.engine.begin() as connection:
            after = [line for line in dump_rows(connection) if b'"action": "restore"' not in line]
            assert sorted(after) == sorted(before)
            numbers = [found.number for found in versions.all_versions(connection)]
            facts = {"created": NOW, "turn": "t", "gates": [], "metrics": {}, "summary": {}}
            made = versions.register(connection, digest="new", verdict="refused", **facts)
            assert made.number == numbers[-1] + 1
        again.engine.dispose()


def test_the_state_from_before_a_release_goes_back_into_the_database(project):
    (archive,) = (project.state / "backups").glob("before-release-*")
    with project.engine.connect() as connection:
        kept = list(dump_rows(connection))
    url = os.environ["VITOK_DATABASE_URL"]
    back = restore(archive, project.folder, open_project, database=url)
    assert back["version"] is None
    with project.engine.connect() as connection:
        assert [found.number for found in versions.all_versions(connection)] == [1]
    aside = Path(back["replaced"])
    assert (aside / "state.jsonl").read_bytes().splitlines(keepends=True) == kept
    again = release_version(project, Ledger(project.lake), 1, actor="ada")
    assert again.as_json()["version"] == 1


def test_the_password_is_written_nowhere(cluster, home, project):
    answer = run_vitok("doctor", "--project", home)
    assert answer.code == 0, answer.out
    written = [answer.out.encode(), answer.err.encode(), repr(project).encode()]
    written += [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    for path in (home / ".vitok" / "backups").iterdir():
        with tarfile.open(path) as tar:
            written += [tar.extractfile(member).read() for member in tar if member.isfile()]
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
    for schema, table in cluster.query(tables, "home"):
        rows = cluster.query(f'SELECT t::text FROM "{schema}"."{table}" t', "home")
        written += [row.encode() for (row,) in rows]
    assert len(written) > 50
    assert not [each[:200] for each in written if re.search(rb"s3cr3t", each)]


def test_what_is_wrong_is_told_in_one_line_without_the_password(cluster, home, monkeypatch):
    gone = cluster.url("one").replace("vitok-postgres", "vitok-nowhere")
    for url, what in [
        (cluster.url("one", "s3cr3t-wrong"), "password authentication failed"),
        (cluster.url("nothing"), 'database "nothing" does not exist'),
        (gone, "cannot be reached"),
        ("postgresql://vitok@localhost:s3cr3t/one", "percent-encoded"),
        ("postgresql+psycopg://vitok:12/s3cr3t@localhost/one", "cannot be reached"),
        ("mysql://vitok:s3cr3t@localhost/one", "neither sqlite nor postgresql"),
    ]:
        with pytest.raises((UserMistake, Fault)) as told:
            open_database(url)
        assert what in str(told.value)
        assert "s3cr3t" not in str(told.value)
        assert "\n" not in str(told.value)
    monkeypatch.setenv("VITOK_DATABASE_URL", gone)
    answer = run_vitok("status", "--project", home)
    assert (answer.code, answer.error["place"]) == (2, "state database")
    assert "Traceback" not in answer.err


def test_a_project_with_a_state_of_its_own_is_not_mixed_with_another(url, monkeypatch, tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER.replace("RELEASE", "").replace("GUARD", GUARD))
    monkeypatch.delenv("VITOK_DATABASE_URL", raising=False)
    open_project(tmp_path).engine.dispose()
    monkeypatch.setenv("VITOK_DATABASE_URL", url)
    with pytest.raises(UserMistake, match=r"names a database, and .*state\.sqlite is the state"):
        open_project(tmp_path)
    answer = run_vitok("demo", "--project", tmp_path / "demo")
    assert (answer.code, answer.error["place"]) == (2, "VITOK_DATABASE_URL")


def test_a_user_who_may_not_create_tables_is_told_so(cluster):
    cluster.database("closed")
    cluster.query("DROP ROLE IF EXISTS guest")
    cluster.query("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    url = cluster.url("closed").split("//")[1].split("@", 1)[1]
    with pytest.raises(UserMistake, match=r"permission denied.*may create tables"):
        open_database(f"postgresql+psycopg://guest:guest@{url}")


def predict(client):
    row = cancer().drop("diagnosis").head(1).to_dicts()[0]
    return client.post("/models/cancer/predict", json={"rows": [row]})


def wait_until(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def test_serving_goes_on_while_the_server_is_away_and_the_keeper_says_so_once(cluster, home, tmp_path):
    log = (tmp_path / "log").open("w+")
    words = ["up", "--port", str(free_port()), "--json", "--project", str(home)]
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        url = json.loads(process.stdout.readline())["url"]

        def told(words):
            return Path(log.name).read_text().count(words)

        def answers():
            try:
                return predict(client).status_code == 200
            except httpx.TransportError:
                return False

        with httpx.Client(base_url=url, timeout=20) as client:
            wait_until(answers)
            children = psutil.Process(process.pid).children()
            (keeper,) = [each for each in children if "watch" in each.cmdline()]
            (worker,) = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
            cluster.stop()
            wait_until(lambda: told("state database: cannot be reached"))
            assert answers()
            time.sleep(2.5)  # another look of the keeper
            worker.kill()
            wait_until(answers)  # one that starts now, too
            cluster.start()
            wait_until(lambda: told("state database: it is back"))
            assert told("state database: cannot be reached") == 1
            assert keeper.is_running()
            assert client.get("/api/status").status_code == 200
    finally:
        if not cluster_answers(cluster):
            cluster.start()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()
        log.close()
    assert "s3cr3t" not in Path(log.name).read_text()


def cluster_answers(cluster):
    try:
        cluster.query("SELECT 1")
    except Exception:
        return False
    return True
