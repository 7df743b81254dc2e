"""Back on the old version in two seconds, whatever else is down; and plans that survive kill -9."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import httpx
import pytest
from test_swaps import Load

from commands import run_vitok
from examples import FLIGHT
from rollouts import two_versions
from serving import running
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.journal.mover import move
from vitok.kernel.clock import system_clock
from vitok.loop.release import publish_plan
from vitok.loop.rollback import record_pending
from vitok.loop.rollout import release_version
from vitok.registry import releases, rollouts
from vitok.release.plan import Plan
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("serving")
ROWS = {"rows": [FLIGHT | {"flight": f"F{number}", "tail": f"N{number}"} for number in range(64)]}


def answered_by(url):
    """The versions that answer, asked on fresh connections so that both workers get their turn."""
    found = set()
    for _ in range(12):
        content = httpx.post(url + "/models/flights/predict", json=ROWS).json()
        found |= (
            {content["version"]} if "version" in content else {p["version"] for p in content["predictions"]}
        )
    return found


def until(url, versions, seconds):
    """Waits until only these versions answer."""
    started = time.monotonic()
    while answered_by(url) != versions:
        assert time.monotonic() - started < seconds


@pytest.mark.parametrize("trouble", ["none", "database", "locked database", "charter", "lake"])
def test_rollback_reaches_all_workers_whatever_else_is_down(tmp_path, trouble):
    project = two_versions(tmp_path, system_clock)
    release_version(project, MemoryLedger(), 2, actor="ada")
    project.engine.dispose()
    with running(tmp_path, workers=2) as server, Load(server.url, clients=2) as load:
        until(server.url, {1, 2}, 30)
        if trouble == "database":
            (tmp_path / ".vitok" / "state.sqlite").write_bytes(b"no database at all" * 100)
            for path in (tmp_path / ".vitok").glob("state.sqlite-*"):
                path.unlink()
        elif trouble == "locked database":
            held = sqlite3.connect(tmp_path / ".vitok" / "state.sqlite", isolation_level=None)
            held.execute("BEGIN IMMEDIATE")
        elif trouble == "charter":
            (tmp_path / "vitok.yaml").write_text("project: [")
        elif trouble != "none":
            shutil.rmtree(tmp_path / ".vitok" / "lake", ignore_errors=True)
            (tmp_path / ".vitok" / "lake").write_text("a file")
        back = run_vitok("rollback", "--reason", "smoke", "--project", tmp_path)
        assert (back.code, back.json["version"]) == (0, 1)
        until(server.url, {1}, 30)
        again = run_vitok("rollback", "--project", tmp_path)
        assert (again.code, again.json["version"], again.json["epoch"]) == (0, 1, back.json["epoch"])
    assert load.failures == []


def test_rollback_made_without_the_charter_is_recorded_when_it_is_back(tmp_path):
    project = two_versions(tmp_path, system_clock)
    release_version(project, MemoryLedger(), 2, actor="ada")
    text = (tmp_path / "vitok.yaml").read_text()
    (tmp_path / "vitok.yaml").write_text("project: [")
    assert run_vitok("rollback", "--reason", "smoke", "--project", tmp_path).code == 0
    (tmp_path / "vitok.yaml").write_text(text)
    opened = open_project(tmp_path)
    publish_plan(opened)  # a keeper that comes back must not undo it
    assert Plan.from_json((opened.state / "plan.json").read_bytes()).champion.version == 1
    record_pending(opened)
    publish_plan(opened)
    told = run_vitok("releases", "--project", tmp_path).json
    assert [each["state"] for each in told["rollouts"]] == ["aborted"]
    assert told["releases"][-1]["strategy"] == "rollback"
    assert "smoke" in told["releases"][-1]["evidence"]["reason"]


HURRY = """
import sys
from pathlib import Path
from vitok.journal.ledger import MemoryLedger
from vitok.loop.rollout import end_by_hand, release_version
from vitok.wire import open_project
project = open_project(Path(sys.argv[1]))
while True:
    for strategy in ("canary", "blue-green", "immediate"):
        release_version(project, MemoryLedger(), 2, strategy=strategy, actor="ada")
        print(strategy, flush=True)
        if strategy != "immediate":
            end_by_hand(project, actor="ada", reason="again")
    release_version(project, MemoryLedger(), 1, strategy="immediate", actor="ada")
"""


def test_killed_at_any_moment_there_is_one_plan_and_the_workers_get_it(tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    project = two_versions(tmp_path, system_clock)
    for _ in range(8):
        with project.engine.connect() as connection:
            under_way = rollouts.current(connection)
        if under_way is not None:
            run_vitok("rollback", "--project", tmp_path)
        process = subprocess.Popen([sys.executable, "-c", HURRY, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        publish_plan(project)
        with project.engine.connect() as connection:
            history = releases.all_releases(connection)
            open_ones = [each for each in rollouts.all_rollouts(connection) if each.position.is_open]
        assert [each.epoch for each in history] == list(range(1, len(history) + 1))
        assert [each.epoch for each in history if each.state == "in force"] == [len(history)]
        assert len(open_ones) <= 1
        plan = Plan.from_json((project.state / "plan.json").read_bytes())
        assert plan == history[-1].plan
        assert plan.champion.version in (1, 2)
        assert bool(open_ones) == (len(plan.arms) == 2)


def test_a_shadow_answers_nobody_and_is_asked_afterwards(tmp_path):
    project = two_versions(tmp_path, system_clock)
    release_version(project, MemoryLedger(), 2, strategy="shadow", actor="ada")
    with running(tmp_path) as server:
        assert answered_by(server.url) == {1}
    move(project.state / "journal", project.lake, project.clock())
    rows = Ledger(project.lake).since(project.clock().replace(year=2000))
    roles = rows.group_by("role", "version").len().sort("role").rows()
    assert roles == [("champion", 1, 12 * 64), ("shadow", 2, 12 * 64)]
    assert json.dumps(sorted(rows.filter(role="shadow")["id"])) == json.dumps(
        sorted(rows.filter(role="champion")["id"])
    )
