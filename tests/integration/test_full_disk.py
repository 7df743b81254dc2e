"""A worker whose disk is full says so, keeps nothing by half, and goes on once there is space."""

import os

import httpx
import psutil
import pytest
from test_serving import NOW, moved

from disks import small_disk
from examples import FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.errors import Fault
from vitok.journal.records import Outcome
from vitok.journal.segments import segment_path, spools
from vitok.journal.spool import Spool
from vitok.release.policy import Policy
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")


@pytest.mark.parametrize(("unrecorded", "durable"), [("refuse", False), ("refuse", True), ("answer", False)])
def test_full_disk_is_told_and_service_resumes_when_there_is_space(
    tmp_path, monkeypatch, unrecorded, durable
):
    monkeypatch.setenv("VITOK_JOURNAL_DURABLE", "1" if durable else "0")
    home = tmp_path / ".vitok"
    write_plan(home, flight_bundle(Blobs(home / "blobs")), policy=Policy(unrecorded=unrecorded))
    with running(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        (process,) = server.workers()
        limit = process.rlimit(psutil.RLIMIT_FSIZE)

        def ask(key, count=1):
            rows = [FLIGHT | {"flight": f"{key}-{number}"} for number in range(count)]
            return client.post("/models/flights/predict", json={"rows": rows})

        assert ask("before").status_code == 200
        size = sizes(home)
        process.rlimit(psutil.RLIMIT_FSIZE, (size + 100, limit[1]))
        for key, count in [("full", 1), ("full-many", 20), ("full-thread", 500)]:
            answer = ask(key, count)
            if unrecorded == "refuse":
                assert answer.status_code == 503
                assert "not recorded, so not answered" in answer.json()["error"]
                assert "File too large. Free disk space" in answer.json()["error"]
            else:
                assert answer.status_code == 200
                assert answer.json()["recorded"] is False
            assert sizes(home) == size
        told = client.post("/models/flights/outcomes", json={"outcomes": [{"id": "before-0", "value": True}]})
        assert told.status_code == 503
        assert client.get("/health/live").status_code == 200
        process.rlimit(psutil.RLIMIT_FSIZE, limit)
        assert ask("after", 3).json().get("recorded", True) is True
        told = client.post("/models/flights/outcomes", json={"outcomes": [{"id": "before-0", "value": True}]})
        assert told.json()["matched"] == 1
    ids = moved(tmp_path).predictions()["id"].to_list()
    assert sorted(ids) == ["after-0", "after-1", "after-2", "before-0"]
    assert moved(tmp_path).outcomes()["id"].to_list() == ["before-0"]
    assert spools(home / "journal") == {}


def sizes(home):
    """Bytes in all segments of all spools."""
    journal = home / "journal"
    return sum(
        segment_path(journal, worker, number).stat().st_size
        for worker, numbers in spools(journal).items()
        for number in numbers
    )


def test_spool_on_a_full_file_system_resumes_when_there_is_space(tmp_path):
    with small_disk(tmp_path / "disk", "256k") as disk:
        spool, kept = Spool(disk, "w"), 0
        filler, size = disk / "filler", os.statvfs(disk)
        filler.write_bytes(b"x" * (size.f_bavail - 2) * size.f_frsize)
        group = [Outcome(f"{number}", "x" * 100, NOW, NOW) for number in range(10)]

        def fill():
            nonlocal kept
            for _ in range(100):
                spool.append(group)
                kept += 10

        with pytest.raises(Fault, match="No space left"):
            fill()
        assert kept > 0
        assert len(spool.read_after(0, 1000)) == kept
        filler.unlink()
        spool.append(group)
        assert len(spool.read_after(0, 1000)) == kept + 10
        spool.close()
