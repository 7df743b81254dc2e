"""Turning requests away before they cost anything, while more are in progress than the charter allows."""

from collections.abc import Callable, Iterable

STATE = "vitok.gate"  # where the application leaves its gate for the connections
_PREDICTIONS = (b"/models/", b"/v2/", b"/invocations")
_MOST_BYTES = 64 * 2**10


class Gate:
    """Counts the requests of a worker that came whole and are not answered, and tells whom to turn away.

    The application never hears of those who are turned away, and the connection lets them wait a moment: most of what a
    refusal costs is its way through the network, and whoever hears it at once asks again at once.

    Args:
        most: How many requests may be in progress.
        refusal: The body of the refusal of an address; is asked once for each that is turned away.
    """

    def __init__(self, most: Callable[[], int], refusal: Callable[[str], bytes]) -> None:
        self.inside = 0
        self._most = most
        self._refusal = refusal

    def turns_away(self, method: bytes, url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request is not even read; others than small, plain predictions are left to the application."""
        if self.inside < self._most() or method != b"POST" or not url.startswith(_PREDICTIONS):
            return False
        given = dict(headers)
        length = given.get(b"content-length", b"")
        is_small = length.isdigit() and int(length) <= _MOST_BYTES
        return is_small and b"expect" not in given and b"transfer-encoding" not in given

    def refusal(self, url: bytes, defaults: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole answer to who is turned away.

        Args:
            defaults: Headers that every answer of the server has.
        """
        body = self._refusal(url.partition(b"?")[0].decode("latin-1"))
        lines = b"".join([name + b": " + value + b"\r\n" for name, value in defaults])
        return (
            b"HTTP/1.1 429 Too Many Requests\r\n%sretry-after: 1\r\ncontent-type: application/json\r\n"
            b"x-content-type-options: nosniff\r\ncache-control: no-store\r\ncontent-length: %d\r\n\r\n%s"
        ) % (lines, len(body), body)
