"""A commit as bytes: one frame in a segment file, so that it is there whole or not at all.

A frame is a head of 28 bytes (little endian: mark, length of what follows, number of the first record, how many
records, checksum of what follows, checksum of the head), then one byte for each record's kind, then the records
as a JSON array. The head's own checksum means that a length is never believed that was not written.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from vitok.journal.records import Kind, Prediction, Record

Buffer = bytes | bytearray | memoryview
Tail = Literal["end", "torn", "damaged"]

_HEAD = struct.Struct("<4sIQII")
_CHECK = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CHECK.size
_MARK = b"VJ1\n"
_PREDICTION, _OUTCOME = b"p"[0], b"o"[0]
_KINDS: dict[int, Kind] = {_PREDICTION: "prediction", _OUTCOME: "outcome"}
_AT_ONCE = 256  # so many records are encoded before other threads get a turn


class _Named(msgspec.Struct):
    id: str


_encode_into = msgspec.json.Encoder().encode_into
_decode_ids = msgspec.json.Decoder(list[_Named]).decode
_decode_bodies = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Entry(NamedTuple):
    """One record as it lies in the spool; `body` is JSON."""

    seq: int
    kind: Kind
    id: str
    body: bytes


class Commit(NamedTuple):
    """A whole commit that was read.

    Args:
        seq: Number of its first record.
        last: Number of its last record.
        end: Where the next commit begins.
        content: What follows the head.
    """

    seq: int
    last: int
    end: int
    content: memoryview

    def entries(self) -> Iterator[Entry]:
        """Its records, in their order."""
        count = self.last - self.seq + 1
        body = self.content[count:]
        named = zip(self.content[:count], _decode_ids(body), _decode_bodies(body), strict=True)
        for seq, (kind, name, record) in enumerate(named, self.seq):
            yield Entry(seq, _KINDS[kind], name.id, bytes(record))


def encode_commit(records: Sequence[Record]) -> bytearray:
    """Records as a commit that still lacks its numbers; `seal` gives it those."""
    kinds = bytes([_PREDICTION if type(record) is Prediction else _OUTCOME for record in records])
    commit = bytearray(HEAD_BYTES) + kinds
    start = len(commit)
    _encode_into(records[:_AT_ONCE], commit, start)
    for place in range(_AT_ONCE, len(records), _AT_ONCE):
        joint = len(commit) - 1  # the bracket that closes what is there becomes a comma
        _encode_into(records[place : place + _AT_ONCE], commit, joint)
        commit[joint] = b","[0]
    _HEAD.pack_into(
        commit,
        0,
        _MARK,
        len(commit) - HEAD_BYTES,
        0,
        len(records),
        zlib.crc32(memoryview(commit)[HEAD_BYTES:]),
    )
    return commit


def seal(commit: bytearray, seq: int) -> None:
    """Numbers the records of a commit, beginning with `seq`."""
    struct.pack_into("<Q", commit, 8, seq)
    _CHECK.pack_into(commit, _HEAD.size, zlib.crc32(memoryview(commit)[: _HEAD.size]))


def read_commit(data: Buffer, offset: int) -> Commit | Tail:
    """The commit that begins at an offset, or what is there instead.

    Returns:
        The commit; `end` if the data ends here; `torn` if it ends within a commit, or in zeros as files do after a
        power cut; `damaged` if these are not the bytes that were written.
    """
    view = memoryview(data)
    if offset >= len(view):
        return "end"
    start = offset + HEAD_BYTES
    if start > len(view):
        return "torn"
    mark, length, seq, count, check = _HEAD.unpack_from(view, offset)
    if mark != _MARK or _CHECK.unpack_from(view, start - _CHECK.size)[0] != zlib.crc32(
        view[offset : offset + _HEAD.size]
    ):
        return "torn" if not any(view[offset:]) else "damaged"
    end = start + length
    if end > len(view):
        return "torn"
    if zlib.crc32(view[start:end]) != check:
        return "torn" if end == len(view) and view[-1] == 0 else "damaged"
    return Commit(seq, seq + count - 1, end, view[start:end])
