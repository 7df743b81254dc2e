"""Whoever reads the log may stand still or be gone: answers go on."""

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from examples import flight_bundle, write_plan
from serving import _RUN, _wait, free_port
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
ROW = {"temp": 3.0, "distance": 800, "carrier": "UA", "holiday": False}


@pytest.mark.parametrize("reader", ["stands still", "is gone"])
def test_a_log_that_nobody_reads_keeps_no_request_waiting(tmp_path, reader):
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    port = free_port()
    read, write = os.pipe()
    command = [sys.executable, "-c", _RUN, str(tmp_path), str(port), "1"]
    environment = os.environ | {"VITOK_ACCESS_LOG": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=write, env=environment)
    os.close(write)
    try:
        _wait(process, port, "ready", time.perf_counter())
        if reader == "is gone":
            os.close(read)
        url = f"http://127.0.0.1:{port}/models/flights/predict"
        # Each request has a line of some hundred bytes: far more than the 64 kB that a pipe takes.
        with httpx.Client(timeout=20) as client:
            for number in range(1500):
                answer = client.post(url, json={"rows": [ROW]}, headers={"X-Request-Id": f"{number:0100d}"})
                assert answer.status_code == 200
    finally:
        if reader == "stands still":
            os.close(read)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
