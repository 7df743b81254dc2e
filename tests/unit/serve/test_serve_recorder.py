"""How records of several requests share commits."""

import asyncio
import threading

from vitok.serve.recorder import Entry, Recorder


class SlowSpool:
    """A spool whose commits wait until they may go on."""

    durable = True

    def __init__(self):
        self.commits = []
        self.go_on = threading.Event()

    def append(self, records):
        self.commits.append(list(records))
        self.go_on.wait(5)


def test_what_arrives_while_the_disk_is_busy_is_the_next_commit():
    spool = SlowSpool()

    async def run():
        recorder, loop = Recorder(spool), asyncio.get_running_loop()
        waits = []
        for key in "abcd":
            waits.append(loop.create_future())
            recorder.write([Entry([key], key, waits[-1])])
            await asyncio.sleep(0.02)
        assert not any(wait.done() for wait in waits)
        spool.go_on.set()
        assert await asyncio.gather(*waits) == list("abcd")
        last = loop.create_future()
        recorder.write([Entry(["e"], "e", last)])
        assert await last == "e"

    asyncio.run(run())
    assert spool.commits == [["a"], ["b", "c", "d"], ["e"]]
