"""The published description is true: schemathesis asks a running server what it says, and what it does not."""

import html
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from examples import flight_bundle, write_plan
from serving import running
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
# A schema cannot say that a tensor's data have as many values as its shape, so that data which fit the schema may still
# be refused; everything else that schemathesis knows is checked.
EXCLUDED = "positive_data_acceptance"
# An outcome that cannot be read is named in `problems`; the others of its request are taken.
CONFIG = """
[[operations]]
include-path = "/models/flights/outcomes"
checks.negative_data_rejection.enabled = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    write_plan(folder / ".vitok", flight_bundle(Blobs(folder / ".vitok" / "blobs")))
    with running(folder) as found:
        yield found


def test_server_is_as_its_description_says(server, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [str(Path(sys.executable).parent / "st"), "run", f"{server.url}/openapi.json"]
    command += ["--exclude-checks", EXCLUDED, "--phases", "examples,coverage,fuzzing", "--max-examples", "8"]
    command += ["--seed", "1", "--no-color", "--generation-database", "none", "--max-time", "30"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    print(result.stdout[-6000:])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    generated = re.search(r"([\d,]+) generated", result.stdout)
    assert generated
    assert int(generated[1].replace(",", "")) > 50


def test_description_names_every_address_with_its_refusals(server):
    described = httpx.get(f"{server.url}/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answer = httpx.request(method, server.url + path.replace("{version}", "1"), json={})
            assert answer.status_code in (200, 400), path
            assert str(answer.status_code) in operation["responses"]


def test_examples_of_the_description_are_answered(server):
    described = httpx.get(f"{server.url}/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        for body in [operation.get("requestBody") for operation in methods.values()]:
            if body is not None:
                example = body["content"]["application/json"]["example"]
                answer = httpx.post(server.url + path.replace("{version}", "1"), json=example)
                assert answer.status_code == 200, answer.text
                tried += 1
    assert tried == 6


def test_page_needs_nothing_else_and_its_examples_run(server):
    answer = httpx.get(f"{server.url}/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", answer.text)
    assert set(re.findall(r'href="([^"]+)"', answer.text)) == {"/openapi.json"}
    examples = [
        html.unescape(found) for found in re.findall(r"<pre><code>(.*?)</code></pre>", answer.text, re.DOTALL)
    ]
    assert len(examples) == 5
    for example in examples:
        words = shlex.split(example.replace("\\\n", " "))
        assert words[0] == "curl"
        result = httpx.post(words[2], content=words[-1])
        assert result.status_code == 200, result.text


def test_page_before_a_release_says_what_to_do(tmp_path):
    (tmp_path / ".vitok").mkdir()
    with running(tmp_path, ready=False) as server:
        assert "vitok release VERSION" in httpx.get(f"{server.url}/docs").text
        assert httpx.get(f"{server.url}/openapi.json").json()["paths"] == {}
        assert httpx.get(f"{server.url}/ping").status_code == 503
