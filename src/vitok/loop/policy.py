"""The charter's rules for decisions and for trouble, as the plan carries them to the workers."""

from vitok.charter.decisions import AFTER, GivenAnswer, GivenRule
from vitok.charter.load import Document, Path
from vitok.charter.predicates import columns_of
from vitok.errors import CharterMistake
from vitok.model.bundle import Manifest
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
        cache_rows=0 if serve.cache is None else serve.cache.rows,
        cache_seconds=0.0 if serve.cache is None else serve.cache.age.total_seconds(),
        decimals=serve.decimals,
        memory_mb=serve.memory,
    )


def require_columns(document: Document, manifest: Manifest) -> None:
    """Checks that the rules of a policy can be tested on the rows of a model.

    Raises:
        CharterMistake: a rule names a column that requests do not have.
    """
    known = {field.name for field in manifest.inputs} | AFTER
    known |= {name for name in (manifest.id, manifest.entity, manifest.time) if name is not None}
    places: list[tuple[GivenRule, Path]] = [
        (rule, ("decide", "rules", number)) for number, rule in enumerate(document.decisions.rules)
    ]
    places += [(rule, ("scope", "out")) for rule in document.decisions.scope]
    for rule, path in places:
        unknown = sorted(columns_of(rule.when) - known)
        if unknown:
            what = f"`{rule.text}` asks for {unknown[0]!r}, which is no input of the model: it can never be tested"
            raise CharterMistake(document.place(path), what, f"Inputs: {', '.join(sorted(known - AFTER))}.")


def _rule(rule: GivenRule) -> Rule:
    return Rule(rule.text, rule.when, _answer(rule.answer))


def _limit(found: tuple[float, GivenAnswer] | None) -> Limit | None:
    return None if found is None else Limit(found[0], _answer(found[1]))


def _answer(given: GivenAnswer) -> Answer:
    return Answer(given.hand_over, given.value)
