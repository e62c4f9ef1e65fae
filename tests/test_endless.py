"""Memory over endless streams: what 5,000 texts took is what 50,000 and a million take."""

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
    if number in (5000, int(sys.argv[2])):
        print(number, resident(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads resident memory from /proc")
@pytest.mark.parametrize(("bundle", "count"), [("tiny_bundle", 50_000), ("word_bundle", 1_000_000)])
def test_memory_is_flat_over_an_endless_stream(request: pytest.FixtureRequest, bundle: str, count: int) -> None:
    call = [sys.executable, "-c", PROGRAM, str(request.getfixturevalue(bundle)), str(count)]
    done = subprocess.run(call, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    early, late = (int(line.split()[1]) for line in done.stdout.splitlines())
    # Of words never met before, the pieces of up to 200,000 are remembered on top; these texts have 2,000.
    assert abs(late - early) < 5e6
