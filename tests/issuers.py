"""A real issuer of tokens on this machine: it describes itself, shows its keys, and signs."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
    """An issuer with keys by id; what it was asked for is in `asked`."""

    def __init__(self):
        self.keys, self.asked, self.answers = {}, [], {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                body = issuer.answers.get(self.path, lambda: issuer.document(self.path))()
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(b"" if body is None else body)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self, path):
        if path == "/realm/.well-known/openid-configuration":
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        return json.dumps(self.shown()).encode() if path == "/realm/keys" else None

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
