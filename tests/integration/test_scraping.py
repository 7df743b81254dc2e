"""A real Prometheus reads a real server, and understands rules and dashboard."""

import json
import shutil
import subprocess
import time
from contextlib import contextmanager

import httpx
import pytest
import yaml

from examples import CHARTER, FLIGHT, flight_bundle, write_plan
from serving import free_port, running
from vitok.charter.load import load_charter
from vitok.export.grafana import grafana_dashboard
from vitok.export.prometheus import prometheus_rules
from vitok.store.blobs import Blobs

PROMETHEUS = shutil.which("prometheus")
SLO = "serve: {slo: {availability: 99.5%, latency: 95% < 50ms}}\n"
SECONDS = 20
# No keeper runs, no outcome came, no caller is under suspicion.
NO_FIGURE_YET = {
    ("Keeper seen", ""),
    ("Open alerts", "{{kind}} {{severity}} {{state}}"),
    ("Outcomes in an hour", "{{result}}"),
    ("Trouble", "suspected: {{pattern}}"),
    ("Trouble", "events given up"),
}


@contextmanager
def prometheus(folder, target, rules):
    port = free_port()
    (folder / "rules.yml").write_text(rules)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "flights", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    words = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'data'}"]
    command = [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}", *words]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}/api/v1"
        finally:
            process.terminate()
            process.wait(15)


def wait_for(ask):
    """What a question gives when it gives something; Prometheus takes some seconds to its first look."""
    end = time.perf_counter() + SECONDS
    while True:
        try:
            if found := ask():
                return found
        except httpx.TransportError:
            pass
        assert time.perf_counter() < end, "nothing came"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is missing: install Debian's package prometheus")
def test_prometheus_reads_the_server_and_understands_rules_and_dashboard(tmp_path):
    home, scraper = tmp_path / "project", tmp_path / "prometheus"
    scraper.mkdir()
    write_plan(home / ".vitok", flight_bundle(Blobs(home / ".vitok" / "blobs")))
    charter = load_charter(CHARTER + SLO).charter
    with (
        running(home) as server,
        httpx.Client() as client,
        prometheus(scraper, f"127.0.0.1:{server.port}", prometheus_rules(charter)) as api,
    ):

        def value(query):
            answer = client.get(f"{api}/query", params={"query": query}).json()
            assert answer["status"] == "success", (query, answer)
            return answer["data"]["result"]

        def asked_again():
            client.post(f"{server.url}/models/flights/predict", json={"rows": [FLIGHT]}).raise_for_status()
            return value('sum(rate(vitok_requests_total{job="flights",route="models/*/predict"}[5s])) > 0')

        assert wait_for(asked_again)
        assert value('vitok_plan_epoch{job="flights"}')[0]["value"][1] == "1"
        empty = set()
        for panel in json.loads(grafana_dashboard(charter))["panels"]:
            for target in panel["targets"]:
                if not value(target["expr"].replace("$__rate_interval", "10s")):
                    empty.add((panel["title"], target["legendFormat"]))
        assert empty == NO_FIGURE_YET
        rules = wait_for(
            lambda: [
                rule
                for group in client.get(f"{api}/rules").json()["data"]["groups"]
                for rule in group["rules"]
                if rule["health"] != "unknown"
            ]
        )
        assert {rule["health"] for rule in rules} == {"ok"}
        assert not [rule["name"] for rule in rules if rule["state"] == "firing"]
