"""The bytes of an entry of the cache: CBOR (RFC 8949) of one form only.

A map of ``key``, ``sha256`` and ``payload`` in this order, every length written as short as it can be. Whatever reads
CBOR reads it; this module needs no parser, which hostile bytes could mislead: an entry is right where it equals the one
that would be written.
"""

from __future__ import annotations

import hashlib

_BYTES, _TEXT, _MAP = 2, 3, 5
_HEAD_BYTES = (1, 2, 3, 5)


def packed(key: str, payload: bytes) -> bytes:
    """An entry.

    >>> packed("k", b"payload")[:7], packed("k", b"payload")[-16:]
    (b'\\xa3ckeyak', b'gpayloadGpayload')
    """
    return b"".join((_before_payload(key, hashlib.sha256(payload).digest()), _head(_BYTES, len(payload)), payload))


def unpacked(data: bytes, key: str) -> bytes | None:
    """The payload of an entry, or None where the bytes are not the entry of this key.

    >>> unpacked(packed("a", b"payload"), "a"), unpacked(packed("a", b"payload"), "b")
    (b'payload', None)
    """
    start = len(_before_payload(key, bytes(32)))
    for size in _HEAD_BYTES:
        end = start + size
        if end <= len(data) and data[start:end] == _head(_BYTES, len(data) - end):
            payload = data[end:]
            return payload if data == packed(key, payload) else None
    return None


def _before_payload(key: str, digest: bytes) -> bytes:
    before = (_head(_MAP, 3), _text("key"), _text(key), _text("sha256"), _head(_BYTES, len(digest)), digest)
    return b"".join((*before, _text("payload")))


def _text(text: str) -> bytes:
    data = text.encode()
    return _head(_TEXT, len(data)) + data


def _head(kind: int, count: int) -> bytes:
    """The first bytes of an item: its major type and its length, as RFC 8949, section 3, has them."""
    if count < 24:
        return bytes([kind << 5 | count])
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if count < 1 << 8 * size:
            return bytes([kind << 5 | code]) + count.to_bytes(size, "big")
    raise ValueError(f"{count} bytes do not fit an entry")
