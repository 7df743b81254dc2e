import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests/commands.py

from commands import cancer, mistake_of, run_vitok


@pytest.fixture(scope="session")
def vitok():
    """Runs a command of Vitok; the answer has `code`, `json`, `err`."""
    return run_vitok


@pytest.fixture(scope="session")
def mistake():
    """Runs a command that must end with one clear message."""
    return mistake_of


@pytest.fixture(scope="session")
def drafted_once(tmp_path_factory):
    """A project on breast cancer as `init` leaves it, with its data inside."""
    folder = tmp_path_factory.mktemp("drafted") / "cancer"
    folder.mkdir()
    cancer().write_csv(folder / "cancer.csv")
    words = ["--data", folder / "cancer.csv", "--target", "diagnosis", "--id", "patient"]
    assert run_vitok("init", folder, *words).code == 0
    return folder


@pytest.fixture(scope="session")
def released_once(tmp_path_factory, drafted_once):
    """The same project after a turn and a release."""
    folder = tmp_path_factory.mktemp("released") / "cancer"
    shutil.copytree(drafted_once, folder)
    assert run_vitok("run", "--quick", "--project", folder).code == 0
    assert run_vitok("release", 1, "--project", folder).code == 0
    return folder


@pytest.fixture
def drafted(drafted_once, tmp_path):
    """A copy of the drafted project."""
    return Path(shutil.copytree(drafted_once, tmp_path / "cancer"))


@pytest.fixture
def released(released_once, tmp_path):
    """A copy of the released project."""
    return Path(shutil.copytree(released_once, tmp_path / "cancer"))
