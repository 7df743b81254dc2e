"""The work places as people use them: each page, each deed with its act and its line in the audit, and bad input."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import yaml
from sqlalchemy import update
from typer.testing import CliRunner

from examples import flight_bundle
from rollouts import START, two_versions
from vitok.charter.expressions import Ask
from vitok.cli.app import build
from vitok.errors import Refused
from vitok.govern import audit
from vitok.journal.ledger import Ledger
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.loop.control import Control
from vitok.loop.keep import collect
from vitok.loop.labelling import review_queue
from vitok.loop.links import Links
from vitok.loop.outcomes import JOURNAL
from vitok.loop.released import release_as_asked
from vitok.loop.standing import reckon_due
from vitok.monitor.alerts import Alert
from vitok.registry import figures, questions, turns, windows
from vitok.store.schema import versions
from vitok.web.app import create_pages
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("work places")  # what one does the next one finds

SECRET = b"a secret of the tests"
HOSTILE = "<script>alert(1)</script> \u202e \u200f & \"'" + "x" * 200
TEAM = {
    "ada": ["ml_engineer", "data_scientist"],
    "olga": ["product_owner"],
    "pia": ["product_owner"],
    "eva": ["domain_expert"],
    "uma": ["domain_expert"],
    "mo": ["mlops_engineer"],
    "kim": ["ml_engineer"],
}
MORE = f"""\
team: {yaml.safe_dump(TEAM, default_flow_style=True)}
approve: {{low: [ml_engineer, product_owner], within: 7d}}
"""
GATE = {"name": "roc_auc > 0.5", "value": 0.7, "low": 0.6, "high": 0.8, "threshold": 0.5, "passed": True}
GATE |= {"reason": "roc_auc 0.7 [0.6, 0.8] clears 0.5", "waits_for": None}
METRICS = {"roc_auc": {"value": 0.7, "low": 0.6, "high": 0.8, "rows": 900, "method": "DeLong"}}
SUMMARY = {"algorithm": "linear", "test_rows": 900, "left_out": {"without a label": 3}, "not_features": {}}
SUMMARY |= {"lost_cells": {}, "champion": 1, "data": {"digest": "d" * 64, "rows": 5000, "table_version": 1}}
MOVED = {"column": "temp", "status": "moved", "missing_then": 0.0, "missing_now": 0.93, "unseen_now": 0.0}
MOVED |= {"sentence": "temp: 93.0% of the values are missing, 0.0% in the reference."}
"""What the registry has of versions, gates and windows, as turns and watching write it."""


def write_history(project):
    """Turns, figures of versions, a window, an alert and an incident, as a project has them after a while."""
    now = project.clock()
    with project.engine.begin() as connection:
        for number, turn in enumerate(("t0.0", "t0.1"), 1):
            turns.begin(connection, turn, now=now, as_of=now, trigger="by hand", charter="c", actor="ada")
            turns.advance(connection, turn, state="accepted", ended=now, version=number, data=SUMMARY["data"])
        told = {"gates": [GATE], "metrics": METRICS, "summary": SUMMARY}
        connection.execute(update(versions).values(**told))
        windows.save_window(
            connection,
            start=now - timedelta(days=1),
            end=now,
            state="final",
            rows=844,
            labelled=829,
            version=1,
            drift=[MOVED],
            quality={},
            details={"volume": [{"what": "predictions", "sentence": "predictions: 844"}]},
        )
        alert = Alert("drift", "alarm", now, now, now, ("temp",), MOVED["sentence"], "Look.", "drift-inputs")
        windows.save_alert(connection, "0123456789abcdef", alert)
        questions.ask(connection, now, 2, "d" * 64, {3: Ask("domain_expert", "Is it fair?")})


def hand_over(project, count):
    """Rows that were left to people."""
    with project.engine.connect() as connection:
        digest = connection.execute(versions.select()).first().digest
    spool = Spool(project.state / JOURNAL, "worker")
    inputs = {"temp": 4.5, "carrier": "<b>UA</b>"}
    facts = {"version": 1, "digest": digest, "role": "champion", "epoch": 1, "worker": "worker"}
    for number in range(count):
        time = START + timedelta(minutes=number)
        asked = {"id": f"f/{number}?&", "unit": "u", "time": time, "received": time, "inputs": inputs}
        told = {"score": 0.4, "decision": None, "action": "hand_over", "reason": "decide.unsure"}
        spool.append([Prediction(**asked, **facts, **told)])
    spool.close()
    collect(project)


@pytest.fixture(scope="module", autouse=True)
def named_sessions():
    """A session is the name of a person: who is let in is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitok.loop.control.session_of", lambda project, session, key: session)
        patch.setenv("VITOK_SECRET", "a secret that is long enough")
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A project with all that the work places show."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "expectations.yaml").write_text("columns: {temp: {type: number, max_missing: 0.1}}\n")
    project = two_versions(folder, VirtualClock(START), more=MORE)
    write_history(project)
    hand_over(project, 6)
    reckon_due(project)
    return project


@pytest.fixture
def project(base):
    """The same for all tests of this module: each undoes nothing, and asks for things of its own."""
    return base


class Browser:
    """A browser of somebody who has logged in.

    Args:
        person: Who that is.
    """

    def __init__(self, project, person):
        self.pages = create_pages(Control(project, lambda: SECRET), Links(project, lambda: SECRET))
        self.headers = {"cookie": f"vitok_session={person}", "accept": "text/html"}

    def get(self, path):
        return asyncio.run(self._request("GET", path))

    def post(self, path, **how):
        return asyncio.run(self._request("POST", path, **how))

    async def _request(self, method, path, **how):
        transport = httpx.ASGITransport(self._behind_the_door)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, headers=self.headers, **how)

    async def _behind_the_door(self, scope, receive, send):
        scope |= {"vitok.guarded": True, "vitok.key": None}
        await self.pages(scope, receive, send)


def client_of(project, person="mo"):
    """Who acts; by default one who may operate, release and approve."""
    return Browser(project, person)


def look(project, path, person="mo"):
    """A page that is there."""
    answer = client_of(project, person).get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    return answer.text


def printed_by(project, command):
    """The object that a command prints."""
    words = command.split()
    told = CliRunner().invoke(build([words[0]]), [*words, "--json", "--project", str(project.folder)])
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def asked_for(project):
    """A release of version 2 that waits for an ML engineer and a product owner; the name of the request."""
    with pytest.raises(Refused) as refused:
        release_as_asked(project, 2, strategy="immediate", flag=None, actor="mo")
    return re.search(r"(r\d+)\.1", str(refused.value)).group(1)


def acts_on_record(project, **filters):
    with project.engine.connect() as connection:
        return [(line["actor"], line["action"]) for line in audit.lines(connection, **filters)]


PAGES = (
    "/alerts",
    "/alerts?ended=1",
    "/alerts/0123456789abcdef",
    "/incidents",
    "/incidents?closed=1",
    "/approvals",
    "/approvals/2.3",
    "/releases",
    "/models",
    "/models?word=linear",
    "/models/1",
    "/models/compare",
    "/models/compare?a=1&b=2",
    "/data",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_what_its_object_holds_and_says_how_it_is_computed(project, path):
    page = look(project, path)
    assert "How is this computed?" in page
    assert f'href="/api{path.replace("&", "&amp;")}"' in page
    assert client_of(project).get(f"/api{path}").status_code == 200


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/alerts?ended=1", "alerts --all"),
        ("/alerts/0123456789abcdef", "alerts show 0123456789abcdef"),
        ("/incidents?closed=1", "incidents --all"),
        ("/approvals", "approvals"),
        ("/releases", "releases"),
    ],
)
def test_what_a_page_shows_is_what_the_command_prints(project, path, command):
    printed = printed_by(project, command)
    shown = client_of(project).get(f"/api{path}").json()
    assert {key: shown[key] for key in printed} == printed


def test_the_catalogue_and_the_card_have_the_figures_of_the_command(project):
    listed = printed_by(project, "models")["versions"]
    shown = client_of(project).get("/api/models").json()
    assert [{k: v for k, v in each.items() if k != "main"} for each in shown["versions"]] == listed[::-1]
    assert shown["versions"][0]["main"] == METRICS["roc_auc"]
    card = printed_by(project, "card 1")
    assert client_of(project).get("/api/models/1").json()["card"] == card
    assert "0.7 [0.6; 0.8]" in look(project, "/models")


def test_a_word_that_no_version_has_leads_back_to_all(project):
    assert "No version has this word" in look(project, "/models?word=zebra")


def test_data_is_told_without_reading_any(project, monkeypatch):
    monkeypatch.setattr("vitok.store.lake.Lake.scan", None)
    page = look(project, "/data")
    assert "93%" in page
    assert "5,000" in page
    assert "max_missing" not in page
    assert "is predicted" in page


@pytest.mark.parametrize(
    "path",
    [
        "/alerts/zzzz",
        "/alerts/..%2f..",
        "/incidents/999",
        "/incidents/one",
        "/incidents/99999999999999999999",
        "/incidents/999/postmortem",
        "/approvals/r999",
        "/approvals/9.9",
        "/approvals/%3Cscript%3E",
        "/releases/999",
        "/releases/-1",
        "/models/999",
        "/models/x",
        "/models/compare?a=1&b=999",
    ],
)
def test_what_there_is_not_is_a_page_that_says_so(project, path):
    answer = client_of(project).get(path)
    assert answer.status_code in (400, 404), answer.status_code
    assert "This cannot be done" in answer.text
    assert "<script>alert" not in answer.text
    assert client_of(project).get(f"/api{path}").status_code in (400, 404)


DEEDS = [
    ("/alerts/0123456789abcdef/acknowledge", {"note": "I look"}, "acknowledge alert"),
    ("/alerts/0123456789abcdef/snooze", {"duration": "1d"}, "snooze alert"),
    ("/incidents", {"title": "gate staff complain"}, "incident opened"),
    ("/incidents/1/note", {"text": "asked them"}, "incident noted"),
    (
        "/incidents/1/actions",
        {"text": "watch it", "owner": "mo", "due": "2013-02-01"},
        "incident action added",
    ),
    ("/incidents/1/actions/1/finish", {}, "incident action done"),
    ("/incidents/1/close", {"cause": "a cable"}, "incident closed"),
    ("/alerts/0123456789abcdef/close", {"note": "over"}, "resolve alert"),
]


def test_what_is_done_about_alerts_and_incidents_needs_the_act_and_is_on_record(project):
    for path, form, action in DEEDS:
        refused = client_of(project, "olga").post(path, data=form)
        assert refused.status_code == 403, path
        done = client_of(project).post(path, data=form)
        assert done.status_code == 303, (path, done.text[:500])
        assert look(project, done.headers["location"])
        assert ("mo", action) in acts_on_record(project, action=action), path
    page = look(project, "/incidents/1")
    assert "a cable" in page
    assert "gate staff complain" in look(project, "/incidents/1/postmortem")
    assert "What you can do" not in look(project, "/alerts/0123456789abcdef")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/alerts/0123456789abcdef/snooze", {"duration": "yesterday"}),
        ("/alerts/0123456789abcdef/snooze", {"duration": "900d"}),
        ("/alerts/0123456789abcdef/close", {"note": " "}),
        ("/alerts/zzzz/acknowledge", {}),
        ("/incidents", {"title": ""}),
        ("/incidents", {"title": "x", "severity": "terrible"}),
        ("/incidents", {"title": "x" * 2001}),
        ("/incidents/1/actions", {"text": "x", "owner": "mo", "due": "soon"}),
        ("/incidents/1/actions/99/finish", {}),
        ("/incidents/none/note", {"text": "x"}),
        ("/releases", {"version": "two"}),
        ("/releases", {"version": "99"}),
        ("/releases", {"version": "2", "strategy": "hope"}),
        ("/releases", {"version": "2", "strategy": "canary", "flag": "west"}),
        ("/releases/rollback", {"reason": ""}),
        ("/approvals/r99.1", {"answer": "yes"}),
        ("/approvals/2.3", {"answer": "perhaps"}),
    ],
)
def test_bad_input_is_a_page_that_says_what_is_wrong(project, path, form):
    before = acts_on_record(project)
    answer = client_of(project).post(path, data=form)
    assert answer.status_code in (400, 403, 404), (answer.status_code, answer.text[:300])
    assert "This cannot be done" in answer.text
    assert acts_on_record(project) == before


def test_a_hostile_title_stays_text(project):
    client_of(project).post("/incidents", data={"title": HOSTILE})
    for path in ("/incidents", "/incidents/2", "/incidents/2/postmortem"):
        page = look(project, path)
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_an_approval_shows_the_evidence_beside_the_champion_and_asks_only_who_may_answer(project):
    name = asked_for(project)
    assert name in look(project, "/approvals", "kim")
    page = look(project, f"/approvals/{name}", "kim")
    assert f'action="/approvals/{name}.1"' in page  # ada made it, mo wants it: kim is the other ML engineer
    assert f'action="/approvals/{name}.2"' not in page
    assert "Version 1" in page
    for person in ("ada", "mo"):
        assert f'action="/approvals/{name}.1"' not in look(project, f"/approvals/{name}", person)
    assert "Withdraw my request" in look(project, f"/approvals/{name}", "mo")
    refused = client_of(project, "ada").post(f"/approvals/{name}.1", data={"answer": "yes"})
    assert refused.status_code == 403
    assert "another person must" in refused.text


def test_two_who_decide_the_same_approval_are_told_who_was_first(project):
    name = asked_for(project)
    no_reason = client_of(project, "olga").post(f"/approvals/{name}.2", data={"answer": "no"})
    assert no_reason.status_code == 400
    first = client_of(project, "olga").post(f"/approvals/{name}.2", data={"answer": "yes"})
    assert first.headers["location"] == f"/approvals/{name}.2"
    second = client_of(project, "pia").post(f"/approvals/{name}.2", data={"answer": "no", "reason": "x"})
    assert second.status_code == 400
    assert "was answered with yes by olga" in second.text
    page = look(project, f"/approvals/{name}.2", "olga")
    assert "Take my answer back" in page
    back = client_of(project, "olga").post(f"/approvals/{name}.2/withdraw", data={"reason": "wait"})
    assert back.status_code == 303
    other = client_of(project, "olga").post(f"/approvals/{name}.2/delegate", data={"to": "pia"})
    assert other.status_code == 303
    assert f'action="/approvals/{name}.2"' in look(project, f"/approvals/{name}", "pia")
    assert (
        "handed over" in client_of(project, "olga").post(f"/approvals/{name}.2", data={"answer": "yes"}).text
    )
    said = acts_on_record(project, subject=f"{name}.2")
    assert said == [("olga", "approve"), ("olga", "withdraw"), ("olga", "delegate")]


def test_a_request_that_was_withdrawn_or_has_expired_says_what_to_do_next(project):
    name = asked_for(project)
    assert client_of(project).post(f"/approvals/{name}/withdraw", data={"reason": "no"}).status_code == 303
    assert "has taken it back" in look(project, f"/approvals/{name}", "kim")
    late = client_of(project, "kim").post(f"/approvals/{name}.1", data={"answer": "yes"})
    assert late.status_code == 400
    assert "its request is withdrawn" in late.text
    again = asked_for(project)
    now = project.clock()
    try:
        project.clock.move_to(now + timedelta(days=8))
        page = look(project, f"/approvals/{again}", "kim")
        assert "It is too late to answer" in page
        assert f'action="/approvals/{again}.1"' not in page
        late = client_of(project, "kim").post(f"/approvals/{again}.1", data={"answer": "yes"})
        assert late.status_code == 403
    finally:
        project.clock._now = now


def test_a_question_of_a_gate_is_answered_by_its_role(project):
    assert "Is it fair?" in look(project, "/approvals/2.3", "eva")
    assert 'action="/approvals/2.3"' not in look(project, "/approvals/2.3", "olga")
    assert client_of(project, "olga").post("/approvals/2.3", data={"answer": "yes"}).status_code == 403
    done = client_of(project, "eva").post("/api/approvals/2.3", json={"answer": "yes", "reason": "it is"})
    assert done.status_code == 200, done.text
    assert "An answer stays" in look(project, "/approvals/2.3", "uma")
    assert client_of(project, "uma").post("/approvals/2.3", data={"answer": "yes"}).status_code == 400


def test_who_labels_sees_personal_columns_only_if_the_roles_allow(project):
    data = project.charter.data.model_copy(update={"personal": ["carrier"]})
    charter = project.charter.model_copy(update={"data": data})
    closed = replace(project, document=replace(project.document, charter=charter))
    (row, *_) = review_queue(closed, with_personal=False)["reviews"]
    assert "carrier" not in row["inputs"]
    assert row["inputs"]
    assert "carrier" in review_queue(closed)["reviews"][0]["inputs"]


def test_labels_of_two_people_are_outcome_and_second_opinion(project):
    assert client_of(project, "mo").get("/reviews").status_code == 403
    page = look(project, "/reviews", "eva")
    assert 'data-key="1"' in page
    assert 'data-key="s"' in page
    assert "&lt;b&gt;UA&lt;/b&gt;" in page
    assert 'name="id" value="f/0?&amp;"' in page
    assert 'value="f/1?&amp;"' in look(project, "/reviews?after=f/0?%26", "eva")
    form = {"id": "f/0?&", "value": "true"}
    assert client_of(project, "olga").post("/reviews", data=form).status_code == 403
    assert client_of(project, "eva").post("/reviews", data=form).status_code == 303
    assert 'value="f/1?&amp;"' in look(project, "/reviews", "eva")
    assert client_of(project, "eva").post("/reviews", data=form).status_code == 400
    assert 'value="f/0?&amp;"' not in look(project, "/reviews?again=1", "eva")
    assert 'value="f/0?&amp;"' in look(project, "/reviews?again=1", "uma")
    told = client_of(project, "uma").post("/api/reviews", json={"id": "f/0?&", "value": "false"}).json()
    assert told == {"id": "f/0?&", "value": False, "state": "differs"}
    page = look(project, "/reviews", "uma")
    assert "Where they differ" in page
    collect(project)
    outcomes = Ledger(project.lake).outcomes()
    assert outcomes.select("id", "value").rows() == [("f/0?&", "true")]
    assert acts_on_record(project, action="label") == [("eva", "label"), ("uma", "label")]
    with project.engine.connect() as connection:
        kept = str([line["details"] for line in audit.lines(connection, action="label")])
    assert "f/0" not in kept


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"id": "f/2?&", "value": "perhaps"}, 400),
        ({"id": "f/2?&"}, 400),
        ({"id": "nobody", "value": "true"}, 404),
        ({"id": "x" * 3000, "value": "true"}, 400),
    ],
)
def test_a_label_that_means_nothing_is_refused(project, form, status):
    assert client_of(project, "eva").post("/reviews", data=form).status_code == status


def test_agreement_is_told_with_its_interval(project):
    for number in (2, 3, 4):
        for person in ("eva", "uma"):
            value = "true" if number == 3 else "false"
            done = client_of(project, person).post("/reviews", data={"id": f"f/{number}?&", "value": value})
            assert done.status_code == 303, done.text[:300]
    found = review_queue(project)["agreement"]
    assert (found["pairs"], found["share"]["value"]) == (4, 0.75)
    assert found["kappa"]["low"] < found["kappa"]["value"] < found["kappa"]["high"]
    assert found["people"][0] == {"person": "eva", "labels": 4, "compared": 4, "agreeing": 3}
    assert "75%" in look(project, "/reviews", "eva")


def test_a_roll_out_is_shown_with_its_evidence_and_ended_by_who_may(tmp_path):
    project = two_versions(tmp_path, VirtualClock(START))
    write_history(project)
    begun = client_of(project).post("/api/releases", json={"version": 2}).json()
    assert begun["state"] == "stepping"
    assert client_of(project).post("/releases", data={"version": "2"}).status_code == 409
    page = look(project, "/releases")
    assert "A roll-out goes on" in page
    assert "10%" in page
    page = look(project, "/releases/1")
    assert "spec-shares" in page
    assert "There is nothing to compare yet" in page
    ended = client_of(project).post("/releases/rollback", data={"reason": HOSTILE})
    assert ended.status_code == 303
    page = look(project, "/releases/1")
    assert "ended by hand" in page
    assert "<script>alert(1)" not in page
    with project.engine.connect() as connection:
        assert figures.kept(connection, "rollouts") is None
    reckon_due(project)
    assert "ended by hand" in look(project, "/releases/1")


def test_before_anything_has_happened_each_place_says_so_and_what_to_do(tmp_path):
    charter = two_versions.__globals__["CHARTER"].replace("GUARD", "{errors: 2x}").replace("RELEASE", "")
    (tmp_path / "vitok.yaml").write_text(charter)
    project = open_project(tmp_path, clock=VirtualClock(START))
    for path in ("/alerts", "/incidents", "/approvals", "/releases", "/models", "/models/compare", "/data"):
        assert 'class="empty"' in look(project, path), path
    assert "Nothing is in production" in look(project, "/reviews")


def test_without_labels_people_agree_about_nothing_yet(tmp_path):
    project = two_versions(tmp_path, VirtualClock(START))
    assert "is being looked up" in look(project, "/reviews")
    reckon_due(project)
    assert "Nothing waits for a person" in look(project, "/reviews")
    assert "No row has a single label" in look(project, "/reviews?again=1")
    assert "No row has been labelled by two people" in look(project, "/reviews")


def number_bundle(blobs, bias):
    return flight_bundle(blobs, bias, "value", task="regression", classes=[], threshold=None, positive=None)


def test_a_number_is_asked_for_where_the_target_is_one(tmp_path):
    project = two_versions(tmp_path, VirtualClock(START), bundle=number_bundle)
    hand_over(project, 2)
    reckon_due(project)
    page = look(project, "/reviews")
    assert 'type="number"' in page
    assert 'data-key="1"' not in page
    bad = client_of(project).post("/reviews", data={"id": "f/0?&", "value": "late"})
    assert bad.status_code == 400
    assert "Send a number" in bad.text
    told = client_of(project).post("/api/reviews", json={"id": "f/0?&", "value": "12.5"}).json()
    assert told == {"id": "f/0?&", "value": 12.5, "state": "taken"}
