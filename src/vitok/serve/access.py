"""Who may ask what: keys with scopes, rates and quotas, and the hosts that a request may name.

Workers read the hashes of keys from a file, as they read the plan, and never ask a database.
"""

import base64
import hashlib
import math
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vitok.errors import Fault
from vitok.govern.issuers import TokenRefused
from vitok.kernel.clock import Clock
from vitok.release.keys import KEYS_FILE, Key, Scope
from vitok.serve.http import HttpProblem, log
from vitok.serve.oidc import Tokens
from vitok.store.usage import REQUESTS, Usage

_LOOK_SECONDS = 1.0
_DAY = 86400.0

# Every address of the data plane; one that is not here is denied to everybody. None: open to all, also without a key.
NEEDS: dict[str, Scope | None] = {
    "health/live": None,
    "health/ready": None,
    "v2/health/live": None,
    "v2/health/ready": None,
    "ping": None,
    "health": None,
    "version": "read",
    "metrics": "read",
    "openapi.json": "read",
    "docs": "read",
    "status": "read",
    "models/*/predict": "predict",
    "models/*/explain": "predict",
    "models/*/outcomes": "outcomes",
    "v2": "read",
    "v2/repository/index": "read",
    "v2/models/*": "read",
    "v2/models/*/ready": None,
    "v2/models/*/infer": "predict",
    "v2/models/*/stats": "read",
    "v2/models/*/versions/*": "read",
    "v2/models/*/versions/*/ready": None,
    "v2/models/*/versions/*/infer": "predict",
    "v2/models/*/versions/*/stats": "read",
    "invocations": "predict",
}


def digest_of(key: str) -> str:
    """What is kept of a key. Keys are random and long: a plain hash cannot be turned round."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Access:
    """Lets requests in, or refuses them.

    Args:
        folder: The project's `.vitok` folder; `keys.json` lies in it.
        clock: The present, for expiry and for quotas.
        hosts: Names that the header `Host` may have; None for any.
        usage: What callers have used of rates and quotas.
        tokens: Reads the tokens of an issuer; None if none are taken.
        with_keys: Whether keys are asked for at all.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        hosts: frozenset[str] | None,
        usage: Usage,
        tokens: Tokens | None = None,
        *,
        with_keys: bool = True,
    ) -> None:
        self._clock = clock
        self._path = folder / KEYS_FILE
        self.with_keys = with_keys
        self._hosts = hosts
        self._known_host: bytes | None = None
        self._usage = usage
        self._tokens = tokens
        self._keys: dict[str, Key] = {}
        self._seen: tuple[int, int] | None = None
        self._look_at = 0.0
        self._look()

    async def start(self) -> None:
        """Fetches the keys of the issuer, if there is one."""
        if self._tokens is not None:
            await self._tokens.start()

    async def stop(self) -> None:
        """Gives back what other workers may want."""
        if self._tokens is not None:
            await self._tokens.stop()
        self._usage.close()

    async def visitor(self, headers: Mapping[bytes, bytes]) -> Key | None:
        """Who asks the control plane, which decides itself what that one may do; None for nobody with a key.

        Raises:
            HttpProblem: as `admit`, but for scopes and addresses.
        """
        self._check_host(headers)
        if not self.with_keys or _given(headers) is None:
            return None
        key = await self._key_of(headers)
        self._charge(key)
        return key

    async def admit(self, route: str, headers: Mapping[bytes, bytes]) -> str | None:
        """Returns if a request may be answered, and says who asks; None if nobody had to be named.

        Args:
            route: The pattern of its address.

        Raises:
            HttpProblem: 400 a host that is not served here; 401 no key or token, or one that does not count; 403 one
                without the scope, or an address that is not declared; 429 beyond its rate or quota; 503 if what it
                has used cannot be counted, or the keys of the issuer cannot be had.
        """
        self._check_host(headers)
        if not self.with_keys:
            return None
        if route not in NEEDS:
            raise HttpProblem(403, "this address is not open to anybody")
        needed = NEEDS[route]
        if needed is None:
            return None
        key = await self._key_of(headers)
        if needed not in key.scopes:
            raise HttpProblem(403, f"key {key.name!r} may not do this: it lacks the scope {needed!r}")
        self._charge(key)
        return key.name

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        if self._hosts is None:
            return
        given = headers.get(b"host", b"")
        if given == self._known_host:
            return
        host = given.decode("latin-1")
        name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        if name.lower() not in self._hosts:
            raise HttpProblem(400, f"host {name[:100]!r} is not served here")
        self._known_host = given

    async def _key_of(self, headers: Mapping[bytes, bytes]) -> Key:
        if time.monotonic() >= self._look_at:
            self._look()
        given = _given(headers)
        challenge = ((b"www-authenticate", b'Bearer, Basic realm="vitok"'),)
        if given is None:
            raise HttpProblem(401, "a key is needed: send the header Authorization: Bearer KEY", challenge)
        digest = digest_of(given)
        key = self._keys.get(digest)
        if key is None and self._tokens is not None and given.count(".") == 2:
            try:
                return await self._tokens.key_of(given, digest)
            except TokenRefused as error:
                raise HttpProblem(401, f"this token {error}", challenge) from error
        if key is None:
            raise HttpProblem(401, "this key is not known", challenge)
        if key.expires is not None and self._clock().timestamp() >= key.expires:
            raise HttpProblem(401, f"key {key.name!r} has expired", challenge)
        return key

    def _charge(self, key: Key) -> None:
        """Counts a request of a key that has a rate or a quota. Nothing here waits, so nobody comes between."""
        if key.rate is None and key.quota is None:
            return
        second = self._clock().timestamp()
        try:
            record = self._usage.record(key.name, int(second // _DAY))
        except (OSError, Fault) as error:
            log.error("what callers use cannot be counted: %s", error)
            text = "what callers use cannot be counted at present. Try again later"
            raise HttpProblem(503, text, ((b"retry-after", b"5"),)) from error
        if key.quota is not None and record.total(REQUESTS) >= key.quota:
            rest = str(math.ceil(_DAY - second % _DAY)).encode()
            text = f"key {key.name!r} has used its {key.quota} requests of today"
            raise HttpProblem(429, text, ((b"retry-after", rest),))
        if key.rate is not None and (wait := record.draw(key.rate, time.monotonic())):
            text = f"key {key.name!r} may ask {key.rate:g} times a second"
            raise HttpProblem(429, text, ((b"retry-after", str(math.ceil(wait)).encode()),))
        if key.quota is not None:
            record.add(REQUESTS)

    def _look(self) -> None:
        """Takes over a changed file; one that cannot be read leaves the keys as they are."""
        self._look_at = time.monotonic() + _LOOK_SECONDS
        try:
            status = self._path.stat()
            mark = (status.st_mtime_ns, status.st_ino)
            if mark == self._seen:
                return
            self._keys = read_keys(self._path)
            self._seen = mark
        except FileNotFoundError:
            return  # no key was ever made: nothing opens; keys that were once read stay
        except (OSError, msgspec.DecodeError) as error:
            log.error("the keys cannot be read, those known before stay: %s", error)


def read_keys(path: Path) -> dict[str, Key]:
    """Keys by the hash of what the caller sends."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Key])


def _given(headers: Mapping[bytes, bytes]) -> str | None:
    """The key that a request brings: as bearer token, as password of Basic, or in X-Api-Key."""
    kind, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer":
        return rest.strip().decode("latin-1")
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(rest, validate=True).decode("latin-1").partition(":")[2]
        except ValueError:
            return ""
    found = headers.get(b"x-api-key")
    return None if found is None else found.decode("latin-1")
