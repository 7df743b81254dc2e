"""Log-ins that were begun at an issuer: what the browser keeps of one until it comes back, signed and for one use."""

from datetime import timedelta
from typing import NamedTuple

from vitok.kernel.digests import digest_bytes
from vitok.kernel.signing import read_signed, sign
from vitok.loop.openid import Asked
from vitok.loop.project import Project
from vitok.loop.signing import BEGUN, project_key
from vitok.registry import users
from vitok.store.writing import begin_writing

BEGUN_SECONDS = 600


class Begun(NamedTuple):
    """A log-in under way.

    Args:
        asked: What belongs to it at the issuer.
        then: Where the browser goes on.
    """

    asked: Asked
    then: str


def keep(project: Project, begun: Begun, key: bytes) -> str:
    """What the browser keeps.

    Args:
        key: The secret of this installation.
    """
    until = project.clock().timestamp() + BEGUN_SECONDS
    content = {"a": list(begun.asked), "t": begun.then, "u": until}
    with project.engine.connect() as connection:
        return sign(content, project_key(connection, BEGUN, key))


def take(project: Project, kept: str, state: str, key: bytes) -> Begun | None:
    """The log-in that a state belongs to, once; None if it is another's, was taken before, or is too long ago.

    Args:
        kept: By the browser.
        state: With which the issuer sent it back.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        content = read_signed(kept, project_key(connection, BEGUN, key))
    if content is None or now.timestamp() >= content["u"]:
        return None
    asked = Asked(*content["a"])
    if state != asked.state:
        return None
    subject = digest_bytes(f"begun {asked.state}".encode())
    with project.engine.begin() as connection:
        begin_writing(connection)
        if users.failures(connection, subject) is not None:
            return None
        # Kept among the failed attempts, which are forgotten after a day: longer than a log-in can be under way.
        users.fail(connection, subject, now, now - timedelta(days=1))
    return Begun(asked, content["t"])
