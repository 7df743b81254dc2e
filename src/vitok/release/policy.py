"""What a worker does with a score, and with trouble: the charter's rules as plain data inside the release plan."""

from typing import Literal

import msgspec

from vitok.charter.answers import Answer, Holdout, Limit, Rule

__all__ = ["Answer", "Holdout", "Limit", "Policy", "Rule"]


class Policy(msgspec.Struct, frozen=True):
    """How a worker decides and behaves.

    Args:
        scope: Rows out of scope; the first that fits counts.
        before, after: Business rules that look at inputs only, and those that look at the model's answer too.
        unsure: Scores near the threshold.
        outlier: Rows stranger than this share of known rows.
        previous: Whether the version before answers when one fails.
        default: What is answered if no version can; None answers with an error.
        timeout_seconds: Longest time that a request may take.
        queue: Requests in progress from which on further ones are turned away.
        unrecorded: What happens when the journal cannot be written: `refuse`, or `answer` and mark it.
        cache_rows, cache_seconds: How many scores a version remembers, and how long; 0 for none.
        decimals: Of the scores that callers see; None for all.
        holdout: Units that get the answer that one would give without a model.
        memory_mb: Memory of a worker from which on it is replaced; None for no limit.
    """

    scope: tuple[Rule, ...] = ()
    before: tuple[Rule, ...] = ()
    after: tuple[Rule, ...] = ()
    unsure: Limit | None = None
    outlier: Limit | None = None
    previous: bool = True
    default: Answer | None = None
    timeout_seconds: float = 10.0
    queue: int = 512
    unrecorded: Literal["refuse", "answer"] = "refuse"
    cache_rows: int = 0
    cache_seconds: float = 0.0
    decimals: int | None = None
    memory_mb: int | None = None
    holdout: Holdout | None = None

    @property
    def is_plain(self) -> bool:
        """Whether every row simply gets the model's decision."""
        return not (self.scope or self.before or self.after or self.unsure or self.outlier or self.holdout)
