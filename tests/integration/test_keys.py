"""Keys, hosts and TLS as a caller meets them, with real processes."""

import json
import os
import signal
import ssl
import subprocess
import time

import httpx
import psutil
import pytest

from certificates import write_certificate
from commands import COMMAND, mistake_of, run_vitok
from examples import CHARTER, FLIGHT, flight_bundle, write_plan
from serving import free_port
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PATH = "/models/flights/predict"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER)
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    return tmp_path


class Served:
    """`vitok serve` in a process of its own."""

    def __init__(self, project, *words, env=None, log=None):
        self.port = free_port()
        command = [*COMMAND, "serve", "--project", project, "--port", self.port, *words]
        self.log = project / "server.log" if log is None else log
        with self.log.open("ab") as output:
            surroundings = None if env is None else {**os.environ, **env}
            self.process = subprocess.Popen(list(map(str, command)), stderr=output, env=surroundings)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)

    def ready(self, client, url):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if client.get(f"{url}/health/ready").status_code == 200:
                    return url
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the server did not become ready")


def test_keys_from_the_first_to_the_last(project):
    made = run_vitok(
        "keys", "add", "shop", "--scope", "predict", "--expires", "90d", "--project", project
    ).json
    assert made["key"].startswith("vitok_")
    kept = (project / ".vitok" / "keys.json").read_text() + json.dumps(
        run_vitok("keys", "list", "--project", project).json
    )
    assert made["key"] not in kept
    with Served(project, "--guarded") as server, httpx.Client() as client:
        url = server.ready(client, f"http://127.0.0.1:{server.port}")
        key = {"authorization": f"Bearer {made['key']}"}
        assert client.post(url + PATH, json={"rows": [FLIGHT]}).status_code == 401
        assert client.post(url + PATH, json={"rows": [FLIGHT]}, headers=key).status_code == 200
        assert client.get(url + "/metrics", headers=key).status_code == 403
        assert run_vitok("keys", "revoke", "shop", "--project", project).code == 0
        until = time.monotonic() + 5
        while client.post(url + PATH, json={"rows": [FLIGHT]}, headers=key).status_code != 401:
            assert time.monotonic() < until
            time.sleep(0.1)
    mistake_of("keys", "revoke", "shop", "--project", project, says=["'shop'", "does not exist"])


def test_quota_holds_for_all_workers_when_they_are_killed_and_when_the_server_starts_again(project):
    quota, workers = 60, 2
    key = run_vitok("keys", "add", "shop", "--quota", quota, "--project", project).json["key"]
    headers = {"authorization": f"Bearer {key}", "connection": "close"}  # so that the workers take turns
    granted, beaten = 0, 0

    def ask(client, url, most):
        nonlocal granted, beaten
        for _ in range(most):
            try:
                answer = client.post(url + PATH, json={"rows": [FLIGHT]}, headers=headers)
            except httpx.TransportError:
                beaten += 1  # it may have been counted, and its answer lost with the worker
                continue
            if answer.status_code == 429:
                assert answer.json()["error"] == "key 'shop' has used its 60 requests of today"
                return
            assert answer.status_code == 200
            granted += 1

    for _ in range(2):
        with Served(project, "--guarded", "--workers", workers) as server, httpx.Client() as client:
            url = server.ready(client, f"http://127.0.0.1:{server.port}")
            ask(client, url, 14)
            for child in psutil.Process(server.process.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.send_signal(signal.SIGKILL)
            server.ready(client, url)
            ask(client, url, 14)
    with Served(project, "--guarded", "--workers", 1) as server, httpx.Client() as client:
        ask(client, server.ready(client, f"http://127.0.0.1:{server.port}"), 100)
    assert quota - beaten <= granted <= quota + workers - 1


def test_server_does_not_open_to_the_world_without_keys(project):
    says = ["--host 0.0.0.0", "there are no keys", "vitok keys add"]
    mistake_of("serve", "--host", "0.0.0.0", "--port", 0, "--project", project, says=says)
    mistake_of("serve", "--tls-cert", "x.pem", "--port", 0, "--project", project, says=["belong together"])
    words = ("serve", "--port", 0, "--project", project, "--query-budget")
    mistake_of(*words, 100, says=["--query-budget", "nobody knows who asks", "--guarded"])
    mistake_of(*words, 0, says=["--query-budget", "0 is no budget"])


def test_files_of_tls_that_cannot_be_used_are_told_before_anything_starts(project):
    certificate, key = write_certificate(project)
    (project / "other").mkdir()
    _, other = write_certificate(project / "other")
    words = ("serve", "--port", 0, "--project", project)
    for pair, why in (
        ((certificate, other), "the key is that of another certificate"),
        ((key, certificate), "they are no PEM, or the key has a password"),
        ((project / "vitok.yaml", key), "they are no PEM, or the key has a password"),
    ):
        says = ["--tls-cert, --tls-key", str(pair[0]), f"cannot be used: {why}", "without a password"]
        mistake_of(*words, "--tls-cert", pair[0], "--tls-key", pair[1], says=says)
    absent = project / "absent.pem"
    mistake_of(*words, "--tls-cert", absent, "--tls-key", key, says=["--tls-cert", "absent.pem is not there"])


def test_other_host_names_are_refused_on_loopback(project):
    with Served(project) as server, httpx.Client() as client:
        url = server.ready(client, f"http://127.0.0.1:{server.port}")
        assert client.post(url + PATH, json={"rows": [FLIGHT]}).status_code == 200
        rebound = client.post(url + PATH, json={"rows": [FLIGHT]}, headers={"host": "evil.example"})
        assert rebound.status_code == 400
        assert "evil.example" in rebound.json()["error"]


def test_answers_over_tls(project):
    certificate, key = write_certificate(project)
    trust = ssl.create_default_context(cafile=str(certificate))
    with (
        Served(project, "--tls-cert", certificate, "--tls-key", key) as server,
        httpx.Client(verify=trust) as client,
    ):
        url = server.ready(client, f"https://localhost:{server.port}")
        assert client.post(url + PATH, json={"rows": [FLIGHT]}).status_code == 200


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "a b"], ["'a b' cannot be a name"]),
        (["add", "x", "--scope", "everything"], ["--scope", "'everything' is no scope"]),
        (["add", "x", "--rate", "-1"], ["--rate", "-1 is no limit"]),
        (["add", "x", "--rate", "nan"], ["--rate", "no limit"]),
        (["add", "x", "--quota", "0"], ["--quota", "0 is no limit"]),
        (["add", "x", "--expires", "soon"], ["--expires", "soon"]),
        (["revoke", "x"], ["'x'", "does not exist", "none"]),
    ],
)
def test_mistakes_with_keys_are_told(project, words, says):
    mistake_of("keys", *words, "--project", project, says=says)
    assert not (project / ".vitok" / "keys.json").exists()
