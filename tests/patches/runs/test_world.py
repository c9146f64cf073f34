# SPDX-License-Identifier: Apache-2.0
"""Ranks leave together, however long one of them still scores and sends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patches.runs.launch import LOST, free_port

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("how", "codes"), [("leave", [0, 0]), ("sum", [LOST, LOST])])
def test_ranks_wait_longer_for_each_others_end_than_for_a_sum(how, codes):
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.patches.runs.meeting_worker", how]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **place, "RANK": str(rank)}, stderr=subprocess.DEVNULL)
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == codes
    finally:
        for process in processes:
            process.kill()
            process.wait()
