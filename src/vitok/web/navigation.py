"""Where a reader can go, in the order in which it is asked for."""

from typing import NamedTuple

from vitok.govern.roles import Act
from vitok.web.language import marked as _


class Entry(NamedTuple):
    """A place in the navigation.

    Args:
        path: Its address.
        title: A text of the catalogue.
        act: Who may not do it is not shown the entry.
    """

    path: str
    title: str
    act: Act = "read"


NAVIGATION: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        _("Watch"),
        (
            Entry("/", _("Overview")),
            Entry("/performance", _("Performance")),
            Entry("/drift", _("Drift")),
            Entry("/infrastructure", _("Infrastructure")),
            Entry("/business", _("Business")),
        ),
    ),
    (
        _("Act"),
        (
            Entry("/alerts", _("Alerts")),
            Entry("/incidents", _("Incidents")),
            Entry("/approvals", _("Approvals")),
            Entry("/releases", _("Releases")),
            Entry("/reviews", _("Review"), "label"),
        ),
    ),
    (
        _("Look up"),
        (
            Entry("/turns", _("Turns")),
            Entry("/models", _("Models")),
            Entry("/data", _("Data")),
            Entry("/charter", _("Charter")),
            Entry("/replay", _("Replay")),
            Entry("/people", _("People"), "manage"),
            Entry("/audit", _("Audit")),
        ),
    ),
)
