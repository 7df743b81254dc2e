"""Sending an event as mail, over the server that the environment names.

No problem that is told names more of the server's address than people may see: it may hold a password.
"""

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from vitok.errors import UserMistake
from vitok.govern.secrets import read_secret
from vitok.kernel.digests import digest_bytes
from vitok.loop.attempt import TIMEOUT_SECONDS, Deadline, Failure, deadline
from vitok.registry.events import Event
from vitok.report.messages import mail_html, mail_text, message_of

SMTP_VARIABLE, SENDER_VARIABLE = "VITOK_SMTP_URL", "VITOK_SMTP_FROM"
PASSWORD_VARIABLE = "VITOK_SMTP_PASSWORD"


def send_mail(event: Event, project: str) -> Failure | None:
    """Sends an event as mail over the server that the environment names; None if the server took it."""
    try:
        url = read_secret(SMTP_VARIABLE)
    except UserMistake as error:
        return Failure(f"the mail server {SMTP_VARIABLE}: {error.what}", answered=False)
    if not url:
        return Failure(f"the mail server {SMTP_VARIABLE} is not set", answered=False)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        return Failure(
            f"the value of {SMTP_VARIABLE} is no address such as smtp://mail.example.org:587", answered=False
        )
    try:
        mail = _mail(event, project, _sender(parts))
        with deadline() as limit, _connected(parts, port, limit) as server:
            _log_in(server, parts)
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused:
        return Failure("the mail server refused the receiver")
    except smtplib.SMTPAuthenticationError as error:
        return Failure(f"the mail server refused user or password ({error.smtp_code})", answered=False)
    except smtplib.SMTPResponseException as error:
        return Failure(f"the mail server answered {error.smtp_code}", answered=error.smtp_code >= 500)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return Failure(f"mail server: {str(error) or type(error).__name__}", answered=False)
    return None


def _mail(event: Event, project: str, sender: str) -> EmailMessage:
    message = message_of(project, event.kind, event.subject, event.data)
    mail = EmailMessage()
    mail["Subject"] = f"[vitok] {message.title}"[:200]
    mail["From"], mail["To"] = sender, event.url.removeprefix("mailto:")
    mail["Date"] = format_datetime(event.time)
    # The same however often it is sent, so that a mail program shows it once.
    mail["Message-ID"] = f"<{digest_bytes(event.id.encode())[:32]}@{project}.vitok>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(mail_text(message))
    mail.add_alternative(mail_html(message), subtype="html")
    return mail


def _sender(parts: SplitResult) -> str:
    named = os.environ.get(SENDER_VARIABLE)
    user = unquote(parts.username or "")
    return named or (user if "@" in user else f"vitok@{parts.hostname}")


@contextmanager
def _connected(parts: SplitResult, port: int | None, limit: Deadline) -> Iterator[smtplib.SMTP]:
    """A connection to the server: encrypted unless the address says `?tls=off`."""
    context, host = ssl.create_default_context(), parts.hostname or ""
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port or 587, timeout=TIMEOUT_SECONDS)
    with server:
        assert server.sock is not None
        limit.watch(server.sock)
        if parts.scheme == "smtp" and parse_qs(parts.query).get("tls") != ["off"]:
            server.starttls(context=context)  # refuses if the server cannot, and never goes on in the clear
            limit.watch(server.sock)
        yield server


def _log_in(server: smtplib.SMTP, parts: SplitResult) -> None:
    if not parts.username:
        return
    try:
        password = read_secret(PASSWORD_VARIABLE) or unquote(parts.password or "")
    except UserMistake as error:
        raise smtplib.SMTPException(f"the secret {PASSWORD_VARIABLE}: {error.what}") from error
    if not isinstance(server.sock, ssl.SSLSocket):
        raise smtplib.SMTPException(
            f"a password is not sent in the clear: leave ?tls=off out of {SMTP_VARIABLE}"
        )
    server.login(unquote(parts.username), password)
