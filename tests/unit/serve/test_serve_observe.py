import json
import logging
import sys
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_serve_app import scenario

from examples import FLIGHT, flight_bundle, write_plan
from vitok.kernel.clock import VirtualClock
from vitok.serve.observe import JsonLines, Observer
from vitok.store.blobs import Blobs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "/models/flights/predict"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def home(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    return tmp_path


def observed(home, observer, *requests):
    async def work(app, client):
        app._observer = observer
        return [await client.post(PATH, json=body, headers=headers) for body, headers in requests]

    return scenario(home, work)


def test_each_request_has_a_line_and_an_id(home, caplog):
    caplog.set_level(logging.INFO, "vitok.access")
    observer = Observer(VirtualClock(NOW), access_log=True)
    requests = [({"rows": [FLIGHT]}, {"x-request-id": "mine-7"}), ({"rows": []}, {"x-request-id": "a b"})]
    answers = observed(home, observer, *requests)
    assert answers[0].headers["x-request-id"] == "mine-7"
    assert len(answers[1].headers["x-request-id"]) == 20
    first, second = [record.fields for record in caplog.records if record.name == "vitok.access"]
    assert (first["request_id"], first["route"], first["status"]) == ("mine-7", "models/*/predict", 200)
    assert second["status"] == 400


def test_without_an_observer_nothing_is_added(home):
    (answer,) = observed(home, None, ({"rows": [FLIGHT]}, {"x-request-id": "mine"}))
    assert "x-request-id" not in answer.headers


def test_trace_goes_on_where_the_caller_began_it(home):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    observer = Observer(VirtualClock(NOW), access_log=False, tracer=provider.get_tracer("test"))
    observed(home, observer, ({"rows": [FLIGHT]}, {"traceparent": PARENT}))
    (span,) = exporter.get_finished_spans()
    assert span.name == "POST models/*/predict"
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert span.attributes["http.response.status_code"] == 200


def test_log_lines_are_one_object_each():
    record = logging.LogRecord("vitok.serve", logging.ERROR, "", 1, "it\nfailed %s", ("twice",), None)
    record.fields = {"route": "v2", "odd": NOW}
    try:
        raise ValueError("inner")
    except ValueError:
        record.exc_info = sys.exc_info()
    line = JsonLines().format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert (content["message"], content["level"], content["route"]) == ("it\nfailed twice", "error", "v2")
    assert "ValueError: inner" in content["exception"]
