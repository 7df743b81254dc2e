"""A backup of a project that is being served: what was acknowledged is in it, once, and the answers are the same."""

import httpx
import pytest

from examples import CHARTER, FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.journal.ledger import Ledger
from vitok.loop.backup import back_up
from vitok.loop.keep import collect
from vitok.loop.restore import restore
from vitok.store.blobs import Blobs
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("serving")
ADDRESS = "/models/flights/predict"


def ask(client, server, numbers):
    rows = [FLIGHT | {"temp": number / 7, "flight": f"f{number}"} for number in numbers]
    answer = client.post(server.url + ADDRESS, json={"rows": rows})
    assert answer.status_code == 200, answer.text
    return [(row["id"], row["score"]) for row in answer.json()["predictions"]]


def test_backup_of_a_served_project_is_whole_and_answers_the_same(tmp_path):
    folder, again, archive = tmp_path / "flights", tmp_path / "again", tmp_path / "a.tar.gz"
    folder.mkdir()
    (folder / "vitok.yaml").write_text(CHARTER)
    (folder / "expectations.yaml").write_text("columns: {}\n")
    write_plan(folder / ".vitok", flight_bundle(Blobs(folder / ".vitok" / "blobs")))
    project = open_project(folder)
    with running(folder) as server, httpx.Client() as client:
        first = ask(client, server, range(20))
        collect(project)  # into the lake; the rest waits in the spool
        first += ask(client, server, range(20, 40))
        back_up(project, archive)
        ask(client, server, range(40, 45))  # after it: not in it
        told = ask(client, server, range(100, 120))
    restore(archive, again, open_project)
    copied = open_project(again)
    assert collect(copied).predictions == 20
    assert collect(copied).predictions == 0
    kept = Ledger(copied.lake).predictions().sort("id")
    assert dict(zip(kept["id"], kept["score"], strict=True)) == dict(first)
    with running(again) as server, httpx.Client() as client:
        assert ask(client, server, range(100, 120)) == told
