"""Where things are in the memory of a pool, in bytes, and lines of LLVM IR that load and store them."""

from __future__ import annotations

MOST_HELPERS = 1023

# What different threads write is 64 bytes apart.
STATE, DONE, _REGION, _USE, WORKERS = 0, 64, 128, 256, 320
FUNCTION, PARAMETERS, BUFFERS, SCRATCH, STRIDE, LAUNCH, COUNT, CHUNK, CHUNKS, HELPERS = (
    _REGION + 8 * place for place in range(10)
)
STOP, STATUS = _REGION + 80, _REGION + 84
BUSY, GROWING, ENDING, STARTED, LIMIT, ENDED = (_USE + 8 * place for place in range(6))

# Of each worker, the caller first, 64 bytes: whether it sleeps, on which lock, its pool and its number.
SLEEPS, LOCK, POOL, NUMBER = 0, 8, 16, 24

POOL_BYTES = WORKERS + 64 * (1 + MOST_HELPERS)


def at(name: str, base: str, offset: int) -> str:
    """An address in the memory that another points to."""
    return f"%{name} = getelementptr inbounds i8, ptr %{base}, i64 {offset}"


def field(name: str, offset: int, type: str = "i64") -> str:
    """Loads a field of the region, which may be changed meanwhile."""
    address = at(f"{name}_from", "pool", offset)
    return f"{address}\n  %{name} = load atomic {type}, ptr %{name}_from monotonic, align {8 if type != 'i32' else 4}"


def put(name: str, offset: int, value: str, type: str = "i64") -> str:
    """Stores a field of the region."""
    address = at(f"{name}_to", "pool", offset)
    return f"{address}\n  store atomic {type} {value}, ptr %{name}_to monotonic, align {8 if type != 'i32' else 4}"
