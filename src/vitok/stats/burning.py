"""When an error budget burns too fast: Google's Site Reliability Workbook, chapter 5.

An alert needs a long window, so that it matters, and a short one, so that it ends soon after the trouble. The
workbook's factors 14.4, 6 and 1 are for 30 days; here they follow from what they mean, the share of the budget that is
gone when the long window is over.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class BurnRule:
    """When the budget burns too fast.

    Args:
        long, short: Both windows must burn faster than the rate.
        budget: Share of the budget that is gone after the long window at that rate.
        severity: `page`: look now; `ticket`: look today.
    """

    long: timedelta
    short: timedelta
    budget: float
    severity: Literal["page", "ticket"]

    def rate(self, over: timedelta) -> float:
        """How many times faster than allowed the budget burns, from which on it is too fast.

        >>> [round(rule.rate(timedelta(days=30)), 9) for rule in BURN_RULES]
        [14.4, 6.0, 1.0]
        """
        return self.budget * (over / self.long)


BURN_RULES = (
    BurnRule(timedelta(hours=1), timedelta(minutes=5), 0.02, "page"),
    BurnRule(timedelta(hours=6), timedelta(minutes=30), 0.05, "page"),
    BurnRule(timedelta(days=3), timedelta(hours=6), 0.10, "ticket"),
)
