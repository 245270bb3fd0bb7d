import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from farfield.heap import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
x = torch.ones(2**18)
for _ in range(5):
    (x + 1) * (x + 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    (x + 1) * (x + 2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_temporaries_are_not_paged_in_anew():
    faults = {
        mode: int(subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, check=True).stdout)
        for mode in ("leave", "keep")
    }
    assert faults["keep"] < 0.1 * faults["leave"]
