"""Memory over endless streams: what 5,000 texts took is what 50,000 take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import random, sys
from students.runtime import Student

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def texts(number):
    chance = random.Random(0)
    known = ["".join(chance.choices("abcdefghijk", k=chance.randint(1, 8))) for _ in range(2000)]
    return (" ".join(chance.choices(known, k=chance.randint(1, 8))) for _ in range(number))

student = Student.load(sys.argv[1], threads=2)
for number, _ in enumerate(student.tag_stream(texts(int(sys.argv[2]))), 1):
    if number in (5000, 50000, int(sys.argv[2])):
        print(number, resident(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from /proc")
def test_memory_is_flat_over_an_endless_stream(tiny_bundle: Path) -> None:
    call = [sys.executable, "-c", PROGRAM, str(tiny_bundle), "50000"]
    done = subprocess.run(call, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    sizes = {int(number): int(size) for number, size in (line.split() for line in done.stdout.splitlines())}
    # Of words never met before, the pieces of up to 200,000 are remembered on top; these texts have 2,000.
    assert abs(sizes[50000] - sizes[5000]) < 5e6
