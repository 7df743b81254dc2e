import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.model import Costs
from vitok.economics.value import decisions_value

money = st.integers(-100, 100).map(float)
answers = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=50)


@given(answers, money, money, money, money)
def test_value_adds_up_over_parts(rows, tp, fp, fn, tn):
    costs = Costs(tp=tp, fp=fp, fn=fn, tn=tn)
    table = np.array(rows, dtype=int).reshape(-1, 2)
    half = len(table) // 2
    parts = [decisions_value(part[:, 0], part[:, 1], costs) for part in (table[:half], table[half:])]
    assert decisions_value(table[:, 0], table[:, 1], costs) == sum(parts)
