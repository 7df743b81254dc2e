"""Where secrets come from, and in which order."""

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from vitok.errors import UserMistake
from vitok.govern.secrets import read_secret, signing_key


class Held(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self, held, locked=False):
        super().__init__()
        self.held, self.locked = held, locked

    def get_password(self, service, username):
        if self.locked:
            raise keyring.errors.KeyringLocked("a secret word of the keyring")
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.held[service, username] = password


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    for name in ("VITOK_SECRET", "VITOK_SECRET_FILE", "VITOK_KEYRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_the_variable_comes_before_the_file_and_the_file_before_the_keyring(monkeypatch, tmp_path):
    keyring.set_keyring(Held({("vitok", "HOOK"): "of the keyring"}))
    assert read_secret("HOOK") is None
    monkeypatch.setenv("VITOK_KEYRING", "vitok")
    assert read_secret("HOOK") == "of the keyring"
    assert read_secret("OTHER") is None
    (tmp_path / "hook").write_text("of the file\n")
    monkeypatch.setenv("HOOK_FILE", str(tmp_path / "hook"))
    assert read_secret("HOOK") == "of the file"
    monkeypatch.setenv("HOOK", "of the environment")
    assert read_secret("HOOK") == "of the environment"


def test_what_cannot_be_read_is_told_without_what_it_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("HOOK_FILE", str(tmp_path / "gone"))
    with pytest.raises(UserMistake, match="No such file"):
        read_secret("HOOK")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("HOOK_FILE", str(tmp_path / "binary"))
    with pytest.raises(UserMistake, match="is no text"):
        read_secret("HOOK")
    monkeypatch.delenv("HOOK_FILE")
    monkeypatch.setenv("VITOK_KEYRING", "vitok")
    keyring.set_keyring(Held({}, locked=True))
    with pytest.raises(UserMistake, match="KeyringLocked") as told:
        read_secret("HOOK")
    assert "secret word" not in str(told.value)


def test_the_signing_key_comes_from_the_keyring_and_else_is_made_once_for_the_user_alone(
    monkeypatch, tmp_path
):
    made = signing_key()
    assert signing_key() == made
    assert (tmp_path / "config" / "vitok" / "secret").stat().st_mode & 0o777 == 0o600
    keyring.set_keyring(Held({("vitok", "VITOK_SECRET"): "a secret that is long enough"}))
    monkeypatch.setenv("VITOK_KEYRING", "vitok")
    assert signing_key() == b"a secret that is long enough"
    keyring.set_keyring(Held({("vitok", "VITOK_SECRET"): "short"}))
    monkeypatch.setenv("VITOK_SECRET_FILE", "")
    with pytest.raises(UserMistake, match="VITOK_KEYRING: holds 5 characters"):
        signing_key()
