"""A real mail server on this machine, for tests: aiosmtpd, with STARTTLS and users if asked for."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Session


class MailServer:
    """What the server took, and where it listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[EmailMessage] = []
        self.secured: list[bool] = []
        self.users: list[str] = []
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Any) -> str:  # noqa: N802
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.secured.append(session.ssl is not None)
        return "250 taken"

    def check(self, server: Any, session: Session, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (b"ops", b"hush@1"), handled=False)


@contextmanager
def mail_server(
    port: int, certificate: tuple[Path, Path] | None = None, *, users: bool = False
) -> Iterator[MailServer]:
    """Starts a server and stops it at the end.

    Args:
        certificate: Files of certificate and key for STARTTLS; None for a server without it.
        users: Whether a user (`ops`, `hush@1`) is needed.
    """
    found, context = MailServer(port), None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    controller = Controller(
        found,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        authenticator=found.check if users else None,
        auth_required=users,
        auth_require_tls=users,
    )
    controller.start()
    try:
        yield found
    finally:
        controller.stop()
