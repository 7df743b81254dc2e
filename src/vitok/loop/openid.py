"""Logging in at an OpenID Connect issuer: its log-in by the authorization code flow, and who came back from there.

By RFC 6749 (section 4.1) with the proof key of RFC 7636 (S256) and OpenID Connect Core 1.0 (section 3.1). Nothing here
writes a code, a token or the client's secret into a message.
"""

import base64
import hashlib
import hmac
import re
import secrets
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Literal, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from vitok.errors import Fault, VitokError
from vitok.govern.issuers import (
    LONGEST_DOCUMENT,
    Keys,
    TokenRefused,
    address_in,
    claims_of,
    describe,
    fetch_keys,
    find_key,
    json_object,
    not_too_long,
)
from vitok.kernel.clock import Clock, stopwatch
from vitok.loop.attempt import LATE, TIMEOUT_SECONDS, Deadline, deadline
from vitok.loop.outward import opener_of

SECRET_VARIABLE = "VITOK_OIDC_CLIENT_SECRET"
_SCOPE = "openid email profile"
_FRESH_SECONDS = 600.0
_AGAIN_SECONDS = 30.0  # between two fetches of keys because a token names an unknown one
_PAUSE_SECONDS = 3.0  # after a failure, so that many who wait do not ask a slow issuer one after the other
_SERVER_FAILS = 500
_ERROR = re.compile(r"[a-z_]{1,60}")  # of RFC 6749; whatever else an issuer sends is not repeated

Why = Literal["away", "refused", "token"]


class NotLoggedIn(Exception):
    """The issuer let nobody in, or what it sent does not count.

    Args:
        why: `away`: it cannot be asked; `refused`: it says no; `token`: its token does not count.
        text: For the log and for people; without anything that is secret.
    """

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why: Why = why


class Asked(NamedTuple):
    """What belongs to one log-in from its beginning to its end.

    Args:
        state: Comes back with the answer of the issuer.
        nonce: Comes back in its token.
        verifier: Shows that whoever brings the code is who asked for it.
        redirect: Where the issuer sends the browser.
    """

    state: str
    nonce: str
    verifier: str
    redirect: str


class _Known(NamedTuple):
    document: dict[str, Any]
    keys: Keys
    fetched: float


def error_of(text: object) -> str:
    """The code of an error as an issuer names it.

    >>> error_of("access_denied"), error_of("<script>")
    ('access_denied', 'an error of its own')
    """
    return text if isinstance(text, str) and _ERROR.fullmatch(text) else "an error of its own"


def person_of(claims: dict[str, Any]) -> str:
    """Who a token speaks of: the address if it is verified, else the preferred name, else the subject.

    A preferred name that looks like an address is passed over: people choose such names themselves, and one could take
    the address of another, which is not verified.

    >>> person_of({"sub": "7", "email": "ada@example.org", "email_verified": True, "preferred_username": "ada"})
    'ada@example.org'
    >>> person_of({"sub": "7", "email": "ada@example.org", "preferred_username": "ada"})
    'ada'
    >>> person_of({"sub": "7", "preferred_username": "ada@example.org"})
    '7'
    """
    email, name = claims.get("email"), claims.get("preferred_username")
    if claims.get("email_verified") is True and isinstance(email, str) and email:
        return email
    return name if isinstance(name, str) and name and "@" not in name else str(claims["sub"])


class OpenIdClient:
    """The pages as a client of an issuer. Its methods wait for the issuer; several threads may call them.

    Args:
        issuer: Its address.
        client: Under what name it knows the pages.
        secret: With what they prove it; None for a public client, which has the proof key only.
        keys: File or address of its keys; None for what its description says.
        clock: The present, for when tokens begin and end.
    """

    def __init__(self, issuer: str, client: str, secret: str | None, keys: str | None, clock: Clock) -> None:
        self.issuer = issuer
        self._client, self._secret, self._keys, self._clock = client, secret, keys, clock
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._away_until = float("-inf")

    @property
    def host(self) -> str:
        """The issuer's host, as people know it."""
        return urlsplit(self.issuer).netloc

    def begin(self, redirect: str) -> tuple[str, Asked]:
        """Where somebody logs in, and what belongs to that log-in.

        Args:
            redirect: Where the issuer is to send the browser.

        Raises:
            NotLoggedIn: the issuer cannot be asked.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = Asked(state, nonce, verifier, redirect)
        with deadline() as limit:
            address = address_in(self._look(limit).document, "authorization_endpoint")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect,
            "scope": _SCOPE,
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", asked

    def person(self, code: str, asked: Asked) -> str:
        """Who has logged in.

        Args:
            code: That the issuer gave the browser.

        Raises:
            NotLoggedIn: the issuer cannot be asked or refuses the code, or its token does not count.
        """
        with deadline() as limit:
            known = self._look(limit)
            token = self._exchange(known.document, code, asked, limit)
            try:
                found = find_key(known.keys, token)
                if found is None:
                    found = find_key(self._look(limit, _AGAIN_SECONDS).keys, token)
                if found is None:
                    raise TokenRefused("is signed with a key that its issuer does not show")
                return person_of(self._claims(token, found, asked))
            except TokenRefused as error:
                raise NotLoggedIn("token", str(error)) from error

    def _claims(self, token: str, found: Any, asked: Asked) -> dict[str, Any]:
        """By section 3.1.3.7 of OpenID Connect Core."""
        now = self._clock().timestamp()
        claims = claims_of(token, *found, issuer=self.issuer, audience=self._client, now=now)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client) != self._client:
            raise TokenRefused("was made for another client")
        if not hmac.compare_digest(str(claims.get("nonce")).encode("utf-8", "replace"), asked.nonce.encode()):
            raise TokenRefused("belongs to another log-in")
        return claims

    def _exchange(self, document: dict[str, Any], code: str, asked: Asked, limit: Deadline) -> str:
        try:
            address = address_in(document, "token_endpoint")
            answer = json_object(_read(self._request(address, document, code, asked), limit), address)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except Fault as error:
            raise NotLoggedIn("away", str(error)) from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotLoggedIn("token", "is not in the answer of the issuer")
        return token

    def _request(
        self, address: str, document: dict[str, Any], code: str, asked: Asked
    ) -> urllib.request.Request:
        """The code for a token; the client names itself as section 2.3.1 of RFC 6749 has it."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect,
            "code_verifier": asked.verifier,
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        ways = document.get("token_endpoint_auth_methods_supported")
        if self._secret is None:
            form["client_id"] = self._client
        elif isinstance(ways, list) and "client_secret_basic" not in ways and "client_secret_post" in ways:
            form |= {"client_id": self._client, "client_secret": self._secret}
        else:
            pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return urllib.request.Request(address, urlencode(form).encode(), headers, method="POST")

    def _look(self, limit: Deadline, fresh: float = _FRESH_SECONDS) -> _Known:
        """The description and the keys of the issuer, at most so many seconds old."""
        with self._lock:
            now = stopwatch()
            if self._known is not None and now < self._known.fetched + fresh:
                return self._known
            if now < self._away_until:
                raise NotLoggedIn("away", f"{self.issuer} could not be asked a moment ago")
            try:
                self._known = self._fetch(limit)
            except VitokError as error:
                self._away_until = stopwatch() + _PAUSE_SECONDS
                raise NotLoggedIn("away", str(error)) from error
            return self._known

    def _fetch(self, limit: Deadline) -> _Known:
        def get(address: str) -> bytes:
            try:
                return _read(urllib.request.Request(address, headers={"Accept": "application/json"}), limit)
            except urllib.error.HTTPError as error:
                error.close()
                raise Fault(address, f"answers {error.code}", "Look at what it answers.") from error

        document = describe(self.issuer, get)
        for name in ("authorization_endpoint", "token_endpoint"):
            address_in(document, name)
        return _Known(document, fetch_keys(self.issuer, self._keys, document=document, get=get), stopwatch())


def _refusal(error: urllib.error.HTTPError) -> NotLoggedIn:
    with error:
        if error.code >= _SERVER_FAILS:
            return NotLoggedIn("away", f"the issuer answers {error.code}")
        try:
            told = json_object(error.read(LONGEST_DOCUMENT), "").get("error")
        except (Fault, OSError, HTTPException):
            told = None
    return NotLoggedIn("refused", f"the issuer answers {error.code}: {error_of(told)}")


def _read(request: urllib.request.Request, limit: Deadline) -> bytes:
    """What is answered within the time; an address that hands on to another one has not answered.

    Raises:
        Fault: it does not answer, too late or too much.
        HTTPError: it answers no.
    """
    place, remedy = request.full_url, "Look whether it is there."
    try:
        with opener_of(limit).open(request, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(LONGEST_DOCUMENT + 1)
    except urllib.error.HTTPError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        what = LATE if limit.is_over else f"cannot be asked: {getattr(error, 'reason', type(error).__name__)}"
        raise Fault(place, what, remedy) from error
    if limit.is_over:  # half an answer reads like a whole one
        raise Fault(place, LATE, remedy)
    return not_too_long(content, place)
