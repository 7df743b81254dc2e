"""How well the service answers: latency, throughput, errors, resources, promises, times to notice and to mend."""

from vitok.loop.standing import standing
from vitok.web.place import Deed, Place

PLACES = (
    Place(
        "/infrastructure",
        "infrastructure.html",
        lambda project, asked: standing(project, "operations"),
        "Availability, latency, throughput, error budgets, times to notice and to mend, of the last seven days.",
    ),
)
DEEDS: tuple[Deed, ...] = ()
