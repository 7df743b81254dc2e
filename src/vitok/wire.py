"""The composition root: the only place that names concrete adapters."""

from collections.abc import Callable
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitok.charter.load import Document, load_charter
from vitok.errors import DataMistake, NotFound
from vitok.kernel.clock import Clock, system_clock
from vitok.loop.project import Project
from vitok.loop.status import project_status
from vitok.registry.tracking import Tracker
from vitok.serve.app import DataPlane
from vitok.serve.front import create_front
from vitok.serve.observe import configure_logs
from vitok.serve.server import worker_folder, worker_grpc_address, worker_settings
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake
from vitok.web.app import create_pages

CHARTER = "vitok.yaml"
STATE = ".vitok"


class Settings(BaseSettings):
    """What the surroundings decide, by environment variables."""

    model_config = SettingsConfigDict(env_prefix="VITOK_")

    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the state database. Default: SQLite in the project."
    )
    lake_url: str | None = Field(
        None, description="Folder or object-store URL of the lake. Default: a folder in the project."
    )
    tracking_url: str | None = Field(None, description="MLflow tracking URI. Default: SQLite in the project.")


def read_document(folder: Path) -> Document:
    """Reads a project's charter.

    Raises:
        NotFound: the folder holds no project.
        CharterMistake: the charter does not parse.
    """
    path = folder / CHARTER
    if not path.is_file():
        raise NotFound(
            str(folder), f"there is no {CHARTER}", "Start one with `vitok init`, or give --project DIR."
        )
    try:
        return load_charter(path.read_text(encoding="utf-8"), CHARTER)
    except UnicodeDecodeError as error:
        raise DataMistake(
            str(path), f"is no UTF-8 text: {error.reason} at byte {error.start}", "Save it as UTF-8."
        ) from error


def open_project(
    folder: Path, *, clock: Clock = system_clock, say: Callable[[str], None] = lambda line: None
) -> Project:
    """Opens a project with the stores that the settings name.

    Args:
        clock: The source of time.
        say: Takes progress lines.

    Raises:
        NotFound: the folder holds no project.
        CharterMistake: the charter does not parse.
        UserMistake: a store cannot be opened.
    """
    folder = folder.resolve()
    document, settings, state = read_document(folder), Settings(), folder / STATE
    tracking = settings.tracking_url or f"sqlite:///{state / 'mlflow.sqlite'}"
    return Project(
        folder=folder,
        state=state,
        document=document,
        engine=open_database(settings.database_url or f"sqlite:///{state / 'state.sqlite'}"),
        lake=Lake(settings.lake_url or state / "lake"),
        blobs=Blobs(state / "blobs"),
        clock=clock,
        tracker=lambda: Tracker(tracking, document.charter.project),
        say=say,
    )


def whole_app() -> DataPlane:
    """One worker of `vitok up`: predictions, and the pages under every path that is not the data plane's."""
    configure_logs()
    state = worker_folder()
    project = open_project(state.parent)
    pages = create_pages(lambda: project_status(project))
    return create_front(state, system_clock, worker_settings(), pages, worker_grpc_address())
