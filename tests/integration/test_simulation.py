"""Two hundred worlds, each decided by one number: whatever crashes when, the promises of the loop hold."""

import os
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from simulation import Kept, World, make_template, simulate
from vitok.registry import rollouts

IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


@pytest.fixture(scope="module")
def worlds():
    """A folder in memory with the template."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        make_template(Path(folder) / "template")
        yield Path(folder)


def live_through(worlds, name):
    for seed in range(60):
        simulate(worlds / "template", worlds / name, seed)


@pytest.mark.parametrize("part", range(10))
def test_promises_hold_whatever_crashes(worlds, part):
    for seed in range(part * 20, part * 20 + 20):
        simulate(worlds / "template", worlds / "worlds", seed)


def test_a_seed_does_the_same_again(worlds):
    def lived(number):
        world = World(worlds / "template", worlds / f"twice{number}", 7)
        world.live(20)
        with world.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT number, state, stage, message, started FROM turns"
            ).all()
            epochs = connection.exec_driver_sql("SELECT epoch, version, state, created FROM releases").all()
        world.engine.dispose()
        return [tuple(row) for row in rows], [tuple(row) for row in epochs], len(world.acknowledged)

    assert lived(1) == lived(2)


BEGIN = rollouts.begin


def begin_beside(connection, **told):
    """Begins a roll-out although one goes on, without the database's net."""
    connection.exec_driver_sql("UPDATE rollouts SET going = NULL")
    return BEGIN(connection, **told)


BREACHES = {
    "one person for two roles": {"vitok.loop.approving.hindrance": lambda *_: None},
    "everything counts as agreed": {"vitok.loop.approving.standing": lambda *_: "approved"},
    "turns that are cut off stay so": {"vitok.loop.tick.resume_cut_off": lambda *_, **__: None},
    "two roll-outs at once": {
        "vitok.loop.release.rollouts.current": lambda _: None,
        "vitok.loop.rollout.rollouts.begin": begin_beside,
    },
    "a plan that workers never learn of": {"vitok.loop.release.write_atomically": lambda *_: None},
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_broken_promise_is_seen(worlds, monkeypatch, breach):
    """A simulation that finds nothing must be one that would find something."""
    for place, broken in BREACHES[breach].items():
        monkeypatch.setattr(place, broken)
    with pytest.raises(AssertionError, match=r"seed \d+: "):
        live_through(worlds, "breaches")


def test_an_engine_that_forgets_is_seen(worlds, monkeypatch):
    """Steps that run again after they were done."""

    def forgetful(self, step):
        made = step.work()
        step.store(made)
        self._runs[step.name] += 1
        self._crashes.point()
        return made

    monkeypatch.setattr(Kept, "do", forgetful)
    with pytest.raises(AssertionError, match="a finished step ran again"):
        live_through(worlds, "forgetful")


@pytest.mark.soak
def test_ten_thousand_worlds(worlds):
    first = random.SystemRandom().randrange(2**40)
    print(f"seeds {first} to {first + 9_999}")
    live = partial(simulate, worlds / "template", worlds / "soak")
    with ProcessPoolExecutor() as pool:
        assert sum(1 for _ in pool.map(live, range(first, first + 10_000), chunksize=50)) == 10_000
