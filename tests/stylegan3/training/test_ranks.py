# SPDX-License-Identifier: Apache-2.0
"""Several processes compute what one computes, agree among themselves bit for bit, and go on exactly after a resume."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from patches.runs.launch import free_port
from stylegan3.errors import NetworkError
from stylegan3.training.draws import members, rounds
from stylegan3.training.gradients import LARGEST, Gradients, buckets
from stylegan3.training.ranks import Alone
from stylegan3.training.setup import Hyperparameters
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.rank_worker import BATCH, BUCKET_BYTES, ITERATIONS, SHORT
from tests.stylegan3.training.support import KINDS, everything_on, in_double, trained

ROOT = Path(__file__).resolve().parents[3]
EQUAL = {"float64": 1e-5, "float32": 3e-4}
"""Of a tensor's largest value. float32's is what its rounding has become: 6e-6 with 2 ranks and 6e-5 with 4 were
measured, and 9e-4 between one process in float32 and in float64."""
State = dict[str, Tensor]


def train_on_ranks(count: int, folder: Path) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    command = [sys.executable, "-m", "tests.stylegan3.training.rank_worker", str(folder)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **place, "RANK": str(rank), "OMP_NUM_THREADS": "1"})
        for rank in range(count)
    ]
    try:
        assert [process.wait(timeout=240) for process in processes] == [0] * count
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module", params=[2, 4])
def states(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """What each rank of 2 and of 4 processes holds after the iterations."""
    folder = tmp_path_factory.mktemp(f"ranks{request.param}")
    train_on_ranks(request.param, folder)
    return request.param, folder


@pytest.fixture(scope="module")
def alone() -> dict[tuple[str, str], State]:
    """What one process holds after the same iterations, by kind and precision."""
    found = {}
    for kind in KINDS:
        arrangement = everything_on(kind, batch=BATCH, batch_gpu=4)
        found[kind, "float64"] = trained(arrangement, ITERATIONS, in_double(arrangement)).state()
        found[kind, "float32"] = trained(arrangement, SHORT).state()
    return found


def furthest(found: State, right: State) -> tuple[float, str]:
    """Return the largest difference of two states, relative to each tensor's largest value, and where it is."""
    assert found.keys() == right.keys()
    worst = (0.0, "")
    for name, value in right.items():
        scale = max(float(value.double().abs().max()), 1e-3)
        worst = max(worst, (float((value.double() - found[name].double()).abs().max()) / scale, name))
    return worst


@pytest.mark.parametrize("precision", EQUAL)
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_compute_what_one_process_computes(kind, precision, states, alone):
    count, folder = states
    found, right = load_file(folder / f"{kind}-{precision}-0.safetensors"), alone[kind, precision]
    error, name = furthest(found, right)
    print(f"{kind}, {count} ranks, {precision}: {error:.1e} at {name}, allowed {EQUAL[precision]:.0e}")
    assert float(right["ada.p"]) > 0
    assert error <= EQUAL[precision], name


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_agree_bit_for_bit(kind, precision, states):
    """But for the statistics of the tick, which rank 0 gathers."""
    count, folder = states
    of_ranks = [load_file(folder / f"{kind}-{precision}-{rank}.safetensors") for rank in range(count)]
    for other in of_ranks[1:]:
        shared = [name for name in of_ranks[0] if not name.startswith("stats.")]
        assert [name for name in shared if not torch.equal(of_ranks[0][name], other[name])] == []
        assert not [name for name in other if name.startswith("stats.") and other[name].any()]


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_ranks_go_on_bit_for_bit(kind, states):
    _, folder = states
    whole, resumed = (load_file(folder / f"{kind}-{name}-0.safetensors") for name in ("float32", "resumed"))
    same = [name for name in whole if not name.startswith("stats.")]  # sums of floats in another order
    assert [name for name in same if not torch.equal(whole[name], resumed[name])] == []


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_that_replay_phases_compute_the_same_bit_for_bit(kind, states):
    count, folder = states
    for rank in range(count):
        plain, replayed = (load_file(folder / f"{kind}-{name}-{rank}.safetensors") for name in ("defined", "replayed"))
        assert [name for name in plain if not torch.equal(plain[name], replayed[name])] == []


@pytest.mark.parametrize(("batch", "ranks", "batch_gpu"), [(16, 1, 4), (16, 2, 4), (16, 4, 4), (32, 2, 8), (24, 3, 8)])
def test_ranks_share_the_batch_by_whole_groups(batch, ranks, batch_gpu):
    hyper = Hyperparameters(batch=batch, gamma=1, ranks=ranks, batch_gpu=batch_gpu)
    shares = [[group for part in rounds(hyper, rank) for group in part] for rank in range(ranks)]
    assert [len(share) for share in shares] == [batch // 4 // ranks] * ranks
    assert sorted(group for share in shares for group in share) == list(range(batch // 4))
    places = np.concatenate([members(share, hyper).numpy() for share in shares])
    assert sorted(places) == list(range(batch))


def test_a_batch_that_ranks_cannot_share_is_refused():
    with pytest.raises(NetworkError, match=r"--batch=24: 4 ranks .* such as --batch=32"):
        Hyperparameters(batch=24, gamma=1, ranks=4)
    with pytest.raises(NetworkError, match=r"--batch-gpu=16: must divide a rank's share of --batch=16, 8,"):
        Hyperparameters(batch=16, gamma=1, ranks=2, batch_gpu=16)


def test_a_setup_for_ranks_is_not_trained_alone():
    with pytest.raises(NetworkError, match="2 ranks, and there are 1"):
        in_double(everything_on("stylegan2", batch=16, ranks=2))


def test_buckets_hold_all_parameters_last_first_and_no_more_than_their_size():
    parameters = [nn.Parameter(torch.zeros(n)) for n in (3, 50, 4, 4, 2)]
    cut = buckets(parameters, most=40)  # ten values
    assert [[p.numel() for p in bucket] for bucket in cut] == [[2, 4, 4], [50], [3]]


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_these_tests_fill_several_buckets(kind):
    trainer = Trainer(everything_on(kind, batch=BATCH))
    for name in ("G", "D"):
        assert len(buckets(list(trainer.network(name).parameters()), BUCKET_BYTES)) >= 3


class Doubling(Alone):
    """Two ranks that hold the same; notes what they sum, as one of them holds it."""

    count = 2

    def __init__(self) -> None:
        self.sent: list[list[float]] = []

    def start_sum(self, values):
        self.sent.append(values.tolist())
        values *= 2
        return lambda: None


BUCKET_OF_3 = 12
"""Bytes: every parameter of three values has a bucket of its own."""


def test_each_parameter_gets_the_sum_of_its_own_bucket():
    parameters = [nn.Parameter(torch.ones(3)) for _ in range(4)]
    gradients = Gradients(parameters, Doubling(), bucket_bytes=BUCKET_OF_3)
    gradients.before_last_pass()
    sum((1 + n) * parameter.sum() for n, parameter in enumerate(parameters)).backward()
    gradients.finish()
    assert [parameter.grad.tolist() for parameter in parameters] == [[2.0] * 3, [4.0] * 3, [6.0] * 3, [8.0] * 3]


@pytest.mark.parametrize(
    ("arriving", "sent_then"), [((2, 1, 0), [1, 2, 3]), ((0, 1, 2), [0, 0, 3]), ((1, 2, 0), [0, 2, 3])]
)
def test_buckets_are_sent_last_first_whatever_arrives_first_and_before_the_pass_has_ended(arriving, sent_then):
    """Ranks that sent in the order of arrival could sum what doesn't belong together."""
    parameters, ranks, counts = [nn.Parameter(torch.full([3], 1.0 + n)) for n in range(3)], Doubling(), []
    gradients = Gradients(parameters, ranks, bucket_bytes=BUCKET_OF_3)
    for parameter in parameters:
        parameter.register_post_accumulate_grad_hook(lambda _: counts.append(len(ranks.sent)))
    product = torch.ones(3)
    for number in reversed(arriving):  # what is used last is reached first
        product = product * parameters[number]
    gradients.before_last_pass()
    product.sum().backward()  # of a product of 6 by each factor
    assert counts == sent_then
    gradients.finish()
    assert ranks.sent == [[2.0] * 3, [3.0] * 3, [6.0] * 3]


@pytest.mark.parametrize("bucket_bytes", [BUCKET_OF_3, 2 * BUCKET_OF_3])
def test_what_a_pass_does_not_reach_stays_without_a_gradient(bucket_bytes):
    """So that Adam leaves it alone, as it does in one process."""
    reached, other = (nn.Parameter(torch.ones(3)) for _ in range(2))
    gradients = Gradients([reached, other], Doubling(), bucket_bytes=bucket_bytes)
    gradients.before_last_pass()
    (3 * reached).sum().backward()
    gradients.finish()
    assert reached.grad.tolist() == [6, 6, 6]
    assert other.grad is None


def test_gradients_of_earlier_passes_are_summed_once():
    parameters, ranks = [nn.Parameter(torch.ones(3)) for _ in range(2)], Doubling()
    gradients = Gradients(parameters, ranks, bucket_bytes=BUCKET_OF_3)
    (parameters[0] + 2 * parameters[1]).sum().backward()
    assert ranks.sent == []
    gradients.before_last_pass()
    (parameters[0] + 2 * parameters[1]).sum().backward()
    gradients.finish()
    assert [parameter.grad.tolist() for parameter in parameters] == [[4, 4, 4], [8, 8, 8]]


def test_gradients_of_scaled_losses_are_those_of_the_losses_and_finite():
    parameter = nn.Parameter(torch.ones(3))
    gradients = Gradients([parameter], Alone(), scale=8.0)
    (8 * parameter * torch.tensor([1.0, float("inf"), float("nan")])).sum().backward()
    gradients.finish()
    assert parameter.grad.tolist() == [1, LARGEST, 0]


def test_it_is_told_which_gradients_were_not_finite():
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(6)]
    gradients = Gradients(parameters, Alone(), scale=8.0)
    factors = [[1.0, 2.0], [1.0, math.inf], [math.nan, 1.0], [-math.inf, 1.0], [1e15, 0.0]]  # none reaches the last
    sum((p * torch.tensor(f)).sum() for p, f in zip(parameters, factors, strict=False)).backward()
    assert gradients.finish().tolist() == [True, False, False, False, True]
    assert Gradients(parameters, Alone()).finish() is None  # nothing is replaced then
