from datetime import timedelta

import yaml
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.draft import Facts, draft_charter
from vitok.charter.load import load_charter

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(
    target=names,
    path=names,
    excluded=st.lists(names, max_size=3),
    identity=names,
    positive=st.one_of(names, st.booleans(), st.integers()),
)
def test_draft_says_every_name_as_it_is(target, path, excluded, identity, positive):
    roles = {"target": target, "positive": positive, "id": identity, "time": None, "entity": None}
    rest = {"label_delay": timedelta(hours=4), "exclude": excluded, "personal": [], "rows": 100}
    rest |= {"positives": 40, "comments": {}}
    known = {"project": "p", "path": path, "task": "binary", **roles, **rest}
    facts = Facts(**known)
    charter = load_charter(draft_charter(facts)).charter
    assert (charter.task.target, charter.task.id) == (target, identity)
    assert charter.task.positive == positive
    assert type(charter.task.positive) is type(positive)
    assert charter.data.sources == {"data": path}
    assert charter.data.exclude == excluded
    assert yaml.safe_load(draft_charter(facts))["task"]["target"] == target
