"""The subset of CBOR (RFC 8949) that this package's files use, checked before a decoder sees it.

CBOR can do more than hold data: its tags build dates, regular expressions and sets, and refer to parts that stand
elsewhere, so that a few bytes become more than any memory holds. None of that is written, and none is read.
"""

from __future__ import annotations

from autograph.errors import CheckpointError

MAX_DEPTH = 100
"""How deep lists, maps and tags may be nested."""

_BIG_INTEGERS = {2, 3}
_ARRAYS = {40, *range(64, 88)}
_TAGS = _BIG_INTEGERS | _ARRAYS
_BYTES, _TEXT, _LIST, _MAP, _TAG = range(2, 7)


def _length(first: int) -> int:
    """The length of an item whose first byte determines it; 0 for others."""
    kind, info = first >> 5, first & 31
    if kind in (_BYTES, _TEXT):
        return 1 + info if info < 24 else 0
    if first in (0xF4, 0xF5, 0xF6):  # false, true, null
        return 1
    if (kind < _BYTES and info < 28) or first in (0xF9, 0xFA, 0xFB):  # integers, floats
        return 1 if info < 24 else 1 + (1 << (info - 24))
    return 0


_LENGTHS = bytes(map(_length, range(256)))


def check_cbor(data: bytes) -> None:
    """Checks that bytes are one item of CBOR, of integers, floats, strings, bytes, lists, maps with strings as keys
    (each once), false, true, null, and arrays as RFC 8746 tags them, all of definite length.

    It takes time and memory in proportion to the count of items.

    Raises:
        CheckpointError: they are not; the message says where.

    >>> check_cbor(bytes([0x82, 1, 0x61, ord("a")]))  # [1, "a"]
    """
    start = position = 0
    # The items still to come in the innermost list, map or tag, and the keys seen in a map. The stack has the same for
    # those around it.
    left, keys = 1, None
    stack: list[tuple[int, set[bytes] | None]] = []
    try:
        while True:
            if keys is None:
                while left and (length := _LENGTHS[data[position]]):  # most items of long lists
                    start, position, left = position, position + length, left - 1
            if not left:
                if not stack:
                    break
                left, keys = stack.pop()
                continue
            left -= 1
            start = position
            kind, argument, position = _head(data, start)
            if keys is not None and left % 2:
                if kind != _TEXT:
                    raise CheckpointError(f"the key at byte {start} is not a string")
                key = data[position : position + argument]
                if key in keys:
                    raise CheckpointError(f"the key at byte {start} is there twice")
                keys.add(key)
            if kind in (_BYTES, _TEXT):
                position += argument
            elif kind in (_LIST, _MAP, _TAG):
                if kind == _TAG and argument not in _TAGS:
                    raise CheckpointError(f"the CBOR tag {argument} at byte {start} does not belong there")
                stack.append((left, keys))
                if len(stack) > MAX_DEPTH:
                    raise CheckpointError(
                        f"more than {MAX_DEPTH} lists, maps and tags within each other at byte {start}"
                    )
                left, keys = (2 * argument, set()) if kind == _MAP else (1 if kind == _TAG else argument, None)
    except IndexError:
        raise CheckpointError(f"premature end at byte {len(data)}, after the item at byte {start}") from None
    if position > len(data):
        raise CheckpointError(f"premature end: the item at byte {start} reaches beyond the last byte")
    if position != len(data):
        raise CheckpointError(f"the content ends at byte {position}, but there are {len(data)}")


def _head(data: bytes, start: int) -> tuple[int, int, int]:
    """The kind of an item, its argument, and where the head ends.

    Raises:
        IndexError: where the bytes end.
    """
    first = data[start]
    kind, info = first >> 5, first & 31
    if info < 24:
        end, argument = start + 1, info
    elif info < 28:
        end = start + 1 + (1 << (info - 24))
        data[end - 1]
        argument = int.from_bytes(data[start + 1 : end], "big")
    else:
        raise CheckpointError(f"the item at byte {start} is of indefinite length or reserved")
    if kind > _TAG and not _LENGTHS[first]:
        raise CheckpointError(f"the simple value {argument} at byte {start} does not belong there")
    return kind, argument, end
