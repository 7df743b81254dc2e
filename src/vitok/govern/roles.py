"""What each role of a team may do: as little as its work needs."""

from collections.abc import Collection
from typing import Literal

from vitok.charter.section import Role

Act = Literal["read", "label", "train", "approve", "release", "operate", "personal", "manage"]
ACTS: dict[Act, str] = {
    "read": "see how the project stands",
    "label": "give labels to cases",
    "train": "start turns",
    "approve": "answer what its role is asked",
    "release": "bring versions into production and take them back",
    "operate": "take on alerts and incidents",
    "personal": "read personal data of single cases",
    "manage": "let people in: log-ins and keys",
}
MAY: dict[Role, frozenset[Act]] = {
    "product_owner": frozenset({"read", "approve"}),
    "project_manager": frozenset({"read", "approve", "manage"}),
    "domain_expert": frozenset({"read", "approve", "label", "personal"}),
    "data_engineer": frozenset({"read", "approve", "operate", "personal"}),
    "data_annotator": frozenset({"read", "label"}),
    "data_scientist": frozenset({"read", "approve", "label", "train"}),
    "ml_engineer": frozenset({"read", "approve", "train", "release"}),
    "mlops_engineer": frozenset({"read", "approve", "train", "release", "operate", "manage"}),
}


def may(roles: Collection[Role], act: Act) -> bool:
    """Whether somebody with these roles may do it; without a role, nothing.

    >>> may(["data_scientist"], "release"), may(["data_scientist", "ml_engineer"], "release")
    (False, True)
    """
    return any(act in MAY[role] for role in roles)


def able(act: Act) -> list[str]:
    """The roles that may do it."""
    return [role for role, acts in MAY.items() if act in acts]
