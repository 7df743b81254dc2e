"""Tokens of an issuer that really answers, as callers and as attackers send them."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_keys import PATH, Served

from commands import mistake_of, run_vitok
from examples import CHARTER, FLIGHT, flight_bundle, write_plan
from issuers import AUDIENCE, TokenIssuer
from serving import free_port
from vitok.errors import UserMistake
from vitok.kernel.clock import VirtualClock, system_clock
from vitok.serve import oidc
from vitok.serve.access import Access, digest_of
from vitok.serve.http import HttpProblem
from vitok.serve.oidc import Issuer, TokenRefused, Tokens
from vitok.store.blobs import Blobs
from vitok.store.usage import Usage

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def issuer():
    found = TokenIssuer()
    found.add("rsa", "RS256")
    found.add("ec", "ES256")
    found.add("ed", "EdDSA")
    yield found
    found.close()


def key_of(tokens, token):
    return tokens.key_of(token, digest_of(token))


def ask(issuer, *texts, clock=system_clock, **settings):
    """What each token stands for, or why it does not count."""

    async def work():
        tokens = Tokens(Issuer(issuer.url, AUDIENCE, **settings), clock)
        found = []
        for text in texts:
            try:
                found.append(await key_of(tokens, text))
            except TokenRefused as error:
                found.append(str(error))
        await tokens.stop()
        return found

    return asyncio.run(work())


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
def test_good_token_names_its_subject_and_its_scopes(issuer, kid):
    token = issuer.token(kid, sub="shop", scope="openid vitok:predict vitok:unknown", scp=["vitok:outcomes"])
    (key,) = ask(issuer, token, rate=5.0, quota=10)
    assert (key.name, key.scopes, key.rate, key.quota) == ("oidc:shop", ("predict", "outcomes"), 5.0, 10)
    assert issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({"email": "ada@example.org", "email_verified": True}, "ada@example.org"),
        ({"email": "ada@example.org", "email_verified": False}, None),
        ({"email": "ada@example.org", "email_verified": "true"}, None),
        ({"email": "ada@example.org"}, None),
        ({"email": ["ada@example.org"], "email_verified": True}, None),
    ],
)
def test_only_a_verified_address_acts_for_a_person(issuer, claims, person):
    (key,) = ask(issuer, issuer.token("ec", scope="vitok:approve", **claims))
    assert key.person == person


def unsigned(issuer):
    return jwt.encode(
        {"iss": issuer.url, "aud": AUDIENCE, "sub": "x", "exp": 9e9}, None, "none", {"kid": "rsa"}
    )


def confused(issuer):
    """HS256 with the public key as its secret, by hand: the library does not make such a token."""
    public = issuer.keys["rsa"][1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "x", "exp": time.time() + 60}
    parts = [{"alg": "HS256", "typ": "JWT", "kid": "rsa"}, claims]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = hmac.new(public, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def altered(issuer):
    head, _, signature = issuer.token("rsa").split(".")
    _, body, _ = issuer.token("rsa", scope="vitok:pages").split(".")
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda i: i.token("rsa", aud="https://others.example.org"), "is meant for another audience"),
        (lambda i: i.token("rsa", iss="https://evil.example"), "comes from another issuer"),
        (lambda i: i.token("rsa", exp=time.time() - 31), "has expired"),
        (lambda i: i.token("rsa", nbf=time.time() + 60), "does not hold yet"),
        (lambda i: i.token("rsa", without=["exp"]), "does not say `exp`"),
        (lambda i: i.token("rsa", without=["sub"]), "does not say `sub`"),
        (lambda i: i.token("rsa", without=["aud"]), "does not say `aud`"),
        (lambda i: i.token("rsa", sub=""), "cannot be read"),
        (lambda i: i.token("rsa", exp="soon"), "cannot be read"),
        (lambda i: i.token("rsa", nbf=[]), "cannot be read"),
        (unsigned, "is signed in a way that is not taken ('none')"),
        (confused, "is signed in a way that is not taken ('HS256')"),
        (lambda i: i.token("rsa", headers={"kid": "ec"}), "is signed in a way that is not taken ('RS256')"),
        (
            lambda i: i.token("rsa", headers={"kid": "else"}),
            "is signed with a key that its issuer does not show",
        ),
        (
            lambda i: i.token("rsa", headers={"kid": "secret"}),
            "is signed with a key that its issuer does not show",
        ),
        (lambda i: i.token("rsa", headers={}), "is signed with a key that its issuer does not show"),
        (altered, "has a signature that does not fit"),
        (lambda i: "a.b.c", "cannot be read"),
        (lambda i: "..", "cannot be read"),
        (lambda i: i.token("rsa", sub="x" * 20_000), "is too long"),
    ],
)
def test_token_that_does_not_count_is_refused_with_the_reason(issuer, make, why):
    assert ask(issuer, make(issuer)) == [why]


def test_times_have_a_little_leeway_and_end_also_for_a_token_that_is_known(issuer):
    now = datetime.now(UTC)
    clock = VirtualClock(now)
    token = issuer.token("rsa", exp=now.timestamp() + 60, nbf=now.timestamp() + 20)

    async def work():
        tokens = Tokens(Issuer(issuer.url, AUDIENCE), clock)
        await key_of(tokens, token)
        clock.move_to(now + timedelta(seconds=89))
        await key_of(tokens, token)
        clock.move_to(now + timedelta(seconds=90))
        with pytest.raises(TokenRefused, match="has expired"):
            await key_of(tokens, token)

    asyncio.run(work())


def test_names_are_short_printable_and_apart(issuer):
    subjects = ["a" * 500, "a" * 501, "new\nline", "ключ", "plain@example.org"]
    names = [key.name for key in ask(issuer, *(issuer.token("rsa", sub=each) for each in subjects))]
    assert len(set(names)) == 5
    assert all(len(name) <= 60 and name.isprintable() and name.isascii() for name in names)
    assert names[-1] == "oidc:plain@example.org"


def test_rotated_key_is_found_and_the_one_that_is_gone_does_not_count_any_more(issuer, monkeypatch):
    old = issuer.token("rsa")
    now = 1000.0
    monkeypatch.setattr(oidc.time, "monotonic", lambda: now)

    async def work():
        nonlocal now
        tokens = Tokens(Issuer(issuer.url, AUDIENCE), system_clock)
        await key_of(tokens, old)
        del issuer.keys["rsa"]
        issuer.add("new")
        new = issuer.token("new")
        with pytest.raises(TokenRefused, match="does not show"):
            await key_of(tokens, new)  # they were fetched just now
        now += 30
        assert (await key_of(tokens, new)).name == "oidc:shop"
        with pytest.raises(TokenRefused, match="does not show"):
            await key_of(tokens, old)

    asyncio.run(work())


def test_flood_of_unknown_keys_asks_the_issuer_once(issuer):
    async def work():
        tokens = Tokens(Issuer(issuer.url, AUDIENCE), system_clock)
        token = issuer.token("rsa")
        floods = [key_of(tokens, issuer.token("ec", headers={"kid": f"k{n}"})) for n in range(300)]
        found = await asyncio.gather(key_of(tokens, token), *floods, return_exceptions=True)
        assert found[0].name == "oidc:shop"
        assert {type(each) for each in found[1:]} == {TokenRefused}

    asyncio.run(work())
    assert len(issuer.asked) == 2


def test_issuer_that_is_away_leaves_the_known_keys_and_closes_to_the_others(issuer, monkeypatch, caplog):
    now = 1000.0
    monkeypatch.setattr(oidc.time, "monotonic", lambda: now)
    token, other = issuer.token("rsa"), issuer.token("ec")

    async def work():
        nonlocal now
        started = Tokens(Issuer(issuer.url, AUDIENCE), system_clock)
        await started.start()
        issuer.close()
        late = Tokens(Issuer(issuer.url, AUDIENCE), system_clock)
        await late.start()
        now += 3600
        assert (await key_of(started, token)).name == "oidc:shop"
        await started.stop()
        assert (await key_of(started, other)).name == "oidc:shop"
        with pytest.raises(HttpProblem) as caught:
            await key_of(late, token)
        assert (caught.value.status, dict(caught.value.headers)) == (503, {b"retry-after": b"30"})

    asyncio.run(work())
    assert "openid-configuration: cannot be fetched" in caplog.text


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        (".well-known/openid-configuration", b"<html>", "is no JSON object"),
        (".well-known/openid-configuration", b"{}", "describes the issuer None"),
        (".well-known/openid-configuration", None, "cannot be fetched: HTTP Error 404"),
        ("keys", b'{"keys": []}', "holds no public key"),
        ("keys", b'{"keys": 3}', "holds no public key"),
        ("keys", b"[" * 100_000, "is no JSON object"),
        ("keys", b" " * (2**20 + 1), "more than 1 MB"),
    ],
)
def test_issuer_that_answers_nonsense_is_told_in_the_log(issuer, caplog, path, content, says):
    issuer.answers[f"/realm/{path}"] = lambda: content
    with pytest.raises(HttpProblem):
        ask(issuer, issuer.token("rsa"))
    assert says in caplog.text


def test_keys_elsewhere_than_at_a_safe_address_are_not_fetched(issuer, caplog):
    for unsafe in ("http://keys.example.org/k", "file:///etc/passwd", "ftp://127.0.0.1/k", "//"):
        document = {"issuer": issuer.url, "jwks_uri": unsafe}
        issuer.answers["/realm/.well-known/openid-configuration"] = lambda: json.dumps(document).encode()  # noqa: B023
        with pytest.raises(HttpProblem):
            ask(issuer, issuer.token("rsa"))
        assert unsafe in caplog.text


def test_key_and_token_side_by_side_each_with_its_scopes(issuer, tmp_path):
    content = {digest_of("plain"): {"name": "till", "scopes": ["read"]}}
    (tmp_path / "keys.json").write_text(json.dumps(content))
    token, poor = issuer.token("rsa"), issuer.token("rsa", scope="openid")

    async def work():
        tokens = Tokens(Issuer(issuer.url, AUDIENCE, quota=2), system_clock)
        access = Access(tmp_path, system_clock, None, Usage(tmp_path), tokens)

        async def status(route, text):
            try:
                return await access.admit(route, {b"authorization": f"Bearer {text}".encode()})
            except HttpProblem as problem:
                return problem.status

        asked = [("invocations", token), ("metrics", token), ("invocations", poor), ("metrics", "plain")]
        asked += [
            ("invocations", "plain"),
            ("invocations", "a.b.c"),
            ("invocations", token),
            ("invocations", token),
        ]
        found = [await status(*each) for each in asked]
        await access.stop()
        return found

    assert asyncio.run(work()) == ["oidc:shop", 403, 403, "till", 403, 401, "oidc:shop", 429]


# With a real server


@pytest.fixture
def project(tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER)
    write_plan(tmp_path / ".vitok", flight_bundle(Blobs(tmp_path / ".vitok" / "blobs")))
    return tmp_path


@contextmanager
def served(project, *words, env=None):
    with Served(project, *words, env=env) as server, httpx.Client() as client:
        url = server.ready(client, f"http://127.0.0.1:{server.port}")

        def post(token=None):
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            return client.post(url + PATH, json={"rows": [FLIGHT]}, headers=headers)

        yield server, post


def test_server_without_keys_opens_to_the_world_for_tokens(issuer, project):
    words = ("--host", "0.0.0.0", "--oidc-issuer", issuer.url, "--oidc-audience", AUDIENCE, "--oidc-quota", 2)
    with served(project, *words) as (_, post):
        assert post().status_code == 401
        assert post(issuer.token("ec")).status_code == 200
        assert post(issuer.token("rsa")).status_code == 200
        refused = post(issuer.token("ec"))
        assert (refused.status_code, refused.json()["error"]) == (
            429,
            "key 'oidc:shop' has used its 2 requests of today",
        )
        wrong = post(issuer.token("ec", aud="x"))
        assert (wrong.status_code, wrong.json()["error"]) == (401, "this token is meant for another audience")


def test_settings_by_environment_and_keys_from_a_file_beside_keys_of_ours(issuer, project):
    key = run_vitok("keys", "add", "till", "--project", project).json["key"]
    keys = project / "jwks.json"
    keys.write_text(json.dumps(issuer.shown()))
    names = {"ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "KEYS": str(keys)}
    with served(project, env={f"VITOK_OIDC_{name}": value for name, value in names.items()}) as (_, post):
        assert [post(each).status_code for each in (None, key, issuer.token("rsa"))] == [401, 200, 200]
    assert issuer.asked == []


def test_issuer_that_is_away_at_the_start_closes_to_tokens_and_is_told(project):
    url = f"http://127.0.0.1:{free_port()}"
    with served(project, "--oidc-issuer", url, "--oidc-audience", "x") as (server, post):
        answer = post("a.b.c")
        assert answer.status_code == 401
        head = base64.urlsafe_b64encode(b'{"alg": "RS256", "kid": "k"}').decode().rstrip("=")
        answer = post(f"{head}.e30.AAAA")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "the keys of the issuer of tokens cannot be had" in answer.json()["error"]
    assert f"tokens: {url}/.well-known/openid-configuration: cannot be fetched" in server.log.read_text()


ISSUER = ("--oidc-issuer", "https://login.example.org", "--oidc-audience", "x")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--oidc-issuer", "login.example.org", "--oidc-audience", "x"],
            ["--oidc-issuer", "'login.example.org'"],
        ),
        (
            ["--oidc-issuer", "ftp://a.b", "--oidc-audience", "x"],
            ["--oidc-issuer", "is no address", "https://"],
        ),
        (["--oidc-issuer", "https://[::1", "--oidc-audience", "x"], ["--oidc-issuer", "is no address"]),
        (
            ["--oidc-issuer", "http://login.example.org", "--oidc-audience", "x"],
            ["--oidc-issuer", "is not safe"],
        ),
        (["--oidc-issuer", "https://login.example.org"], ["--oidc-audience", "is missing", "`aud`"]),
        (["--oidc-audience", "x"], ["--oidc-audience", "'x'", "Add --oidc-issuer URL"]),
        ([*ISSUER, "--oidc-quota", "0"], ["--oidc-quota", "0 is no limit"]),
        ([*ISSUER, "--oidc-rate", "nan"], ["--oidc-rate", "nan is no limit"]),
        ([*ISSUER, "--oidc-keys", "absent.json"], ["--oidc-keys", "absent.json", "No such file"]),
        ([*ISSUER, "--oidc-keys", "KEYS"], ["--oidc-keys", "jwks.json is no JSON object"]),
        ([*ISSUER, "--oidc-keys", "http://a.example/keys"], ["--oidc-keys", "is not safe"]),
    ],
)
def test_mistakes_with_an_issuer_are_told(project, words, says):
    (project / "jwks.json").write_text("no json")
    words = [str(project / "jwks.json") if word == "KEYS" else word for word in words]
    mistake_of("serve", "--port", 0, "--project", project, *words, says=says)


def test_set_of_keys_without_any_for_signatures_is_told(project):
    (project / "jwks.json").write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}))
    words = (*ISSUER, "--oidc-keys", project / "jwks.json")
    mistake_of(
        "serve", "--port", 0, "--project", project, *words, says=["holds no public key for signatures"]
    )


def test_missing_package_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setattr(oidc.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserMistake, match="needs the packages pyjwt and cryptography"):
        Issuer("https://login.example.org", "x").require_usable()
