"""The alert rules name only what servers tell, and fire when they should: promtool plays each one through."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
import yaml

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.export.grafana import grafana_dashboard
from vitok.export.prometheus import prometheus_rules
from vitok.journal.records import Prediction
from vitok.serve.metrics import Metrics
from vitok.store.heartbeat import Heartbeat, write_heartbeat

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SLO = "serve: {slo: {availability: 99.5%, latency: 95% < 50ms, over: 30d}}\n"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is missing: install Debian's package prometheus"
)
ASKED = 'job="flights",route="models/*/predict"'
OK, FAILED = f'vitok_requests_total{{{ASKED},status="200"}}', f'vitok_requests_total{{{ASKED},status="500"}}'
COUNT, FAST = (
    'vitok_request_seconds_count{job="flights"}',
    'vitok_request_seconds_bucket{job="flights",le="0.05"}',
)
SLOW = 'vitok_request_seconds_bucket{job="flights",le="2.5"}'
MODEL = 'vitok_predictions_total{job="flights",version="1",role="champion",action="model"}'
FALLBACK = MODEL.replace("model", "fallback")
OPEN = 'vitok_alerts_open{job="flights",kind="drift",severity="alarm",state="open"}'
BEYOND = SLOW.replace("2.5", "+Inf")


def gauge(name, labels=""):
    return f'vitok_{name}{{job="flights"{labels}}}'


def failing(ok, failed, steps):
    """So many good and bad requests in each step."""
    return {OK: f"0+{ok}x{steps}", FAILED: f"0+{failed}x{steps}"}


def late(fast, steps):
    """Of a hundred requests in each step so many in time."""
    return {COUNT: f"0+100x{steps}", FAST: f"0+{fast}x{steps}"}


OVER = {OK: "0+90x140", FAILED: "0+10x120 1200x20"}  # the trouble is over: the short window has no failures
ANSWERED = {MODEL: "0+90x60", FALLBACK: "0+10x60"}
MOSTLY = {MODEL: "0+99x60", FALLBACK: "0+1x60"}
UNRECORDED, WAITING = gauge("unrecorded_total"), gauge("journal_waiting_bytes")
SEEN, GIVEN_UP = gauge("keeper_seen_seconds"), gauge("events_given_up")
PROBING = gauge("probing_suspected_total", ',pattern="query_budget"')
TAKEN_ON = OPEN.replace('"open"', '"acknowledged"')
UP = 'up{job="flights"}'
# Rule and window, series that make it fire, series that leave it silent, and when to look.
CASES = [
    ("VitokServerAway", "", {UP: "0x20"}, {UP: "1x20"}, "10m"),
    ("VitokErrorBudgetBurn", "1h", failing(90, 10, 130), failing(998, 2, 130), "2h"),
    ("VitokErrorBudgetBurn", "1h", failing(90, 10, 140), OVER, "130m"),
    ("VitokErrorBudgetBurn", "6h", failing(96, 4, 400), failing(98, 2, 400), "6h"),
    ("VitokErrorBudgetBurn", "3d", failing(99, 1, 440), failing(998, 2, 440), "3d"),
    ("VitokLatencyBudgetBurn", "1h", late(20, 130), late(40, 130), "2h"),
    ("VitokLatencyBudgetBurn", "6h", late(60, 400), late(80, 400), "6h"),
    ("VitokLatencyBudgetBurn", "3d", late(94, 440), late(96, 440), "3d"),
    ("VitokFallback", "", ANSWERED, MOSTLY, "1h"),
    ("VitokNoPredictions", "", {MODEL: "0+10x300 3000x120"}, {MODEL: "0+10x420"}, "7h"),
    ("VitokUnrecorded", "", {UNRECORDED: "0x30 1 2 3"}, {UNRECORDED: "0x40"}, "33m"),
    ("VitokJournalWaits", "", {WAITING: "70000000x30"}, {WAITING: "1000x30"}, "20m"),
    ("VitokKeeperAway", "", {SEEN: "0x30"}, {SEEN: "0+60x30"}, "15m"),
    ("VitokAlarmOpen", "", {OPEN: "1x10"}, {OPEN: "0x10", TAKEN_ON: "1x10"}, "5m"),
    ("VitokProbing", "", {PROBING: "0x5 1x10"}, {PROBING: "0x15"}, "10m"),
    ("VitokEventsGivenUp", "", {GIVEN_UP: "2x10"}, {GIVEN_UP: "0x10"}, "5m"),
]
IN_A_SECOND = {SLOW.replace("2.5", "1.0"): "0+10x60", SLOW: "0+100x60", BEYOND: "0+100x60"}
IN_HALF = {SLOW.replace("2.5", "0.5"): "0+100x60", BEYOND: "0+100x60"}
PLAIN = [
    ("VitokErrors", "", failing(90, 10, 60), failing(98, 2, 60), "1h"),
    ("VitokSlow", "", IN_A_SECOND, IN_HALF, "1h"),
]


def rules_of(extra=""):
    return prometheus_rules(load_charter(CHARTER + extra).charter)


def rendered(tmp_path):
    """What a server says after it has counted one of each."""
    metrics = Metrics(tmp_path, "one")
    metrics.count_request("models/*/predict", 200, 0.002)
    metrics.count_predictions(
        [Prediction("a", "a", NOW, NOW, 1, "d", "champion", 1, "w", {}, 0.5, True, [], "model", "")],
        recorded=False,
    )
    metrics.count_shadows([], 1)
    metrics.count_outcomes("matched", 1)
    metrics.count_suspicion("query_budget")
    write_heartbeat(tmp_path, Heartbeat(NOW.timestamp(), {"drift\talarm\topen": 1}, 1))
    return metrics.render(3)[0].decode()


@pytest.mark.parametrize("extra", ["", SLO], ids=["no promise", "promise"])
def test_rules_and_dashboard_name_only_what_servers_tell(tmp_path, extra):
    text = rendered(tmp_path)
    told = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    labels = set(re.findall(r'[{,](\w+)="', text)) | {"job"}
    charter = load_charter(CHARTER + extra).charter
    for made in (prometheus_rules(charter), grafana_dashboard(charter)):
        named = set(re.findall(r"vitok_\w+", made))
        assert len(named) >= 9
        assert named <= told
        used = re.findall(r'[{,](\w+)(?:=~|!=|=)\\?"', made)
        assert set(used) <= labels


def test_bucket_of_the_latency_goal_is_one_that_servers_count(tmp_path):
    for goal in ("50ms", "60ms", "1s", "1ms", "10s"):
        made = rules_of(SLO.replace("50ms", goal))
        bounds = set(re.findall(r'le="([\d.]+)"', made))
        assert bounds
        assert all(f'le="{bound}"' in rendered(tmp_path) for bound in bounds), goal


def test_rules_for_a_shorter_budget_burn_by_the_same_shares():
    rules = yaml.safe_load(rules_of("serve: {slo: {availability: 99%, over: 7d}}\n"))["groups"][0]["rules"]
    exprs = {r["labels"]["window"]: r["expr"] for r in rules if r["alert"] == "VitokErrorBudgetBurn"}
    assert exprs["1h"].endswith("> 0.0336")  # 2 % of a week's budget in an hour: 3.36 times too fast
    assert not any(r["alert"] == "VitokLatencyBudgetBurn" for r in rules)


@needs_promtool
@pytest.mark.parametrize("extra", ["", SLO], ids=["no promise", "promise"])
def test_promtool_accepts_the_rules(tmp_path, extra):
    (tmp_path / "rules.yml").write_text(rules_of(extra))
    done = subprocess.run(
        [PROMTOOL, "check", "rules", tmp_path / "rules.yml"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_promtool
@pytest.mark.slow
def test_each_rule_fires_and_stays_silent(tmp_path):
    (tmp_path / "slo.yml").write_text(rules_of(SLO))
    (tmp_path / "plain.yml").write_text(rules_of())
    brief = [case for case in CASES if case[1] != "3d"]
    long = [case for case in CASES if case[1] == "3d"]
    for name, cases, step in (("slo", brief, "1m"), ("slo", long, "10m"), ("plain", PLAIN, "1m")):
        tests = [
            one
            for rule, window, firing, silent, moment in cases
            for one in (
                play(rule, window, firing, moment, 1, step),
                play(rule, window, silent, moment, 0, step),
            )
        ]
        content = {"rule_files": [f"{name}.yml"], "evaluation_interval": step, "tests": tests}
        (tmp_path / f"{name}.test.yml").write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [PROMTOOL, "test", "rules", f"{name}.test.yml"], capture_output=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    for name, cases in (("slo", CASES), ("plain", CASES + PLAIN)):
        made = yaml.safe_load((tmp_path / f"{name}.yml").read_text())["groups"][0]["rules"]
        assert {rule["alert"] for rule in made} <= {case[0] for case in cases}


def play(rule, window, series, moment, count, step):
    """One test of promtool: how many alerts of a rule fire at a moment."""
    which = f'alertname="{rule}",alertstate="firing"' + (f',window="{window}"' if window else "")
    return {
        "interval": step,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"count(ALERTS{{{which}}}) or vector(0)",
                "eval_time": moment,
                "exp_samples": [{"labels": "{}", "value": count}],
            }
        ],
    }


def test_export_is_the_same_each_time():
    assert rules_of(SLO) == rules_of(SLO)
    assert json.loads(grafana_dashboard(load_charter(CHARTER).charter))["title"] == "Vitok: flights"
