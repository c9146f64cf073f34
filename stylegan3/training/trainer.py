# SPDX-License-Identifier: Apache-2.0
"""The state of a training and one iteration of it.

Everything that an iteration depends on is in `state()`: networks, running means, optimisers, counters, ADA, path-length
mean, sums of the current tick. Randomness is derived from the counters (stylegan3.training.rng), so that a trainer that
took up a state goes on bit for bit (on the CPU) as the one that gave it.
"""

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks import Discriminator, Moments, build_discriminator, build_generator, compute_with
from stylegan3.training.ada import AdaController
from stylegan3.training.draws import Draws, members, rounds
from stylegan3.training.ema import ema_beta, update_ema
from stylegan3.training.phases import Context, Phase, phases_of
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup
from stylegan3.training.stats import Stats

NETWORKS = ("G", "D", "G_ema")
MOMENTS = {"exp_avg", "exp_avg_sq", "step"}


class NonFiniteLossError(ArithmeticError):
    """A loss is infinite or not a number; names the phase."""


class Trainer:
    """Networks, optimisers and counters of one training."""

    def __init__(self, setup: Setup, device: torch.device | str = "cpu") -> None:
        hyper = setup.hyper
        self.setup, self.device = setup, torch.device(device)
        self.generator = build_generator(setup.generator, generator(hyper.seed, "init G")).to(self.device)
        self.discriminator = build_discriminator(setup.discriminator, generator(hyper.seed, "init D")).to(self.device)
        for network in (self.generator, self.discriminator):
            compute_with(network, setup.ops)
        self.mean_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.phases = phases_of(setup)
        self.optimizers = {"G": self._optimizer("G", hyper.g_lr), "D": self._optimizer("D", hyper.d_lr)}
        p = hyper.aug_p if hyper.aug == "fixed" else 0.0
        self.ada = AdaController(
            p, target=hyper.ada_target, interval=hyper.ada_interval, batch=hyper.batch, kimg=hyper.ada_kimg
        )
        self.path_length_mean = torch.zeros([], device=self.device)
        self.stats = Stats(self.device)
        self.images = 0

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.images // self.setup.hyper.batch

    def network(self, name: str) -> nn.Module:
        """Return the network called G, D or G_ema."""
        return {"G": self.generator, "D": self.discriminator, "G_ema": self.mean_generator}[name]

    def step(self, pictures: Tensor, labels: Tensor) -> None:
        """Do one iteration with a batch of the dataset.

        Shape: pictures as stored [B, ...], labels [B, K].

        Raises:
            NonFiniteLossError: a loss is not finite; the networks are then of no use any more.
        """
        hyper = self.setup.hyper
        parts = []
        for groups in rounds(hyper):
            chosen = members(groups, hyper)
            reals = self.setup.dataset.to_model(pictures[chosen].to(self.device))
            parts.append((groups, reals, labels[chosen].to(self.device) if labels.shape[1] else None))
        for phase in self.phases:
            if self.iteration % phase.interval == 0:
                self._run(phase, parts)
        beta = ema_beta(hyper.batch, self.images, hyper.ema_kimg, hyper.ema_rampup)
        update_ema(self.mean_generator, self.generator, beta)
        if hyper.aug == "ada":
            self.ada.update(self.iteration)
        self.images += hyper.batch

    def _run(self, phase: Phase, parts: list[tuple[range, Tensor, Tensor | None]]) -> None:
        optimizer = self.optimizers[phase.network]
        trained = self.network(phase.network)
        parameters = self._trained_parameters(phase.network)
        moments, lengths = Moments(), list[Tensor]()
        for parameter in parameters:
            parameter.requires_grad_(True)
        for groups, reals, labels in parts:
            context = Context(
                setup=self.setup, generator=self.generator, discriminator=self.discriminator,
                draws=Draws(self.setup.hyper, phase.name, self.images, groups, self.device),
                reals=reals, real_labels=labels, p=self.ada.p, stats=self.stats, ada=self.ada,
                path_length_mean=self.path_length_mean, moments=moments, path_lengths=lengths,
            )  # fmt: skip
            for loss in phase.losses(context):
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise NonFiniteLossError(f"the loss of '{phase.name}' is {value} after {self.images} pictures")
                loss.backward()
        trained.requires_grad_(False)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if moments.counts:
            self.generator.update_averages(moments)
        if lengths:
            decay = self.setup.hyper.path_length_decay
            self.path_length_mean = self.path_length_mean.lerp(torch.cat(lengths).mean(), decay)

    def _trained_parameters(self, network: str) -> list[nn.Parameter]:
        if network == "D" and self.setup.hyper.freeze_d:
            frozen = {id(p) for p in first_layers(self.discriminator, self.setup.hyper.freeze_d)}
            return [p for p in self.discriminator.parameters() if id(p) not in frozen]
        return list(self.network(network).parameters())

    def _optimizer(self, name: str, lr: float) -> torch.optim.Adam:
        """Adam, slowed by lazy regularisation: a regulariser every k iterations adds one step to k, hence k/(k+1)."""
        hyper = self.setup.hyper
        lazy = [phase.interval for phase in self.phases if phase.network == name and phase.interval > 1]
        ratio = lazy[0] / (lazy[0] + 1) if lazy else 1.0
        self.network(name).requires_grad_(False)
        return torch.optim.Adam(
            list(self.network(name).parameters()),
            lr=lr * ratio,
            betas=(hyper.beta1**ratio, hyper.beta2**ratio),
            eps=hyper.eps,
        )

    def state(self, *, optimizers: bool = True) -> dict[str, Tensor]:
        """Return every tensor and counter under a name of its own."""
        tensors = {
            "counters.images": torch.tensor(self.images, dtype=torch.int64),
            "path_length.mean": self.path_length_mean,
        }
        for name in NETWORKS:
            tensors |= {f"{name}.{key}": value for key, value in self.network(name).state_dict().items()}
        tensors |= {f"ada.{key}": value for key, value in self.ada.state().items()}
        tensors |= {f"stats.{key}": value for key, value in self.stats.state().items()}
        return tensors | (dict(self._optimizer_state()) if optimizers else {})

    def _optimizer_state(self) -> Iterator[tuple[str, Tensor]]:
        for name, optimizer in self.optimizers.items():
            for key, parameter in self.network(name).named_parameters():
                for moment, value in optimizer.state.get(parameter, {}).items():
                    yield f"{name}_optimizer.{key}.{moment}", value

    def load_state(self, tensors: dict[str, Tensor]) -> list[str]:
        """Take up a state; return what it lacked: nothing, or the optimisers of a pruned one.

        Raises:
            NetworkError: a tensor is missing, unexpected, or of another shape; they are listed, nothing is changed.
        """
        parts = {
            name: {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(f"{name}.")} for name in NETWORKS
        }
        for name, part in parts.items():
            self._check_network(name, part)
        for name, part in parts.items():
            self.network(name).load_state_dict(part)
        self.images = int(tensors["counters.images"])
        self.path_length_mean = tensors["path_length.mean"].to(self.device)
        self.ada.load_state({k[4:]: v for k, v in tensors.items() if k.startswith("ada.")})
        self.stats.load_state({k[6:]: v for k, v in tensors.items() if k.startswith("stats.")})
        return [f"the optimiser of {name}" for name in self.optimizers if not self._load_optimizer(name, tensors)]

    def load_network(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Take up one network's weights; all names and shapes must agree.

        Raises:
            NetworkError: some don't; nothing is changed then.
        """
        self._check_network(name, tensors)
        self.network(name).load_state_dict(tensors)

    def _check_network(self, name: str, tensors: dict[str, Tensor]) -> None:
        own = self.network(name).state_dict()
        wrong = [f"{k} is missing" for k in own if k not in tensors]
        wrong += [f"{k} is unexpected" for k in tensors if k not in own]
        wrong += [
            f"{k} is {list(tensors[k].shape)}, not {list(v.shape)}"
            for k, v in own.items()
            if k in tensors and tensors[k].shape != v.shape
        ]
        if wrong:
            more = f" and {len(wrong) - 6} more" if len(wrong) > 6 else ""
            raise NetworkError(f"{name}: the file is of another network: {'; '.join(wrong[:6])}{more}")

    def _load_optimizer(self, name: str, tensors: dict[str, Tensor]) -> bool:
        optimizer, found = self.optimizers[name], False
        for key, parameter in self.network(name).named_parameters():
            prefix = f"{name}_optimizer.{key}."
            moments = {k: tensors[prefix + k] for k in MOMENTS if prefix + k in tensors}
            if moments:
                optimizer.state[parameter] = {
                    k: v.clone() if k == "step" else v.to(self.device).clone() for k, v in moments.items()
                }
                found = True
        return found or self.images == 0


def first_layers(discriminator: Discriminator, count: int) -> list[nn.Parameter]:
    """Return the parameters of the first layers: the entry, then each block's convolutions (Mo et al. 2020)."""
    layers = [discriminator.entry, *(layer for block in discriminator.blocks for layer in block.children())]
    return [parameter for layer in layers[:count] for parameter in layer.parameters()]
