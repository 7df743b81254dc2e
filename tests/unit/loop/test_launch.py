"""What counts as evidence on the launch check list."""

from datetime import UTC, datetime
from types import SimpleNamespace

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.loop.launchmodel import MODEL
from vitok.loop.launchpeople import WATCHING
from vitok.registry.versions import Version


def facts(*gates):
    rows = [{"name": name, "passed": passed, "value": value} for name, passed, value in gates]
    version = Version(1, "d1", datetime(2026, 1, 5, tzinfo=UTC), "t1", "accepted", rows, {}, {})
    return SimpleNamespace(subject=version)


def test_gate_that_passed_on_a_figure_is_evidence():
    found = MODEL["good in every group"](facts(("slice(origin).roc_auc >= 0.6", True, 0.7)))
    assert found.done
    assert "passed slice(origin).roc_auc >= 0.6" in found.evidence


def test_gate_that_passed_because_there_was_no_champion_is_none():
    found = MODEL["good in every group"](facts(("slice(origin).roc_auc >= champion", True, None)))
    assert not found.done
    assert "no gate looks at" in found.evidence


def test_gate_that_could_not_be_decided_has_failed():
    found = MODEL["good in every group"](facts(("slice(origin).roc_auc >= 0.6", False, None)))
    assert "failed slice(origin).roc_auc >= 0.6" in found.evidence


def test_alerts_reach_people_if_an_address_is_told_of_them():
    def found(notify):
        charter = load_charter(f"{CHARTER}notify: {notify}\n").charter
        return WATCHING["alerts reach people"](SimpleNamespace(charter=charter))

    assert not found("[]").done
    assert "on: [alert]" in found("[{url: https://a.example, on: [verdict]}]").remedy
    assert found("[{url: https://a.example, on: [alert]}]").evidence == "alerts are posted to 1 address"
