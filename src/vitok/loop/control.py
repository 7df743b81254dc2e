"""What the control plane does for whoever asks over HTTP: who that is and what it may do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from vitok.errors import Refused, VitokError
from vitok.govern.people import local_user
from vitok.govern.roles import ACTS, Act, able, may
from vitok.loop.begun import Begun, keep, take
from vitok.loop.project import Project
from vitok.loop.review import CHARTER, read_document
from vitok.loop.users import log_in, log_in_by_issuer, log_out, session_of
from vitok.registry.marks import mark
from vitok.release.keys import Key

_ACTS_OF_SCOPES: dict[str, Act] = {"pages": "read", **{act: act for act in ACTS if act != "read"}}


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Args:
        name: The person, or the key that asks for nobody.
        acts: What may be done now.
        has_session: Whether the person has logged in with a browser.
    """

    name: str
    acts: frozenset[Act]
    has_session: bool = False


class Control:
    """The control plane of a project.

    Args:
        project: Its charter is read anew when the file changes, so that a team holds at once.
        key: Gives what signs sessions; asked for when one comes.
        only: What may be done at all, whatever roles allow; None for no such limit.
    """

    def __init__(
        self, project: Project, key: Callable[[], bytes], only: frozenset[Act] | None = None
    ) -> None:
        self._opened, self._key, self._only = project, key, only
        self._seen = _mark(project)

    @property
    def project(self) -> Project:
        """The project with its present charter; one that cannot be read leaves the last one in force."""
        mark = _mark(self._opened)
        if mark != self._seen:
            try:
                self._opened = replace(self._opened, document=read_document(self._opened.folder))
            except VitokError:
                return self._opened
            self._seen = mark
        return self._opened

    def visitor(self, *, is_guarded: bool, key: Key | None, session: str | None) -> Visitor | None:
        """Who asks, and what it may do: the roles of the person, within the scopes of the key.

        Args:
            is_guarded: Whether the server asks for keys; if not, whoever asks is at this machine.
            key: The key or token that came with the request.
            session: What the browser has of a log-in.

        Returns:
            None for nobody whom one knows.
        """
        found = self._visitor(is_guarded, key, session)
        return found if found is None or self._only is None else replace(found, acts=found.acts & self._only)

    def _visitor(self, is_guarded: bool, key: Key | None, session: str | None) -> Visitor | None:
        project = self.project
        if key is not None:
            scoped = frozenset(act for scope, act in _ACTS_OF_SCOPES.items() if scope in key.scopes)
            if key.person is None:
                return Visitor(key.name, scoped & {"read"})
            return Visitor(key.person, scoped & _acts_of(project, key.person))
        name = session_of(project, session, self._key()) if session else None
        if name is not None:
            return Visitor(name, _acts_of(project, name), has_session=True)
        if is_guarded:
            return None
        return Visitor(local_user(), frozenset({"read"}) if project.charter.team else frozenset(ACTS))

    def require(self, visitor: Visitor, act: Act) -> None:
        """Refuses what a visitor may not do.

        Raises:
            Refused: the roles, or the key's scopes, do not allow it.
        """
        if act not in visitor.acts:
            roles = ", ".join(able(act))
            what = f"may not {ACTS[act]} here: that needs one of the roles {roles}, and of a key the scope"
            raise Refused(visitor.name, what, "Log in as such a person, or use such a key.")

    def mark(self) -> str:
        """Something that differs whenever what people look at has changed."""
        with self.project.engine.connect() as connection:
            return mark(connection)

    def log_in(self, name: str, password: str, address: str) -> str:
        """A session for whoever knows the password."""
        return log_in(self.project, name, password, address, self._key())

    def keep(self, begun: Begun) -> str:
        """What a browser keeps of a log-in that was begun at an issuer."""
        return keep(self.project, begun, self._key())

    def take(self, kept: str, state: str) -> Begun | None:
        """The log-in that was begun, once."""
        return take(self.project, kept, state, self._key())

    def log_in_by_issuer(self, name: str, issuer: str) -> str:
        """A session for whom an issuer says to have logged in."""
        return log_in_by_issuer(self.project, name, issuer, self._key())

    def log_out(self, name: str) -> None:
        """Ends all sessions of a person."""
        log_out(self.project, name)


def _acts_of(project: Project, person: str) -> frozenset[Act]:
    team = project.charter.team
    return frozenset(act for act in ACTS if not team or may(team.get(person, ()), act))


def _mark(project: Project) -> tuple[int, int]:
    try:
        status = (project.folder / CHARTER).stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_ino
