"""A release that people must agree to: who may, by what, until when; and what makes an agreement void."""

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands import edit, mistake_of, run_vitok

pytestmark = pytest.mark.xdist_group("release approvals")  # one worker runs the turn, not both
TEAM = {"ada": ["data_scientist"], "olga": ["domain_expert"], "pavlo": ["product_owner", "domain_expert"]}


def with_approvals(charter):
    charter["team"] = TEAM
    charter["approve"] = {
        "low": ["domain_expert"],
        "high": ["domain_expert", "product_owner"],
        "within": "3d",
    }


@pytest.fixture(scope="module")
def asked_once(drafted_once, tmp_path_factory):
    """A project whose first version waits for two people; tests get copies, as a turn takes its time."""
    folder = Path(shutil.copytree(drafted_once, tmp_path_factory.mktemp("asked") / "cancer"))
    edit(folder, with_approvals)
    answer = run_vitok("run", "--quick", "--project", folder)
    assert answer.code == 0, answer.err
    says = ["class high", "r1.1 (domain expert)", "approvals show r1"]
    mistake_of("release", 1, "--project", folder, code=3, says=says)
    return folder


@pytest.fixture
def asked(asked_once, tmp_path):
    return Path(shutil.copytree(asked_once, tmp_path / "cancer"))


def test_release_waits_for_two_people_and_then_happens(vitok, mistake, asked):
    here = ["--project", asked]
    (request,) = vitok("approvals", *here).json["requests"]
    assert (request["state"], request["risk"]) == ("open", "high")
    shown = vitok("approvals", "show", "r1", *here).json["shown"]
    assert shown["differences"] == ["the first release"]
    assert all(gate["passed"] for gate in shown["gates"])
    mistake("approve", "r1.1", *here, "--as", "ada", code=3, says=["no domain_expert", "olga"])
    mistake("approve", "r1.1", *here, code=3, says=["may not agree"])  # who ran the turn
    assert vitok("approve", "r1.1", *here, "--as", "pavlo").json["state"] == "open"
    mistake("approve", "r1.2", *here, "--as", "pavlo", code=3, says=["another role already"])
    mistake("release", 1, *here, code=3, says=["r1.2 (product owner)"])
    assert vitok("approvals", "withdraw", "r1.1", *here, "--as", "pavlo", "--reason", "wrong role").code == 0
    assert vitok("approve", "r1.1", *here, "--as", "olga", "--reason", "plausible").json["state"] == "open"
    assert vitok("approve", "r1.2", *here, "--as", "pavlo").json["state"] == "approved"
    assert vitok("release", 1, *here).json["version"] == 1
    assert vitok("approvals", *here).json["requests"][0]["state"] == "released"
    mistake("approvals", "withdraw", "r1.1", *here, "--as", "olga", "--reason", "late", says=["released"])


def test_no_ends_the_request_and_the_next_wish_asks_anew(vitok, mistake, asked):
    here = ["--project", asked]
    mistake("reject", "r1.1", *here, "--as", "olga", says=["a no needs a reason"])
    assert (
        vitok("reject", "r1.1", *here, "--as", "olga", "--reason", "sign of rain").json["state"] == "refused"
    )
    mistake("approve", "r1.2", *here, "--as", "pavlo", says=["refused: olga: sign of rain"])
    mistake("release", 1, *here, code=3, says=["r2.1"])


def test_answer_can_be_handed_over_but_not_to_the_author(vitok, mistake, asked):
    here = ["--project", asked]
    author = vitok("approvals", *here).json["requests"][0]["author"]
    mistake(
        "approvals",
        "delegate",
        "r1.1",
        *here,
        "--to",
        "zoe",
        "--as",
        "ada",
        code=3,
        says=["no domain_expert"],
    )
    mistake(
        "approvals",
        "delegate",
        "r1.1",
        *here,
        "--to",
        author,
        "--as",
        "olga",
        code=3,
        says=["made this change"],
    )
    assert vitok("approvals", "delegate", "r1.1", *here, "--to", "zoe", "--as", "olga").code == 0
    mistake("approve", "r1.1", *here, "--as", "olga", code=3, says=["handed over to zoe"])
    assert vitok("approve", "r1.1", *here, "--as", "zoe").json["approvals"][0]["by"] == "zoe"


def test_agreement_that_came_too_late_releases_nothing(vitok, mistake, asked):
    here = ["--project", asked]
    assert vitok("approve", "r1.1", *here, "--as", "olga").code == 0
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite3.connect(asked / ".vitok" / "state.sqlite") as database:
        database.execute("UPDATE approvals SET expires = ?", (past,))
    database.close()
    mistake("approve", "r1.2", *here, "--as", "pavlo", code=3, says=["expired"])
    mistake("release", 1, *here, code=3, says=["r2.1"])
    assert [each["state"] for each in vitok("approvals", *here).json["requests"]] == ["open", "expired"]


def test_other_criteria_make_an_agreement_void(vitok, mistake, asked):
    here = ["--project", asked]
    assert vitok("approve", "r1.1", *here, "--as", "olga").code == 0
    with sqlite3.connect(asked / ".vitok" / "state.sqlite") as database:  # the evidence is another one now
        database.execute("UPDATE versions SET gates = '[]'")
    database.close()
    mistake("approve", "r1.2", *here, "--as", "pavlo", code=3, says=["something has changed"])
    mistake("release", 1, *here, code=3, says=["r2.1"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["approve", "r9.1"], "'r9.1': does not exist"),
        (["approvals", "show", "x"], "'x': is no name of a request"),
        (["approvals", "show", "r7"], "'r7': does not exist"),
        (["approvals", "withdraw", "r1"], "withdrawing needs a reason"),
        (["approvals", "link", "r1.7", "--for", "olga"], "does not exist"),
    ],
)
def test_names_that_are_wrong_are_told(mistake, asked, words, says):
    mistake(*words, "--project", asked, says=[says])
