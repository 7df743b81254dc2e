"""Roll-outs against what goes wrong: real registry, router and decisions; traffic that can be steered."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from examples import FLIGHT, featured_bundle, flight_bundle
from rollouts import GUARD, START, two_versions
from vitok.errors import Busy, CharterMistake, Fault, NotFound, Refused, UserMistake
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.journal.mover import move
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.loop.release import release_at_once
from vitok.loop.rollback import record_pending, roll_back
from vitok.loop.rollout import advance, end_by_hand, release_version
from vitok.loop.rollout_story import rollout_json
from vitok.registry import releases, rollouts, versions
from vitok.release.plan import Plan
from vitok.release.route import position
from vitok.serve.deployment import load_deployment
from vitok.serve.predict import predict
from vitok.serve.trouble import Trouble
from vitok.store.schema import versions as versions_table

HOUR = timedelta(hours=1)


def made(folder, release="alpha: 0.05", guard=GUARD):
    return two_versions(folder, VirtualClock(START), release, guard)


@pytest.fixture
def project(tmp_path):
    return made(tmp_path)


class Traffic:
    """Rows of units, routed by the plan in force, with failures and times as asked."""

    def __init__(self, project, units=4000, seed=0):
        self.project, self.journal = project, MemoryLedger()
        self.rng = np.random.default_rng(seed)
        self.units, self.count = units, 0
        self.known = {}

    def plan(self):
        with self.project.engine.connect() as connection:
            return releases.current(connection).plan

    def hour(self, rows=1000, *, fails=(0.01, 0.01), slow=(1.0, 1.0), lost=0.0, **changes):
        """One hour of requests; rates and factors for the champion and for the new version."""
        clock, plan = self.project.clock, self.plan()
        units = [f"N{number}" for number in self.rng.integers(0, self.units, rows)]
        new = next((arm for arm in plan.arms if arm.version == 2), None)
        share = 0.0 if new is None else new.share
        is_new = np.array([position(plan.salt or plan.project, unit) < share for unit in units])
        is_new &= self.rng.random(rows) >= lost
        failed = self.rng.random(rows) < np.where(is_new, fails[1], fails[0])
        micros = self.rng.lognormal(np.log(1000), 0.5, rows) * np.where(is_new, slow[1], slow[0])
        received = [clock() + HOUR * (number / rows) for number in range(rows)]
        frame = pl.DataFrame(
            {
                "id": [f"F{self.count + number}" for number in range(rows)],
                "unit": units,
                "time": received,
                "received": received,
                "version": np.where(is_new, 2, 1),
                "role": np.where(is_new, "challenger", "champion"),
                "action": np.where(failed, "failed", "model"),
                "decision": "true",
                "score": 0.7,
                "epoch": plan.epoch,
                "micros": micros.astype(np.int64),
                "worker": "w1",
            }
        ).with_columns(received=pl.col("received").cast(pl.Datetime("us", "UTC")))
        frame = frame.with_columns(**changes)
        self.count += rows
        self.journal.append_predictions(frame)
        clock.move_to(clock() + HOUR)
        return frame

    def label(self, frame, right=(0.8, 0.8), share=(1.0, 1.0)):
        """Outcomes of rows: how often each version is right, and how often a label comes at all."""
        is_new = frame["version"].to_numpy() == 2
        come = self.rng.random(frame.height) < np.where(is_new, share[1], share[0])
        true = self.rng.random(frame.height) < np.where(is_new, right[1], right[0])
        rows = frame.with_columns(value=pl.Series(np.where(true, "true", "false")), come=pl.Series(come))
        rows = rows.filter("come").select("id", "value", time=pl.col("time") + 2 * HOUR)
        self.journal.append_outcomes(rows)
        return rows

    def look(self):
        return advance(self.project, self.journal)

    def hours(self, count, **changes):
        """Hours of requests with a look after each; the states on the way."""
        found = []
        for _ in range(count):
            self.hour(**changes)
            moved = self.look()
            found += [] if moved is None else [moved.state]
            with self.project.engine.connect() as connection:
                if rollouts.current(connection) is None:
                    break
        return found

    def state(self):
        with self.project.engine.connect() as connection:
            return rollouts.all_rollouts(connection)[-1]

    def evidence(self):
        return rollout_json(self.project, self.journal, self.state())


def begun(project, **settings):
    traffic = Traffic(project, **settings)
    traffic.hours(3)
    release_version(project, traffic.journal, 2, actor="ada")
    return traffic


def test_a_good_version_goes_all_the_way(project):
    traffic = begun(project)
    assert traffic.hours(47, rows=3000) == ["holding", "promoted"]
    told = traffic.evidence()
    assert [step["to"] for step in told["steps"]] == ["stepping", "holding", "promoted"]
    assert [step["share"] for step in told["steps"]] == [0.1, 0.5, 1.0]
    assert {finding["state"] for finding in told["steps"][-1]["findings"]} == {"kept"}
    assert traffic.plan().champion.version == 2
    assert [step["reproduced"] for step in told["steps"]] == [None, True, True]


@pytest.mark.parametrize(
    ("changes", "guard"),
    [({"fails": (0.01, 0.05)}, "errors"), ({"slow": (1.0, 6.0)}, "latency p50")],
)
def test_a_bad_version_is_taken_back_and_the_first_stays(project, changes, guard):
    traffic = begun(project)
    assert traffic.hours(40, rows=3000, **changes)[-1] == "rolled back"
    step = traffic.evidence()["steps"][-1]
    assert f"{guard} broken" in step["reason"]
    assert step["reproduced"]
    assert [arm.version for arm in traffic.plan().arms] == [1]
    assert traffic.look() is None


FAILS_AT_THIRTEEN = """
def add_features(frame):
    if frame["temp"][0] == 13:
        raise ValueError("thirteen")
    return frame.with_columns(hour=1.0, far=False)
"""


@pytest.mark.parametrize("fallback", ["[previous]", "[default(false)]", "[]"])
def test_what_workers_record_of_a_failing_version_counts_against_it(tmp_path, fallback):
    """Whoever answers for it: the champion, the charter's default, or nobody."""
    project = made(
        tmp_path, "alpha: 0.05}\nserve: {fallback: " + fallback, guard="{errors: 1.5x, latency: null}"
    )
    with project.engine.begin() as connection:
        broken = featured_bundle(project.blobs, FAILS_AT_THIRTEEN)
        change = versions_table.update().where(versions_table.c.number == 2).values(digest=broken)
        connection.execute(change)
    released = release_version(project, MemoryLedger(), 2, actor="ada")
    deployment = load_deployment(released.release.plan, project.blobs, {}, Trouble(tmp_path / "trouble"))
    spool = Spool(project.state / "journal", "w")
    for hour in range(6):
        for number in range(60):
            row = {
                "flight": f"{hour}-{number}",
                "tail": f"N{hour}-{number}",
                "departure": "2013-03-01T06:00:00Z",
            }
            row |= FLIGHT | {"temp": 13.0}
            checked = deployment.champion.schema.check([row])
            answer = predict(deployment, checked, [project.clock()], "w")
            spool.append(answer.records)
        project.clock.move_to(project.clock() + HOUR)
    spool.close()
    move(project.state / "journal", project.lake, project.clock())
    moved = advance(project, Ledger(project.lake))
    assert moved.state == "rolled back"
    story = rollout_json(project, Ledger(project.lake), moved)
    errors = story["steps"][-1]["findings"][0]
    assert (errors["challenger"], errors["champion"]) == (1.0, 0.0)


def test_an_incident_that_hits_both_takes_nothing_back(project):
    traffic = begun(project)
    traffic.hours(2)
    assert "rolled back" not in traffic.hours(6, fails=(0.2, 0.2), slow=(8.0, 8.0))


def test_a_bursty_user_is_one_failure(project):
    traffic = begun(project)
    frame = traffic.hour()
    user = frame.filter(pl.col("version") == 2)["unit"][0]
    burst = {"unit": pl.lit(user), "version": pl.lit(2, dtype=pl.Int64), "role": pl.lit("challenger")}
    traffic.hour(rows=500, fails=(0.0, 1.0), action=pl.lit("failed"), **burst)
    assert traffic.look().state == "holding"
    errors = traffic.evidence()["steps"][-1]["findings"][0]
    assert errors["units"] < 1100
    assert errors["evidence"] < errors["boundary"]


def test_retries_of_one_request_count_once(project):
    traffic = begun(project)
    frame = traffic.hour(fails=(0.0, 0.0))
    row = frame.filter(pl.col("version") == 2).head(1)
    storm = pl.concat([row] * 400).with_columns(action=pl.lit("failed"))
    traffic.journal.append_predictions(storm)
    assert traffic.look().state == "holding"


def test_without_traffic_on_the_canary_nothing_is_promoted(project):
    traffic = begun(project)
    assert traffic.hours(48, lost=1.0, rows=200) == ["inconclusive"]
    assert traffic.state().state == "inconclusive"
    assert traffic.plan().champion.version == 1


def test_a_wrong_split_decides_nothing(project):
    traffic = begun(project)
    states = traffic.hours(20, lost=0.5)
    assert states[-1] == "inconclusive"
    assert "not split as planned" in traffic.evidence()["steps"][-1]["reason"]


def test_rows_for_which_the_caller_chose_the_version_are_no_evidence(project):
    traffic = begun(project)
    asked = {"version": pl.lit(2, dtype=pl.Int64), "role": pl.lit("asked")}
    traffic.hour(rows=2000, fails=(1.0, 1.0), **asked)
    frame = traffic.hour()
    assert traffic.look().state == "holding"
    errors = traffic.evidence()["steps"][-1]["findings"][0]
    assert errors["units"] <= frame["unit"].n_unique()


def test_a_worker_whose_clock_is_off_belongs_to_its_plan(project):
    """Ten minutes late or early: rows count by the plan that they were routed by."""
    traffic = begun(project)
    early = traffic.hour().with_columns(worker=pl.lit("w2"))
    shifted = early.with_columns(
        id=pl.concat_str(pl.lit("early-"), "id"), received=pl.col("received") - timedelta(minutes=10)
    )
    traffic.journal.append_predictions(shifted)
    assert traffic.look().state == "holding"
    assert traffic.evidence()["steps"][-1]["reproduced"]
    split = traffic.evidence()["steps"][-1]["findings"][-1]
    assert split["state"] == "kept"


def test_verdict_taken_back_meanwhile_ends_it(project):
    traffic = begun(project)
    with project.engine.begin() as connection:
        change = versions_table.update().where(versions_table.c.number == 2).values(verdict="refused")
        connection.execute(change)
    traffic.hour()
    assert traffic.look().state == "aborted"
    assert "verdict of version 2 is 'refused' now" in traffic.evidence()["steps"][-1]["reason"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_bundle_that_is_damaged_or_gone_is_noticed_before_it_is_needed(project, number):
    with project.engine.connect() as connection:
        digest = versions.get(connection, number).digest
    path = project.blobs._path(digest)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"flights", b"fleights"))
    with pytest.raises((Fault, NotFound)):
        release_version(project, MemoryLedger(), 2, actor="ada")
    path.unlink()
    with pytest.raises((Fault, NotFound)):
        release_version(project, MemoryLedger(), 2, actor="ada")
    with project.engine.connect() as connection:
        assert rollouts.all_rollouts(connection) == []


def test_a_version_that_cannot_answer_its_own_example_is_not_begun(project):
    with project.engine.begin() as connection:
        broken = flight_bundle(project.blobs, float("nan"))
        change = versions_table.update().where(versions_table.c.number == 2).values(digest=broken)
        connection.execute(change)
    for strategy in ("canary", "immediate"):
        with pytest.raises(Fault, match=r"gave \[nan, nan\] for row 0"):
            release_version(project, MemoryLedger(), 2, strategy=strategy, actor="ada")


def test_a_version_that_hangs_workers_is_taken_back(project):
    traffic = begun(project)
    with project.engine.connect() as connection:
        digest = versions.get(connection, 2).digest
    (project.state / "trouble").mkdir()
    moment = int((project.clock() + HOUR).timestamp() * 1e9)
    for number in range(2):
        (project.state / "trouble" / f"{digest[:16]}-{moment + number}").touch()
    traffic.hour()
    assert traffic.look().state == "rolled back"


def test_two_operators_one_wins_and_the_other_is_told(project):
    begun(project)
    with pytest.raises(Busy, match="the roll-out of version 2 is stepping"):
        release_version(project, MemoryLedger(), 2, actor="ben")
    with pytest.raises(Busy):
        release_at_once(project, 2, actor="ben")


def test_a_look_that_comes_second_changes_nothing(project, monkeypatch):
    """Another keeper, or a rollback by hand, moves the roll-out while this one weighs the evidence."""
    from vitok.loop import rollout as module

    traffic = begun(project)
    traffic.hour(rows=3000)
    observe = module.observe

    def slowly(*given):
        found = observe(*given)
        end_by_hand(project, actor="ben", reason="faster")
        return found

    monkeypatch.setattr(module, "observe", slowly)
    assert traffic.look() is None
    assert traffic.state().state == "aborted"
    assert traffic.plan().champion.version == 1


def test_money_and_right_decisions_decide_once_labels_are_due(tmp_path):
    project = made(tmp_path, guard="{errors: null, latency: null, quality: 0.05, profit: 2}")
    traffic = begun(project, units=10**9)
    states = []
    for _ in range(40):
        traffic.label(traffic.hour(rows=2000), right=(0.8, 0.6))
        moved = traffic.look()
        states += [] if moved is None else [moved.state]
        if states[-1:] == ["rolled back"]:
            break
    assert states[-1] == "rolled back"
    reason = traffic.evidence()["steps"][-1]["reason"]
    assert "quality broken" in reason or "profit broken" in reason


def test_a_drop_of_positive_outcomes_ends_it(tmp_path):
    project = made(tmp_path, guard="{errors: null, latency: null, conversion: 15%}")
    traffic = begun(project, units=10**9)
    for _ in range(40):
        traffic.label(traffic.hour(rows=2000), right=(0.5, 0.3))
        moved = traffic.look()
        if moved is not None and moved.state == "rolled back":
            break
    assert traffic.state().state == "rolled back"
    assert "conversion broken" in traffic.evidence()["steps"][-1]["reason"]


@pytest.mark.parametrize(("slow", "state"), [(1.0, "promoted"), (5.0, "rolled back")])
def test_a_fixed_time_is_kept_or_ends_it(tmp_path, slow, state):
    """A median of 1 ms: 5 ms is beyond nearly all rows, and below half of those of a version five times slower."""
    project = made(tmp_path, guard="{errors: null, latency: null, latency_p95: 5ms}")
    traffic = begun(project)
    assert traffic.hours(20, rows=2000, slow=(1.0, slow))[-1] == state


def about(traffic, guard):
    return next(each for each in traffic.evidence()["now"] if each["guard"] == guard)


@pytest.mark.parametrize(("fails", "state"), [(0.0, "promoted"), (1.0, "inconclusive")])
def test_no_version_takes_over_on_the_answers_of_another(tmp_path, fails, state):
    """Where it fails the champion answers, and as well as ever: without a limit of failures, only this is left."""
    project = made(tmp_path, guard="{errors: null, latency: null, quality: 0.2}")
    traffic = begun(project, units=10**9)
    for _ in range(60):
        traffic.label(traffic.hour(rows=1500, fails=(0.0, fails)), right=(0.8, 0.8))
        moved = traffic.look()
        if moved is not None and moved.state in ("promoted", "rolled back", "inconclusive"):
            break
    assert traffic.state().state == state
    if fails:
        assert "errors not decided: 100.00% of units" in traffic.evidence()["steps"][-1]["reason"]


def test_labels_count_when_they_are_due_and_not_before(tmp_path):
    project = made(tmp_path, guard="{errors: null, latency: null, quality: 0.05}")
    traffic = begun(project, units=10**9)
    traffic.label(traffic.hour(rows=2000, fails=(0.0, 0.0)), right=(0.8, 0.0))
    assert about(traffic, "quality")["units"] == 0
    for _ in range(28):  # a day, in which the unit may come again, and the label's delay
        traffic.hour(rows=10)
    assert about(traffic, "quality")["units"] == 2000


@pytest.mark.parametrize("share", [1.0, 0.05])
def test_labels_of_one_arm_only_decide_nothing(tmp_path, share):
    project = made(tmp_path, guard="{errors: null, latency: null, quality: 0.05}")
    traffic = begun(project, units=10**9)
    for _ in range(32):
        traffic.label(traffic.hour(rows=600), right=(0.8, 0.99), share=(share, 1.0))
    quality = about(traffic, "quality")
    assert (quality["units"] > 1000) == (share == 1.0)


def test_late_double_and_contradicting_labels_stand_as_the_journal_says(tmp_path):
    project = made(tmp_path, guard="{errors: null, latency: null, quality: 0.05}")
    traffic = begun(project, units=10**9)
    frame = traffic.hour(rows=1000)
    first = traffic.label(frame, right=(1.0, 1.0))
    traffic.journal.append_outcomes(first.with_columns(value=pl.lit("false"), time=pl.col("time") + HOUR))
    for _ in range(28):
        traffic.hour(rows=10)
    quality = about(traffic, "quality")
    assert (quality["champion"], quality["challenger"]) == (1.0, 1.0)  # the first report stands


def test_the_budget_of_harm_ends_a_canary_before_any_test(tmp_path):
    project = made(tmp_path, "exposure: {budget: 300, per_answer: 2}")
    traffic = begun(project)
    assert traffic.hours(5)[-1] == "inconclusive"
    assert "all that the budget of harm allows" in traffic.evidence()["steps"][-1]["reason"]


def test_a_pilot_compares_within_its_segment_only(tmp_path):
    project = made(tmp_path, "pilot: carrier = 'UA'")
    traffic = Traffic(project)
    traffic.hours(2)
    release_version(project, traffic.journal, 2, strategy="pilot", actor="ada")
    assert str(traffic.plan().arms[1].when).startswith("Compare(column='carrier'")
    carrier = pl.Series(["UA", "AA"] * 500)
    inputs = pl.Series([f'{{"temp": 1.0, "distance": 800, "carrier": "{each}"}}' for each in carrier])
    traffic.hour(inputs=inputs)
    asked = traffic.journal.since(START, with_inputs=True).filter(pl.col("epoch") == traffic.plan().epoch)
    west = asked.filter(pl.col("inputs").str.contains("UA"))
    errors = traffic.evidence()["now"][0]
    assert errors["units"] == west["unit"].n_unique()
    assert errors["units"] < asked["unit"].n_unique()


def test_a_segment_that_no_row_can_be_tested_for_is_refused(tmp_path):
    project = made(tmp_path, "pilot: colour = 'red'")
    with pytest.raises(CharterMistake, match="a segment asks for 'colour', which is no input of the model"):
        release_version(project, MemoryLedger(), 2, strategy="pilot", actor="ada")


@pytest.mark.parametrize(
    ("strategy", "flag", "message"),
    [
        ("pilot", None, "release.pilot"),
        ("flag", None, "--flag"),
        ("flag", "west", "is no flag of the charter"),
    ],
)
def test_a_strategy_that_lacks_something_says_so(project, strategy, flag, message):
    with pytest.raises(UserMistake, match=message):
        release_version(project, MemoryLedger(), 2, strategy=strategy, flag=flag, actor="ada")


def test_refused_versions_are_not_rolled_out(project):
    with project.engine.begin() as connection:
        connection.execute(
            versions_table.update().where(versions_table.c.number == 2).values(verdict="refused")
        )
    with pytest.raises(Refused):
        release_version(project, MemoryLedger(), 2, actor="ada")


def test_blue_green_is_taken_back_by_what_was_before(project):
    traffic = Traffic(project)
    traffic.hours(3, rows=2000)
    release_version(project, traffic.journal, 2, strategy="blue-green", actor="ada")
    plan = traffic.plan()
    assert [(arm.version, arm.role, arm.share) for arm in plan.arms] == [
        (2, "champion", 1.0),
        (1, "challenger", 0.0),
    ]
    assert traffic.hours(5, fails=(0.0, 0.08)) == ["rolled back"]
    assert traffic.plan().champion.version == 1


def test_a_shadow_is_judged_on_the_rows_that_both_scored(project):
    traffic = Traffic(project)
    traffic.hours(3, rows=2000)
    release_version(project, traffic.journal, 2, strategy="shadow", actor="ada")
    for fails in (0.0, 0.1, 0.1, 0.1):
        frame = traffic.hour()
        bad = pl.Series(np.where(traffic.rng.random(frame.height) < fails, "failed", "model"))
        shadow = frame.with_columns(version=pl.lit(2), role=pl.lit("shadow"), action=bad, worker=pl.lit("w2"))
        traffic.journal.append_predictions(shadow)
        moved = traffic.look()
        if moved is not None:
            break
    assert moved.state == "rolled back"
    assert "errors broken" in traffic.evidence()["steps"][-1]["reason"]
    assert [arm.version for arm in traffic.plan().arms] == [1]


def test_rollback_without_a_database_changes_the_plan_and_is_recorded_later(project, tmp_path):
    begun(project)
    state, clock = project.state, project.clock
    plan = Plan.from_json((state / "plan.json").read_bytes())
    assert [arm.version for arm in plan.arms] == [1, 2]

    def down():
        raise Fault("state database", "is damaged", "Restore it.")

    told = roll_back(down, tmp_path, clock, actor="ada", reason="smoke")
    after = Plan.from_json((state / "plan.json").read_bytes())
    assert (told["version"], told["epoch"], after.epoch) == (1, plan.epoch + 1, plan.epoch + 1)
    assert [arm.version for arm in after.arms] == [1]
    roll_back(down, tmp_path, clock, actor="ben", reason="smoke, again")
    assert Plan.from_json((state / "plan.json").read_bytes()).champion.version == 1
    record_pending(project)
    record_pending(project)
    with project.engine.connect() as connection:
        assert rollouts.current(connection) is None
        assert rollouts.all_rollouts(connection)[-1].state == "aborted"
        assert releases.current(connection).plan.champion.version == 1
        assert "smoke" in releases.current(connection).evidence["reason"]


def test_rollback_without_a_database_and_without_a_version_before_says_so(project, tmp_path):
    def down():
        raise Fault("state database", "is damaged", "Restore it.")

    with pytest.raises(NotFound, match="no version before 1"):
        roll_back(down, tmp_path, project.clock, actor="ada", reason="smoke")
