"""The ML Test Score and levels, by their own rules."""

import pytest

from vitok.evaluate.readiness import Proof, Step, level_of, meaning_of
from vitok.evaluate.readiness import test_score as score_of


def test_score_is_that_of_the_weakest_section():
    strong = {f"t{number}": Proof(1, "") for number in range(7)}
    weak = strong | {"t0": Proof(0.5, "", "x"), "t1": Proof(0, "", "x")}
    assert score_of({"data": strong, "model": weak}) == 5.5
    assert score_of({"data": strong, "model": strong}) == 7


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0, "research"),
        (0.5, "serious holes"),
        (1, "serious holes"),
        (2, "basic"),
        (3, "reasonably"),
        (5, "critical"),
        (5.5, "exceptional"),
    ],
)
def test_meaning_follows_the_paper(score, words):
    assert words in meaning_of(score)


def test_level_needs_everything_below_it():
    done, half = Step("a", Proof(1, "")), Step("b", Proof(0.5, "", "x"))
    assert level_of([[done], [done, done]]) == 2
    assert level_of([[done], [done, half], [done]]) == 1
    assert level_of([[half], [done]]) == 0
