# SPDX-License-Identifier: Apache-2.0
"""The state of a training and one iteration of it.

Everything that an iteration depends on is in `state()`: networks, running means, optimisers, counters, ADA, path-length
mean, sums of the current tick. Randomness is derived from the counters (stylegan3.training.rng), so that a trainer that
took up a state goes on bit for bit (on the CPU) as the one that gave it.
"""

import copy
from collections.abc import Generator

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks import Moments, build_discriminator, build_generator, compute_with
from stylegan3.training.ada import AdaController
from stylegan3.training.data import batches
from stylegan3.training.draws import Draws, members, rounds
from stylegan3.training.ema import ema_beta, update_ema
from stylegan3.training.gradients import BUCKET_BYTES, NONFINITE, Gradients
from stylegan3.training.optimizers import adam, first_layers, load_moments, moments_of
from stylegan3.training.passes import Given, Passes, Reals
from stylegan3.training.phases import Found, Phase, phases_of
from stylegan3.training.ranks import Alone, Ranks, share_tensors, sum_together
from stylegan3.training.recorded import RecordedPasses, Recorder
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup
from stylegan3.training.spans import Spans, unmeasured
from stylegan3.training.stats import Stats
from stylegan3.training.transfer import Batch, onto

NETWORKS = ("G", "D", "G_ema")


class NonFiniteLossError(ArithmeticError):
    """A loss is infinite or not a number; names the phase."""


class Trainer:
    """Networks, optimisers and counters of one training, on one of its ranks.

    Args:
        ranks: the processes that share each batch, setup.hyper.ranks of them.
        spans: told of every part of an iteration.
        recorder: records phases, to replay them where that is faster; None: none is.
        bucket_bytes: the most that ranks exchange at once.
    """

    def __init__(
        self,
        setup: Setup,
        device: torch.device | str = "cpu",
        ranks: Ranks | None = None,
        spans: Spans = unmeasured,
        recorder: Recorder | None = None,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        hyper = setup.hyper
        self.setup, self.device, self.ranks, self.spans = setup, torch.device(device), ranks or Alone(), spans
        if hyper.ranks != self.ranks.count:
            raise NetworkError(f"a setup for {hyper.ranks} ranks, and there are {self.ranks.count}")
        self.generator = build_generator(setup.generator, generator(hyper.seed, "init G")).to(self.device)
        self.discriminator = build_discriminator(setup.discriminator, generator(hyper.seed, "init D")).to(self.device)
        for network in (self.generator, self.discriminator):
            compute_with(network, setup.ops, setup.inner)
            network.requires_grad_(False)
        self.mean_generator = copy.deepcopy(self.generator).eval()
        self.phases = phases_of(setup)
        self._trained = {"G": list(self.generator.parameters()), "D": self._trained_of_d()}
        self._gradients = {
            name: Gradients(parameters, self.ranks, scale=setup.loss_scale, bucket_bytes=bucket_bytes)
            for name, parameters in self._trained.items()
        }
        self.optimizers = {
            name: adam(self.network(name), lr, hyper, [phase for phase in self.phases if phase.network == name])
            for name, lr in (("G", hyper.g_lr), ("D", hyper.d_lr))
        }
        p = hyper.aug_p if hyper.aug == "fixed" else 0.0
        self.ada = AdaController(
            p, target=hyper.ada_target, interval=hyper.ada_interval, batch=hyper.batch, kimg=hyper.ada_kimg
        )
        self.path_length_mean = torch.zeros([], device=self.device)
        self.stats = Stats(self.device)
        self.images = 0
        self._said: list[str] = []
        plain = Passes(setup, self.generator, self.discriminator, spans)
        self._passes = (
            RecordedPasses(plain, recorder, self.ranks, self._trained, self._said.append) if recorder else plain
        )
        self._rounds = rounds(hyper, self.ranks.rank)
        self._places = torch.cat([members(groups, hyper) for groups in self._rounds])
        self._trouble = torch.full([], -1, dtype=torch.int64, device=self.device)  # the first loss that isn't finite

    def _trained_of_d(self) -> list[nn.Parameter]:
        frozen = {id(p) for p in first_layers(self.discriminator, self.setup.hyper.freeze_d)}
        return [p for p in self.discriminator.parameters() if id(p) not in frozen]

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.images // self.setup.hyper.batch

    def network(self, name: str) -> nn.Module:
        """Return the network called G, D or G_ema."""
        return {"G": self.generator, "D": self.discriminator, "G_ema": self.mean_generator}[name]

    def batches(self, workers: int = 0) -> Generator[Batch, None, None]:
        """Yield what the coming iterations take, read ahead by so many threads: this rank's share of each batch."""
        hyper = self.setup.hyper
        return batches(
            self.setup.dataset, hyper.batch, hyper.seed, self.images, workers, self._places.numpy(),
            pinned=self.device.type == "cuda",
        )  # fmt: skip

    def step(self, pictures: Tensor, labels: Tensor) -> None:
        """Do one iteration with what `batches` yielded for it; nothing is read back from the device.

        Shape: pictures as stored [B / ranks, ...], labels [B / ranks, K].
        """
        hyper, spans = self.setup.hyper, self.spans
        reals = []
        with spans("data"):
            for number in range(len(self._rounds)):
                own = slice(number * hyper.round_size, (number + 1) * hyper.round_size)
                own_labels = onto(labels[own], self.device) if labels.shape[1] else None
                reals.append(Reals(self.setup.dataset.to_model(onto(pictures[own], self.device)), own_labels))
        for number, phase in enumerate(self.phases):
            if self.iteration % phase.interval == 0:
                with spans(phase.name):
                    self._run(phase, reals, self.images * len(self.phases) + number)
        with spans("EMA"):
            beta = ema_beta(hyper.batch, self.images, hyper.ema_kimg, hyper.ema_rampup)
            update_ema(self.mean_generator, self.generator, beta)
        if hyper.aug == "ada":
            with spans("statistics"):
                self.ada.update(self.iteration)
        self.images += hyper.batch

    def _run(self, phase: Phase, reals: list[Reals], mark: int) -> None:
        """Take one optimiser step; `mark` is what `trouble` becomes where a loss isn't finite."""
        optimizer, gradients = self.optimizers[phase.network], self._gradients[phase.network]
        for parameter in self._trained[phase.network]:
            parameter.requires_grad_(True)
        hyper = self.setup.hyper
        draws = [Draws(hyper, phase.name, self.images, groups, self.device, self.ada.p) for groups in self._rounds]
        given = Given(draws, reals, self.path_length_mean)
        found = self._passes(phase, given, gradients.before_last_pass)
        with self.spans("exchange"):
            were_finite = gradients.finish()
            moments = self._gather(found)
        with self.spans("statistics"):
            for loss in found.losses:
                self._note(loss, mark)
            self.stats.take(found.stats)
            if were_finite is not None:
                self.stats.add(f"{NONFINITE}{phase.network}", ~were_finite)
        with self.spans("optimiser"):
            self.network(phase.network).requires_grad_(False)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if moments.counts:
            self.generator.update_averages(moments)

    def _note(self, loss: Tensor, mark: int) -> None:
        first = (self._trouble < 0) & ~torch.isfinite(loss)
        self._trouble = torch.where(first, mark, self._trouble)

    def _gather(self, found: Found) -> Moments:
        """Bring together what all rounds and ranks have gathered; path length's mean and ADA's sums take it in."""
        named, lengths, signs = found.moments.sums, found.path_lengths, found.signs
        sums = list(named.values())
        sums += [torch.cat(lengths).sum()] if lengths else []
        sums += [torch.stack(signs).sum(0)] if signs else []
        sums = sum_together(self.ranks, sums)
        moments = Moments(
            dict(zip(named, sums, strict=False)),
            {name: count * self.ranks.count for name, count in found.moments.counts.items()},
        )
        sums = sums[len(named) :]
        if lengths:
            mean = sums.pop(0) / (sum(len(length) for length in lengths) * self.ranks.count)
            self.path_length_mean = self.path_length_mean.lerp(mean, self.setup.hyper.path_length_decay)
        if signs and self.setup.hyper.aug == "ada":
            self.ada.observe(sums.pop(0))
        return moments

    def said(self) -> list[str]:
        """Return what was decided since this was last asked, a line each."""
        lines = list(self._said)
        self._said.clear()
        return lines

    def check(self) -> None:
        """See that every loss so far was finite; all ranks ask together. This waits for the device.

        Raises:
            NonFiniteLossError: one was not; the networks are of no use any more.
        """
        trouble = self._trouble.clone()
        trouble = torch.where(trouble < 0, torch.iinfo(torch.int64).max, trouble)
        self.ranks.start_min(trouble)()
        mark = int(trouble)
        if mark < torch.iinfo(torch.int64).max:
            images, number = divmod(mark, len(self.phases))
            raise NonFiniteLossError(f"the loss of '{self.phases[number].name}' is not finite after {images} pictures")

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
        for name in self.optimizers if optimizers else ():
            moments = moments_of(self.optimizers[name], self.network(name))
            tensors |= {f"{name}_optimizer.{key}": value for key, value in moments}
        return tensors

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
        self.stats.load_state({k[6:]: v for k, v in tensors.items() if k.startswith("stats.")}, self.ranks)
        return [f"the optimiser of {name}" for name in self.optimizers if not self._load_optimizer(name, tensors)]

    def share(self) -> None:
        """Take up, on all ranks, what rank 0's trainer holds."""
        tensors = share_tensors(self.ranks, self.state())
        if self.ranks.rank:
            self.load_state(tensors)

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
        prefix = f"{name}_optimizer."
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        return load_moments(self.optimizers[name], self.network(name), own) or self.images == 0
