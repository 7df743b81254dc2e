"""What an OpenID Connect issuer says: its description, its keys, and whether a token of its signature counts.

Only asymmetric signatures count, each key with the algorithms of its own kind.
"""

import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from vitok.errors import Fault, UserMistake, shortened

_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")
LEEWAY_SECONDS = 30.0
LONGEST_DOCUMENT = 2**20
_LONGEST_TOKEN = 2**14
_TIMEOUT_SECONDS = 5.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Get = Callable[[str], bytes]


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


Keys = dict[str | None, SigningKey]


def fetch(address: str) -> bytes:
    """What stands at an address of an issuer.

    Raises:
        Fault: it cannot be reached, hands on to one that is not safe, or answers too much.
    """
    try:
        request = urllib.request.Request(address, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            require_address("redirect", answer.url.partition("?")[0])
            content: bytes = answer.read(LONGEST_DOCUMENT + 1)
    except (OSError, HTTPException, ValueError, UserMistake) as error:
        raise Fault(
            address, f"cannot be fetched: {error}", "Tokens signed with unknown keys are refused."
        ) from error
    return not_too_long(content, address)


def describe(url: str, get: Get = fetch) -> dict[str, Any]:
    """How an issuer describes itself (OpenID Connect Discovery 1.0).

    Raises:
        Fault: it cannot be reached, or describes another one.
    """
    place = f"{url.rstrip('/')}/.well-known/openid-configuration"
    document = json_object(get(place), place)
    if document.get("issuer") != url:
        what = f"describes the issuer {shortened(document.get('issuer'))}, not {url!r}"
        raise Fault(place, what, "Give --oidc-issuer as the description has it.")
    return document


def address_in(document: dict[str, Any], name: str) -> str:
    """An address in the description of an issuer.

    Raises:
        Fault: it is not safe, or there is none.
    """
    address = str(document.get(name))
    try:
        # The address where people log in may have a query of its own (RFC 6749, section 3.1).
        require_address(name, address.partition("?")[0] if name == "authorization_endpoint" else address)
    except UserMistake as error:
        place, what = f"the description of {document['issuer']}", f"{shortened(address)}, {error.what}"
        raise Fault(place, f"names as {name} {what}", error.remedy) from error
    return address


def fetch_keys(
    url: str, keys: str | None, *, document: dict[str, Any] | None = None, get: Get = fetch
) -> Keys:
    """The keys that an issuer shows.

    Args:
        url: Of the issuer.
        keys: File or address of its keys; None for what its description says.
        document: Its description, where that is known.

    Raises:
        Fault: it cannot be reached, or answers something else.
        UserMistake: the file of keys cannot be used.
    """
    if keys is not None and not is_address(keys):
        return keys_of_file(keys)
    address = keys or address_in(document or describe(url, get), "jwks_uri")
    return read_keys(json_object(get(address), address), address)


def read_keys(document: dict[str, Any], place: str) -> Keys:
    """The public keys for signatures in a set of keys; others are left out.

    Raises:
        Fault: there are none.
    """
    import jwt

    found: Keys = {}
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


def header_of(token: str) -> tuple[str | None, str]:
    """The id of the key and the algorithm that a token names.

    Raises:
        TokenRefused: it is none.
    """
    import jwt

    if len(token) > _LONGEST_TOKEN:
        raise TokenRefused("is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("cannot be read") from error
    return header.get("kid"), str(header.get("alg"))


def find_key(keys: Keys, token: str) -> tuple[SigningKey, str] | None:
    """The key that a token names, and its algorithm; None if the issuer does not show such a key.

    Raises:
        TokenRefused: it is no token.
    """
    kid, algorithm = header_of(token)
    found = next(iter(keys.values())) if kid is None and len(keys) == 1 else keys.get(kid)
    return None if found is None else (found, algorithm)


def claims_of(
    token: str, found: SigningKey, algorithm: str, *, issuer: str, audience: str, now: float
) -> dict[str, Any]:
    """What a token says, once its signature, issuer, audience and times are found right.

    Args:
        found: The key that it names.
        algorithm: That it names.
        now: The present, in seconds since 1970.

    Raises:
        TokenRefused: it does not count.
    """
    import jwt

    if algorithm not in found.algorithms:
        raise TokenRefused(f"is signed in a way that is not taken ({shortened(algorithm)[:40]})")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            found.key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
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
    ends, begins = claims["exp"], claims.get("nbf", 0)
    if not all(isinstance(each, int | float) for each in (ends, begins)) or not claims["sub"]:
        raise TokenRefused("cannot be read")
    if now >= ends + LEEWAY_SECONDS:
        raise TokenRefused("has expired")
    if now < begins - LEEWAY_SECONDS:
        raise TokenRefused("does not hold yet")
    return claims


def is_address(text: str) -> bool:
    """Whether a text is an address, and no path of a file."""
    return "://" in text


def require_address(option: str, address: str) -> None:
    """Checks that an address is one of HTTPS, or of this machine.

    Raises:
        UserMistake: it is not.
    """
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


def keys_of_file(path: str) -> Keys:
    """The keys in a file.

    Raises:
        UserMistake: it cannot be used.
    """
    remedy = "Give a JSON file with a list `keys`, or an address that starts with https://."
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserMistake("--oidc-keys", f"{path} cannot be read: {error.strerror}", remedy) from error
    try:
        return read_keys(json_object(content, path), path)
    except Fault as error:
        raise UserMistake("--oidc-keys", f"{path} {error.what}", remedy) from error


def not_too_long(content: bytes, place: str) -> bytes:
    """What was answered, if it is not longer than it may be.

    Raises:
        Fault: it is.
    """
    if len(content) > LONGEST_DOCUMENT:
        raise Fault(place, "answers more than 1 MB", "Look at what it answers.")
    return content


def json_object(content: bytes, place: str) -> dict[str, Any]:
    """What was answered, as a JSON object.

    Raises:
        Fault: it is none.
    """
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault(place, f"is no JSON object: {error}", "Look at what it answers.") from error
