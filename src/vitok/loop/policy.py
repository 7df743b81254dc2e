"""The charter's rules for decisions and for trouble, as the plan carries them to the workers."""

from vitok.charter.decisions import GivenAnswer, GivenRule
from vitok.charter.load import Document
from vitok.release.policy import Answer, Limit, Policy, Rule


def policy_of(document: Document) -> Policy:
    """The policy that a charter states."""
    found, serve = document.decisions, document.charter.serve
    return Policy(
        scope=tuple(_rule(rule) for rule in found.scope),
        before=tuple(_rule(rule) for rule in found.rules if not rule.after),
        after=tuple(_rule(rule) for rule in found.rules if rule.after),
        unsure=_limit(found.unsure),
        outlier=_limit(found.outlier),
        previous=found.previous,
        default=None if found.fallback is None else _answer(found.fallback),
        timeout_seconds=serve.timeout.total_seconds(),
        queue=serve.queue,
        unrecorded=serve.unrecorded,
        memory_mb=serve.memory,
    )


def _rule(rule: GivenRule) -> Rule:
    return Rule(rule.text, rule.when, _answer(rule.answer))


def _limit(found: tuple[float, GivenAnswer] | None) -> Limit | None:
    return None if found is None else Limit(found[0], _answer(found[1]))


def _answer(given: GivenAnswer) -> Answer:
    return Answer(given.hand_over, given.value)
