# SPDX-License-Identifier: Apache-2.0
"""Everything that is measured on single sounds, in one dict, and which of the sounds are defective.

Every measure is a number a sound, defined for any sound, silence and NaN included (samples that aren't finite
count as 0 in all but `finite`). The thresholds of `judge` were held against real sounds, 302 drum hits, 120 notes of
a sound font and 2 500 spoken digits, each at full length; how many of each it finds stands beside the threshold. Real
sounds have defects too: the share of a network's outputs says something beside the share of real sounds only.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from spect.measures.clicks import HOP, clicks_per_second, frame_clicks
from spect.measures.envelope import times_ms
from spect.measures.features import levels
from spect.measures.image import stereo_image
from spect.measures.timbre import timbre

UNITS = {
    "peak_db": "dB of full scale, from -200",
    "rms_db": "dB of full scale, all channels, from -200",
    "clipped": "share of samples at full scale",
    "silent": "peak below -80 dB",
    "dc": "mean over peak, with its sign",
    "finite": "no NaN or Inf",
    "frame_clicks": "peak over median at the frame rate, from 1",
    "clicks": "a second",
    "onset_ms": "ms to a tenth of the peak",
    "attack_ms": "ms from a tenth to nine tenths of the envelope",
    "decay_ms": "ms in which it would fall by 60 dB; inf: it doesn't fall",
    "centroid_hz": "Hz",
    "flatness": "noisiness, 0 to 1",
    "mono_compat_db": "dB of the mono mix against stereo, -60 to 0",
    "width": "the side's share of the energy, 0 to 1",
    "correlation": "of left and right, -1 to 1",
}

CLIPPED_MOST = 0.001  # share of samples: 11 drums, 0 notes, 0 digits
DC_MOST = 0.01  # of the peak: 11 drums, 11 notes (warm pad, a string), 500 digits (of one speaker's microphone)
FRAME_CLICKS_MOST = 2.6  # 0 drums (largest 2.55), 0 notes (1.2), 0 digits (2.4); hop 1 024, digits 256
CLICKS_MOST = 5.0  # a second: 1 drum, 0 notes, 1 digit
MONO_LEAST_DB = -10.0  # a tenth of the power is left: none (lowest -6.3); not finite and silent: none


def measure(sounds: Tensor, sample_rate: int, *, hop: int = HOP) -> dict[str, Tensor]:
    """Measure single sounds.

    Args:
        hop: frame period in samples, at which frame clicks are sought.

    Returns: one tensor for each name in UNITS, which says its unit; `silent` and `finite` are bool, others float32.

    Shape: [N, 1 or 2, L] -> each [N].
    """
    level = levels(sounds)
    peak = level["peak"]
    return {
        "peak_db": (20 * torch.log10(peak.clamp_min(1e-10))).float(),
        "rms_db": level["rms_db"].float(),
        "clipped": level["clipped"].float(),
        "silent": level["silent"],
        "dc": torch.where(level["silent"], 0.0, level["dc"] / peak.clamp_min(1e-10)).float(),
        "finite": level["finite"],
        "frame_clicks": frame_clicks(sounds, hop),
        "clicks": clicks_per_second(sounds, sample_rate),
        **times_ms(sounds, sample_rate),
        **timbre(sounds, sample_rate),
        **stereo_image(sounds),
    }


def judge(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Say which sounds have which defect, by the thresholds above; `defective` is any of them.

    Shape: each [N] -> each bool [N].
    """
    verdicts = {
        "not_finite": ~found["finite"],
        "silent": found["silent"],
        "clipped": found["clipped"] > CLIPPED_MOST,
        "dc": found["dc"].abs() > DC_MOST,
        "frame_clicks": found["frame_clicks"] > FRAME_CLICKS_MOST,
        "clicks": found["clicks"] > CLICKS_MOST,
        "cancels": found["mono_compat_db"] < MONO_LEAST_DB,
    }
    return {**verdicts, "defective": torch.stack(list(verdicts.values())).any(0)}
