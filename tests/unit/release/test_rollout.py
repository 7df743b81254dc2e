"""Whatever happens, in whatever order: one champion, no promotion without evidence, and always a way back."""

import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from vitok.charter.predicates import Compare
from vitok.release.guards import Finding, Limits
from vitok.release.plan import Plan
from vitok.release.rollout import (
    LEAST_UNITS,
    OPEN,
    Evidence,
    Move,
    Position,
    Stage,
    Way,
    against_promotion,
    arms_of,
    first_move,
    next_move,
    paused,
    promoted,
    resumed,
)

START = datetime(2013, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = Limits(1.5, 1.5, None, None, 0.005, 0.05)
OLD, NEW = (1, "a" * 64), (2, "b" * 64)
WEST = Compare("origin", "=", "LAX")


def finding(guard="errors", *, broken=False, kept=False):
    return Finding(guard, 1.5, broken, kept, 0.0, 3.0, 0.01, 0.02, 0.5, 2.0, 100)


def evidence(*findings, **changes):
    return Evidence(findings, **{"units": 1000, **changes})


def way(strategy="canary", stages=None, **changes):
    steps = (Stage(0.05), Stage(0.25), Stage(0.5)) if stages is None else stages
    values = {"step_seconds": 3600.0, "longest_seconds": 72 * 3600.0, "otherwise": "champion"}
    values |= {"most_answers": None, "promotes": True, "limits": LIMITS}
    return Way(strategy=strategy, stages=steps, **(values | changes))


def at(state="stepping", stage=0, hours=2.0):
    return Position(state, stage, START, START), START + hours * HOUR


GOOD = [finding(kept=True), finding("latency p50", kept=True)]
ONE_OPEN = [finding(kept=True), finding("latency p50")]


def test_a_canary_goes_step_by_step_and_is_promoted_at_the_last_one():
    made = first_move(way())
    assert (made.state, made.stage) == ("stepping", 0)
    states = []
    for _ in range(3):
        position, now = at(made.state, made.stage)
        made = next_move(way(), position, evidence(*GOOD), now)
        states.append((made.state, made.stage))
    assert states == [("stepping", 1), ("holding", 2), ("promoted", 2)]
    assert next_move(way(), at(made.state, made.stage)[0], evidence(*GOOD), now) is None


def test_a_step_lasts_its_time_and_needs_units():
    position, now = at(hours=0.5)
    assert next_move(way(), position, evidence(*GOOD), now) is None
    position, now = at(hours=5)
    assert next_move(way(), position, evidence(units=LEAST_UNITS - 1), now) is None
    assert next_move(way(), position, evidence(units=LEAST_UNITS), now).stage == 1


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"findings": (finding(broken=True),)}, "rolled back", "errors broken"),
        ({"hangs": 2}, "rolled back", "hung 2 workers"),
        ({"obstacle": "the verdict of version 2 is 'refused' now"}, "aborted", "verdict"),
        ({"split": finding("split", broken=True)}, "inconclusive", "not split as planned"),
    ],
)
def test_trouble_leads_back_to_the_champion_at_any_stage(changes, state, reason):
    for stage in range(3):
        position, now = at("holding" if stage == 2 else "stepping", stage, hours=0.01)
        made = next_move(way(), position, Evidence(**({"findings": ()} | changes)), now)
        assert made.state == state
        assert reason in made.reason
        assert arms_of(way(), Position(made.state, stage, START, START), OLD, NEW)[0].version == 1


def test_without_traffic_nothing_is_promoted_and_time_ends_it():
    position, now = at("holding", 2, hours=71)
    assert next_move(way(), position, evidence(*ONE_OPEN, units=0), now) is None
    position, now = at("holding", 2, hours=72)
    made = next_move(way(), position, evidence(*ONE_OPEN, units=0), now)
    assert made.state == "inconclusive"
    assert "no decision within 72 h (latency p50 not decided" in made.reason
    assert next_move(way(otherwise="hold"), position, evidence(*ONE_OPEN), now) is None


def test_a_limit_that_was_never_judged_counts_as_open():
    position, now = at("holding", 2)
    assert next_move(way(), position, evidence(finding(kept=True)), now) is None
    none = way(limits=Limits(None, None, None, None, 0.005, 0.05))
    assert next_move(none, position, evidence(), now) is None


def test_the_budget_of_harm_ends_it_before_any_test():
    position, now = at(hours=0.1)
    made = next_move(way(most_answers=500), position, evidence(*ONE_OPEN, answers=500), now)
    assert made.state == "inconclusive"
    assert "500 answers are all that the budget of harm allows" in made.reason
    position, now = at("holding", 2)
    assert next_move(way(most_answers=500), position, evidence(*GOOD, answers=500), now).state == "promoted"


def test_a_flag_stays_where_it_is_until_somebody_ends_it():
    flag = way("flag", (Stage(1.0, WEST),), promotes=False, otherwise="hold")
    position, now = at("holding", 0, hours=100)
    assert next_move(flag, position, evidence(*GOOD), now) is None
    assert next_move(flag, position, evidence(finding(broken=True)), now).state == "rolled back"
    arms = arms_of(flag, position, OLD, NEW)
    assert [(arm.version, arm.role, arm.share, arm.when) for arm in arms] == [
        (1, "champion", 0.0, None),
        (2, "challenger", 1.0, WEST),
    ]


def test_an_ab_test_is_decided_by_its_primary_figure():
    test = way("ab", (Stage(0.5),), primary=("quality", 0.01), longest_seconds=14 * 86400.0)
    position, now = at("holding", 0, hours=24)
    better = evidence(*ONE_OPEN, primary=finding("quality", kept=True))
    worse = evidence(*GOOD, primary=finding("quality", broken=True))
    nothing = evidence(*GOOD, primary=finding("quality"))
    assert next_move(test, position, better, now).state == "promoted"
    assert next_move(test, position, worse, now).state == "rolled back"
    assert next_move(test, position, nothing, now) is None
    assert next_move(test, position, evidence(finding(broken=True)), now).state == "rolled back"
    late = at("holding", 0, hours=14 * 24)[1]
    assert next_move(test, position, nothing, late).state == "inconclusive"
    assert arms_of(test, position, OLD, NEW)[1].role == "variant"


def test_blue_green_keeps_the_old_version_loaded():
    switch = way("blue-green", (Stage(1.0),))
    position, _ = at("holding", 0)
    new, old = arms_of(switch, position, OLD, NEW)
    assert (new.version, new.role, new.share) == (2, "champion", 1.0)
    assert (old.version, old.role, old.share) == (1, "challenger", 0.0)


def test_a_shadow_answers_nothing():
    shadow = way("shadow", (Stage(0.0, is_shadow=True),))
    assert first_move(shadow).state == "shadow"
    arms = arms_of(shadow, at("shadow", 0)[0], OLD, NEW)
    assert [(arm.version, arm.role, arm.share) for arm in arms] == [(1, "champion", 1.0), (2, "shadow", 0.0)]


@given(st.builds(Evidence, st.tuples(st.builds(finding, broken=st.booleans(), kept=st.booleans()))))
def test_evidence_comes_back_from_json(found):
    assert msgspec.convert(msgspec.to_builtins(found), Evidence) == found


FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(["errors", "latency p50", "latency p99", "quality"]),
        broken=st.booleans(),
        kept=st.booleans(),
    ),
    max_size=5,
).map(tuple)
SPLIT = st.none() | st.builds(finding, st.just("split"), broken=st.booleans(), kept=st.booleans())
EVIDENCE = st.builds(
    Evidence,
    FINDINGS,
    SPLIT,
    st.none() | st.builds(finding, st.just("quality"), broken=st.booleans(), kept=st.booleans()),
    units=st.integers(0, 2000),
    answers=st.integers(0, 2000),
    hangs=st.integers(0, 3),
    obstacle=st.sampled_from(["", "", "", "its verdict was taken back"]),
)
STEPS = st.lists(st.floats(0.01, 0.5), min_size=1, max_size=4, unique=True).map(sorted)


class Life(RuleBasedStateMachine):
    """Any sequence of looks, waits and hands on it."""

    @initialize(
        strategy=st.sampled_from(["shadow", "canary", "pilot", "blue-green", "ab", "flag"]),
        shares=STEPS,
        shadow=st.booleans(),
        most=st.none() | st.integers(1, 1000),
        otherwise=st.sampled_from(["champion", "hold"]),
        limits=st.builds(
            Limits,
            st.sampled_from([None, 1.5]),
            st.sampled_from([None, 1.5]),
            st.sampled_from([None, 0.02]),
            st.none(),
            st.just(0.005),
            st.just(0.05),
        ),
    )
    def begin(self, strategy, shares, shadow, most, otherwise, limits):
        first = (Stage(0.0, is_shadow=True),) if shadow else ()
        stages = {
            "shadow": (Stage(0.0, is_shadow=True),),
            "pilot": (*first, Stage(0.5, WEST), *map(Stage, shares)),
            "blue-green": (Stage(1.0),),
            "ab": (Stage(0.5),),
            "flag": (Stage(1.0, WEST),),
        }.get(strategy, (*first, *map(Stage, shares)))
        primary = ("quality", 0.01) if strategy == "ab" else None
        changes = {"most_answers": most, "otherwise": otherwise, "limits": limits, "primary": primary}
        self.way = way(strategy, stages, promotes=strategy != "flag", **changes)
        self.now = START
        made = first_move(self.way)
        self.position = Position(made.state, made.stage, START, START)
        self.last = None

    @rule(hours=st.floats(0.01, 30))
    def wait(self, hours):
        self.now += hours * HOUR

    @precondition(lambda self: self.position.is_open)
    @rule(seen=EVIDENCE)
    def look(self, seen):
        before = self.position
        made = next_move(self.way, before, seen, self.now)
        self.last = seen
        if made is None:
            return
        if made.state == "promoted":
            self._was_earned(before, seen)
        assert made.stage in (before.stage, before.stage + 1)
        assert made.stage == before.stage or made.state in OPEN
        assert not (made.state in OPEN and any(each.broken for each in seen.findings))
        self._go(made)

    @precondition(lambda self: self.position.is_open)
    @rule()
    def give_up(self):
        self._go(Move("aborted", self.position.stage, "by hand"))

    @precondition(lambda self: self.position.is_open and self.position.state != "paused")
    @rule()
    def hold(self):
        self._go(paused(self.position, "odd day"))

    @precondition(lambda self: self.position.state == "paused")
    @rule()
    def go_on(self):
        made = resumed(self.way, self.position, "over")
        assert made.stage == self.position.stage
        assert made.state in ("shadow", "stepping", "holding")
        self._go(made)

    @precondition(lambda self: self.position.is_open)
    @rule(seen=EVIDENCE)
    def promote(self, seen):
        left = against_promotion(self.way, seen)
        assert all(left)
        if not left:
            self._is_excluded(seen)
            self._go(promoted(self.position, "agreed"))

    @precondition(lambda self: self.position.state == "paused")
    @rule(seen=EVIDENCE)
    def what_is_paused_goes_nowhere_but_back(self, seen):
        made = next_move(self.way, self.position, seen, self.now)
        assert made is None or made.state in ("rolled back", "aborted", "inconclusive")

    @precondition(lambda self: not self.position.is_open)
    @rule(seen=EVIDENCE)
    def nothing_moves_what_is_over(self, seen):
        assert next_move(self.way, self.position, seen, self.now) is None

    def _go(self, made):
        self.position = Position(made.state, made.stage, self.now, START)

    def _was_earned(self, before, seen):
        assert before.stage == len(self.way.stages) - 1
        assert before.state != "paused"
        assert self.way.promotes
        self._is_excluded(seen)

    def _is_excluded(self, seen):
        assert not any(each.broken for each in seen.findings)
        assert not seen.obstacle
        if self.way.primary is not None:
            assert seen.primary.kept
        else:
            assert seen.findings
            assert all(each.kept for each in seen.findings)
            assert {each.guard.split()[0] for each in seen.findings} >= set(self.way.limits.names)

    @invariant()
    def plan_is_sound(self):
        if not hasattr(self, "position"):
            return
        arms = arms_of(self.way, self.position, OLD, NEW)
        plan = Plan(
            1, "p", "canary", arms, {}, ""
        )  # checks that there is one champion, and that shares sum to 1
        new = sum(arm.share for arm in arms if arm.version == 2)
        if self.position.is_open:
            assert new <= self.way.stages[self.position.stage].share + 1e-12
            assert math.isclose(sum(arm.share for arm in plan.live), 1)
            assert 1 in {arm.version for arm in arms}  # the way back is loaded
        else:
            assert new == (1.0 if self.position.state == "promoted" else 0.0)


TestLife = Life.TestCase
