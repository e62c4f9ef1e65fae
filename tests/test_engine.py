"""What runs in the sealed room leaves nothing behind and calls nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USES = {
    "runtime": "from students.runtime import Student; assert Student.load(sys.argv[1]).tag(['Oslo'])[0].entities",
    "predict": "sys.argv[1:] = ['predict', sys.argv[1], '--text', 'Oslo']; import cli; cli.main()",
    "export": "import students.quantise, students.session",
}


@pytest.mark.parametrize("what", USES)
def test_the_engine_does_not_write_home(word_bundle: Path, tmp_path: Path, what: str) -> None:
    if what == "export":
        pytest.importorskip("onnx")
    environment = {
        name: value for name, value in os.environ.items()
        if name not in ("ORT_RUNNING_UNIT_TESTS", "CI") and not name.startswith(("HF_", "XDG_", "ORT_DISABLE"))
    }  # fmt: skip
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-c", f"import sys; {USES[what]}", str(word_bundle)]
    done = subprocess.run(call, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in tmp_path.rglob("*")] == []
