# SPDX-License-Identifier: Apache-2.0
"""Finding phases on a CUDA device: as near as on the CPU, mono bit for bit, PGHI's forest the same."""

import pytest
import torch

from spect.logmag import Logmag
from spect.phase.chance import random_phase
from spect.phase.griffin_lim import spectral_convergence_db
from spect.phase.pghi import pghi
from spect.stereo import Stereo

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
STEREO = Stereo.suited(22050, 8192, 64, 64)
LOGMAG = Logmag.suited(22050, 8192, 64, 64)


def sounds() -> torch.Tensor:
    noise = torch.randn(3, 2, 8192, generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * torch.exp(-torch.arange(8192) / 900)


def test_pghi_finds_the_cpus_phases() -> None:
    magnitude = LOGMAG.layout.stft(sounds()[:, 0]).abs()
    chance = random_phase(range(3), magnitude.shape[1:])
    found = pghi(LOGMAG.layout, magnitude.cuda(), chance=chance.cuda()).cpu()
    turn = torch.polar(magnitude, found - pghi(LOGMAG.layout, magnitude, chance=chance))
    assert float((turn - magnitude).abs().square().sum()) < 1e-6 * float(magnitude.square().sum())


@pytest.mark.parametrize("form", [LOGMAG, STEREO], ids=lambda form: form.name)
def test_decoding_is_as_near_as_on_the_cpu(form: Logmag | Stereo) -> None:
    wanted = form.layout.stft(sounds().mean(1)).abs()
    scores = []
    for device in ("cpu", "cuda"):
        found = form.decode(form.encode(sounds().to(device))).cpu()
        scores.append(spectral_convergence_db(form.layout, wanted, found.mean(1)))
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=1.0)


def test_mono_stays_mono_bit_for_bit_and_silence_silent() -> None:
    mono = sounds()[:, :1].expand(-1, 2, -1).clone().cuda()
    mono[2] = 0
    found = STEREO.decode(STEREO.encode(mono))
    assert torch.equal(found[:, 0], found[:, 1])
    assert found[0].abs().max() > 0.05
    assert not found[2].any()
