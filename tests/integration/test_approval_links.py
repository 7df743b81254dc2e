"""The page behind a link of an approval: shown to whoever has the link, good for one answer, and never for another."""

import asyncio
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer

from commands import edit, run_vitok
from mail_server import mail_server
from serving import free_port
from vitok.errors import Refused
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import VirtualClock
from vitok.loop.approving import find_request
from vitok.loop.control import Control
from vitok.loop.links import Links, link_of
from vitok.loop.notify import deliver
from vitok.loop.rollout import release_version
from vitok.loop.tick import tick
from vitok.web.app import create_pages
from vitok.wire import open_project

KEY = b"a secret of the tests"


def with_team(charter):
    charter["team"] = {"olga": ["domain_expert"], "<b>pavlo</b>": ["product_owner"]}
    charter["approve"] = {"high": ["domain_expert", "product_owner"]}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A project whose first version waits for two people."""
    folder = tmp_path_factory.mktemp("links")
    raw = load_breast_cancer()
    names = [name.replace(" ", "_") for name in raw.feature_names]
    frame = pl.DataFrame(raw.data, schema=names).with_columns(sick=pl.Series(raw.target == 0))
    frame.write_csv(folder / "t.csv")
    project = folder / "p"
    assert run_vitok("init", project, "--data", folder / "t.csv", "--target", "sick").code == 0
    edit(project, with_team)
    assert run_vitok("run", "--quick", "--project", project).code == 0
    assert run_vitok("release", 1, "--project", project).code == 3
    return project


def ask(project, method, path, **how):
    """One request to the pages, as a browser makes it."""

    async def work():
        transport = httpx.ASGITransport(
            create_pages(Control(project, lambda: KEY), Links(project, lambda: KEY))
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **how)

    return asyncio.run(work())


def test_link_shows_the_evidence_and_takes_one_answer(asked: Path):
    project = open_project(asked)
    path = link_of(project, "r1.1", "olga", KEY)
    page = ask(project, "GET", path)
    assert page.status_code == 200
    assert "the first release" in page.text
    assert re.search(r"passed</span></td><td[^>]*><span[^>]*>roc_auc", page.text)
    assert ask(project, "POST", path, data={}).status_code == 400
    refused = ask(project, "POST", path, data={"answer": "no", "reason": " "})
    assert refused.status_code == 400
    assert "a no needs a reason" in refused.text
    assert ask(project, "POST", path, content=b"answer=yes&reason=" + b"x" * 50_000).status_code == 400
    done = ask(project, "POST", path, data={"answer": "yes", "reason": "<script>alert(1)</script>"})
    assert done.status_code == 200
    assert "Others still have to answer" in done.text
    again = ask(project, "POST", path, data={"answer": "yes"})
    assert again.status_code == 403
    assert "answers once" in again.text
    other = ask(project, "GET", link_of(project, "r1.2", "<b>pavlo</b>", KEY))
    assert "<script>alert" not in other.text
    assert "<b>pavlo" not in other.text
    assert "&lt;script&gt;" in other.text


def test_link_of_another_person_in_the_wrong_role_says_so(asked: Path):
    project = open_project(asked)
    answer = ask(project, "POST", link_of(project, "r1.2", "eve", KEY), data={"answer": "yes"})
    assert answer.status_code == 403
    assert "no product_owner" in answer.text


@pytest.mark.parametrize("token", ["x", "a" * 5000, "%2e%2e%2fvitok.yaml", "AAAA", "é"])
def test_token_that_is_not_ours_opens_nothing(asked: Path, token):
    answer = ask(open_project(asked), "GET", f"/approve/{token}")
    assert answer.status_code in (403, 404)


def test_token_signed_with_another_key_or_after_its_end_opens_nothing(asked: Path):
    project = open_project(asked)
    token = link_of(project, "r1.2", "<b>pavlo</b>", b"another secret of ours").rpartition("/")[2]
    with pytest.raises(Refused, match="not made by this project"):
        Links(project, lambda: KEY).look(token)
    late = replace(project, clock=VirtualClock(project.clock() + timedelta(days=15)))
    token = link_of(project, "r1.2", "<b>pavlo</b>", KEY).rpartition("/")[2]
    with pytest.raises(Refused, match="has ended"):
        Links(late, lambda: KEY).look(token)


def test_link_of_another_project_with_the_same_secret_opens_nothing(asked: Path, tmp_path: Path):
    other = tmp_path / "p"
    shutil.copytree(
        asked, other, ignore=shutil.ignore_patterns(".vitok")
    )  # the same charter, a life of its own
    shutil.copy(asked.parent / "t.csv", tmp_path)
    assert run_vitok("run", "--quick", "--project", other).code == 0
    assert run_vitok("release", 1, "--project", other).code == 3
    token = link_of(open_project(other), "r1.2", "<b>pavlo</b>", KEY).rpartition("/")[2]
    with pytest.raises(Refused, match="not made by this project"):
        Links(open_project(asked), lambda: KEY).look(token)


def test_last_yes_lets_the_next_look_release_the_version(asked: Path):
    project = open_project(asked)
    if find_request(project, "r1")["approvals"][0]["answer"] is None:  # run alone
        ask(project, "POST", link_of(project, "r1.1", "olga", KEY), data={"answer": "yes"})
    done = ask(project, "POST", link_of(project, "r1.2", "<b>pavlo</b>", KEY), data={"answer": "yes"})
    assert "released at the next look" in done.text
    found = tick(project, Ledger(project.lake), [])
    assert (found.event, found.version) == ("promoted", 1)
    assert find_request(project, "r1")["state"] == "released"
    again = release_version(project, Ledger(project.lake), 1)  # what is released already asks nobody
    assert again.release.version == 1


def test_member_who_is_asked_by_mail_gets_a_link_that_is_kept_nowhere(asked: Path, monkeypatch):
    def with_mail(charter):
        charter["notify"] = [
            {"url": f"mailto:{who}", "on": ["question"]} for who in ("olga@h.org", "bob@h.org")
        ]
        charter["approve"] |= {"low": ["domain_expert"], "url": "https://vitok.h.org/"}
        charter["team"]["olga@h.org"] = ["domain_expert"]

    edit(asked, with_mail)
    monkeypatch.setenv("VITOK_SECRET", KEY.decode())
    assert run_vitok("run", "--quick", "--project", asked).code == 0
    assert run_vitok("release", 2, "--project", asked).code == 3
    with mail_server(free_port()) as server:
        monkeypatch.setenv("VITOK_SMTP_URL", f"smtp://127.0.0.1:{server.port}?tls=off")
        project = open_project(asked)
        assert deliver(project) > 0
    told = [(mail["to"], mail.get_body(("plain",)).get_content()) for mail in server.got]
    (mine,) = [text for person, text in told if person == "olga@h.org" and "/approve/" in text]
    found = re.search(r"https://vitok\.h\.org(/approve/[\w-]+)", mine)
    assert "domain_expert" in mine  # not of the other role, and not to who is not of the team
    assert not [text for person, text in told if person == "bob@h.org" and "/approve/" in text]
    assert ask(project, "GET", found[1]).status_code == 200
    kept = b"".join(path.read_bytes() for path in asked.rglob("*") if path.is_file())
    assert found[1].rpartition("/")[2].encode() not in kept
    assert KEY not in kept
