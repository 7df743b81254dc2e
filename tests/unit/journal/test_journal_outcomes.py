import time
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vitok.journal.outcomes import classify, is_same
from vitok.journal.records import Outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def outcome(key, value, replace=False):
    return Outcome(key, value, NOW, NOW, replace)


def sorted_into(incoming, predicted=("a", "b"), known=None):
    found = classify(incoming, set(predicted), known or {})
    return {name: [o.id for o in outcomes] for name, outcomes in found._asdict().items() if outcomes}


def test_new_outcome_of_a_known_prediction_matches():
    assert sorted_into([outcome("a", 1)]) == {"matched": ["a"]}


def test_outcome_of_an_unknown_prediction_is_kept():
    found = classify([outcome("z", 1)], set(), {})
    assert [o.id for o in found.unmatched] == ["z"]
    assert found.to_store == found.unmatched


def test_same_value_again_is_a_duplicate_and_another_a_conflict():
    assert sorted_into([outcome("a", 1)], known={"a": 1}) == {"duplicates": ["a"]}
    assert sorted_into([outcome("a", 0)], known={"a": 1}) == {"conflicts": ["a"]}
    assert sorted_into([outcome("z", 0)], known={"z": 0}) == {"duplicates": ["z"]}


def test_replace_overrides():
    assert sorted_into([outcome("a", 0, replace=True)], known={"a": 1}) == {"matched": ["a"]}
    assert sorted_into([outcome("a", 1, replace=True)], known={"a": 1}) == {"duplicates": ["a"]}


def test_rules_hold_within_a_batch_in_its_order():
    batch = [
        outcome("a", 1),
        outcome("a", 1),
        outcome("a", 2),
        outcome("a", 2, replace=True),
        outcome("a", 2),
    ]
    found = classify(batch, {"a"}, {})
    assert [o.value for o in found.matched] == [1, 2]
    assert len(found.duplicates) == 2
    assert len(found.conflicts) == 1


def test_functions_serve_as_well_as_mappings():
    found = classify([outcome("a", 1), outcome("b", 1)], lambda key: key == "a", {"b": 1}.get)
    assert [len(part) for part in found] == [1, 0, 1, 0]


def test_true_is_not_one_but_one_is_one_point_nought():
    assert not is_same(True, 1)
    assert is_same(1, 1.0)
    assert not is_same("1", 1)


@given(
    st.lists(st.builds(outcome, st.sampled_from("abcd"), st.integers(0, 2), st.booleans())),
    st.sets(st.sampled_from("abcd")),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
def test_every_outcome_lands_in_exactly_one_place_whatever_the_batching(incoming, predicted, known):
    whole = classify(incoming, predicted, known)
    assert sum(len(part) for part in whole) == len(incoming)
    standing, stored = dict(known), []
    for single in incoming:
        stored += classify([single], predicted, standing).to_store
        standing.update({o.id: o.value for o in stored})
    assert sorted(map(repr, stored)) == sorted(map(repr, whole.to_store))


def test_a_year_of_outcomes_is_classified_in_a_second():
    incoming = [outcome(str(number), number % 2) for number in range(280_000)]
    predicted = {o.id for o in incoming}
    started = time.perf_counter()
    assert len(classify(incoming, predicted, {}).matched) == 280_000
    assert time.perf_counter() - started < 1
