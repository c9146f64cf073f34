# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from patches.augment.luma import luma_keeping_rotation, mix_channels, paper_rotation

LUMA = torch.full((4,), 0.5, dtype=torch.float64)
OTHER = torch.tensor([0.5, 0.5, -0.5, -0.5], dtype=torch.float64)
ROTATIONS = pytest.mark.parametrize("rotation", [paper_rotation, luma_keeping_rotation])


def angles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_papers_rotation_turns_luma_itself():
    turned = paper_rotation(angles(1.0, math.pi / 2)) @ LUMA
    expected = torch.tensor([[-0.1506, -0.1506, 0.6909, 0.6909], [-0.5, -0.5, 0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)
    for theta in (0.2, 2.5):
        torch.testing.assert_close(
            paper_rotation(angles(theta))[0] @ LUMA, math.cos(theta) * LUMA - math.sin(theta) * OTHER
        )


def test_the_other_rotation_keeps_both_luma_axes():
    matrices = luma_keeping_rotation(angles(0.5, 1.0, 3.0))
    for axis in (LUMA, OTHER):
        torch.testing.assert_close(matrices @ axis, axis.expand(3, -1), atol=1e-15, rtol=0)
    torch.testing.assert_close(matrices[1, 0, 0], angles((1 + math.cos(1)) / 2)[0])  # yet it does turn something


@ROTATIONS
def test_both_are_the_exponential_of_their_generator(rotation):
    generator = rotation(angles(math.pi / 2))[0]
    generator = (generator - generator.T) / 2  # sin(pi/2) K is the odd part
    for theta in (-2.0, 0.3, 3.1):
        torch.testing.assert_close(rotation(angles(theta))[0], torch.linalg.matrix_exp(theta * generator))


@ROTATIONS
def test_both_are_rotations(rotation):
    matrices = rotation(angles(-3.0, 0.0, 0.7))
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(4, dtype=torch.float64).expand(3, -1, -1))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(3, dtype=torch.float64))
    assert matrices[1].equal(torch.eye(4, dtype=torch.float64))


@ROTATIONS
@pytest.mark.parametrize(("theta", "share"), [(0.5, 0.06), (1.0, 0.23), (math.pi, 1.0)])
def test_their_share_of_frames_played_backwards(rotation, theta, share):
    """A real map of (Re, Im) is z -> A z + B conj(z); conj(z) is the frame in reverse. Energy of B in the whole."""
    blocks = rotation(angles(theta))[0].unflatten(0, (2, 2)).unflatten(-1, (2, 2)).permute(0, 2, 1, 3)
    from_re, from_im = (
        torch.complex(blocks[:, :, 0, 0], blocks[:, :, 1, 0]),
        torch.complex(blocks[:, :, 0, 1], blocks[:, :, 1, 1]),
    )
    direct, reversed_ = (from_re - 1j * from_im) / 2, (from_re + 1j * from_im) / 2
    energy = [float(part.abs().square().sum()) for part in (direct, reversed_)]
    assert energy[1] / sum(energy) == pytest.approx(math.sin(theta / 2) ** 2)
    assert energy[1] / sum(energy) == pytest.approx(share, abs=0.005)


def test_dc_and_nyquist_take_no_part():
    canvas = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    mixed = mix_channels(canvas, paper_rotation(torch.tensor([0.4, 1.1])))
    assert mixed[:, :, 0].equal(canvas[:, :, 0])
    torch.testing.assert_close(mixed.norm(dim=1), canvas.norm(dim=1))
    assert not torch.allclose(mixed[:, :, 1:], canvas[:, :, 1:])
