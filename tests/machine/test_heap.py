import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from farfield.machine.heap import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
x = torch.ones(2**18)
for _ in range(50):
    (x + 1) * (x + 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    (x + 1) * (x + 2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_temporaries_are_not_paged_in_anew():
    # What glibc does by itself depends on the history of a heap: these hand back everything.
    eager = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}
    faults = {
        mode: int(
            subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, check=True, env=eager).stdout
        )
        for mode in ("leave", "keep")
    }
    assert faults["leave"] > 20_000
    assert faults["keep"] < 1000
