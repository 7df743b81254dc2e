"""Ctrl-C is one message, whoever notices it first."""

import pytest

from vitok.cli.app import _interruptible
from vitok.errors import VitokError


class PanicException(BaseException):
    """As Polars raises it when Ctrl-C meets it inside of its own code."""


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), PanicException("PyErr { type: <class 'KeyboardInterrupt'> }")]
)
def test_interrupt_is_told_as_one(error):
    def command():
        raise error

    with pytest.raises(VitokError, match="interrupted"):
        _interruptible(command)()


@pytest.mark.parametrize(
    "error", [PanicException("index out of bounds"), ValueError("KeyboardInterrupt"), SystemExit(3)]
)
def test_other_errors_stay_what_they_are(error):
    def command():
        raise error

    with pytest.raises(type(error)):
        _interruptible(command)()
