"""Bringing one event to one address, as its format wants it.

What an address or a variable holds may be a token, so no problem that is told names more of it than its host.
"""

import hashlib
import hmac
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import msgspec

import vitok
from vitok.charter.serving import Notify
from vitok.errors import UserMistake
from vitok.govern.secrets import read_secret
from vitok.kernel.clock import format_time
from vitok.loop.attempt import LATE, TIMEOUT_SECONDS, Failure, deadline
from vitok.loop.mail import send_mail
from vitok.loop.outward import opener_of
from vitok.registry.events import Event
from vitok.report.messages import message_of, slack_body, teams_body, telegram_body

_LONGEST_WISH = timedelta(hours=6)
_TOO_MANY, _UNAVAILABLE = 429, 503
_CHATS = ("slack", "teams", "telegram")


def target_of(hook: Notify) -> str:
    """The address of a charter's entry with the form that it wants, as events keep it.

    >>> target_of(Notify(url="env:BOT_URL", on=["alert"], format="telegram", chat=-100))
    'env:BOT_URL#telegram:-100'
    """
    if hook.format == "cloudevents":
        return hook.url
    return f"{hook.url}#{hook.format}" + ("" if hook.chat is None else f":{hook.chat}")


def _parts(target: str) -> tuple[str, str, str]:
    """Address, format, and chat of a target."""
    url, _, mark = target.rpartition("#")
    form, _, chat = mark.partition(":")
    return (url, form, chat) if url and form in _CHATS else (target, "cloudevents", "")


def shown(url: str) -> str:
    """An address as people may see it: of one whose path or query may be a token, only the host.

    >>> shown("https://hooks.slack.com/services/T0/B0/hush#slack"), shown("http://127.0.0.1:9/hook")
    ('https://hooks.slack.com/...', 'http://127.0.0.1:9/hook')
    """
    url, form, _ = _parts(url)
    if not url.startswith(("http://", "https://")):
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    is_plain = form == "cloudevents" and not parts.query and len(parts.path) <= 30
    return f"{parts.scheme}://{host}{parts.path if is_plain else '/...'}"


def bring(event: Event, project: str, now: datetime) -> Failure | None:
    """Brings an event to its address; None if it was taken.

    Args:
        project: The project's name.
        now: The present, for the signature.
    """
    if event.url.startswith("mailto:"):
        return send_mail(event, project)
    url, form, chat = _parts(event.url)
    if form != "cloudevents":
        return _post(url, _chat_body(event, project, form, chat), {"Content-Type": "application/json"})
    body = msgspec.json.encode(cloud_event(event, project), enc_hook=str)
    headers = {"Content-Type": "application/cloudevents+json"}
    if event.secret is not None:
        try:
            secret = read_secret(event.secret)
        except UserMistake as error:
            return Failure(f"the secret {event.secret}: {error.what}", answered=False)
        if not secret:
            return Failure(f"the secret {event.secret} is not set", answered=False)
        headers["Vitok-Signature"] = sign(secret, int(now.timestamp()), body)
    return _post(url, body, headers)


def cloud_event(event: Event, project: str) -> dict[str, Any]:
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


def _chat_body(event: Event, project: str, form: str, chat: str) -> bytes:
    message = message_of(project, event.kind, event.subject, event.data)
    if form == "slack":
        return msgspec.json.encode(slack_body(message))
    if form == "teams":
        return msgspec.json.encode(teams_body(message))
    return msgspec.json.encode(telegram_body(message, chat))


def _post(url: str, body: bytes, headers: dict[str, str]) -> Failure | None:
    """Posts a body; None if it was taken.

    An address that hands on to another one has not taken it: a body is not posted to where nobody asked for.

    Args:
        url: Of HTTP, or `env:NAME` for the variable that holds it.
    """
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        try:
            url = read_secret(name) or ""
        except UserMistake as error:
            return Failure(f"the address {name}: {error.what}", answered=False)
        if not url:
            return Failure(f"the address {name} is not set", answered=False)
        if not url.startswith(("http://", "https://")):
            return Failure(f"the value of {name} is no address of HTTP", answered=False)
    headers = {"User-Agent": f"vitok/{vitok.__version__}", "Connection": "close", **headers}
    try:
        with deadline() as limit:
            request = urllib.request.Request(url, body, headers, method="POST")
            opener_of(limit).open(request, timeout=TIMEOUT_SECONDS).close()
            if limit.is_over:  # half an answer reads like a whole one
                return Failure(LATE, answered=False)
    except urllib.error.HTTPError as error:
        with error:
            wait = _wished_wait(error.headers) if error.code in (_TOO_MANY, _UNAVAILABLE) else None
            return Failure(f"answered {error.code}", wait=wait)
    except urllib.error.URLError as error:
        return Failure(str(error), answered=False)
    except (OSError, HTTPException) as error:
        return Failure(_without_address(error), answered=False)
    except ValueError:  # its words would quote the address
        return Failure("its address is no URL", answered=False)
    return None


def _wished_wait(headers: Message) -> timedelta | None:
    """What `Retry-After` asks for, in seconds; a date there is passed over for our own pauses."""
    text = headers.get("Retry-After", "")
    return min(timedelta(seconds=int(text[:9])), _LONGEST_WISH) if text.isdecimal() else None


def _without_address(error: Exception) -> str:
    """The words of an error, unless they may quote the address."""
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    return type(error).__name__
