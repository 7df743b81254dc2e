from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from vitok.charter.draft import Facts, draft_charter
from vitok.charter.load import load_charter
from vitok.charter.review import review
from vitok.charter.standard_risks import STANDARD, uncovered
from vitok.charter.templates import TEMPLATES

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(
    target=names,
    path=names,
    excluded=st.lists(names, max_size=3),
    identity=names,
    positive=st.one_of(names, st.booleans(), st.integers()),
)
@example(target="1e100", path="0o17", excluded=["12:30"], identity="010", positive="1e-3")
def test_draft_says_every_name_as_it_is(target, path, excluded, identity, positive):
    roles = {"target": target, "positive": positive, "id": identity, "time": None, "entity": None}
    rest = {"label_delay": timedelta(hours=4), "exclude": excluded, "statement": target, "owner": identity}
    rest |= {"comments": {"task.id": target}, "risks": list(STANDARD)}
    facts = Facts(project="p", path=path, task="binary", rows=100, **roles, **rest)
    charter = load_charter(draft_charter(facts)).charter
    assert (charter.task.target, charter.task.id) == (target, identity)
    assert charter.task.positive == positive
    assert type(charter.task.positive) is type(positive)
    assert charter.data.sources == {"data": path}
    assert charter.data.exclude == excluded
    assert (charter.goal.statement, charter.goal.owner) == (target, identity)
    assert [risk.what for risk in charter.risks] == [risk.what for risk in STANDARD]
    assert yaml.safe_load(draft_charter(facts))["task"]["target"] == target


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_gives_a_charter_that_the_review_finds_nothing_wrong_with(name):
    template = TEMPLATES[name]
    for task in template.tasks:
        positive = True if task == "binary" else None
        named = {"target": "y", "positive": positive, "id": "key", "time": "t", "template": template}
        facts = Facts(project="p", path="d.csv", task=task, rows=100, label_delay=timedelta(days=1), **named)
        first = load_charter(draft_charter(facts)).charter
        document = load_charter(draft_charter(replace(facts, risks=uncovered(first))))
        assert [problem.as_json() for problem in review(document)] == []
