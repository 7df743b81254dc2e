"""What is in production now, for whoever cannot go on without it."""

from vitok.errors import NotFound
from vitok.loop.project import Project
from vitok.registry import releases, versions
from vitok.registry.releases import Release
from vitok.registry.versions import Version


def release_in_force(project: Project, place: str) -> Release:
    """The release in force.

    Args:
        place: The verb that needs it, for the message.

    Raises:
        NotFound: nothing has been released.
    """
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        raise NotFound(place, "no version is in production", "Release one with `vitok release VERSION`.")
    return release


def version_in_production(project: Project, place: str) -> Version:
    """The version of the release in force.

    Raises:
        NotFound: nothing has been released.
    """
    number = release_in_force(project, place).version
    with project.engine.connect() as connection:
        return versions.get(connection, number)
