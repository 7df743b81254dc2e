"""The release plan: one immutable document that says which version answers which share of the units."""

from typing import Literal

import msgspec

from vitok.charter.predicates import Condition
from vitok.errors import Fault
from vitok.release.policy import Policy

Role = Literal["champion", "challenger", "variant", "shadow", "fallback"]
ACCEPTED = "accepted"
FORMAT = 3


class _Head(msgspec.Struct):
    format: int = FORMAT


class Arm(msgspec.Struct, frozen=True):
    """One version in production.

    Args:
        version: Number of the version.
        digest: Digest of its bundle.
        role: `champion` answers by default, `challenger` and `variant` (of an A/B test) take their share, `shadow`
            predicts without answering.
        share: Share of the units that it answers, 0 to 1; 0 for a shadow.
        when: The rows that it answers, of its share of the units; the others go to the champion. None for all.
    """

    version: int
    digest: str
    role: Role
    share: float
    when: Condition | None = None


class Plan(msgspec.Struct, frozen=True):
    """Which versions are in production, in which roles.

    Args:
        epoch: Grows with every new plan of the project.
        project: Name of the project.
        strategy: The strategy that made the plan.
        arms: The versions; exactly one champion.
        verdicts: By digest: `accepted`, or `accepted:` and the id of the verdict. A bundle without such an
            entry is never served.
        created: ISO 8601 in UTC.
        policy: How workers decide and behave.
        fallback: The version that answers if another fails; it was accepted, and in production before.
        salt: What the routing hashes with each unit. Every roll-out has its own, so that not always the same units
            try what is new.
        format: Of the document; a worker does not serve one that is newer than itself.

    Raises:
        Fault: the arms contradict each other.
    """

    epoch: int
    project: str
    strategy: str
    arms: tuple[Arm, ...]
    verdicts: dict[str, str]
    created: str
    policy: Policy = Policy()
    fallback: Arm | None = None
    salt: str = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        champions = [arm for arm in self.arms if arm.role == "champion"]
        if len(champions) != 1:
            raise self._fault(f"has {len(champions)} champions", "Exactly one arm must be the champion.")
        versions = [arm.version for arm in self.arms]
        if len(set(versions)) != len(versions):
            raise self._fault(f"names a version twice: {versions}", "Give each version one arm.")
        if any(not 0 <= arm.share <= 1 for arm in self.arms):
            raise self._fault("has a share outside of 0 to 1", "Give shares between 0 and 1.")
        if any(arm.share for arm in self.arms if arm.role == "shadow"):
            raise self._fault("gives a shadow a share", "A shadow answers nothing: its share is 0.")
        if any(arm.when is not None for arm in self.arms if arm.role not in ("challenger", "variant")):
            raise self._fault("limits the champion or a shadow to some rows", "Only challengers have limits.")
        total = sum(arm.share for arm in self.live)
        if abs(total - 1) > 1e-9:
            raise self._fault(
                f"has shares that sum to {total:g}", "The champion's and challengers' sum must be 1."
            )

    @property
    def champion(self) -> Arm:
        """The arm that answers by default."""
        return next(arm for arm in self.arms if arm.role == "champion")

    @property
    def live(self) -> tuple[Arm, ...]:
        """The arms that answer: challengers and variants in their order, then the champion."""
        challengers = tuple(arm for arm in self.arms if arm.role in ("challenger", "variant"))
        return (*challengers, *(arm for arm in self.arms if arm.role == "champion"))

    @property
    def shadows(self) -> tuple[Arm, ...]:
        """The arms that predict without answering."""
        return tuple(arm for arm in self.arms if arm.role == "shadow")

    def is_accepted(self, digest: str) -> bool:
        """Whether the plan holds an accepted verdict for exactly this bundle."""
        return self.verdicts.get(digest, "").partition(":")[0] == ACCEPTED

    def to_json(self) -> bytes:
        """The plan as JSON."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(text: bytes) -> "Plan":
        """Reads a plan back.

        Raises:
            Fault: it is damaged, contradicts itself, or was written by a newer Vitok.
        """
        try:
            found = msgspec.json.decode(text, type=_Head)
            if found.format > FORMAT:
                what = f"has format {found.format}, this Vitok reads up to {FORMAT}"
                raise Fault("release plan", what, "Update this Vitok, or release with it again.")
            return msgspec.json.decode(text, type=Plan)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Fault("release plan", f"cannot be read: {error}", "Release the version again.") from error

    def _fault(self, what: str, remedy: str) -> Fault:
        return Fault(f"release plan {self.epoch} of {self.project}", what, remedy)
