"""Bearer tokens of an OpenID Connect issuer, as keys: who its subject is and what it may ask.

Keys are fetched beside the event loop and kept; a token that names an unknown one lets them be fetched again, but not
more often than every half minute, whoever asks. While the issuer is away, the keys that are known go on.
"""

import asyncio
import hashlib
import importlib.util
import os
import time
from typing import Any, NamedTuple

from vitok.errors import Fault, UserMistake
from vitok.govern.issuers import (
    LEEWAY_SECONDS,
    Keys,
    TokenRefused,
    claims_of,
    fetch_keys,
    find_key,
    is_address,
    keys_of_file,
    require_address,
)
from vitok.kernel.clock import Clock
from vitok.release.keys import SCOPES, Key
from vitok.serve.http import HttpProblem, log

ISSUER_VARIABLE, AUDIENCE_VARIABLE = "VITOK_OIDC_ISSUER", "VITOK_OIDC_AUDIENCE"
KEYS_VARIABLE, CLIENT_VARIABLE = "VITOK_OIDC_KEYS", "VITOK_OIDC_CLIENT"
RATE_VARIABLE, QUOTA_VARIABLE = "VITOK_OIDC_RATE", "VITOK_OIDC_QUOTA"
_AGAIN_SECONDS = 30.0
_FRESH_SECONDS = 600.0
_LONGEST_SUBJECT = 48
_REMEMBERED = 4096


class Issuer(NamedTuple):
    """Whose tokens are taken.

    Args:
        url: Its address, as its tokens name it in `iss`.
        audience: What its tokens must name in `aud`.
        keys: File or address of its keys (JWKS); None for what its own description says.
        rate, quota: Requests a second, and a day, of each subject; None for no limit.
        client: Under what name the issuer knows the pages, so that people log in there; None if they do not.
    """

    url: str
    audience: str
    keys: str | None = None
    rate: float | None = None
    quota: int | None = None
    client: str | None = None

    def require_usable(self) -> None:
        """Checks what can be known without asking the issuer.

        Raises:
            UserMistake: an address is none or not safe, there is no audience, the file holds no keys, a limit makes no
                sense, or a package is missing.
        """
        require_address("--oidc-issuer", self.url)
        if not self.audience.strip():
            what = "is missing: tokens that the issuer gave to others would be taken too"
            raise UserMistake("--oidc-audience", what, "Give what the tokens name in `aud`.")
        for option, value in (("--oidc-rate", self.rate), ("--oidc-quota", self.quota)):
            if value is not None and not 0 < value < 1e9:
                raise UserMistake(
                    option, f"{value:g} is no limit", "Give a positive number, or leave it out."
                )
        if self.client is not None and not self.client.strip():
            what = "is empty"
            raise UserMistake(
                "--oidc-client", what, "Give the name of the client at the issuer, or leave it out."
            )
        if any(importlib.util.find_spec(name) is None for name in ("jwt", "cryptography")):
            what = "needs the packages pyjwt and cryptography"
            raise UserMistake("--oidc-issuer", what, "Install them: pip install 'vitok[oidc]'.")
        if self.keys is not None and is_address(self.keys):
            require_address("--oidc-keys", self.keys)
        elif self.keys is not None:
            keys_of_file(self.keys)


def issuer_of_environment() -> Issuer | None:
    """The issuer that the server told its workers."""
    url = os.environ.get(ISSUER_VARIABLE)
    if not url:
        return None
    rate, quota = os.environ.get(RATE_VARIABLE), os.environ.get(QUOTA_VARIABLE)
    return Issuer(
        url,
        os.environ.get(AUDIENCE_VARIABLE, ""),
        os.environ.get(KEYS_VARIABLE) or None,
        float(rate) if rate else None,
        int(quota) if quota else None,
        os.environ.get(CLIENT_VARIABLE) or None,
    )


def variables_of(issuer: Issuer | None) -> dict[str, str | float | None]:
    """What tells workers the issuer, by environment variable; None is not set."""
    names = (
        ISSUER_VARIABLE,
        AUDIENCE_VARIABLE,
        KEYS_VARIABLE,
        RATE_VARIABLE,
        QUOTA_VARIABLE,
        CLIENT_VARIABLE,
    )
    return dict(zip(names, issuer or (None,) * len(names), strict=True))


class Tokens:
    """Reads tokens; each is verified once and then known by its hash.

    Args:
        clock: The present, for when tokens begin and end.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: Keys = {}
        self._known: dict[str, tuple[Key, float]] = {}
        self._fetching: asyncio.Task[None] | None = None
        self._again_at = self._stale_at = float("-inf")

    async def key_of(self, token: str, digest: str) -> Key:
        """The caller and the scopes that a token stands for.

        Args:
            digest: Of the token.

        Raises:
            TokenRefused: it does not count.
            HttpProblem: 503 while no key of the issuer is known.
        """
        now = self._clock().timestamp()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        found = find_key(self._keys, token)
        if time.monotonic() >= self._stale_at:
            self._begin_fetch()
        if found is None:
            if (fetching := self._begin_fetch()) is not None:
                await asyncio.shield(fetching)
            found = find_key(self._keys, token)
        if not self._keys:
            text = "the keys of the issuer of tokens cannot be had at present. Try again later"
            raise HttpProblem(503, text, ((b"retry-after", str(round(_AGAIN_SECONDS)).encode()),))
        if found is None:
            raise TokenRefused("is signed with a key that its issuer does not show")
        settings = self._issuer
        claims = claims_of(token, *found, issuer=settings.url, audience=settings.audience, now=now)
        key = self._key(claims)
        until = min(claims["exp"] + LEEWAY_SECONDS, now + _FRESH_SECONDS)
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = key, until
        return key

    async def start(self) -> None:
        """Fetches the keys for the first time; a failure is logged, and tokens are refused until it succeeds."""
        if (fetching := self._begin_fetch()) is not None:
            await asyncio.shield(fetching)

    async def stop(self) -> None:
        """Waits for a fetch under way."""
        if self._fetching is not None:
            await self._fetching

    def _begin_fetch(self) -> "asyncio.Task[None] | None":
        """The fetch that is under way, or a new one; None if the last one was begun just now."""
        if self._fetching is not None:
            return self._fetching
        now = time.monotonic()
        if now < self._again_at:
            return None
        self._again_at = now + _AGAIN_SECONDS
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(fetch_keys, self._issuer.url, self._issuer.keys)
        except (Fault, UserMistake) as error:
            log.error("tokens: %s", error)
        except Exception:  # whatever an issuer answers, requests hear of it as of an issuer that is away
            log.exception("tokens: the keys of %s cannot be had", self._issuer.url)
        else:
            self._stale_at = time.monotonic() + _FRESH_SECONDS
            if _public(keys) != _public(self._keys):
                log.info("tokens: %d keys of %s", len(keys), self._issuer.url)
                self._known.clear()  # what a key signed that is gone does not count any more
            self._keys = keys
        finally:
            self._fetching = None

    def _key(self, claims: dict[str, Any]) -> Key:
        person = claims.get("email") if claims.get("email_verified") is True else None
        return Key(
            _name(claims["sub"]),
            _scopes(claims),
            None,
            self._issuer.rate,
            self._issuer.quota,
            person if isinstance(person, str) else None,
        )


def _public(keys: Keys) -> set[tuple[str | None, str]]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return {(kid, each.key.public_bytes(*form).decode()) for kid, each in keys.items()}


def _scopes(claims: dict[str, Any]) -> tuple[str, ...]:
    """Our scopes among those of `scope` and `scp`, which are texts or lists."""
    found: set[str] = set()
    for given in (claims.get("scope"), claims.get("scp")):
        words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
        found |= {word for word in words if isinstance(word, str)}
    return tuple(scope for scope in SCOPES if f"vitok:{scope}" in found)


def _name(subject: str) -> str:
    """A subject as a caller's name: with a colon, which names of keys never have, and short and printable."""
    if len(subject) <= _LONGEST_SUBJECT and subject.isprintable() and subject.isascii():
        return f"oidc:{subject}"
    mark = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    plain = "".join(
        each for each in subject[: _LONGEST_SUBJECT - 13] if each.isprintable() and each.isascii()
    )
    return f"oidc:{plain}~{mark}"
