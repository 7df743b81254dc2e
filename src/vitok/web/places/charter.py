"""The charter for reading, with its history and the state of its goals."""

from vitok.loop.reading import read_charter
from vitok.web.place import Deed, Place

PLACES = (
    Place(
        "/charter",
        "charter.html",
        lambda project, asked: read_charter(project),
        "The charter with its history, and how far its milestones, risks and maturity are.",
    ),
)
DEEDS: tuple[Deed, ...] = ()
