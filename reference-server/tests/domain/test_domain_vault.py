from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import vault
from hookwright_server.domain.vault import Vault, VaultError

OLD, NEW = b"o" * 32, b"n" * 32
AAD = "signing_secrets:sec_1"


@given(st.binary(max_size=300), st.text())
def test_open_returns_what_was_sealed(plaintext: bytes, aad: str) -> None:
    """Sealing and opening with the same aad is the identity."""
    keys = Vault({"k1": NEW}, "k1")

    assert plaintext == keys.open(keys.seal(plaintext, aad), aad)


def test_the_blob_names_its_key_and_hides_its_content() -> None:
    """A blob begins with version, length and key id; the plaintext is not in it."""
    blob = Vault({"k1": NEW}, "k1").seal(b"secret text", AAD)

    assert (b"\x01\x02k1", False, "k1") == (blob[:4], b"secret" in blob, vault.key_id_of(blob))


def test_equal_plaintexts_seal_differently() -> None:
    """A fresh nonce per blob: equal secrets cannot be recognised."""
    keys = Vault({"k1": NEW}, "k1")

    assert keys.seal(b"same", AAD) != keys.seal(b"same", AAD)


@pytest.mark.parametrize(
    ("opener", "aad"),
    [
        (Vault({"k1": OLD}, "k1"), AAD),
        (Vault({"k2": NEW}, "k2"), AAD),
        (Vault({"k1": NEW}, "k1"), "signing_secrets:sec_2"),
        (Vault({"k1": NEW}, "k1"), ""),
    ],
)
def test_wrong_key_and_wrong_aad_are_refused(opener: Vault, aad: str) -> None:
    """Another key, an unknown key id and a blob moved to another row do not open."""
    blob = Vault({"k1": NEW}, "k1").seal(b"secret", AAD)

    with pytest.raises(VaultError):
        opener.open(blob, aad)


def test_every_truncation_is_refused() -> None:
    """No prefix of a blob opens, the empty one included."""
    keys = Vault({"k1": NEW}, "k1")
    blob = keys.seal(b"secret", AAD)

    for length in range(len(blob)):
        with pytest.raises(VaultError):
            keys.open(blob[:length], AAD)


def test_every_flipped_bit_is_refused() -> None:
    """Header, nonce, ciphertext and tag are all authenticated."""
    keys = Vault({"k1": NEW, "k0": NEW, "k3": NEW}, "k1")
    blob = keys.seal(b"secret", AAD)

    for bit in range(len(blob) * 8):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VaultError):
            keys.open(bytes(damaged), AAD)


@given(st.binary(max_size=80))
def test_open_never_fails_otherwise(blob: bytes) -> None:
    """Any bytes at all are a VaultError."""
    with pytest.raises(VaultError):
        Vault({"k1": NEW}, "k1").open(blob, AAD)


def test_rotate_moves_a_blob_to_the_current_key() -> None:
    """After a rotation the old key is needed no longer."""
    old_blob = Vault({"old": OLD}, "old").seal(b"secret", AAD)
    both = Vault({"new": NEW, "old": OLD}, "new")

    rotated = both.rotate(old_blob, AAD)

    assert ("new", b"secret") == (
        vault.key_id_of(rotated),
        Vault({"new": NEW}, "new").open(rotated, AAD),
    )


def test_rotate_keeps_a_blob_of_the_current_key() -> None:
    """A rotation that is run twice changes nothing the second time."""
    keys = Vault({"k1": NEW}, "k1")
    blob = keys.seal(b"secret", AAD)

    assert keys.rotate(blob, AAD) is blob


def test_keys_are_read_from_text_first_is_current() -> None:
    """`id:base64,id:base64`: the first key seals, the others still open."""
    text = ", ".join(vault.generate_key(name, lambda size: b"r" * size) for name in ("b", "a"))

    keys = vault.vault_from_text(text)

    assert ("b", ("b", "a"), b"r" * 32) == (keys.current, keys.key_ids, vault.parse_keys(text)["a"])


SOUND = base64.b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        SOUND,
        f":{SOUND}",
        f"a b:{SOUND}",
        f"{'x' * 65}:{SOUND}",
        f"a:{SOUND},a:{SOUND}",
        f"a:{SOUND},",
        f"a:{SOUND[:-1]}",
        f"a:{SOUND[:-4]}",
        "a:ключ",
    ],
)
def test_malformed_key_texts_are_refused_without_being_repeated(text: str) -> None:
    """A missing id, a repeated id, bad base64 or a wrong length is named, the key is not."""
    with pytest.raises(VaultError) as refusal:
        vault.parse_keys(text)

    assert SOUND[:8] not in str(refusal.value)


def test_the_current_key_must_be_known() -> None:
    """A vault without its current key cannot exist."""
    with pytest.raises(VaultError):
        Vault({"k1": NEW}, "k2")
