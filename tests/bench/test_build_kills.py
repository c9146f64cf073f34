# SPDX-License-Identifier: Apache-2.0
"""Real processes, killed -9 and continued."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_archives_killed_at_random_moments_and_continued_have_the_same_sha256(tmp_path: Path) -> None:
    command = [sys.executable, "bench/build_kills.py", "--kills=10", "--files=12", "--workers=1", "--folder", tmp_path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("10 kills -9 in ")
    assert "with finished pieces there" in done.stdout
    assert done.stdout.endswith("left beside it: nothing.\n")
