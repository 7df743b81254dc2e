"""The charter's rules for decisions and for trouble, as the plan carries them to the workers."""

import math

from vitok.charter.answers import AFTER, Rule
from vitok.charter.load import Document
from vitok.charter.predicates import AllOf, Condition, columns_of
from vitok.charter.section import Path
from vitok.errors import CharterMistake
from vitok.model.bundle import Manifest, load_outliers
from vitok.release.policy import Policy
from vitok.store.blobs import Blobs


def policy_of(document: Document) -> Policy:
    """The policy that a charter states."""
    found, serve = document.decisions, document.charter.serve
    return Policy(
        scope=found.scope,
        before=tuple(rule for rule in found.rules if not rule.is_after),
        after=tuple(rule for rule in found.rules if rule.is_after),
        unsure=found.unsure,
        outlier=found.outlier,
        previous=found.previous,
        default=found.fallback,
        timeout_seconds=serve.timeout.total_seconds(),
        queue=serve.queue,
        unrecorded=serve.unrecorded,
        cache_rows=0 if serve.cache is None else serve.cache.rows,
        cache_seconds=0.0 if serve.cache is None else serve.cache.age.total_seconds(),
        decimals=serve.decimals,
        memory_mb=serve.memory,
        holdout=found.holdout,
    )


def safe_rule(document: Document, incident: int) -> Rule:
    """The rule by which every row gets the charter's fallback, as first aid of an incident.

    Scores are made and kept all the same, so that one can tell when the model is well again.
    """
    answer = document.decisions.fallback
    assert answer is not None  # the charter is checked for it
    return Rule(f"first aid of incident {incident}", AllOf(()), answer)


def require_segment(document: Document, manifest: Manifest, condition: Condition) -> None:
    """Checks that a segment of a release can be tested on the rows of a model.

    Raises:
        CharterMistake: it names a column that is no input of the model.
    """
    known = {field.name for field in manifest.inputs}  # what the journal keeps of a row
    unknown = sorted(columns_of(condition) - known)
    if unknown:
        what = f"a segment asks for {unknown[0]!r}, which is no input of the model"
        raise CharterMistake(document.place(("release",)), what, f"Inputs: {', '.join(sorted(known))}.")


def require_columns(document: Document, manifest: Manifest) -> None:
    """Checks that the rules of a policy can be tested on the rows of a model.

    Raises:
        CharterMistake: a rule names a column that requests do not have.
    """
    known = {field.name for field in manifest.inputs} | AFTER
    known |= {name for name in (manifest.id, manifest.entity, manifest.time) if name is not None}
    places: list[tuple[Rule, Path]] = [
        (rule, ("decide", "rules", number)) for number, rule in enumerate(document.decisions.rules)
    ]
    places += [(rule, ("scope", "out")) for rule in document.decisions.scope]
    for rule, path in places:
        unknown = sorted(columns_of(rule.when) - known)
        if unknown:
            what = f"`{rule.name}` asks for {unknown[0]!r}, which is no input of the model: it can never be tested"
            raise CharterMistake(document.place(path), what, f"Inputs: {', '.join(sorted(known - AFTER))}.")


def require_outliers(document: Document, manifest: Manifest, blobs: Blobs) -> None:
    """Checks that a model can tell outliers as strange as the charter asks for.

    Raises:
        CharterMistake: it was judged on too few rows to tell any that are so strange.
    """
    asked = document.decisions.outlier
    if asked is None:
        return
    found, place = load_outliers(manifest, blobs), document.place(("decide", "outlier"))
    if found is None:
        what = "the version has no table of outliers: it was judged on fewer than 100 rows"
        raise CharterMistake(place, what, "Leave decide.outlier out, or train on more rows.")
    if found.highest < asked.limit:
        what = f"{found.rows} rows to judge by cannot tell one that is stranger than {100 * asked.limit:.6g}% of all"
        remedy = f"Ask for at most {math.floor(1e4 * found.highest) / 100:g}%, or train on more rows."
        raise CharterMistake(place, what, remedy)
