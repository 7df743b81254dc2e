"""A real issuer on this machine: it describes itself, shows its keys, signs tokens, and lets people log in."""

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE = "https://models.example.org"
_MAKERS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class TokenIssuer:
    """An issuer with keys by id; what it was asked for is in `asked`.

    People log in by the code flow as `user` says (claims of the ID token); `clients` are those it knows with their
    secrets, None for a public one. `answers` replaces what a path answers.
    """

    def __init__(self):
        self.keys, self.asked, self.answers = {}, [], {}
        self.clients, self.user, self.codes, self.posted = {"vitok": None}, {"sub": "7"}, {}, []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                if urlsplit(self.path).path == "/realm/authorize":
                    page = issuer.form(dict(parse_qsl(urlsplit(self.path).query))).encode()
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(page)
                    return
                body = issuer.answers.get(self.path, lambda: issuer.document(self.path))()
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(b"" if body is None else body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                issuer.posted.append((dict(self.headers), body))
                make = issuer.answers.get(self.path)
                status, answer = make() if make else issuer.exchange(self.headers, parse_qs(body))
                self.send_response(status)
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(answer)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self, path):
        if path == "/realm/.well-known/openid-configuration":
            places = {"jwks_uri": "keys", "authorization_endpoint": "authorize", "token_endpoint": "token"}
            about = {name: f"{self.url}/{place}" for name, place in places.items()}
            return json.dumps({"issuer": self.url, **about}).encode()
        return json.dumps(self.shown()).encode() if path == "/realm/keys" else None

    def come_back(self, asked, **changes):
        """The address to which the browser of somebody who has logged in is sent."""
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] in self.clients
        code = secrets.token_urlsafe(12)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], **changes})}"

    def form(self, asked):
        """The page on which people log in: by one click."""
        return f'<!doctype html><title>Issuer</title><a id="in" href="{self.come_back(asked)}">Log me in</a>'

    def exchange(self, headers, sent):
        """A code for a token, once, for the client that it was given to and who holds the verifier."""
        sent = {name: values[0] for name, values in sent.items()}
        client, secret = sent.get("client_id"), sent.get("client_secret")
        if "Authorization" in headers:
            pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
            client, secret = (unquote_plus(part) for part in pair.split(":"))
        if client not in self.clients or self.clients[client] != secret:
            return 401, b'{"error": "invalid_client"}'
        asked = self.codes.pop(sent["code"], None)
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        wanted = {"client_id": client, "redirect_uri": sent.get("redirect_uri"), "code_challenge": challenge}
        if asked is None or any(asked[name] != value for name, value in wanted.items()):
            return 400, b'{"error": "invalid_grant", "error_description": "hush"}'
        claims = {"aud": client, "nonce": asked["nonce"], **self.user}
        token = self.token(next(iter(self.keys)), without=["scope"], **claims)
        return 200, json.dumps({"access_token": "hush", "token_type": "Bearer", "id_token": token}).encode()

    def shown(self):
        """Its public keys, beside some that are for other things."""
        found = [
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "EC", "kid": "broken", "crv": "P-256"},
        ]
        for kid, (algorithm, key) in self.keys.items():
            public = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
            found.append({**public, "kid": kid, "use": "sig"})
        return {"keys": found}

    def add(self, kid, algorithm="RS256"):
        self.keys[kid] = algorithm, _MAKERS[algorithm]()

    def token(self, kid, *, headers=None, key=None, algorithm=None, without=(), **claims):
        """A token that holds for an hour, with changes."""
        kind, own = self.keys[kid]
        now = time.time()
        content = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "shop",
            "exp": now + 3600,
            "nbf": now - 1,
            "scope": "openid vitok:predict",
        } | claims
        for name in without:
            del content[name]
        header = {"kid": kid} if headers is None else headers
        return jwt.encode(content, key or own, algorithm or kind, headers=header)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
