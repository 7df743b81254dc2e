import numpy as np
import pytest

from vitok.charter.predicates import parse_condition_on_rows
from vitok.release.decide import Decider, Decision
from vitok.release.policy import Answer, Limit, Policy, Rule
from vitok.stats.outliers import Strangeness

HAND_OVER, NO = Answer(hand_over=True), Answer(hand_over=False, value=False)


def rule(text, answer):
    return Rule(text, parse_condition_on_rows(text, "here"), answer)


def decide(policy, row, score=0.8, odd=0.0, threshold=0.5):
    decider = Decider(policy, lambda name: lambda row: row.get(name), threshold, None)
    (found,) = decider.decide(
        [row],
        [score],
        [score >= 0.5 if isinstance(score, float) else "a"],
        Strangeness(np.array([odd]), ["temp"]),
        ["N14228"],
    )
    return found


EVERYTHING = Policy(
    scope=(rule("distance < 50", NO),),
    before=(rule("carrier = 'UA'", HAND_OVER), rule("carrier in ('UA', 'AA')", NO)),
    after=(rule("score > 0.9 and decision = true", HAND_OVER),),
    unsure=Limit(0.05, HAND_OVER),
    outlier=Limit(0.99, NO),
)


STRANGE = Decision(False, "default", "stranger than 99.87% of known rows, most by temp")


@pytest.mark.parametrize(
    ("row", "score", "odd", "found"),
    [
        ({"distance": 40, "carrier": "UA"}, 0.8, 0, Decision(False, "default", "distance < 50")),
        ({"distance": 80, "carrier": "UA"}, 0.8, 0, Decision(None, "hand_over", "carrier = 'UA'")),
        ({"distance": 80, "carrier": "AA"}, 0.8, 0, Decision(False, "rule", "carrier in ('UA', 'AA')")),
        ({"distance": 80}, 0.8, 0.9987, STRANGE),
        ({"distance": 80}, 0.95, 0.98, Decision(None, "hand_over", "score > 0.9 and decision = true")),
        ({"distance": 80}, 0.52, 0, Decision(None, "hand_over", "score within 0.02 of the threshold")),
        ({"distance": 80}, 0.8, 0, Decision(True, "model", "")),
        ({}, 0.2, 0, Decision(False, "model", "")),
    ],
)
def test_first_that_speaks_decides(row, score, odd, found):
    assert decide(EVERYTHING, row, score, odd) == found


def test_several_classes_are_unsure_if_the_second_is_as_likely():
    policy = Policy(unsure=Limit(0.1, HAND_OVER))
    assert decide(policy, {}, [0.45, 0.4, 0.15], threshold=None).action == "hand_over"
    assert decide(policy, {}, [0.8, 0.1, 0.1], threshold=None).action == "model"


def test_plain_policy_is_the_model():
    assert decide(Policy(), {}) == Decision(True, "model", "")


def test_nobody_is_an_outlier_of_a_model_that_cannot_tell():
    decider = Decider(EVERYTHING, lambda name: lambda row: row.get(name), 0.5, None)
    assert decider.decide([{"distance": 80}], [0.8], [True], None, ["N14228"]) == [
        Decision(True, "model", "")
    ]


def test_rule_on_the_score_of_several_classes_is_unknown():
    policy = Policy(after=(rule("score > 0.5", HAND_OVER),))
    assert decide(policy, {}, [0.8, 0.1, 0.1], threshold=None).action == "model"
