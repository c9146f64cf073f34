# SPDX-License-Identifier: Apache-2.0
"""One iteration after another: the same in any rounds, exact after a resume, stopped where a loss isn't finite."""

import math
from dataclasses import replace

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.training.draws import Draws
from stylegan3.training.passes import Reals
from stylegan3.training.phases import DiscriminatorAdversarial, GeneratorAdversarial, GradientPenalty, PathLength
from stylegan3.training.trainer import NonFiniteLossError, Trainer
from tests.stylegan3.training.support import KINDS, Pictures, everything_on, in_double, setup, trained

ROUNDING = 1e-5  # of a tensor's largest value; all is float64 but the noise, which is drawn in float32


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_do_not_change_what_is_computed(kind):
    whole, parts = (
        trained(arrangement, 6, in_double(arrangement))
        for arrangement in (everything_on(kind, batch=16, batch_gpu=size) for size in (16, 4))
    )
    assert whole.ada.p > 0
    a, b = whole.state(), parts.state()
    assert a.keys() == b.keys()
    for name, value in a.items():
        scale = max(float(value.double().abs().max()), 1e-3)
        assert float((value.double() - b[name].double()).abs().max()) <= ROUNDING * scale, name


def test_every_part_of_the_state_moves_in_a_training():
    arrangement = everything_on("stylegan2", batch=16)
    before = {name: value.clone() for name, value in Trainer(arrangement).state().items()}
    after = trained(arrangement, 5).state()
    still = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert {name for name in still if not name.endswith(("noise_const", ".noise", "ada.sums", "ada.ended"))} == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("iterations", [1, 4, 17])  # 17: R1 comes for the second time after the resume
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(kind, iterations):
    arrangement = everything_on(kind)
    uninterrupted = trained(arrangement, iterations + 5)
    assert uninterrupted.ada.p > 0
    saved = {name: value.clone() for name, value in trained(arrangement, iterations).state().items()}
    resumed = Trainer(arrangement)
    assert resumed.load_state(saved) == []
    trained(arrangement, 5, resumed)
    a, b = uninterrupted.state(), resumed.state()
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def test_a_state_without_optimisers_says_what_was_lost_and_goes_on():
    arrangement = everything_on("stylegan2")
    trainer = trained(arrangement, 3)
    pruned = Trainer(arrangement)
    assert pruned.load_state(trainer.state(optimizers=False)) == ["the optimiser of G", "the optimiser of D"]
    for name in ("G", "D", "G_ema"):
        for key, value in trainer.network(name).state_dict().items():
            assert torch.equal(value, pruned.network(name).state_dict()[key])
    assert (pruned.images, pruned.ada.p) == (trainer.images, trainer.ada.p)
    trained(arrangement, 1, pruned)


def test_a_state_of_other_networks_is_refused_with_all_that_differs():
    state = Trainer(setup("stylegan2")).state()
    del state["G.synthesis.const"]
    state["D.foreign"] = torch.zeros(1)
    trainer = Trainer(setup("stylegan2"))
    with pytest.raises(NetworkError, match=r"synthesis.const is missing"):
        trainer.load_state(state)
    wide = Trainer(setup("stylegan2", Pictures(c_dim=3))).state()
    with pytest.raises(NetworkError, match=r"G: .*\[.*\], not \[.*\]"):
        Trainer(setup("stylegan2")).load_state(wide)


def test_a_refused_state_leaves_the_trainer_as_it_was():
    trainer = Trainer(setup("stylegan2"))
    before = {name: value.clone() for name, value in trainer.state().items()}
    state = trained(setup("stylegan2"), 1).state()
    state["G_ema.foreign"] = torch.zeros(1)
    with pytest.raises(NetworkError, match="foreign is unexpected"):
        trainer.load_state(state)
    assert [name for name, value in trainer.state().items() if not torch.equal(value, before[name])] == []


def test_a_loss_that_is_not_finite_names_its_phase():
    trainer = Trainer(setup())
    with torch.no_grad():
        trainer.discriminator.out.bias.fill_(math.nan)
    trained(trainer.setup, 2, trainer)
    with pytest.raises(NonFiniteLossError, match=r"'G main' is not finite after 0 "):
        trainer.check()


def test_phases_come_in_their_order_and_at_their_intervals():
    trainer = Trainer(setup("stylegan2"))
    assert [type(phase) for phase in trainer.phases] == [
        GeneratorAdversarial, PathLength, DiscriminatorAdversarial, GradientPenalty,
    ]  # fmt: skip
    assert [phase.interval for phase in trainer.phases] == [1, 4, 1, 16]
    assert [phase.network for phase in trainer.phases] == ["G", "G", "D", "D"]
    without = Trainer(setup("stylegan3-t")).phases
    assert [type(phase) for phase in without] == [GeneratorAdversarial, DiscriminatorAdversarial, GradientPenalty]


def test_lazy_regularisation_slows_adam_by_k_over_k_plus_1():
    trainer = Trainer(setup("stylegan2", g_lr=0.002, d_lr=0.002))
    g, d = (trainer.optimizers[name].param_groups[0] for name in "GD")
    assert (g["lr"], *g["betas"]) == pytest.approx((0.002 * 4 / 5, 0.0, 0.99 ** (4 / 5)))
    assert (d["lr"], *d["betas"]) == pytest.approx((0.002 * 16 / 17, 0.0, 0.99 ** (16 / 17)))
    assert (g["eps"], d["eps"]) == (1e-8, 1e-8)
    t = Trainer(setup("stylegan3-t", g_lr=0.0025)).optimizers["G"].param_groups[0]
    assert (t["lr"], t["betas"]) == (0.0025, (0.0, 0.99))  # no regulariser of G: not slowed


def test_only_the_network_of_a_phase_is_moved_by_it():
    arrangement = setup("stylegan2", batch=8)
    trainer = Trainer(arrangement)
    reals = arrangement.dataset.to_model(arrangement.dataset.pictures(torch.arange(8).numpy()))
    for phase in trainer.phases:
        before = {n: [p.clone() for p in trainer.network(n).parameters()] for n in "GD"}
        trainer._run(phase, [Reals(reals, None)], 0)
        moved = {n: any(not torch.equal(a, b) for a, b in zip(before[n], trainer.network(n).parameters(), strict=True))
                 for n in "GD"}  # fmt: skip
        assert moved == {"G": phase.network == "G", "D": phase.network == "D"}
        assert all(p.grad is None and not p.requires_grad for n in "GD" for p in trainer.network(n).parameters())


def test_frozen_layers_of_d_stay_and_the_others_move():
    arrangement = setup("stylegan2", freeze_d=2)
    trainer = Trainer(arrangement)
    before = {name: value.clone() for name, value in trainer.discriminator.named_parameters()}
    trained(arrangement, 2, trainer)
    still = {
        n.rsplit(".", 1)[0] for n, value in trainer.discriminator.named_parameters() if torch.equal(value, before[n])
    }
    assert still == {"entry", "blocks.0.first"}
    resumed = Trainer(arrangement)
    assert resumed.load_state(trainer.state()) == []


def test_averages_of_g_move_once_an_iteration_with_the_whole_batch():
    arrangement = setup("stylegan3-t", batch=8, batch_gpu=4, g_lr=0.0)
    trainer = trained(arrangement, 1, in_double(arrangement))
    magnitude = trainer.generator.synthesis.layers[0].magnitude
    beta = 0.5 ** (8 / 20000)  # once by 8 pictures, not twice by 4
    draws = Draws(arrangement.hyper, "D main", 0, range(2), torch.device("cpu"))
    network = in_double(arrangement).generator
    with torch.no_grad():
        x = network.synthesis.input(network.mapping(draws.latents("z", 16))[:, 0])
    assert float(magnitude) == pytest.approx(beta + (1 - beta) * float(x.square().mean()), rel=1e-9)
    assert torch.equal(trainer.mean_generator.synthesis.layers[0].magnitude, magnitude)  # buffers are copied


def test_the_seed_alone_decides():
    same, again, other = (trained(setup("stylegan2", seed=seed), 2).state() for seed in (3, 3, 4))
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not torch.equal(same["G.mapping.layers.0.weight"], other["G.mapping.layers.0.weight"])


def test_a_setup_whose_parts_do_not_fit_is_refused():
    good = setup("stylegan2")
    with pytest.raises(NetworkError, match="the generator makes pictures of"):
        replace(good, generator=replace(good.generator, shape=(3, 16, 16)))
    with pytest.raises(NetworkError, match="--aug=noaug"):
        replace(good, augment=None, hyper=replace(good.hyper, aug="ada"))
    for numbers, flag in (
        ({"batch": 6}, "--batch=6"),
        ({"batch": 0}, "--batch=0"),
        ({"batch": 16, "batch_gpu": 6}, "--batch-gpu=6"),
        ({"batch": 16, "batch_gpu": 12}, "--batch-gpu=12"),
        ({"gamma": -1.0}, "--gamma"),
        ({"aug": "much"}, "--aug=much"),
    ):
        with pytest.raises(NetworkError, match=flag):
            replace(good.hyper, **numbers)
