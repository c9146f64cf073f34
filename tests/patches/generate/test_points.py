# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.generate.choices import Settings
from patches.generate.network import open_network
from patches.generate.points import MOST_LETTERS, Point, numbers_in_name, point_from
from patches.generate.synthesis import model_space, model_space_at, settled, synthesize
from tests.patches.generate.support import save_snapshot

CPU = torch.device("cpu")
CONST = Settings(noise_mode="const")


@pytest.fixture(scope="module", params=["stylegan2", "stylegan3-t"])
def network(request, tmp_path_factory):
    return open_network(save_snapshot(tmp_path_factory.mktemp("n") / "n.safetensors", request.param), CPU)


def made(network, point: Point, settings: Settings = CONST) -> torch.Tensor:
    with torch.no_grad(), settled():
        return model_space_at(network, [point], settings)


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_all_layers_of_another_seed_are_that_seed_and_none_are_the_first(network):
    every = tuple(range(network.generator.num_ws))
    same(made(network, Point(3, 7, 1.0, every)), made(network, Point(7)))
    same(made(network, Point(3, 7, 1.0, ())), made(network, Point(3)))


def test_a_mix_is_a_synthesis_of_the_rows_w_with_the_columns_layers(network):
    with torch.no_grad(), settled():
        z = [torch.randn(1, 16, generator=torch.Generator().manual_seed(seed)) for seed in (3, 7)]
        row, column = (network.generator.mapping(each) for each in z)
        ws = torch.cat([column[:, :1], row[:, 1:3], column[:, 3:4], row[:, 4:]], dim=1)
        expected = network.generator.synthesis(ws, noise="const")
    same(made(network, Point(3, 7, 1.0, (0, 3))), expected)


def test_a_way_is_linear_in_w_and_ends_at_the_seeds_own_sounds(network):
    for settings in (CONST, Settings(noise_mode="random")):
        same(made(network, Point(3, 7, 0.0), settings), made(network, Point(3), settings))
        same(made(network, Point(3, 7, 1.0), settings), made(network, Point(7), settings))
    with torch.no_grad():
        network.generator.mapping.w_avg.normal_(generator=torch.Generator().manual_seed(0))
        ws = [network.generator.mapping(torch.randn(1, 16, generator=torch.Generator().manual_seed(s)), psi=0.5)
              for s in (3, 7)]  # fmt: skip
        expected = network.generator.synthesis(0.75 * ws[0] + 0.25 * ws[1], noise="const")
    torch.testing.assert_close(made(network, Point(3, 7, 0.25), Settings(0.5, "const")), expected, rtol=1e-4, atol=1e-5)


def test_seeds_in_a_batch_with_mixes_stay_themselves(network):
    with torch.no_grad(), settled():
        mixed = model_space_at(network, [Point(3), Point(3, 7, 0.5), Point(7)], CONST)
        alone = model_space(network, (3, 7), CONST)
    torch.testing.assert_close(mixed[[0, 2]], alone, rtol=1e-4, atol=1e-5)


def test_noise_keeps_its_variance_on_the_way():
    for amount in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert sum(weight**2 for weight in Point(3, 7, amount).noise_weights()) == pytest.approx(1)
    assert Point(3, 7, 0.0).noise_weights() == (1, 0)
    assert Point(3, 7, 1.0).noise_weights() == (0, 1)


def test_noise_is_the_rows_where_styles_are_mixed(network):
    every = tuple(range(network.generator.num_ws))
    mixed, column = (made(network, p, Settings()) for p in (Point(3, 7, 1.0, every), Point(7)))
    if network.generator.noise_size:
        assert not torch.equal(mixed, column)
    else:
        same(mixed, column)


def test_chance_phases_are_those_of_the_seed_that_is_reached():
    points = (Point(3), Point(3, 7, 0.5), Point(3, 7, 1.0), Point(3, 7, 1.0, (0,)))
    assert [point.chance for point in points] == [3, 3, 7, 3]


def test_layers_that_a_network_lacks_are_refused_with_their_number(network):
    count = network.generator.num_ws
    with pytest.raises(UserError, match=f"layer {count}.*has {count} layers, 0 to {count - 1}"):
        synthesize(network, [Point(3, 7, 1.0, (0, count))], CONST)


@pytest.mark.parametrize("point", [Point(3), Point(3, 7, 1 / 3), Point(3, 7, 1.0, (0, 4)), Point(3, 7, 1.0, ())])
def test_a_point_is_read_back_from_json_exactly(point):
    assert point_from(json.loads(json.dumps(point.to_dict()))) == point


@pytest.mark.parametrize(
    "values", [{"seed": -1}, {"other": 2**63}, {"amount": 1.5}, {"amount": float("nan")}, {"layers": [-1]}]
)
def test_points_that_cant_be_are_refused(values):
    with pytest.raises(ValueError, match=r"allowed|count"):
        point_from({"seed": 1, "other": 2, "amount": 0.5, "layers": None, **values})


def test_numbers_in_names_are_short_and_tell_lists_apart():
    assert numbers_in_name((0, 1, 2, 5, 9, 8)) == "0-2+5+9+8"
    lists = [tuple(range(0, 3 * n, 3)) for n in range(60, 90)]
    names = {numbers_in_name(numbers) for numbers in lists}
    assert len(names) == len(lists)
    assert max(map(len, names)) <= MOST_LETTERS


def test_a_plain_batch_is_what_seeds_make(network):
    with settled():
        batch = synthesize(network, [Point(5)], CONST)
        np.testing.assert_array_equal(batch.canvases, network.view.from_model(model_space(network, (5,), CONST)))
