"""The charter's rules reach the answers of the server, the batch and the journal."""

import signal
import subprocess
import time
from contextlib import contextmanager

import httpx
import polars as pl
import pytest

from commands import COMMAND, cancer, edit
from serving import free_port

pytestmark = pytest.mark.xdist_group("serving")


@contextmanager
def served(project):
    port = free_port()
    command = [*COMMAND, "serve", "--project", project, "--port", port]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 20
    try:
        while time.monotonic() < until:
            try:
                if httpx.get(f"{url}/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def test_rules_come_into_force_with_the_next_release(vitok, mistake, released):
    here = ["--project", released]
    edit(
        released,
        lambda charter: charter.update(
            decide={
                "threshold": "best",
                "rules": ['"mean radius" > 20 -> hand_over', "score > 2 -> default(benign)"],
                "outlier": "hand_over beyond 99%",
            }
        ),
    )
    rows = cancer().drop("diagnosis").to_dicts()
    large = next(row for row in rows if row["mean radius"] > 20)
    small = next(row for row in rows if row["mean radius"] < 12)
    strange = small | dict.fromkeys(list(small)[:5], 1000000.0) | {"mean radius": 1.0}
    changed = vitok("release", 1, *here)
    assert changed.code == 0, changed.err
    assert changed.json["epoch"] == 2  # the same version, other rules
    with served(released) as url:
        answers = httpx.post(f"{url}/models/cancer/predict", json={"rows": [large, small, strange]}).json()
    actions = [answer.get("action", "model") for answer in answers["predictions"]]
    assert actions == ["hand_over", "model", "hand_over"]
    waiting = vitok("reviews", *here).json
    assert {review["id"] for review in waiting["reviews"]} == {str(large["patient"]), str(strange["patient"])}
    assert vitok("release", 1, *here).json["epoch"] == 2  # nothing changed
    told = released / "told.csv"
    pl.DataFrame({"id": [str(large["patient"])], "value": ["malignant"]}).write_csv(told)
    assert vitok("outcomes", told, *here).json["matched"] == 1
    assert vitok("reviews", *here).json["waiting"] == 1


def test_rule_on_a_column_that_requests_do_not_have_is_refused(vitok, mistake, released):
    edit(released, lambda charter: charter.update(decide={"rules": ["colour = 'red' -> hand_over"]}))
    mistake(
        "release", 1, "--project", released, says=["decide.rules[0]", "'colour'", "no input of the model"]
    )
    answer = vitok("check", "--project", released)
    assert any("'colour'" in problem["what"] for problem in answer.json["problems"])
