"""Sample-ratio mismatch: whether traffic really went where the plan sends it, looked at all the time.

Lindon & Malek, NeurIPS 2022 (arXiv 2011.03567, section 3): the Bayes factor of a Dirichlet prior around the expected
shares against the expected shares themselves. It is a martingale while the split is as planned. Count randomised
units at their first sight: the requests of one sticky unit are no independent draws.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vitok.stats.scores import Floats

# Units that the prior is worth: departures of a few percentage points are the ones to find soon.
CONCENTRATION = 300.0
# Log evidence of what cannot happen (a unit in an arm without a share); JSON has no infinity.
CERTAIN = 1e6


def log_bayes_factor(counts: ArrayLike, prior: ArrayLike, expected: ArrayLike) -> Floats:
    """Log Bayes factor of Dirichlet-multinomial against multinomial counts.

    Args:
        counts: Shape (..., k): units by arm.
        prior: Shape (k,): parameters of the Dirichlet distribution.
        expected: Shape (k,): planned shares.

    Two units in one arm of two that share equally, under the uniform prior: (1/3) / (1/4).

    >>> float(np.exp(log_bayes_factor([2, 0], [1, 1], [0.5, 0.5])).round(4))
    1.3333
    """
    from scipy.special import gammaln, xlogy  # a quarter of a second that most commands can do without

    count, alpha = np.asarray(counts, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    joint = (gammaln(alpha + count) - gammaln(alpha)).sum(axis=-1)
    total = gammaln(alpha.sum()) - gammaln(alpha.sum() + count.sum(axis=-1))
    return np.asarray(joint + total - xlogy(count, expected).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class RatioMismatch:
    """Evidence that units are not split as planned; under the plan it ever reaches 1/alpha with chance alpha at most.

    Args:
        counts: Units by arm so far.
        expected: Units by arm that the plan let expect so far.
        log_e: Log Bayes factor now.
        highest: The highest so far.
        concentration: Units that the prior around the plan is worth.
    """

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    log_e: float = 0.0
    highest: float = 0.0
    concentration: float = CONCENTRATION

    @classmethod
    def start(cls, arms: int = 2, concentration: float = CONCENTRATION) -> Self:
        """No units yet, among so many arms."""
        return cls((0,) * arms, (0.0,) * arms, concentration=concentration)

    def crossed(self, alpha: float) -> bool:
        """Whether the evidence has ever reached 1/alpha; then nothing else about the arms can be trusted."""
        return self.highest >= -math.log(alpha)

    def prior(self, shares: ArrayLike) -> Floats:
        """Dirichlet parameters for the next units, planned with these shares.

        With shares that never change they are the posterior, concentration * share + count. Where the plan ramps up,
        what earlier units taught about each arm (units seen over units expected) carries over to the new shares.
        """
        share = np.asarray(shares, dtype=np.float64)
        held = self.concentration * share
        tilt = np.divide(
            held + np.array(self.counts),
            held + np.array(self.expected),
            out=np.ones(len(share)),
            where=held > 0,
        )
        mean = share * tilt / float(np.dot(share, tilt))
        return np.asarray((self.concentration + sum(self.counts)) * mean)

    def update(self, arm: int, shares: ArrayLike) -> Self:
        """The test after one more unit in the arm of this number."""
        return self.update_many(np.eye(len(self.counts), dtype=np.int64)[arm], shares)

    def update_many(self, counts: ArrayLike, shares: ArrayLike) -> Self:
        """The test after a batch of units that the plan split by the same shares; it is looked at once, after it.

        Args:
            counts: Shape (k,): further units by arm.
            shares: Shape (k,): planned shares of the arms, which sum to 1; an arm may have none.
        """
        count = np.asarray(counts, dtype=np.int64)
        share = np.asarray(shares, dtype=np.float64)
        if abs(float(share.sum()) - 1) > 1e-9 or share.min() < 0 or len(share) != len(self.counts):
            raise ValueError(f"{len(self.counts)} planned shares must sum to 1, not {share.tolist()}")
        open_ = share > 0
        log_e = self.log_e
        if count[~open_].any():
            log_e = CERTAIN
        elif np.count_nonzero(open_) > 1:
            prior = self.prior(share)[open_]
            log_e = min(CERTAIN, log_e + float(log_bayes_factor(count[open_], prior, share[open_])))
        return type(self)(
            tuple((np.array(self.counts) + count).tolist()),
            tuple((np.array(self.expected) + share * int(count.sum())).tolist()),
            log_e,
            max(self.highest, log_e),
            self.concentration,
        )

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The test as `as_json` wrote it."""
        return cls(**{**state, "counts": tuple(state["counts"]), "expected": tuple(state["expected"])})
