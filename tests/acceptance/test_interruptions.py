"""A turn that is cut short: by Ctrl-C, by kill -9, by a full disk, by another turn. Nothing is half-registered."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

from commands import COMMAND
from disks import small_disk


def start(project):
    words = [*COMMAND, "run", "--quick", "--json", "--project", str(project)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, words):
    """Reads what the process says until it says these words; returns all it said."""
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(words):
            return said
    raise AssertionError(f"it never said {words!r}: {said}")


def last_turn(vitok, project):
    return vitok("status", "--project", project).json["last_turn"]


STAGES = {
    "data": "Reading",
    "candidates": "Fitting candidates",
    "package": "Packaging",
    "verdict": "Judging",
    "tracking": "Writing",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage",
    [
        each if each in ("candidates", "tracking") else pytest.param(each, marks=pytest.mark.soak)
        for each in STAGES
    ],
)
def test_ctrl_c_ends_the_turn_with_one_message_and_registers_nothing(drafted, vitok, stage):
    process = start(drafted)
    wait_for(process, STAGES[stage])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, (out, err)
    assert "Traceback" not in err
    error = json.loads(out)["error"]
    assert "interrupted in stage" in error["what"]
    assert [line for line in err.splitlines() if line.startswith("vitok: ")] == [
        f"vitok: {error['place']}: {error['what']}. {error['remedy']}"
    ]
    assert last_turn(vitok, drafted)["state"] == "interrupted"
    assert vitok("models", "--project", drafted).json == {"versions": []}


def test_ctrl_c_while_the_command_is_loading_is_no_traceback(drafted):
    process = start(drafted)
    deadline = time.monotonic() + 20
    while "sqlalchemy" not in loaded(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, (out, err)
    assert "Traceback" not in err
    assert json.loads(out)["error"]["what"].startswith("interrupted")


def loaded(process):
    """Libraries that a process has mapped."""
    with open(f"/proc/{process.pid}/maps") as maps:
        return maps.read()


@pytest.mark.slow
def test_killed_turn_is_marked_and_the_next_one_works(drafted, vitok):
    process = start(drafted)
    wait_for(process, "Fitting candidates")
    process.kill()
    process.communicate()
    assert last_turn(vitok, drafted)["state"] == "running"
    assert vitok("models", "--project", drafted).json == {"versions": []}
    again = vitok("run", "--quick", "--project", drafted)
    assert again.code == 0, again.err
    assert again.json["version"] == 1
    with sqlite3.connect(drafted / ".vitok" / "state.sqlite") as database:
        states = [state for (state,) in database.execute("SELECT state FROM turns ORDER BY started")]
    database.close()
    assert states == ["interrupted", "accepted"]
    assert "vitok turns resume 1" in again.err
    assert vitok("doctor", "--project", drafted).code == 0


@pytest.mark.slow
def test_killed_turn_goes_on_at_its_step_by_the_charter_that_it_began_with(drafted, vitok, mistake):
    process = start(drafted)
    wait_for(process, "  lightgbm")
    process.kill()
    process.communicate()
    (cut,) = vitok("turns", "--project", drafted).json["turns"]
    assert cut["state"] == "cut off"
    charter = drafted / "vitok.yaml"
    begun = charter.read_text()
    charter.write_text(
        begun.replace("accept:", "accept:\n  - accuracy >= 0.9999", 1)
    )  # no model passes this one
    resumed = vitok("turns", "resume", 1, "--project", drafted)
    assert resumed.code == 0, resumed.err
    assert resumed.json["version"] == 1
    line = vitok("turns", "show", 1, "--project", drafted).json
    assert line["state"] == "accepted"
    tries = {step["name"]: step["attempts"] for step in line["steps"]}
    done = [name for name in tries if name in ("data", "baselines", "plan", "candidate linear")]
    assert len(done) == 4
    assert {tries[name] for name in done} == {1}
    assert all(step["ended"] for step in line["steps"])
    assert any("Reading" in said for said in line["log"])
    assert not list((drafted / ".vitok" / "turns").iterdir())
    mistake("turns", "resume", 1, "--project", drafted, says=["turn 1", "accepted", "vitok run"])
    mistake("turns", "cancel", 1, "--project", drafted, says=["turn 1", "accepted"])
    mistake("turns", "show", 9, "--project", drafted, says=["turn '9'", "newest is 1"])


@pytest.mark.slow
def test_interrupted_turn_goes_on_and_registers_once(drafted, vitok):
    process = start(drafted)
    wait_for(process, "Writing")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "vitok turns resume 1" in err
    for _ in range(2):
        going = subprocess.Popen(
            [*COMMAND, "turns", "resume", "1", "--project", str(drafted)], stderr=subprocess.PIPE, text=True
        )
        wait_for(going, "Registering")
        going.kill()
        going.communicate()
        if vitok("turns", "--project", drafted).json["turns"][0]["state"] == "accepted":
            break
    else:
        assert vitok("turns", "resume", 1, "--project", drafted).code == 0
    assert len(vitok("models", "--project", drafted).json["versions"]) == 1


@pytest.mark.slow
def test_cancelled_turn_ends_before_its_next_step_and_can_go_on(drafted, vitok):
    process = start(drafted)
    wait_for(process, "Fitting baselines")
    process.send_signal(signal.SIGSTOP)
    assert vitok("turns", "cancel", 1, "--project", drafted).json["state"] == "cancelling"
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "was cancelled by" in json.loads(out)["error"]["what"]
    assert vitok("turns", "--project", drafted).json["turns"][0]["state"] == "cancelled"
    assert vitok("models", "--project", drafted).json == {"versions": []}
    assert vitok("turns", "resume", 1, "--project", drafted).json["version"] == 1


@pytest.mark.slow
def test_second_turn_is_turned_away_and_the_first_goes_on(drafted, vitok, mistake):
    first = start(drafted)
    wait_for(first, "Reading")
    first.send_signal(signal.SIGSTOP)
    try:
        answer = mistake("run", "--quick", "--project", drafted, says=["vitok run", str(first.pid), "Wait"])
        assert answer.error["kind"] == "Busy"
    finally:
        first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert json.loads(out)["version"] == 1
    assert len(vitok("models", "--project", drafted).json["versions"]) == 1


@pytest.mark.slow
def test_turn_that_waits_begins_when_the_first_has_ended(drafted):
    first = start(drafted)
    wait_for(first, "Reading")
    words = [*COMMAND, "run", "--quick", "--wait", "--json", "--project", str(drafted)]
    second = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert json.loads(first.communicate()[0])["version"] == 1
    assert json.loads(out)["version"] == 2


def small_files(limit):
    """Makes every write beyond so many bytes fail, as a full disk does."""

    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return apply


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_000, 60_000])
def test_disk_that_fills_up_stops_the_turn_and_leaves_it_repeatable(drafted, vitok, mistake, limit):
    mistake("run", "--quick", "--project", drafted, says=["disk"], preexec_fn=small_files(limit))
    assert vitok("models", "--project", drafted).json == {"versions": []}
    if limit == 60_000:
        again = vitok("run", "--quick", "--project", drafted)
        assert again.code == 0, again.err
        assert again.json["version"] == 1


@pytest.mark.slow
def test_full_disk_in_a_later_turn_keeps_the_champion(released, vitok, mistake, tmp_path):
    with small_disk(tmp_path / "disk", "4m") as disk:
        subprocess.run(["cp", "-r", str(released), str(disk / "p")], check=True)
        size = os.statvfs(disk)
        (disk / "filler").write_bytes(b"x" * (size.f_bavail * size.f_frsize - 100_000))
        mistake("run", "--quick", "--project", disk / "p", says=["disk"])
        os.remove(disk / "filler")
        assert len(vitok("models", "--project", disk / "p").json["versions"]) == 1
        checks = json.loads(vitok("doctor", "--project", disk / "p").out)["checks"]
        assert [check["check"] for check in checks if not check["ok"]] == ["disk"]
