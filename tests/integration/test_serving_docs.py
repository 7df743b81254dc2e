"""The examples of docs/serving.md are run in their order against a server, and answer what the page says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from examples import flight_bundle, write_plan
from serving import running
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


class Example(NamedTuple):
    """A command or program of the page, and what it prints; None where the page does not say."""

    language: str
    source: str
    output: str | None


def examples() -> list[Example]:
    """The page's examples, in their order."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = []
    for place, (language, text) in enumerate(blocks):
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n{")
                found.append(Example("bash", command, "{" + output))
        elif language in ("python", "javascript"):
            following = blocks[place + 1 : place + 2]
            output = following[0][1] if following and following[0][0] == "text" else None
            found.append(Example(language, text, output))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    table = Intervals(0.9, (0.25, 0.5, 0.75), (0.112, 0.301, 0.548, 0.801), (0.164, 0.367, 0.617, 0.856))
    blobs = Blobs(folder / ".vitok" / "blobs")
    write_plan(folder / ".vitok", flight_bundle(blobs, intervals=table))
    with running(folder, grpc=True) as found:
        yield found


COMMANDS = {
    "bash": ["bash", "-c"],
    "python": [sys.executable, "-W", "ignore", "-c"],
    "javascript": ["node", "--input-type=module", "--eval"],
}


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.language)
def test_example_prints_what_the_page_says(server, example):
    tools = {"bash": "curl", "javascript": "node"}
    if example.language in tools and shutil.which(tools[example.language]) is None:
        pytest.skip(f"{tools[example.language]} is not installed")
    source = example.source.replace("localhost:8000", f"127.0.0.1:{server.port}")
    source = source.replace("localhost:8001", f"127.0.0.1:{server.grpc_port}")
    result = subprocess.run([*COMMANDS[example.language], source], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    if example.output is not None:
        assert result.stdout.strip() == example.output.strip()


def test_page_has_examples_for_every_client():
    found = examples()
    assert {example.language for example in found} == set(COMMANDS)
    assert len(found) >= 12
    assert all(example.output for example in found)
