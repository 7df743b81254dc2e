"""No release while something grave goes on, if the charter says so."""

from sqlalchemy import Connection

from vitok.charter.model import Charter
from vitok.errors import Refused
from vitok.monitor.incidents import freezing
from vitok.registry import incidents


def require_no_freeze(connection: Connection, charter: Charter, number: int) -> None:
    """Looks whether a version may be released at all.

    Raises:
        Refused: an incident goes on that is grave enough for `incidents.freeze`.
    """
    if charter.incidents.freeze is None:
        return
    found = freezing(incidents.all_pending(connection), charter.incidents)
    if found:
        gravest = found[0]
        what = (
            f"incident {gravest.number} ({gravest.severity}: {gravest.title}) goes on, and freezes releases"
        )
        remedy = (
            f"See `vitok incidents show {gravest.number}`; releases go on when it has recovered or is closed."
        )
        raise Refused(f"version {number}", what, remedy)
