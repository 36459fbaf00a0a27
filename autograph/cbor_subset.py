"""What of CBOR (RFC 8949) is in the files of this package, checked before a decoder sees it.

CBOR can do more than hold data: its tags build dates, regular expressions and sets, and refer to parts that stand
elsewhere, so that a few bytes become more than any memory holds. None of that is written, and none is read.
"""

from __future__ import annotations

from .errors import CheckpointError

MAX_DEPTH = 100
"""Of lists, maps and tags within each other."""

_BIG_INTEGERS = {2, 3}
_ARRAYS = {40, *range(64, 88)}
_TAGS = _BIG_INTEGERS | _ARRAYS
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_FALSE_TRUE_NULL, _FLOATS = {20, 21, 22}, {25, 26, 27}


def check_cbor(data: bytes) -> None:
    """Checks that bytes are one item of CBOR, of integers, floats, strings, bytes, lists, maps with strings as keys,
    false, true, null, and arrays as RFC 8746 tags them, all of definite length.

    It takes time in proportion to the count of items, and no memory.

    Raises:
        CheckpointError: they are not; the message says where.

    >>> check_cbor(bytes([0x82, 1, 0x61, ord("a")]))  # [1, "a"]
    """
    position = 0
    # Of each list, map and tag that is open, how many items are to come, and whether it is a map.
    stack = [(1, False)]
    while stack:
        left, in_map = stack.pop()
        if not left:
            continue
        stack.append((left - 1, in_map))
        start = position
        kind, info, argument, position = _head(data, start)
        if in_map and left % 2 == 0 and kind != _TEXT:
            raise CheckpointError(f"the key at byte {start} is no string")
        if kind in (_BYTES, _TEXT):
            position += argument
        elif kind in (_LIST, _MAP):
            stack.append((argument * 2 if kind == _MAP else argument, kind == _MAP))
        elif kind == _TAG:
            if argument not in _TAGS:
                raise CheckpointError(f"the CBOR tag {argument} at byte {start} does not belong there")
            stack.append((1, False))
        elif kind == _SIMPLE and info not in _FALSE_TRUE_NULL | _FLOATS:
            raise CheckpointError(f"the simple value {argument} at byte {start} does not belong there")
        if position + stack[-1][0] > len(data):
            raise CheckpointError(f"premature end: the item at byte {start} reaches beyond the last byte")
        if len(stack) > MAX_DEPTH:
            raise CheckpointError(f"more than {MAX_DEPTH} lists, maps and tags within each other at byte {start}")
    if position != len(data):
        raise CheckpointError(f"the content ends at byte {position}, but there are {len(data)}")


def _head(data: bytes, start: int) -> tuple[int, int, int, int]:
    """The kind of an item, how its argument is written, the argument, and where the head ends."""
    if start >= len(data):
        raise CheckpointError(f"premature end at byte {start}")
    kind, info = data[start] >> 5, data[start] & 31
    if info < 24:
        return kind, info, info, start + 1
    if info > 27:
        raise CheckpointError(f"the item at byte {start} is of indefinite length or reserved")
    end = start + 1 + (1 << (info - 24))
    if end > len(data):
        raise CheckpointError(f"premature end at byte {start}")
    return kind, info, int.from_bytes(data[start + 1 : end], "big"), end
