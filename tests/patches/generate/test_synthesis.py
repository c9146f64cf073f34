# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.generate.choices import Settings
from patches.generate.network import open_network
from patches.generate.points import Point
from patches.generate.synthesis import batches, draw, input_transform, model_space, settled, synthesize
from tests.patches.generate.support import FRAMES, ROWS, save_snapshot

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["stylegan2", "stylegan3-t"])
def network(request, tmp_path_factory):
    return open_network(save_snapshot(tmp_path_factory.mktemp("n") / "n.safetensors", request.param), CPU)


def test_a_seeds_latent_depends_on_the_seed_alone():
    torch.manual_seed(0)
    z, noise = draw(5, 16, 100)
    torch.manual_seed(1)
    torch.testing.assert_close(draw(5, 16, 3)[0], z, rtol=0, atol=0)
    assert not torch.equal(draw(6, 16, 100)[0], z)
    assert noise.shape == (100,)


def test_the_same_seed_draws_the_same_latent_for_ever():
    np.testing.assert_allclose(draw(0, 4, 0)[0], torch.randn(4, generator=torch.Generator().manual_seed(0)))


def test_batches_cover_all_seeds_in_order():
    assert list(batches((4, 2, 9, 1, 0), 2)) == [(4, 2), (9, 1), (0,)]


def test_canvases_sounds_and_pictures_belong_together(network):
    with settled():
        made = synthesize(network, (Point(3), Point(1)), Settings())
        alone = synthesize(network, (Point(1),), Settings())
    assert made.canvases.shape == (2, 4, ROWS, FRAMES)
    assert made.sounds.shape == (2, 2, 2 * ROWS * FRAMES)
    assert made.pictures.dtype == np.uint8
    peak = np.abs(alone.sounds).max()
    np.testing.assert_allclose(made.sounds[1], alone.sounds[0], atol=1e-5 * peak)
    decoded = network.view.representation.decode(torch.from_numpy(made.canvases))
    np.testing.assert_allclose(decoded, made.sounds, atol=1e-6 * peak)


def test_equal_batches_give_equal_bits(network):
    with settled():
        first, again = (synthesize(network, [Point(seed) for seed in range(3)], Settings()) for _ in range(2))
    np.testing.assert_array_equal(first.sounds, again.sounds)


def test_truncation_is_a_line_from_the_average(network):
    with torch.no_grad():
        network.generator.mapping.w_avg.copy_(torch.randn(16, generator=torch.Generator().manual_seed(1)))
        z = draw(0, 16, 0)[0][None]
        full, half = network.generator.mapping(z), network.generator.mapping(z, psi=0.5)
    torch.testing.assert_close(half, (full + network.generator.mapping.w_avg) / 2)


def test_the_input_transform_turns_anticlockwise_then_shifts():
    matrix = input_transform((0.25, -0.5), 90.0)
    # the plane's point one to the right lands, turned (y runs down), one up, then the shift is added
    landed = torch.linalg.inv(matrix) @ torch.tensor([1.0, 0.0, 1.0])
    torch.testing.assert_close(landed, torch.tensor([0.25, -1.5, 1.0]))


def test_no_shift_and_no_turn_is_the_identity():
    torch.testing.assert_close(input_transform((0.0, 0.0), 0.0), torch.eye(3))


def test_stylegan2_refuses_to_be_shifted(tmp_path):
    network = open_network(save_snapshot(tmp_path / "n.safetensors", "stylegan2"), CPU)
    with pytest.raises(UserError, match="StyleGAN3"):
        model_space(network, (0,), Settings(shift=(0.25, 0.0)))


@pytest.mark.parametrize(("shift", "rows", "columns"), [((0.25, 0.0), 0, 4), ((0.0, -0.25), -4, 0)])
def test_a_shift_moves_stylegan3s_picture_right_and_down(tmp_path, shift, rows, columns):
    network = open_network(save_snapshot(tmp_path / "n.safetensors", "stylegan3-t"), CPU)
    with torch.no_grad():
        still, moved = (model_space(network, (0, 1), s) for s in (Settings(), Settings(shift=shift)))
        again = model_space(network, (0, 1), Settings())
    expected = still.roll((rows, columns), dims=(2, 3))
    inner = (..., slice(max(rows, 0), ROWS + min(rows, 0)), slice(max(columns, 0), FRAMES + min(columns, 0)))
    assert correlation(moved[inner], expected[inner]) > 0.95
    assert correlation(moved[inner], still[inner]) < 0.8
    torch.testing.assert_close(again, still, rtol=0, atol=0)


def correlation(a, b):
    centred = [(x - x.mean(dim=(2, 3), keepdim=True)).flatten() for x in (a, b)]
    return torch.corrcoef(torch.stack(centred))[0, 1]


def test_settled_restores_the_number_of_threads():
    before = torch.get_num_threads()
    with settled(threads=2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
