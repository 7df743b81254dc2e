"""Archives are read whole or not at all."""

import gzip
import io
import json
import tarfile

import pytest

from vitok.errors import Fault, UserMistake
from vitok.store.archive import pack, unpack


@pytest.fixture
def archive(tmp_path):
    file = tmp_path / "kept" / "all.tar.gz"
    (tmp_path / "c.bin").write_bytes(bytes(range(256)) * 100)
    with pack(file, {"kind": "whole"}) as packer:
        packer.add("a/first.txt", b"one")
        packer.add("b.txt", b"two")
        packer.add_file("a/c.bin", tmp_path / "c.bin")
    return file


def members(archive):
    with tarfile.open(archive) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def rewritten(archive, change):
    """The archive with its members changed; `change` gets and gives name and content."""
    found = [change(member.name, content) for member, content in members(archive)]
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in found:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_what_goes_in_comes_out(archive, tmp_path):
    (tmp_path / "new").mkdir()
    assert unpack(archive, tmp_path / "new")["kind"] == "whole"
    found = {
        str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*") if path.is_file()
    }
    assert found == {"a/first.txt", "b.txt", "a/c.bin"}
    assert (tmp_path / "new" / "a" / "c.bin").read_bytes() == (tmp_path / "c.bin").read_bytes()
    assert archive.stat().st_mode & 0o077 == 0


def test_an_archive_that_fails_on_its_way_is_not_there(tmp_path):
    with pytest.raises(UserMistake, match="cannot be written"), pack(tmp_path / "x.tar.gz", {}) as packer:
        packer.add_file("gone", tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def truncated(archive):
    archive.write_bytes(archive.read_bytes()[:-150])


def cut_between_members(archive):
    found = members(archive)[:-1]
    with tarfile.open(archive, "w:gz") as tar:
        for member, content in found:
            tar.addfile(member, io.BytesIO(content))


def tampered(archive):
    rewritten(archive, lambda name, content: (name, content + b" " if name == "b.txt" else content))


def upwards(archive):
    rewritten(archive, lambda name, content: ("../outside" if name == "b.txt" else name, content))


def absolute(archive):
    rewritten(archive, lambda name, content: ("/tmp/outside" if name == "b.txt" else name, content))


def linked(archive):
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo("b.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def manifest_with(**changes):
    def change(name, content):
        return name, json.dumps(
            json.loads(content) | changes
        ).encode() if name == "manifest.json" else content

    return lambda archive: rewritten(archive, change)


def twice(archive):
    rewritten(archive, lambda name, content: ("b.txt" if name == "a/c.bin" else name, content))


def no_archive(archive):
    archive.write_bytes(b"something else")


def empty_gzip(archive):
    archive.write_bytes(gzip.compress(b""))


@pytest.mark.parametrize(
    ("damage", "kind", "says"),
    [
        (truncated, Fault, "cannot be read behind"),
        (cut_between_members, Fault, "no manifest"),
        (tampered, Fault, "'b.txt' is not what the manifest says"),
        (upwards, Fault, "outside of the folder"),
        (absolute, Fault, "outside of the folder"),
        (linked, Fault, "is a link"),
        (twice, Fault, "is there twice"),
        (manifest_with(format=2), Fault, "format 2"),
        (manifest_with(files={"b.txt": ""}), Fault, "is not what the manifest says"),
        (no_archive, UserMistake, "is no archive"),
        (empty_gzip, UserMistake, "is no archive"),
    ],
)
def test_what_is_wrong_with_an_archive_is_told(archive, tmp_path, damage, kind, says):
    damage(archive)
    (tmp_path / "new").mkdir()
    with pytest.raises(kind, match=says):
        unpack(archive, tmp_path / "new")
    assert not (tmp_path / "outside").exists()
