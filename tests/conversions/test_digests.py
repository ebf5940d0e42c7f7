"""A SHA-256 digest is never hashed again, in any notation."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.fields import SWITCHES
from tests.conversions.hostile import Array
from tests.conversions.rows import sent_identifier, sha

HASHED = sorted(SWITCHES)
DRESSES = {
    "hex": lambda digest: digest.hex(),
    "capitals": lambda digest: digest.hex().upper(),
    "bytes": lambda digest: digest,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "hex as bytes": lambda digest: digest.hex().encode(),
    "bytea": lambda digest: rf"\x{digest.hex()}",
    "escaped bytea": lambda digest: rf"\\x{digest.hex()}",
    "0x": lambda digest: f"0x{digest.hex().upper()}",
    "0X": lambda digest: f"0X{digest.hex()}",
    "SQL": lambda digest: f"X'{digest.hex().upper()}'",
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64 without padding": lambda digest: base64.b64encode(digest).decode().rstrip("="),
    "base64 for URLs": lambda digest: base64.urlsafe_b64encode(digest).decode(),
    "base64 as bytes": base64.b64encode,
    "prefixed": lambda digest: f"sha256:{digest.hex()}",
    "SRI": lambda digest: f"sha256-{base64.b64encode(digest).decode()}",
    "LDAP": lambda digest: f"{{SHA256}}{base64.b64encode(digest).decode()}",
    "colons": lambda digest: digest.hex(":").upper(),
    "dashes": lambda digest: digest.hex("-").upper(),
    "spaces": lambda digest: digest.hex(" "),
    "JSON": lambda digest: json.dumps(digest.hex()),
    "numbers": list,
    "signed numbers": lambda digest: [one - 256 if one > 127 else one for one in digest],
    "JSON numbers": lambda digest: json.dumps(list(digest)),
    "array": lambda digest: Array(list(digest)),
    "list of bytes": lambda digest: [digest],
    "list of bytea": lambda digest: [rf"\x{digest.hex()}"],
    "JSON list": lambda digest: json.dumps([f"0x{digest.hex()}"]),
    "invisible": lambda digest: f"\ufeff{digest.hex()}\u200b",
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", HASHED)
@pytest.mark.parametrize("switches", [{}, {"already_hashed": True}], ids=str)
def test_a_digest_is_taken_as_it_is(name, dress, switches):
    for text in ("ada", "jane@example.com", "us"):
        digest = hashlib.sha256(text.encode()).digest()
        assert sent_identifier(name, DRESSES[dress](digest), **switches) == ([sha(text)], {})


@given(st.binary(min_size=32, max_size=32), st.sampled_from(sorted(DRESSES)), st.sampled_from(["fn", "external_id"]))
def test_any_digest_is_taken_or_left_out(digest, dress, name):
    if not any(byte > 127 for byte in digest):
        return
    found, _ = sent_identifier(name, DRESSES[dress](digest))
    assert found in ([digest.hex()], None) or "base64" in dress


@pytest.mark.parametrize("name", ["fn", "ln", "ct", "hashed_maids", "ge", "db", "country", "em", "ph"])
@pytest.mark.parametrize(
    "cell",
    [
        hashlib.md5(b"ada").hexdigest(),  # noqa: S324
        hashlib.sha1(b"ada").hexdigest(),  # noqa: S324
        hashlib.sha512(b"ada").hexdigest(),
        hashlib.sha256(b"ada").digest()[:20],
        hashlib.sha256(b"ada").digest()[:31],
        str(hashlib.sha256(b"ada").digest()),
        "0x" + hashlib.md5(b"ada").hexdigest(),  # noqa: S324
    ],
    ids=["md5", "sha1", "sha512", "20 bytes", "31 bytes", "Python", "0x md5"],
)
def test_other_digests_are_left_out(name, cell):
    assert sent_identifier(name, cell) == (None, {f"unusable_{name}": 1})


@pytest.mark.parametrize(
    "cell",
    [
        "llanfairpwllgwyngyllgogerychwyrndrobwllllan",
        "LLANFAIRPWLLGWYNGYLLGOGERYCHWYRNDROBWLLLLAN",
        "0123456789012345678901234567890123456789012",
        "order-0123456789-0123456789-0123456789-0123",
        "f" * 63,
        "f" * 65,
        "0x" + "f" * 63,
    ],
)
def test_long_ids_are_no_digests(cell):
    assert sent_identifier("external_id", cell) == ([sha(cell)], {})


def test_the_switch_says_that_they_are_ids():
    cell = base64.b64encode(hashlib.sha256(b"ada").digest()).decode()
    assert sent_identifier("external_id", cell, already_hashed=False) == ([sha(cell)], {})
    assert sent_identifier("external_id", hashlib.sha256(b"ada").digest(), already_hashed=False)[0] is None
