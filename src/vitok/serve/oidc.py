"""Bearer tokens of an OpenID Connect issuer, as keys: who its subject is and what it may ask.

Only asymmetric signatures count, each key with the algorithms of its own kind. Keys are fetched beside the event loop
and kept; a token that names an unknown one lets them be fetched again, but not more often than every half minute,
whoever asks. While the issuer is away, the keys that are known go on.
"""

import asyncio
import hashlib
import importlib.util
import os
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from vitok.errors import Fault, UserMistake, shortened
from vitok.kernel.clock import Clock
from vitok.release.keys import SCOPES, Key
from vitok.serve.http import HttpProblem, log

ISSUER_VARIABLE, AUDIENCE_VARIABLE = "VITOK_OIDC_ISSUER", "VITOK_OIDC_AUDIENCE"
KEYS_VARIABLE = "VITOK_OIDC_KEYS"
RATE_VARIABLE, QUOTA_VARIABLE = "VITOK_OIDC_RATE", "VITOK_OIDC_QUOTA"
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")
_LEEWAY_SECONDS = 30.0
_AGAIN_SECONDS = 30.0
_FRESH_SECONDS = 600.0
_TIMEOUT_SECONDS = 5.0
_LONGEST_DOCUMENT, _LONGEST_TOKEN, _LONGEST_SUBJECT = 2**20, 2**14, 48
_REMEMBERED = 4096
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Issuer(NamedTuple):
    """Whose tokens are taken.

    Args:
        url: Its address, as its tokens name it in `iss`.
        audience: What its tokens must name in `aud`.
        keys: File or address of its keys (JWKS); None for what its own description says.
        rate, quota: Requests a second, and a day, of each subject; None for no limit.
    """

    url: str
    audience: str
    keys: str | None = None
    rate: float | None = None
    quota: int | None = None

    def require_usable(self) -> None:
        """Checks what can be known without asking the issuer.

        Raises:
            UserMistake: an address is none or not safe, there is no audience, the file holds no keys, a limit makes no
                sense, or a package is missing.
        """
        _require_address("--oidc-issuer", self.url)
        if not self.audience.strip():
            what = "is missing: tokens that the issuer gave to others would be taken too"
            raise UserMistake("--oidc-audience", what, "Give what the tokens name in `aud`.")
        for option, value in (("--oidc-rate", self.rate), ("--oidc-quota", self.quota)):
            if value is not None and not 0 < value < 1e9:
                raise UserMistake(
                    option, f"{value:g} is no limit", "Give a positive number, or leave it out."
                )
        if any(importlib.util.find_spec(name) is None for name in ("jwt", "cryptography")):
            what = "needs the packages pyjwt and cryptography"
            raise UserMistake("--oidc-issuer", what, "Install them: pip install 'vitok[oidc]'.")
        if self.keys is not None and _is_address(self.keys):
            _require_address("--oidc-keys", self.keys)
        elif self.keys is not None:
            _require_file(self.keys)


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
    )


def variables_of(issuer: Issuer | None) -> dict[str, str | float | None]:
    """What tells workers the issuer, by environment variable; None is not set."""
    names = (ISSUER_VARIABLE, AUDIENCE_VARIABLE, KEYS_VARIABLE, RATE_VARIABLE, QUOTA_VARIABLE)
    return dict(zip(names, issuer or (None,) * len(names), strict=True))


class TokenRefused(Exception):
    """A token does not count; the text says why."""


class SigningKey(NamedTuple):
    """A public key of the issuer.

    Args:
        key: As the library takes it.
        algorithms: Signatures that it may have made.
    """

    key: Any
    algorithms: tuple[str, ...]


class Tokens:
    """Reads tokens; each is verified once and then known by its hash.

    Args:
        clock: The present, for when tokens begin and end.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str | None, SigningKey] = {}
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
        kid, algorithm = _header(token)
        if time.monotonic() >= self._stale_at:
            self._begin_fetch()
        found = self._find(kid)
        if found is None:
            if (fetching := self._begin_fetch()) is not None:
                await asyncio.shield(fetching)
            found = self._find(kid)
        if not self._keys:
            text = "the keys of the issuer of tokens cannot be had at present. Try again later"
            raise HttpProblem(503, text, ((b"retry-after", str(round(_AGAIN_SECONDS)).encode()),))
        if found is None:
            raise TokenRefused("is signed with a key that its issuer does not show")
        if algorithm not in found.algorithms:
            raise TokenRefused(f"is signed in a way that is not taken ({shortened(algorithm)[:40]})")
        key, until = self._read(token, found, algorithm, now)
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

    def _find(self, kid: str | None) -> SigningKey | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

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
            keys = await asyncio.to_thread(fetch_keys, self._issuer)
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

    def _read(self, token: str, found: SigningKey, algorithm: str, now: float) -> tuple[Key, float]:
        import jwt

        settings = self._issuer
        try:
            claims = jwt.decode(
                token,
                found.key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.url,
                options={
                    "verify_exp": False,  # times are looked at below, by our clock
                    "verify_nbf": False,
                    "verify_iat": False,
                    "require": ["exp", "iss", "aud", "sub"],
                },
            )
        except jwt.InvalidAudienceError as error:
            raise TokenRefused("is meant for another audience") from error
        except jwt.InvalidIssuerError as error:
            raise TokenRefused("comes from another issuer") from error
        except jwt.MissingRequiredClaimError as error:
            raise TokenRefused(f"does not say `{error.claim}`") from error
        except jwt.InvalidSignatureError as error:
            raise TokenRefused("has a signature that does not fit") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefused("cannot be read") from error
        ends, begins, subject = claims["exp"], claims.get("nbf", 0), claims["sub"]
        if not all(isinstance(each, int | float) for each in (ends, begins)) or not subject:
            raise TokenRefused("cannot be read")
        if now >= ends + _LEEWAY_SECONDS:
            raise TokenRefused("has expired")
        if now < begins - _LEEWAY_SECONDS:
            raise TokenRefused("does not hold yet")
        person = claims.get("email") if claims.get("email_verified") is True else None
        key = Key(
            _name(subject),
            _scopes(claims),
            None,
            settings.rate,
            settings.quota,
            person if isinstance(person, str) else None,
        )
        return key, min(ends + _LEEWAY_SECONDS, now + _FRESH_SECONDS)


def fetch_keys(issuer: Issuer) -> dict[str | None, SigningKey]:
    """The keys that an issuer shows.

    Raises:
        Fault: it cannot be reached, or answers something else.
        UserMistake: the file of keys cannot be used.
    """
    if issuer.keys is not None and not _is_address(issuer.keys):
        return _require_file(issuer.keys)
    address = issuer.keys
    if address is None:
        described = f"{issuer.url.rstrip('/')}/.well-known/openid-configuration"
        document = _json(_get(described), described)
        if document.get("issuer") != issuer.url:
            what = f"describes the issuer {shortened(document.get('issuer'))}, not {issuer.url!r}"
            raise Fault(described, what, "Give --oidc-issuer as the description has it.")
        address = str(document.get("jwks_uri"))
        try:
            _require_address("jwks_uri", address)
        except UserMistake as error:
            raise Fault(
                described, f"names keys at {shortened(address)}, {error.what}", error.remedy
            ) from error
    return read_keys(_json(_get(address), address), address)


def read_keys(document: dict[str, Any], place: str) -> dict[str | None, SigningKey]:
    """The public keys for signatures in a set of keys; others are left out.

    Raises:
        Fault: there are none.
    """
    import jwt

    found: dict[str | None, SigningKey] = {}
    entries = document.get("keys")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        kind = entry.get("kty")
        algorithms = _ALGORITHMS.get(str(kind if kind == "RSA" else entry.get("crv")), ())
        named = entry.get("alg")
        if named is not None:
            algorithms = tuple(each for each in algorithms if each == named)
        if kind not in ("RSA", "EC", "OKP") or not algorithms:
            continue
        try:
            public = {name: value for name, value in entry.items() if name not in _PRIVATE}
            key = jwt.PyJWK(public, algorithm=algorithms[0]).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        kid = entry.get("kid")
        found[kid if isinstance(kid, str) else None] = SigningKey(key, algorithms)
    if not found:
        raise Fault(
            place, "holds no public key for signatures (RSA, EC or Ed25519)", "Look at what it answers."
        )
    return found


def _public(keys: dict[str | None, SigningKey]) -> set[tuple[str | None, str]]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return {(kid, each.key.public_bytes(*form).decode()) for kid, each in keys.items()}


def _header(token: str) -> tuple[str | None, str]:
    import jwt

    if len(token) > _LONGEST_TOKEN:
        raise TokenRefused("is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("cannot be read") from error
    return header.get("kid"), str(header.get("alg"))


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


def _is_address(text: str) -> bool:
    return "://" in text


def _require_address(option: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    remedy = "Give it as https://HOST/PATH."
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise UserMistake(option, f"{shortened(address)} is no address of an issuer", remedy)
    if parts.scheme == "http" and host not in _LOOPBACK:
        what = f"{shortened(address)} is not safe: whoever is on the way could put keys of his own in"
        raise UserMistake(option, what, remedy)


def _require_file(path: str) -> dict[str | None, SigningKey]:
    remedy = "Give a JSON file with a list `keys`, or an address that starts with https://."
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserMistake("--oidc-keys", f"{path} cannot be read: {error.strerror}", remedy) from error
    try:
        return read_keys(_json(content, path), path)
    except Fault as error:
        raise UserMistake("--oidc-keys", f"{path} {error.what}", remedy) from error


def _get(address: str) -> bytes:
    try:
        request = urllib.request.Request(address, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            _require_address("redirect", answer.url.partition("?")[0])
            content: bytes = answer.read(_LONGEST_DOCUMENT + 1)
    except (OSError, HTTPException, ValueError, UserMistake) as error:
        raise Fault(
            address, f"cannot be fetched: {error}", "Tokens signed with unknown keys are refused."
        ) from error
    if len(content) > _LONGEST_DOCUMENT:
        raise Fault(address, "answers more than 1 MB", "Look at what it answers.")
    return content


def _json(content: bytes, place: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault(place, f"is no JSON object: {error}", "Look at what it answers.") from error
