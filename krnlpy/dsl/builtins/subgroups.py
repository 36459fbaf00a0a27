"""What kernels call to exchange values between the threads of a subgroup.

A subgroup is a few threads of a group that a device runs in lockstep: ``subgroup_threads()`` of them, each in a lane.
All of these are over the *active* threads: those of the subgroup that make this very call together. A thread that took
another branch, has left the loop or has returned is not active; the last subgroup of a group may have fewer threads
than others. Hence they may stand under any condition. Vectors and matrices are taken element by element.

Where a value is read from a lane that is not active or that the subgroup does not have, it is 0 (False). A kernel that
is ``unchecked`` promises that this does not happen, and saves the check.

In which order floats are added or multiplied is the device's affair, hence the last bits of a sum differ between
devices; so may which of two zeros, and what becomes of NaNs in a minimum or maximum.
"""

from __future__ import annotations

from typing import Any

from .marker import builtin

# ------------------------------------------------------------------------------------------------- basic, vote


@builtin
def subgroup_barrier() -> None:
    """Waits until the active threads of the subgroup are here; what they wrote before is seen by them after."""


@builtin
def subgroup_elect() -> Any:
    """Whether this is the active thread of the lowest lane: true for one thread of a subgroup."""


@builtin
def subgroup_all(condition: Any) -> Any:
    """Whether a condition is true for all active threads."""


@builtin
def subgroup_any(condition: Any) -> Any:
    """Whether a condition is true for some active thread."""


@builtin
def subgroup_all_equal(value: Any) -> Any:
    """Whether all active threads have the same value. A NaN equals nothing, not even itself."""


# -------------------------------------------------------------------------------------------------- arithmetic


@builtin
def subgroup_add(value: Any) -> Any:
    """The sum of a value over the active threads."""


@builtin
def subgroup_mul(value: Any) -> Any:
    """The product of a value over the active threads."""


@builtin
def subgroup_min(value: Any) -> Any:
    """The least of a value over the active threads."""


@builtin
def subgroup_max(value: Any) -> Any:
    """The greatest of a value over the active threads."""


@builtin
def subgroup_and(value: Any) -> Any:
    """The bitwise and of an integer over the active threads."""


@builtin
def subgroup_or(value: Any) -> Any:
    """The bitwise or of an integer over the active threads."""


@builtin
def subgroup_xor(value: Any) -> Any:
    """The bitwise exclusive or of an integer over the active threads."""


# ---------------------------------------------------------------------------------------------------- scans


@builtin
def subgroup_inclusive_add(value: Any) -> Any:
    """The sum over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_mul(value: Any) -> Any:
    """The product over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_min(value: Any) -> Any:
    """The least over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_max(value: Any) -> Any:
    """The greatest over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_and(value: Any) -> Any:
    """The bitwise and over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_or(value: Any) -> Any:
    """The bitwise or over the active threads of lower lanes and this one."""


@builtin
def subgroup_inclusive_xor(value: Any) -> Any:
    """The bitwise exclusive or over the active threads of lower lanes and this one."""


@builtin
def subgroup_exclusive_add(value: Any) -> Any:
    """The sum over the active threads of lower lanes; of none, 0."""


@builtin
def subgroup_exclusive_mul(value: Any) -> Any:
    """The product over the active threads of lower lanes; of none, 1."""


@builtin
def subgroup_exclusive_min(value: Any) -> Any:
    """The least over the active threads of lower lanes; of none, the type's greatest value (infinity)."""


@builtin
def subgroup_exclusive_max(value: Any) -> Any:
    """The greatest over the active threads of lower lanes; of none, the type's least value (minus infinity)."""


@builtin
def subgroup_exclusive_and(value: Any) -> Any:
    """The bitwise and over the active threads of lower lanes; of none, all bits set."""


@builtin
def subgroup_exclusive_or(value: Any) -> Any:
    """The bitwise or over the active threads of lower lanes; of none, 0."""


@builtin
def subgroup_exclusive_xor(value: Any) -> Any:
    """The bitwise exclusive or over the active threads of lower lanes; of none, 0."""


# ------------------------------------------------------------------------------------------------- clustered


@builtin
def subgroup_clustered_add(value: Any, size: int) -> Any:
    """The sum over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_mul(value: Any, size: int) -> Any:
    """The product over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_min(value: Any, size: int) -> Any:
    """The least over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_max(value: Any, size: int) -> Any:
    """The greatest over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_and(value: Any, size: int) -> Any:
    """The bitwise and over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_or(value: Any, size: int) -> Any:
    """The bitwise or over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


@builtin
def subgroup_clustered_xor(value: Any, size: int) -> Any:
    """The bitwise exclusive or over the active threads of each ``size`` adjacent lanes: a power of two, a constant."""


# ---------------------------------------------------------------------------------------------------- ballot


@builtin
def subgroup_ballot(condition: Any) -> Any:
    """A bit for each lane, in a ``uvec4``: lane 0 is the lowest bit of x; 1 where the thread is active and the
    condition true."""


@builtin
def subgroup_inverse_ballot(ballot: Any) -> Any:
    """This thread's bit of a ballot, as a condition."""


@builtin
def subgroup_ballot_bit_extract(ballot: Any, lane: Any) -> Any:
    """A lane's bit of a ballot, as a condition."""


@builtin
def subgroup_ballot_bit_count(ballot: Any) -> Any:
    """How many bits of a ballot are 1 (u32)."""


@builtin
def subgroup_ballot_inclusive_bit_count(ballot: Any) -> Any:
    """How many bits of the lower lanes and this one are 1 (u32)."""


@builtin
def subgroup_ballot_exclusive_bit_count(ballot: Any) -> Any:
    """How many bits of the lower lanes are 1 (u32)."""


@builtin
def subgroup_ballot_find_lsb(ballot: Any) -> Any:
    """The lowest lane whose bit is 1 (u32); 128 if none is."""


@builtin
def subgroup_ballot_find_msb(ballot: Any) -> Any:
    """The highest lane whose bit is 1 (u32); 128 if none is."""


# --------------------------------------------------------------------------------------------- broadcast, shuffle


@builtin
def subgroup_broadcast(value: Any, lane: Any) -> Any:
    """The value of the thread in a lane, the same for all; fastest where the lane is a constant."""


@builtin
def subgroup_broadcast_first(value: Any) -> Any:
    """The value of the active thread of the lowest lane."""


@builtin
def subgroup_shuffle(value: Any, lane: Any) -> Any:
    """The value of the thread in a lane, which each thread chooses."""


@builtin
def subgroup_shuffle_xor(value: Any, mask: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() ^ mask``."""


@builtin
def subgroup_shuffle_up(value: Any, delta: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() - delta``: values move up."""


@builtin
def subgroup_shuffle_down(value: Any, delta: Any) -> Any:
    """The value of the thread in the lane ``subgroup_thread_id() + delta``: values move down."""


# ----------------------------------------------------------------------------------------- quads: four adjacent lanes


@builtin
def subgroup_quad_broadcast(value: Any, place: int) -> Any:
    """The value of the thread at a place in the quad: 0 to 3, a constant."""


@builtin
def subgroup_quad_swap_horizontal(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 1, 2 with 3."""


@builtin
def subgroup_quad_swap_vertical(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 2, 1 with 3."""


@builtin
def subgroup_quad_swap_diagonal(value: Any) -> Any:
    """Exchanges values within a quad: 0 with 3, 1 with 2."""
