"""The composition root: the only place that names concrete adapters."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitok.errors import UserMistake
from vitok.kernel.clock import Clock, system_clock
from vitok.loop.project import Project
from vitok.loop.review import read_document
from vitok.registry.tracking import Tracker
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake
from vitok.store.slots import Machine, Room

STATE = ".vitok"


class Settings(BaseSettings):
    """What the surroundings decide, by environment variables."""

    model_config = SettingsConfigDict(env_prefix="VITOK_")

    database_url: str | None = Field(
        None,
        repr=False,
        description="SQLAlchemy URL of the state database. Default: SQLite in the project.",
    )
    lake_url: str | None = Field(
        None, description="Folder or object-store URL of the lake. Default: a folder in the project."
    )
    cores: int = Field(
        os.cpu_count() or 1, gt=0, description="Cores that the turns of all projects may use together."
    )
    memory: int | None = Field(
        None, gt=0, description="Megabytes that they may use together. Default: four fifths of the machine's."
    )
    slots: Path | None = Field(
        None,
        description="Folder in which they wait for each other. Default: one of the user's for temporary files.",
    )
    tracking_url: str | None = Field(None, description="MLflow tracking URI. Default: SQLite in the project.")


def open_project(
    folder: Path,
    *,
    clock: Clock = system_clock,
    say: Callable[[str], None] = lambda line: None,
    database_may_be_away: bool = False,
) -> Project:
    """Opens a project with the stores that the settings name.

    Args:
        clock: The source of time.
        say: Takes progress lines.
        database_may_be_away: Whether to open it all the same while its database cannot be reached.

    Raises:
        NotFound: the folder holds no project.
        CharterMistake: the charter does not parse.
        UserMistake: a store cannot be opened, or the settings name a database beside the project's own.
    """
    folder = folder.resolve()
    document, settings, state = read_document(folder), Settings(), folder / STATE
    own = state / "state.sqlite"
    database = settings.database_url or f"sqlite:///{own}"
    if own.exists() and database != f"sqlite:///{own}":
        what = f"names a database, and {own} is the state of this project"
        remedy = "Unset it; or unset it for `vitok backup`, and set it for `vitok restore` into a new folder."
        raise UserMistake("VITOK_DATABASE_URL", what, remedy)
    tracking = settings.tracking_url or f"sqlite:///{state / 'mlflow.sqlite'}"
    return Project(
        folder=folder,
        state=state,
        document=document,
        engine=open_database(database, may_be_away=database_may_be_away),
        lake=Lake(settings.lake_url or state / "lake"),
        blobs=Blobs(state / "blobs"),
        clock=clock,
        tracker=lambda: Tracker(tracking, document.charter.project),
        say=say,
        machine=_machine(settings),
        workflows=settings.database_url or f"sqlite:///{state / 'workflows.sqlite'}",
    )


def _machine(settings: Settings) -> Machine:
    """What turns on this machine may use together."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    folder = settings.slots or Path(tempfile.gettempdir()) / f"vitok-turns-{os.getuid()}"
    return Machine(folder, Room(settings.cores, settings.memory or whole * 4 // 5))
