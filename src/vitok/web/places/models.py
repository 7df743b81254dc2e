"""Models: the catalogue, the card of one version, and two side by side."""

from vitok.errors import NotFound
from vitok.loop.catalogue import search_versions, version_page
from vitok.loop.project import Project
from vitok.loop.side_by_side import compare_versions
from vitok.web.naming import number_of
from vitok.web.place import Ask, Place, Values


def _compare(project: Project, asked: Values) -> Values:
    """Two versions; while less than two are chosen, what there is to choose from."""
    listed = [each["version"] for each in search_versions(project)["versions"]]
    first, second = asked["a"], asked["b"]
    for number in (first, second):
        if number is not None and number not in listed:
            raise NotFound(f"version {number}", "does not exist", "Choose one from the list.")
    chosen = first is not None and second is not None
    return {"versions": listed, "compared": compare_versions(project, first, second) if chosen else None}


PLACES = (
    Place(
        "/models",
        "models.html",
        lambda project, asked: search_versions(project, asked["word"] or ""),
        "All versions, newest first, with state, verdict and main metric.",
        asks={
            "word": Ask(help="Only versions that have this in number, verdict, state, algorithm or digest.")
        },
    ),
    Place(
        "/models/compare",
        "compare.html",
        _compare,
        "Two versions side by side: metrics with intervals, gates, parameters, data.",
        asks={"a": Ask(int, help="Number of a version."), "b": Ask(int, help="Number of another.")},
    ),
    Place(
        "/models/{version}",
        "model.html",
        lambda project, asked: version_page(project, number_of(asked, "version", "version")),
        "The card of a version: goal, data, metrics, gates, parameters, its turn and its releases.",
    ),
)

DEEDS = ()
