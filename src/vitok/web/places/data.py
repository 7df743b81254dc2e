"""Data: what turns have learned from, what is expected of it, and what new data looks like."""

from vitok.loop.data_used import data_used
from vitok.web.place import Place

PLACES = (
    Place(
        "/data",
        "data.html",
        lambda project, asked: data_used(project),
        "Data that turns used, what is expected of data, roles of columns, and what the last window said.",
    ),
)

DEEDS = ()
