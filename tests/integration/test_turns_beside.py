"""Turns work beside the keeper: while one takes its time, roll-outs are decided and rows are moved."""

import subprocess
import sys
import time
from contextlib import closing, contextmanager

import msgspec
import psutil
import pytest

from commands import cancer, edit, run_vitok
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import system_clock
from vitok.loop.rollout import release_version
from vitok.loop.tick import work
from vitok.loop.wanting import want_turn
from vitok.registry import decisions, releases, rollouts, turns, wanted
from vitok.store.heartbeat import read_heartbeat
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("beside")
SECONDS = 60.0
SLOW = """
import time
from pathlib import Path


def add_features(frame):
    while not Path({go!r}).exists():
        Path({begun!r}).touch()
        time.sleep(0.1)
    return frame
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project with two accepted versions of which one is in production."""
    folder = tmp_path_factory.mktemp("beside") / "cancer"
    folder.mkdir()
    cancer().write_csv(folder / "cancer.csv")
    words = ["--data", folder / "cancer.csv", "--target", "diagnosis", "--id", "patient"]
    assert run_vitok("init", folder, *words).code == 0
    edit(folder, lambda charter: charter["train"].update(candidates=["linear"]))
    edit(folder, lambda charter: charter.update(release={"strategy": "canary", "shares": ["50%"]}))
    for _ in range(2):
        assert run_vitok("run", "--quick", "--project", folder).code == 0
    assert run_vitok("release", 1, "--project", folder).code == 0
    text = SLOW.format(go=str(folder / "go"), begun=str(folder / "begun"))
    (folder / "slow.py").write_text(text)
    edit(folder, lambda charter: charter.update(features="slow.py:add_features"))
    return folder


@pytest.fixture
def project(home):
    (home / "go").unlink(missing_ok=True)
    (home / "begun").unlink(missing_ok=True)
    project = open_project(home)
    with project.engine.connect() as connection:
        before = len(turns.all_turns(connection))
    yield project
    with project.engine.connect() as connection:
        after = turns.all_turns(connection)
    assert len(after) == before + 1, "a turn was lost, or taken twice"
    project.engine.dispose()


@contextmanager
def keeper(home):
    command = [sys.executable, "-m", "vitok.cli", "watch", "--project", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until(holds, what):
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < SECONDS, what
        time.sleep(0.1)


def at_work(home):
    """The processes that take a turn of the project."""
    found = []
    for each in psutil.process_iter(["cmdline"]):
        words = each.info["cmdline"] or []
        if "work" in words and str(home) in words:
            found.append(each)
    return found


def newest(project):
    with project.engine.connect() as connection:
        return turns.last(connection)


def asked_for(project):
    want_turn(project, "ada", reason="new rows")
    return lambda: newest(project).state == "running" and (project.folder / "begun").exists()


def came_of(project):
    """Whether the turn that was asked for is noted as come to its end."""
    with project.engine.begin() as connection:
        return wanted.oldest(connection) is None and turns.last(connection).state == "accepted"


def row(project, plan, number):
    now, arm = system_clock(), plan.arms[1]
    head = (arm.version, arm.digest, arm.role, plan.epoch, "w")
    return Prediction(
        f"p{number}", f"p{number}", now, now, *head, msgspec.Raw(b"{}"), 0.5, True, [], "model", ""
    )


def test_a_roll_out_is_decided_and_rows_are_moved_while_a_turn_works(home, project):
    release_version(project, MemoryLedger(), 2, actor="ada")
    has_begun = asked_for(project)
    with keeper(home), closing(Spool(project.state / "journal", "w")) as spool:
        until(has_begun, "the turn did not begin")
        seen = read_heartbeat(project.state).seen
        with project.engine.begin() as connection:
            plan = releases.current(connection).plan
            connection.exec_driver_sql("UPDATE versions SET verdict = 'refused' WHERE number = 2")
        spool.append([row(project, plan, number) for number in range(5)])

        def is_decided():
            with project.engine.connect() as connection:
                return rollouts.current(connection) is None

        until(is_decided, "the roll-out stood still")
        until(lambda: read_heartbeat(project.state).seen > seen, "no sign of life")
        assert Ledger(project.lake).predictions().height == 5
        assert newest(project).state == "running"
        (home / "go").touch()
        until(lambda: came_of(project), "the turn did not end")
    with project.engine.connect() as connection:
        assert rollouts.all_rollouts(connection)[-1].state == "aborted"
        assert releases.current(connection).version == 1


def test_a_keeper_that_is_killed_leaves_the_turn_at_work_and_the_next_one_starts_no_second(home, project):
    has_begun = asked_for(project)
    with keeper(home) as first:
        until(has_begun, "the turn did not begin")
        first.kill()
        first.wait()
        (process,) = at_work(home)
    with keeper(home):
        seen = read_heartbeat(project.state).seen
        until(lambda: read_heartbeat(project.state).seen > seen, "no sign of life")
        assert at_work(home) == [process]
        (home / "go").touch()
        until(lambda: came_of(project), "the turn did not end")
    until(lambda: not at_work(home), "a process is left")


@pytest.mark.parametrize("what", ["keeper", "turn"])
def test_a_turn_that_is_cut_off_is_gone_on_with(home, project, what):
    has_begun = asked_for(project)
    with keeper(home) as first:
        until(has_begun, "the turn did not begin")
        begun = newest(project)
        if what == "keeper":
            first.terminate()
            first.wait(20)
            assert at_work(home) == []
        else:
            (process,) = at_work(home)
            process.kill()
        (home / "go").touch()
        with keeper(home):
            until(lambda: came_of(project), "the turn was lost")
    assert newest(project).id == begun.id


def test_a_turn_that_was_decided_on_is_taken_by_its_decision(home, project):
    (home / "go").touch()
    with project.engine.begin() as connection:
        noted = decisions.note(connection, system_clock(), started=True, triggers=("drift",), reason="drift")
    done = run_vitok("turns", "work", "--decision", noted, "--project", home)
    assert done.code == 0
    assert "Turn ended: version" in done.json["done"]
    assert (newest(project).trigger, newest(project).actor) == ("drift", "vitok")
    with project.engine.connect() as connection:
        assert decisions.get(connection, noted).turn == newest(project).id
    assert work(project, Ledger(project.lake)) == "There is nothing to do now."
    assert run_vitok("turns", "work", "--decision", "none", "--project", home).code == 2
