"""What happens is told to an address that is really there: signed, again when it fails, given up in the end."""

import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import polars as pl
import pytest

from examples import CHARTER
from vitok.journal.ledger import Ledger
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.loop.keep import collect, keep
from vitok.loop.notify import deliver, emit, emit_hand_overs, list_events, retry_events
from vitok.loop.outcomes import JOURNAL
from vitok.wire import open_project

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)  # of an event that is asked about only now
NOTIFY = "notify: [{url: URL, on: [alert, hand_over], secret: HOOK_SECRET}]\n"


class Receiver:
    """An address that answers as told and keeps what it got."""

    def __init__(self):
        self.got, self.answers = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def project(tmp_path, receiver, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "hush")
    (tmp_path / "vitok.yaml").write_text(CHARTER + NOTIFY.replace("URL", receiver.url))
    return open_project(tmp_path, clock=VirtualClock(NOW))


def alert(project, number=1):
    with project.engine.begin() as connection:
        emit(
            connection,
            project.charter,
            project.clock(),
            "alert",
            f"alert {number}",
            {"sentence": "roc_auc fell"},
        )


def test_event_arrives_signed_and_once(project, receiver):
    alert(project)
    alert(project)  # the same moment and subject: the same event
    assert deliver(project) == 1
    assert deliver(project) == 0
    ((headers, body),) = receiver.got
    content = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert {"specversion", "id", "source", "type"} <= set(content)
    assert (content["type"], content["subject"]) == ("vitok.alert", "alert 1")
    assert content["data"] == {"sentence": "roc_auc fell"}
    seconds, signature = (part.partition("=")[2] for part in headers["Vitok-Signature"].split(","))
    expected = hmac.new(b"hush", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == expected


def test_event_that_nobody_wants_is_not_written_down(project):
    with project.engine.begin() as connection:
        emit(connection, project.charter, NOW, "release", "version 1", {})
    assert list_events(project, dead=False)["events"] == []


def test_failing_address_is_tried_again_with_pauses_then_given_up_and_revived(project, receiver):
    receiver.answers = [500] * 12
    alert(project)
    moments = []
    for _ in range(2000):
        if deliver(project) or len(receiver.got) > len(moments):
            moments.append(project.clock())
        project.clock.move_to(project.clock() + timedelta(seconds=10))
    pauses = [(after - before).total_seconds() for before, after in pairwise(moments)]
    assert len(receiver.got) == 12
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) == 3600
    (dead,) = list_events(project, dead=True)["events"]
    assert (dead["state"], dead["attempts"], dead["error"]) == ("dead", 12, "answered 500")
    assert retry_events(project) == 1
    assert deliver(project) == 1


def test_address_that_is_away_or_a_secret_that_is_not_set_is_told(project, receiver, monkeypatch):
    receiver.server.shutdown()
    receiver.server.server_close()
    alert(project)
    assert deliver(project) == 0
    assert "refused" in list_events(project, dead=False)["events"][0]["error"]
    monkeypatch.delenv("HOOK_SECRET")
    alert(project, 2)
    project.clock.move_to(NOW + timedelta(minutes=1))
    deliver(project)
    errors = [event["error"] for event in list_events(project, dead=False)["events"]]
    assert any("HOOK_SECRET is not set" in error for error in errors)


def answer(project, *actions):
    spool = Spool(project.state / JOURNAL, "w")
    for number, action in enumerate(actions):
        score = ("champion", 1, "w", {}, 0.5, None, [], action, "score within 0.01 of the threshold")
        spool.append([Prediction(f"p{number}", "u", LONG_AGO, NOW, 1, "d", *score)])
    spool.close()


def test_keeper_tells_a_row_in_the_look_in_which_it_comes(project, receiver):
    class Rounds:
        """Two looks; between them an answer comes, and no time passes, so that no window is due."""

        looks = 0

        def is_set(self):
            return self.looks == 2

        def wait(self, seconds):
            self.looks += 1
            if self.looks == 1:
                assert receiver.got == []
                answer(project, "hand_over")

    keep(lambda: project, Rounds())
    assert [json.loads(body)["subject"] for _, body in receiver.got] == ["prediction p0"]


def test_rows_that_were_handed_over_are_told_once(project, receiver):
    answer(project, "model", "hand_over", "hand_over")
    collect(project)
    assert Ledger(project.lake).predictions().filter(pl.col("action") == "hand_over").height == 2
    emit_hand_overs(project, NOW + timedelta(seconds=1))
    assert deliver(project) == 0
    for _ in range(2):
        emit_hand_overs(project)
        deliver(project)
    subjects = sorted(json.loads(body)["subject"] for _, body in receiver.got)
    assert subjects == ["prediction p1", "prediction p2"]
