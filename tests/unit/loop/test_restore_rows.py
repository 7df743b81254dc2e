"""Rows and files of a state go back together, or neither does."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from examples import CHARTER
from vitok.govern import audit
from vitok.loop.backup import archives, back_up_before_release
from vitok.loop.restore import restore
from vitok.wire import open_project


def test_files_are_put_back_if_the_rows_cannot_be_committed(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'named.sqlite'}"
    monkeypatch.setenv("VITOK_DATABASE_URL", url)
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "vitok.yaml").write_text(CHARTER)
    project = open_project(folder)
    project.state.mkdir()
    back_up_before_release(project, 1)
    (archive,) = archives(project)
    with project.engine.begin() as connection:
        audit.record(connection, project.clock(), "ada", "act", "thing", {})
        count = audit.count(connection)
    keys = project.state / "keys.json"
    keys.write_text("of now")

    def open_cut(place):
        opened = open_project(place)

        def cut(_):
            raise OperationalError("COMMIT", {}, Exception("the server is gone"))

        sa.event.listen(opened.engine, "commit", cut)
        return opened

    with pytest.raises(OperationalError, match="the server is gone"):
        restore(archive, folder, open_cut, database=url)
    assert keys.read_text() == "of now"
    assert not list(project.state.glob("replaced-*"))
    with project.engine.connect() as connection:
        assert audit.count(connection) == count
    restore(archive, folder, open_project, database=url)
    (aside,) = project.state.glob("replaced-*")
    assert (aside / "keys.json").read_text() == "of now"
    project.engine.dispose()
