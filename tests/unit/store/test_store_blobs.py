import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitok.errors import Fault, NotFound, UserMistake
from vitok.store.blobs import Blobs, write_atomically


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_bytes_come_back_as_they_were_put(tmp_path, content):
    blobs = Blobs(tmp_path)
    digest = blobs.put(content)
    assert blobs.put(content) == digest
    assert blobs.has(digest)
    assert blobs.get(digest) == content


def test_damage_is_found_and_absence_is_told(tmp_path):
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"abc")
    (tmp_path / digest[:2] / digest).write_bytes(b"abd")
    with pytest.raises(Fault, match="differ"):
        blobs.get(digest)
    with pytest.raises(NotFound):
        blobs.get("0" * 64)
    with pytest.raises(NotFound):
        blobs.get("../../etc/passwd")


def test_failed_write_leaves_neither_part_nor_temporary_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserMistake):
        write_atomically(tmp_path / "file" / "below", b"y")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserMistake):
        write_atomically(tmp_path / "folder", b"y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_files_are_as_readable_as_the_umask_says_and_private_ones_are_not(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "open", b"a")
        write_atomically(tmp_path / "private", b"a", private=True)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"open": 0o640, "private": 0o600}
