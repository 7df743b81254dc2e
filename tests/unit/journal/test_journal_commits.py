from hypothesis import given
from hypothesis import strategies as st
from journal_records import outcome, prediction

from vitok.journal.commits import Commit, encode_commit, read_commit, seal

KEYS = st.text(max_size=12)
RECORDS = st.one_of(
    st.builds(lambda key, text: prediction(key, text=text), KEYS, st.text(max_size=40)),
    st.builds(outcome, KEYS, st.one_of(st.booleans(), st.text(max_size=5), st.integers(0, 9))),
)
GROUPS = st.lists(st.lists(RECORDS, min_size=1, max_size=5), min_size=1, max_size=5)


def written(groups):
    """The bytes of some commits, where each ends, and the ids in each."""
    data, ends, seq = bytearray(), [], 1
    for group in groups:
        commit = encode_commit(group)
        seal(commit, seq)
        seq += len(group)
        data += commit
        ends.append(len(data))
    return data, ends


def read(data):
    """All whole commits of the data, and what stands behind them."""
    commits, offset = [], 0
    while isinstance(found := read_commit(data, offset), Commit):
        commits.append(found)
        offset = found.end
    return commits, offset, found


@given(GROUPS)
def test_what_was_written_is_read(groups):
    data, ends = written(groups)
    commits, _, tail = read(data)
    assert tail == "end"
    assert [commit.end for commit in commits] == ends
    entries = [entry for commit in commits for entry in commit.entries()]
    records = [record for group in groups for record in group]
    assert [entry.seq for entry in entries] == list(range(1, len(records) + 1))
    assert [entry.id for entry in entries] == [record.id for record in records]
    kinds = ["outcome" if hasattr(record, "value") else "prediction" for record in records]
    assert [entry.kind for entry in entries] == kinds


@given(GROUPS, st.data())
def test_data_that_breaks_off_anywhere_gives_the_whole_commits_before(groups, chance):
    data, ends = written(groups)
    cut = chance.draw(st.integers(0, len(data)))
    commits, offset, tail = read(data[:cut])
    whole = [end for end in ends if end <= cut]
    assert [commit.end for commit in commits] == whole
    assert tail == ("end" if cut == offset else "torn")
    # What arrives later is read from where the reading stopped.
    later, _, tail = read(data[offset:])
    assert tail == "end"
    assert len(commits) + len(later) == len(groups)


@given(GROUPS, st.data(), st.integers(1, 255))
def test_flipped_byte_is_never_read_nor_believed(groups, chance, flip):
    data, ends = written(groups)
    place = chance.draw(st.integers(0, len(data) - 1))
    data[place] ^= flip
    commits, offset, tail = read(data)
    before = [end for end in ends if end <= place]
    assert [commit.end for commit in commits] == before
    # Only a file that now ends in a zero looks as after a power cut.
    assert tail == ("torn" if place == len(data) - 1 and data[-1] == 0 else "damaged")
    assert offset == (before[-1] if before else 0)


@given(GROUPS, st.data(), st.integers(1, 3000))
def test_zeros_after_a_power_cut_are_torn(groups, chance, count):
    data, ends = written(groups)
    cut = chance.draw(st.sampled_from([0, *ends]))
    commits, _, tail = read(bytes(data[:cut]) + bytes(count))
    assert tail == "torn"
    assert len(commits) == sum(end <= cut for end in ends)
