"""One remark of a review."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One remark of a review.

    Args:
        where: File, line, column and key; or a column of the data.
        what: What is wrong.
        remedy: What to do.
        severity: `error` stops a turn; `warning` will surprise; `note` is good to know.
    """

    where: str
    what: str
    remedy: str
    severity: Severity

    def as_json(self) -> dict[str, Any]:
        """The problem as JSON values."""
        return asdict(self)
