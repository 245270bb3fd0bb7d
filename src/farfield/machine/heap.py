"""How the C library treats memory that tensors free."""

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_KEPT = 2**28


@cache
def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensor, where it would hand it back to the system at once.

    Paging the same few megabytes in anew costs a loop of large temporaries 10 to 20 % of its time, and threads
    wait for each other in it. Nothing happens where the C library is another.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_MMAP_THRESHOLD, 2**25)  # the most that it takes
