"""Telling others what happens: events are written down with what they are about, and delivered until they arrive.

CloudEvents 1.0 in structured JSON over HTTP POST. With a secret each carries `Vitok-Signature: t=SECONDS,v1=HEX`, the
HMAC-SHA256 of `SECONDS.BODY`, so that the receiver can tell forged and replayed ones.
"""

import hashlib
import hmac
import os
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

import msgspec
import polars as pl
from sqlalchemy import Connection

import vitok
from vitok.charter.model import Charter
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_bytes
from vitok.loop.journals import handed_over
from vitok.loop.project import Project
from vitok.registry import events

_ATTEMPTS = 12  # with pauses that double up to an hour: given up after about five hours
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
_TIMEOUT_SECONDS = 5.0
_AT_ONCE = 20
_LOOK_BACK = timedelta(days=1)


def emit(
    connection: Connection, charter: Charter, now: datetime, kind: str, subject: str, data: dict[str, Any]
) -> None:
    """Writes an event down for each address that wants it, in the caller's transaction.

    Args:
        subject: What it is about; together with kind and time it is the event's identity.
    """
    for hook in charter.notify:
        if kind not in hook.on:
            continue
        address = digest_bytes(hook.url.encode())[:12]
        key = f"{kind}/{subject}/{format_time(now)}/{address}"
        found = events.Event(
            key[:300], now, kind, subject[:300], data, hook.url, hook.secret, 0, now, events.WAITING, ""
        )
        events.put(connection, found)


def emit_hand_overs(project: Project, since: datetime | None = None) -> None:
    """Writes down which rows of the lake were handed over to people; what is written down already stays as it is.

    Args:
        since: Only requests that arrived from then on; None for those of the last day.
    """
    if not any("hand_over" in hook.on for hook in project.charter.notify):
        return
    rows = handed_over(project.lake).filter(pl.col("received") >= (since or project.clock() - _LOOK_BACK))
    waiting = rows.select("id", "time", "version", "score", "proba", "reason").collect()
    with project.engine.begin() as connection:
        for row in waiting.iter_rows(named=True):
            data = {
                "id": row["id"],
                "version": row["version"],
                "score": row["score"] if row["proba"] is None else row["proba"],
                "reason": row["reason"],
            }
            emit(connection, project.charter, row["time"], "hand_over", f"prediction {row['id']}", data)


def deliver(project: Project) -> int:
    """Tries what is due, once each.

    Returns:
        How many were delivered.
    """
    now, delivered = project.clock(), 0
    with project.engine.connect() as connection:
        waiting = events.due(connection, now, _AT_ONCE)
    for event in waiting:
        problem = _post(project, event)
        if problem is None:
            delivered += 1
            changes: dict[str, Any] = {"state": events.DELIVERED, "attempts": event.attempts + 1, "error": ""}
        else:
            changes = _later(event, project.clock(), problem)
            project.say(f"{event.kind} could not be told to {event.url}: {problem}")
        with project.engine.begin() as connection:
            events.change(connection, event.id, **changes)
    return delivered


def list_events(project: Project, *, dead: bool, limit: int = 100) -> dict[str, Any]:
    """The object that `vitok events --json` prints.

    Args:
        dead: Only those that were given up.
    """
    states = [events.DEAD] if dead else [events.WAITING, events.DELIVERED, events.DEAD]
    with project.engine.connect() as connection:
        found = events.find(connection, states, limit)
    return {"events": [_as_json(event) for event in found]}


def retry_events(project: Project) -> int:
    """Gives all events that were given up another chance; how many there were."""
    with project.engine.begin() as connection:
        return events.revive(connection, project.clock())


def _later(event: events.Event, now: datetime, problem: str) -> dict[str, Any]:
    attempts = event.attempts + 1
    pause = min(_FIRST_PAUSE * 2 ** min(event.attempts, 12), _LONGEST_PAUSE)
    state = events.DEAD if attempts >= _ATTEMPTS else events.WAITING
    return {"state": state, "attempts": attempts, "due": now + pause, "error": problem}


def cloud_event(event: events.Event, project: str) -> dict[str, Any]:
    """The event as CloudEvents 1.0 says."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/vitok/{project}",
        "type": f"vitok.{event.kind}",
        "subject": event.subject,
        "time": format_time(event.time),
        "datacontenttype": "application/json",
        "data": event.data,
    }


def sign(secret: str, seconds: int, body: bytes) -> str:
    """The header that proves who sent a body, and when.

    >>> sign("s", 1, b"{}")[:12]
    't=1,v1=b2536'
    """
    found = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={found}"


def _post(project: Project, event: events.Event) -> str | None:
    """Delivers an event; why it could not be, None if it was."""
    body = msgspec.json.encode(cloud_event(event, project.charter.project), enc_hook=str)
    headers = {"Content-Type": "application/cloudevents+json", "User-Agent": f"vitok/{vitok.__version__}"}
    if event.secret is not None:
        secret = os.environ.get(event.secret)
        if not secret:
            return f"the secret {event.secret} is not set in the environment"
        headers["Vitok-Signature"] = sign(secret, int(project.clock().timestamp()), body)
    try:
        request = urllib.request.Request(event.url, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        return f"answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    return None


def _as_json(event: events.Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "time": format_time(event.time),
        "kind": event.kind,
        "subject": event.subject,
        "url": event.url,
        "state": event.state,
        "attempts": event.attempts,
        "due": format_time(event.due),
        "error": event.error,
        "data": event.data,
    }
