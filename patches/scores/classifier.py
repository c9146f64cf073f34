# SPDX-License-Identifier: Apache-2.0
"""A classifier trained on a dataset's own labels: probabilities for inception score and class accuracy, and features.

Its held-out accuracy is part of it, since no score that rests on it means more than that.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from patches.errors import UserError
from patches.runs import tensorfile
from patches.scores.classifier_networks import Network, build
from patches.scores.encoders.encoder import Encoder, mono
from stylegan3.metrics.estimate import Estimate

VERSION = 1  # of the numbers: networks and training
HEADER = "classifier"
AT_A_TIME = 2**20  # samples
Z95 = 1.959964  # two-sided 95 % of a Gaussian


@dataclass(frozen=True)
class HeldOut:
    """How many of the sounds that it never saw a classifier knows.

    Args:
        train: sounds that it was trained on.
        apart: what the counted sounds are, in words.
    """

    correct: int
    count: int
    train: int
    apart: str

    @property
    def estimate(self) -> Estimate:
        """The accuracy with Wilson's 95 % interval (1927)."""
        share, n = self.correct / self.count, self.count
        centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        reach = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n * n))
        return Estimate(share, max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach)))

    def __str__(self) -> str:
        return f"{100 * self.correct / self.count:.1f} % of {self.count} ({self.apart})"


@dataclass(frozen=True)
class Classifier:
    """A trained network.

    Args:
        kind: spectrogram or waveform.
        label_set: whose classes these are.
        rate, samples: of the sounds that it was trained on; others are brought to them.
        seed: of the training.
    """

    network: Network
    kind: str
    label_set: str
    classes: tuple[str, ...]
    rate: int
    samples: int
    seed: int
    accuracy: HeldOut

    @property
    def version(self) -> str:
        """What stands beside scores."""
        return f"{self.kind} classifier {VERSION}, {self.label_set}, held-out accuracy {self.accuracy}"

    def probabilities(self, sounds: Tensor, rate: int) -> Tensor:
        """Say how likely each class is. Shape: [N, 1 or 2, L] -> [N, K]."""
        return self.network.last(self.features(sounds, rate)).softmax(1)

    def features(self, sounds: Tensor, rate: int) -> Tensor:
        """Give what the last layer sees. Shape: [N, 1 or 2, L] -> [N, d]."""
        if sounds.ndim != 3 or sounds.shape[1] not in (1, 2) or 0 in sounds.shape:
            raise UserError(f"classifier: knows sounds [at least 1, 1 or 2, L], got {list(sounds.shape)}")
        if not bool(torch.isfinite(sounds).all()):
            raise UserError("classifier: a sound holds NaN or Inf; leave it out first (levels()['finite'])")
        size = max(1, AT_A_TIME // self.samples)
        with torch.no_grad():
            parts = [self.network.features(self._seen(part, rate)) for part in sounds.split(size)]
        return torch.cat(parts)

    @property
    def encoder(self) -> Encoder:
        """Its features as an encoder."""
        numbers = self.network.last.in_features
        what = f"the {numbers} numbers before the last layer; mono, cut or filled with zeros to {self.samples} samples"
        return Encoder(f"{self.kind} classifier", self.version, what, self.features)

    def _seen(self, sounds: Tensor, rate: int) -> Tensor:
        heard = fitted(mono(sounds.float(), rate, self.rate), self.samples)
        return self.network.seen(heard.to(self.network.last.weight.device))

    def save(self, path: Path, key: str) -> None:
        """Write it as safetensors, whole or not at all. `key` is checked when it is read."""
        header = {"kind": HEADER, "classifier": VERSION, "key": key, "network": self.kind, "label_set": self.label_set,
                  "classes": list(self.classes), "rate": self.rate, "samples": self.samples, "seed": self.seed,
                  "accuracy": asdict(self.accuracy)}  # fmt: skip
        tensorfile.save(path, self.network.state_dict(), header)

    @classmethod
    def load(cls, path: Path, key: str, device: torch.device) -> "Classifier":
        """Read `save`'s file.

        Raises:
            UserError: no such file, a damaged one, or another's.
        """
        tensors, header = tensorfile.load(path)
        try:
            if (header["kind"], header["classifier"], header["key"]) != (HEADER, VERSION, key):
                raise UserError(f"{path}: another classifier's; remove it")
            return cls._from(tensors, header, device)
        except (KeyError, TypeError, RuntimeError) as error:
            raise UserError(f"{path}: damaged ({type(error).__name__}); remove it") from error

    @classmethod
    def _from(cls, tensors: Mapping[str, Tensor], header: Mapping[str, Any], device: torch.device) -> "Classifier":
        kind, rate, samples, classes = (header[name] for name in ("network", "rate", "samples", "classes"))
        network = build(kind, rate, samples, len(classes), torch.Generator().manual_seed(0))
        network.load_state_dict(tensors)
        network = network.to(device).eval().requires_grad_(False)
        accuracy = HeldOut(**header["accuracy"])
        return cls(network, kind, header["label_set"], tuple(classes), rate, samples, header["seed"], accuracy)


def fitted(sounds: Tensor, samples: int) -> Tensor:
    """Cut sounds to a length, or append zeros. Shape: [N, L'] -> [N, L]."""
    return functional.pad(sounds[:, :samples], (0, max(0, samples - sounds.shape[1])))
