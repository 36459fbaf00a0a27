"""A tensor's hold on its memory."""

from __future__ import annotations

from krnlpy import Buffer


class Share:
    """A tensor's buffer, and who looks at its memory; what is changed in place is copied first if others look.

    A handler, a finalizer or another thread may come between any two steps of a tensor's methods. So a tensor replaces
    both at once, and users are counted by single calls, one too many rather than one too few.

    Args:
        users: of a share of the same memory; None: there is none.

    Attributes:
        buffer: the elements.
        users: has an entry for each tensor, and each array, that looks at the memory. All shares of the memory have
            this one list.
    """

    __slots__ = ("buffer", "users")

    def __init__(self, buffer: Buffer, users: list[None] | None = None) -> None:
        if users is None:
            users = [None]
        else:
            users.append(None)
        self.buffer, self.users = buffer, users

    def __del__(self) -> None:
        try:
            users = self.users
        except AttributeError:  # Ctrl-C broke off the constructor
            return
        users.pop()
