"""Criteria that were revised after a result was seen."""

from datetime import UTC, datetime, timedelta

from vitok.loop.revisions import charter_number, revised
from vitok.registry.charters import CharterVersion
from vitok.registry.versions import Version

DAY, START = timedelta(days=1), datetime(2026, 11, 20, tzinfo=UTC)


def charter(number, *gates, digest=None, **content):
    digest = digest or f"d{number}"
    return CharterVersion(number, digest, START + number * DAY, "ada", {"accept": list(gates), **content})


def version(number, by, verdict="refused", **summary):
    summary = summary or {"charter_version": by}
    return Version(number, f"v{number}", START + by * DAY, "t", verdict, [], {}, summary)


def test_loosened_gate_is_told_with_the_verdict_that_was_seen():
    known = [charter(1, "roc_auc >= 0.7"), charter(2, "roc_auc >= 0.65")]
    judged = [version(3, 1), version(4, 2, "accepted")]
    assert revised(known, judged, judged[1]) == [
        "after version 3 was refused, gate `roc_auc >= 0.7` was loosened to `roc_auc >= 0.65` "
        "(charter 1 -> 2, 2026-11-22)"
    ]
    assert revised(known, judged, judged[0]) == []


def test_changes_before_the_first_verdict_and_of_other_keys_do_not_count():
    known = [
        charter(1, "f1 > 0.9"),
        charter(2, "f1 > 0.5"),
        charter(3, "f1 > 0.5", goal={"owner": "ada"}),
    ]
    judged = [version(1, 2), version(2, 3)]
    assert revised(known, judged, judged[1]) == []


def test_all_changes_since_the_first_result_stay_with_every_later_version():
    known = [
        charter(1, "f1 > 0.9"),
        charter(2, "f1 > 0.8"),
        charter(3, "f1 > 0.8", train={"seed": 1}),
        charter(4, "f1 > 0.9"),
    ]
    judged = [version(1, 1), version(2, 3, "accepted"), version(3, 4, "accepted")]
    told = revised(known, judged, judged[2])
    assert [sentence.partition(",")[0] for sentence in told] == [
        "after version 1 was refused",
        "after version 1 was refused",
        "after version 2 was accepted",
        "after version 2 was accepted",
    ]
    assert "tightened to `f1 > 0.9` (charter 3 -> 4" in told[2]
    assert "seed 1 removed" in told[3]
    assert len(revised(known, judged, judged[1])) == 2


def test_versions_of_early_databases_are_found_by_the_digest_in_force_then():
    known = [charter(1, "f1 > 0.9", digest="a"), charter(2, "f1 > 0.5"), charter(3, "f1 > 0.9", digest="a")]
    assert charter_number(version(1, 1, charter="a"), known) == 1
    assert charter_number(version(2, 3, charter="a"), known) == 3
    assert charter_number(version(3, 3, charter="unknown"), known) is None
    assert revised(known, [version(1, 1, charter="unknown"), version(2, 3)], version(2, 3)) == []
