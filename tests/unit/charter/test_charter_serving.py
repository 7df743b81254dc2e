import pytest

from vitok.charter.load import load_charter
from vitok.errors import CharterMistake

CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
"""


def load(text):
    return load_charter(CHARTER + text).charter


def test_promise_is_read():
    slo = load("serve: {slo: {availability: 99.5%, latency: '95 % < 0.05 s', over: 14d}}\n").serve.slo
    assert (slo.availability, slo.latency_goal, slo.over.days) == (0.995, (0.95, 0.05), 14)
    assert load("serve: {slo: {availability: 0.999}}\n").serve.slo.latency_goal is None


@pytest.mark.parametrize(
    ("slo", "says"),
    [
        ("availability: 100%", "less than 100%"),
        ("availability: 20%", "from 50%"),
        ("availability: 99%, over: 1d", "7d to 90d"),
        ("availability: 99%, over: 1y", "7d to 90d"),
        ("availability: 99%, latency: 50ms", "such as 95% < 50ms"),
        ("availability: 99%, latency: 95% < 50", "such as 95% < 50ms"),
        ("availability: 99%, latency: 95% < 20s", "1ms to 10s"),
        ("availability: 99%, latency: 10% < 50ms", "from 50%"),
        ("latency: 95% < 50ms", "availability is missing"),
    ],
)
def test_promise_that_cannot_be_kept_or_read_is_refused(slo, says):
    with pytest.raises(CharterMistake, match=says):
        load(f"serve: {{slo: {{{slo}}}}}\n")


@pytest.mark.parametrize(
    "hook",
    [
        "url: 'https://x.example/hook', secret: HOOK_SECRET, remind: 6h",
        "url: 'mailto:ada@example.org'",
        "url: env:SLACK_URL, format: slack",
        "url: env:TEAMS_URL, format: teams",
        "url: env:BOT_URL, format: telegram, chat: -100123",
        "url: env:BOT_URL, format: telegram, chat: '@ops'",
    ],
)
def test_addresses_that_can_be_told(hook):
    assert load(f"notify: [{{{hook}, on: [alert]}}]\n").notify[0].on == ["alert"]


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("url: x.example/hook", "does not fit"),
        ("url: 'mailto:ada'", "does not fit"),
        ("url: 'mailto:a@x.org,b@x.org'", "does not fit"),
        ("url: env:slack_url", "does not fit"),
        ("url: 'mailto:ada@example.org', format: slack", "form of its own"),
        ("url: 'mailto:ada@example.org', secret: HOOK", "only CloudEvents"),
        ("url: env:U, format: slack, secret: HOOK", "only CloudEvents"),
        ("url: env:U, format: telegram", "id of a chat"),
        ("url: env:U, format: slack, chat: 1", "only Telegram"),
        ("url: env:U, format: discord", "does not fit"),
        ("url: env:U, remind: 1s", "5m or more"),
    ],
)
def test_addresses_that_cannot_be_told_are_refused(hook, says):
    with pytest.raises(CharterMistake, match=f"(?i){says}"):
        load(f"notify: [{{{hook}, on: [alert]}}]\n")
