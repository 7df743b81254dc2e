"""From a caller who copies the model to the people who are told: worker, record, alert, webhook."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
import test_notify
from test_keys import PATH, Served
from test_notify import answer

from commands import run_vitok
from examples import CHARTER, write_plan
from probes import flights, strange, with_reference
from vitok.journal.ledger import Ledger
from vitok.loop.keep import collect, watch_once
from vitok.loop.looks import Look, Looks
from vitok.loop.watch import watch
from vitok.monitor.windows import Window
from vitok.store.blobs import Blobs
from vitok.store.suspicions import Suspicion, append_suspicion

pytestmark = pytest.mark.xdist_group("serving")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


receiver, project = test_notify.receiver, test_notify.project


def suspect(project, caller="shop", pattern="unlike_training", rows=300, hits=290, tolerated=0.1):
    append_suspicion(project.state, Suspicion(project.clock(), caller, pattern, rows, hits, tolerated))


def test_alert_is_raised_once_a_caller_and_day_told_and_ended(project, receiver):
    suspect(project)
    suspect(project)  # two workers at the same moment
    (alert,) = watch_once(project).opened.values()
    assert (alert.kind, alert.severity, alert.what) == ("security", "alarm", ("shop",))
    assert "290 of 300 rows were unlike any that training saw, tolerated are 10%" in alert.sentence
    assert watch_once(project).opened == {}
    (body,) = [json.loads(body) for _, body in receiver.got]
    assert (body["type"], body["data"]["what"]) == ("vitok.alert", ["shop"])
    suspect(project, pattern="near_threshold")
    suspect(project, caller="till", pattern="query_budget", rows=501, hits=501, tolerated=500.0)
    watched = watch_once(project)
    assert [each.what for each in watched.opened.values()] == [("till",)]
    sentences = {each.what[0]: each.sentence for each in watched.open.values()}
    assert "within 0.01 of the threshold" in sentences["shop"]
    assert sentences["till"] == "Caller 'till' asked for 501 rows on 2026-01-01, the budget is 500."
    project.clock.move_to(NOW + timedelta(days=1))
    suspect(project)
    watched = watch_once(project)
    assert len(watched.opened) == 1
    assert len(watched.open) == 3
    project.clock.move_to(NOW + timedelta(days=2))
    watched = watch_once(project)
    assert len(watched.resolved) == 2
    assert [each.since.day for each in watched.open.values()] == [2]
    project.clock.move_to(NOW + timedelta(days=4))
    assert watch_once(project).open == {}
    assert watch_once(project).resolved == {}


def test_alerts_of_windows_and_of_callers_do_not_disturb_each_other(project, monkeypatch):
    """Windows that close beside two suspected callers of one day: each alert keeps its own line."""
    suspect(project)
    suspect(project, caller="till")
    answer(project, "model")
    collect(project)
    version = SimpleNamespace(number=1, digest="d")
    monkeypatch.setattr(
        Looks, "drift", lambda self, start, end, state: Look(Window(start, end, 9, 0, state), version, {})
    )
    monkeypatch.setattr(Looks, "quality", lambda self, look, state: look)
    for _ in range(3):
        watched = watch(project, Ledger(project.lake))
        assert {each.what for each in watched.open.values()} == {("shop",), ("till",)}
        assert len(watched.open) == 2


def test_caller_who_copies_the_model_of_a_real_server_is_told_by_watch_and_status(tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER)
    write_plan(tmp_path / ".vitok", with_reference(Blobs(tmp_path / ".vitok" / "blobs")))
    words = ("--project", tmp_path)
    shop, thief = (run_vitok("keys", "add", name, *words).json["key"] for name in ("shop", "thief"))
    with (
        Served(
            tmp_path, "--guarded", "--workers", 2, "--query-budget", 2000, env={"VITOK_LOG": "json"}
        ) as server,
        httpx.Client() as client,
    ):
        url = server.ready(client, f"http://127.0.0.1:{server.port}")
        for turn in range(30):
            for key, rows in ((shop, flights(40, turn)), (thief, strange(40))):
                headers = {"authorization": f"Bearer {key}", "connection": "close"}
                assert client.post(url + PATH, json={"rows": rows}, headers=headers).status_code == 200
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if "probing suspected" in line["message"]]
    assert (line["caller"], line["pattern"], line["level"]) == ("thief", "unlike_training", "warning")
    (alert,) = run_vitok("watch", "--once", *words).json["alerts"]
    assert (alert["kind"], alert["what"], alert["new"]) == ("security", ["thief"], True)
    assert run_vitok("watch", "--once", *words).json["alerts"][0]["new"] is False
    shown = run_vitok("status", *words, as_json=False).out
    assert "ALARM: Caller 'thief' asks like somebody who copies the model" in shown
