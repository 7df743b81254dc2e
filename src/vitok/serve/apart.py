"""Work in threads of its own: the code of a model may never return, and nothing else may wait for it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from vitok.errors import Fault

Result = TypeVar("Result")


async def run_apart(work: Callable[[], Result]) -> Result:
    """Runs work in a thread of its own and waits for the result.

    The threads that a process shares are few: a model that never returns would use them up, with them the plan could no
    longer be followed, and the process would wait for them when it ends. This thread is nobody else's.

    Raises:
        Fault: the work raised what is no ordinary exception.
        Exception: whatever else the work raised.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except StopIteration as error:  # which no future can hold
            failure = _fault(error)
        except Exception as error:
            failure = error
        except BaseException as error:  # also what would end the process
            failure = _fault(error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="apart", daemon=True).start()
    return await done


def _fault(error: BaseException) -> Exception:
    what = f"raised {type(error).__name__}: {error}"
    return Fault("the model's code", what, "Roll back and look at the bundle.")
