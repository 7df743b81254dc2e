"""What workers say about requests: log lines as text or JSON, request ids, and OpenTelemetry traces; off by default."""

import atexit
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any, NamedTuple

import msgspec

from vitok.kernel.clock import Clock, format_time, stopwatch
from vitok.kernel.ids import new_id

LOG_VARIABLE = "VITOK_LOG"
ACCESS_VARIABLE = "VITOK_ACCESS_LOG"
TRACES_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_MOST_LINES = 10_000
_ID = re.compile(rb"[!-~]{1,128}")
_access = logging.getLogger("vitok.access")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever the caller put under `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        content = {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            content["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return msgspec.json.encode(content, enc_hook=str).decode()


class _Patient(QueueHandler):
    """Hands lines to a thread of their own: a reader that is gone or stands still keeps no request waiting.

    What does not fit into the queue is counted and told with the next line that does.
    """

    def __init__(self, lines: "Queue[logging.LogRecord]") -> None:
        super().__init__(lines)
        self.lines, self.lost = lines, 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as it is: it stays in this process."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queues a line, or drops it."""
        try:
            self.lines.put_nowait(record)
        except Full:
            self.lost += 1
            return
        if self.lost:
            record.msg, record.args = f"{record.getMessage()} ({self.lost} lines before were lost)", None
            self.lost = 0


def flush_logs(seconds: float = 1.0) -> None:
    """Waits until all lines are written, but not for long: whoever reads them may be gone."""
    end = stopwatch() + seconds
    for handler in logging.getLogger().handlers:
        while isinstance(handler, _Patient) and handler.lines.unfinished_tasks and stopwatch() < end:
            time.sleep(0.01)


def configure_logs() -> None:
    """Sends the logs of this process to stderr, as `VITOK_LOG` says: `text` or `json`."""
    logging.raiseExceptions = False  # a broken stderr is no place to complain about a broken stderr
    handler = logging.StreamHandler(sys.stderr)
    as_json = os.environ.get(LOG_VARIABLE, "text") == "json"
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s")
    )
    lines: Queue[logging.LogRecord] = Queue(_MOST_LINES)
    logging.basicConfig(handlers=[_Patient(lines)], force=True)
    QueueListener(lines, handler).start()  # its thread is a daemon
    atexit.register(flush_logs)
    logging.getLogger("vitok").setLevel(logging.INFO)


class Observed(NamedTuple):
    """One request that is being observed."""

    id: str
    span: Any


class Observer:
    """Gives requests their ids, and tells of them when they are answered.

    Args:
        clock: The present, for ids.
        access_log: Whether each request has a line.
        tracer: Of OpenTelemetry; None without traces.
    """

    def __init__(self, clock: Clock, *, access_log: bool, tracer: Any = None) -> None:
        self._clock = clock
        self._access_log = access_log
        self._tracer = tracer

    def begin(self, method: str, route: str, headers: Mapping[bytes, bytes]) -> Observed:
        """Takes a request up. Its id is the caller's `X-Request-Id`, if that is printable and not too long."""
        given = headers.get(b"x-request-id", b"")
        key = given.decode() if _ID.fullmatch(given) else new_id(self._clock())
        return Observed(key, None if self._tracer is None else self._span(method, route, headers))

    def active(self, observed: Observed) -> AbstractContextManager[Any]:
        """What the request does inside belongs to its trace."""
        if observed.span is None:
            return nullcontext()
        from opentelemetry.trace import use_span

        active: AbstractContextManager[Any] = use_span(observed.span, end_on_exit=False)
        return active

    def end(self, observed: Observed, method: str, route: str, status: int, seconds: float) -> None:
        """Tells of an answered request."""
        if observed.span is not None:
            observed.span.set_attribute("http.response.status_code", status)
            observed.span.set_attribute("vitok.request_id", observed.id)
            observed.span.end()
        if self._access_log:
            fields = {"request_id": observed.id, "method": method, "route": route, "status": status}
            fields["milliseconds"] = round(seconds * 1000, 3)
            _access.info(
                "%s %s %d %.3f ms %s",
                method,
                route,
                status,
                seconds * 1000,
                observed.id,
                extra={"fields": fields},
            )

    def _span(self, method: str, route: str, headers: Mapping[bytes, bytes]) -> Any:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        carrier = {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
        attributes = {"http.request.method": method, "http.route": route}
        return self._tracer.start_span(
            f"{method} {route}", context=extract(carrier), kind=SpanKind.SERVER, attributes=attributes
        )


def observer_of_surroundings(clock: Clock) -> Observer | None:
    """The observer that the environment asks for; None for none, which costs nothing."""
    access_log, traces = os.environ.get(ACCESS_VARIABLE) == "1", bool(os.environ.get(TRACES_VARIABLE))
    if not access_log and not traces:
        return None
    return Observer(clock, access_log=access_log, tracer=_tracer() if traces else None)


def _tracer() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logging.getLogger("vitok.serve").error(
            "%s is set, but OpenTelemetry is not installed: pip install 'vitok[traces]'", TRACES_VARIABLE
        )
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": "vitok"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("vitok.serve")
