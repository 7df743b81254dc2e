"""The example project: real flights, written into a folder as a user would have made it."""

from importlib.resources import files
from pathlib import Path

from vitok.data.flights import build_tables, package_folder
from vitok.errors import UserMistake
from vitok.store.blobs import write_atomically

FILES = ("vitok.yaml", "features.py", "test_features.py", "expectations.yaml")


def write_example(folder: Path) -> int:
    """Writes charter, feature function, expectations and data.

    Returns:
        The number of flights.

    Raises:
        UserMistake: the folder holds something else.
        NotFound: the data package is not installed.
    """
    if (folder / "vitok.yaml").exists():
        raise UserMistake(
            str(folder), "there is a project already", "Remove the folder, or give another with --project."
        )
    flights, weather = build_tables(package_folder())
    (folder / "data").mkdir(parents=True, exist_ok=True)
    flights.write_parquet(folder / "data" / "flights.parquet")
    weather.write_parquet(folder / "data" / "weather.parquet")
    for name in FILES:
        write_atomically(folder / name, files("vitok.data.example").joinpath(name).read_bytes())
    return flights.height
