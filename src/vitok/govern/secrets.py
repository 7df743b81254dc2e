"""Secrets: from the environment, a file, the keyring, or the user's own folder; never from the project's."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from vitok.errors import UserMistake

VARIABLE, FILE_VARIABLE = "VITOK_SECRET", "VITOK_SECRET_FILE"
KEYRING_VARIABLE = "VITOK_KEYRING"
_LEAST = 16
_SHOWN = 32  # of 64 hexadecimal digits: 128 bits


def read_secret(name: str) -> str | None:
    """A secret of this name: the environment variable, the file that `NAME_FILE` names (as containers mount them), or
    what the keyring has under the service that `VITOK_KEYRING` names.

    Raises:
        UserMistake: the file or the keyring cannot be used.
    """
    if name in os.environ:
        return os.environ[name]
    file, service = os.environ.get(f"{name}_FILE"), os.environ.get(KEYRING_VARIABLE)
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = f"cannot be used: {getattr(error, 'strerror', None) or 'it is no text'}"
            raise UserMistake(file, what, f"Give {name} or {name}_FILE.") from error
    return _of_keyring(service, name) if service else None


def _of_keyring(service: str, name: str) -> str | None:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        remedy = "Install it: pip install 'vitok[keyring]'."
        raise UserMistake(KEYRING_VARIABLE, "needs the package keyring", remedy) from error
    try:
        return keyring.get_password(service, name)
    except keyring.errors.KeyringError as error:
        what = f"the keyring cannot be asked for {name}: {type(error).__name__}"
        raise UserMistake(KEYRING_VARIABLE, what, f"Unlock it, or give {name} or {name}_FILE.") from error


def signing_key() -> bytes:
    """The key that this installation signs with.

    It is the secret `VITOK_SECRET`, or else a random one that is made once in the user's configuration folder, readable
    by the user alone.

    Raises:
        UserMistake: it is too short, or cannot be read or made.
    """
    given = read_secret(VARIABLE)
    if given is not None:
        place = VARIABLE if VARIABLE in os.environ else os.environ.get(FILE_VARIABLE) or KEYRING_VARIABLE
        return _long_enough(given.encode(), place)
    path = _own_file()
    try:
        if not path.exists():
            _make(path)
        return _long_enough(path.read_bytes().strip(), str(path))
    except OSError as error:
        what = f"cannot be used: {error.strerror or error}"
        raise UserMistake(str(path), what, f"Give {VARIABLE} or {FILE_VARIABLE}.") from error


def derived_key(purpose: str, secret: bytes) -> bytes:
    """A key for one purpose, from which neither the secret nor the key of another purpose can be told."""
    return hmac.new(secret, f"vitok {purpose}".encode(), hashlib.sha256).digest()


def keyed_digest(value: str | bytes, key: bytes) -> str:
    """What stands in the audit log for a value that identifies a person (HMAC-SHA256, RFC 2104).

    Whoever has the key can tell that a value in hand is the one meant; nobody can tell the value.

    Args:
        key: Of this installation, as `signing_key` gives it.

    >>> keyed_digest("flight 12", b"key") == keyed_digest(b"flight 12", b"key") != keyed_digest("flight 12", b"other")
    True
    """
    content = value.encode() if isinstance(value, str) else value
    return f"hmac:{hmac.new(key, content, hashlib.sha256).hexdigest()[:_SHOWN]}"


def _own_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "vitok" / "secret"


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # another process was faster
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())


def _long_enough(content: bytes, place: str) -> bytes:
    if len(content) < _LEAST:
        raise UserMistake(
            place, f"holds {len(content)} characters", f"Give a random secret of {_LEAST} or more."
        )
    return content
