"""What roles may do: each act by somebody, nothing without a role, no role that may do all."""

from typing import get_args

import pytest

from vitok.charter.section import Role
from vitok.govern.roles import ACTS, MAY, Act, able, may


def test_each_role_and_each_act_is_declared():
    assert set(MAY) == set(get_args(Role))
    assert set(ACTS) == set(get_args(Act))
    assert all(able(act) for act in ACTS)


def test_without_a_role_nothing_is_allowed():
    assert not any(may((), act) for act in ACTS)


@pytest.mark.parametrize("role", MAY)
def test_no_role_may_do_everything(role):
    assert MAY[role] < set(ACTS)
    assert "read" in MAY[role]


def test_who_labels_neither_trains_nor_releases_nor_lets_people_in():
    assert MAY["data_annotator"] == {"read", "label"}
    assert able("release") == ["ml_engineer", "mlops_engineer"]
    assert able("manage") == ["project_manager", "mlops_engineer"]


def test_roles_add_up():
    assert may(["data_annotator", "ml_engineer"], "release")
    assert not may(["data_annotator", "data_scientist"], "release")
