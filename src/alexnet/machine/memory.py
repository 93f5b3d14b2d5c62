"""Memory of a process that trains: kept between updates instead of given back to the system and asked for again.

An update allocates and frees some gigabytes in large blocks. The C library of Linux gets each from the system and gives
it back at once, and the system clears every page anew: a quarter of an update's time on the CPU.
"""

import ctypes
import platform

# Names of mallopt(3), and the values that keep everything: no block by mmap, nothing returned from the heap's end, one
# heap for all threads, and growth by 64 MiB.
_M_MMAP_MAX, _M_TRIM_THRESHOLD, _M_ARENA_MAX, _M_TOP_PAD = -4, -1, -8, -2
_OPTIONS = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_ARENA_MAX, 1), (_M_TOP_PAD, 1 << 26))


def keep_memory() -> bool:
    """Let this process keep what it frees, until it ends; it never takes more than its peak.

    Returns:
        Whether the C library can do so; only glibc's can, whatever other allocator is loaded before it.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    taken = [mallopt(option, value) for option, value in _OPTIONS]
    return all(taken)
