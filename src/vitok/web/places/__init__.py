"""All places and deeds, each in the module of its noun."""

from vitok.web.place import Deed, Place
from vitok.web.places import (
    alerts,
    approvals,
    audit,
    business,
    charter,
    data,
    drift,
    incidents,
    infrastructure,
    models,
    overview,
    people,
    performance,
    releases,
    replays,
    reviews,
    turns,
)

_MODULES = (
    alerts,
    approvals,
    audit,
    business,
    charter,
    data,
    drift,
    incidents,
    infrastructure,
    models,
    overview,
    people,
    performance,
    releases,
    replays,
    reviews,
    turns,
)
PLACES: tuple[Place, ...] = tuple(place for module in _MODULES for place in module.PLACES)
DEEDS: tuple[Deed, ...] = tuple(deed for module in _MODULES for deed in module.DEEDS)
