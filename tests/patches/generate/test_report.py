# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from patches.generate.files import Written
from patches.generate.report import summary
from patches.generate.sweep import Outcome
from patches.loudness import Levels

OUT = Path("out")


def written(seed: int, peak: float = 0.5, dc: float = 0.0, gain_db: float = 0.0) -> Written:
    levels = Levels(peak, -20.0, dc, peak < 1e-4)
    return Written(OUT / f"seed{seed:04d}_psi0.70.wav", seed, 1.5, gain_db, levels)


def told(*sounds: Written, **more: object) -> str:
    return "\n".join(summary(Outcome(list(sounds), sample_rate=8000, **more), OUT, 6.0))


def test_a_healthy_sweep_has_no_warnings():
    assert told(written(0), written(1)) == (
        "2 sounds of 1.50 s (8000 Hz, 24-bit) in out: 6.0 s, 3.00 s each "
        "(network 0.000 s, decoding 0.000 s)\nlevels: peak -6.0 dBFS, rms -20.0 dBFS"
    )


def test_what_needs_a_look_is_named():
    text = told(
        written(1, peak=0.0),
        written(2, peak=0.005),
        written(3, dc=0.01),
        written(4, gain_db=-3.2),
        written(5, peak=2.0),
        not_finite=["n.safetensors seed 9"],
        left_out=[(Path("bad.safetensors"), "bad.safetensors: cut")],
    )
    for line in (
        "silent: seed0001_psi0.70",
        "quiet (peak under -40 dBFS): seed0002_psi0.70",
        "DC above 1 % of the peak: seed0003_psi0.70 2.0%",
        "seed0004_psi0.70 by 3.2 dB",
        "over full scale, kept: seed0005_psi0.70 by 6.0 dB",
        "not finite, not written: n.safetensors seed 9",
        "left out: bad.safetensors: cut",
    ):
        assert line in text


def test_long_lists_are_cut():
    assert "and 4 more" in told(*(written(seed, gain_db=-1.0) for seed in range(10)))
