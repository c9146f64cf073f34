# SPDX-License-Identifier: Apache-2.0
"""Train a classifier on an archive's labels, once: kept beside the archive by hash.

AdamW under a one-cycle rate, on mid signals, a fixed number of steps (no choice is made by the held-out sounds).
Batches are read from the archive by index, so that memory doesn't grow with it. The file is
`ARCHIVE.classifier-KIND-KEY.safetensors`; its key is the hash of the archive's summary, the label set, the kind and the
seed, so that it is never taken for another's. In a folder that can't be written each run trains its own, to the same
numbers.

    Smith and Topin 2018, Super-convergence (the cycle); Loshchilov and Hutter 2019 (AdamW)
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from patches.errors import UserError
from patches.scores import classifier_augment as augment
from patches.scores.classifier import VERSION, Classifier, HeldOut
from patches.scores.classifier_networks import Kind, Network, build
from patches.scores.classifier_split import Split, classes_of, split_of
from spect.archives.opening import AnyArchive

BATCH = 32
ROUNDS = 16  # through the train items, as far as the steps go
STEPS = (300, 3000)  # at least, at most
RATE_PEAK = 4e-3
DECAY = 0.02
AT_A_TIME = 128  # sounds, when nothing is trained

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""


def cached(
    archive: AnyArchive,
    label_set: str,
    kind: Kind,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = lambda share: None,
) -> Classifier:
    """Read the archive's classifier, or train and keep it. Arguments and errors as `trained`."""
    path, key = cache_path(archive, label_set, kind, seed)
    with contextlib.suppress(UserError):
        return Classifier.load(path, key, device or torch.device("cpu"))
    made = trained(archive, label_set, kind, seed=seed, device=device, progress=progress)
    with contextlib.suppress(UserError):  # a folder that can't be written
        made.save(path, key)
    return made


def cache_path(archive: AnyArchive, label_set: str, kind: Kind, seed: int) -> tuple[Path, str]:
    """Name the file that holds a classifier, and the key in its name."""
    chosen = classes_of(archive, label_set).to_dict()
    text = json.dumps([VERSION, archive.digest, chosen, kind, seed], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return archive.path.with_name(f"{archive.path.name}.classifier-{kind}-{key}.safetensors"), key


def trained(
    archive: AnyArchive,
    label_set: str,
    kind: Kind,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = lambda share: None,
) -> Classifier:
    """Train on an archive's train items and count on its held-out ones.

    Args:
        label_set: the name of a set of classes.
        device: None: the CPU.

    Raises:
        UserError: no such set, or not two classes in it to tell apart.
    """
    return trained_on(
        archive, label_set, kind, split_of(archive, label_set), seed=seed, device=device, progress=progress
    )


def trained_on(
    archive: AnyArchive,
    label_set: str,
    kind: Kind,
    split: Split,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = lambda share: None,
) -> Classifier:
    """Train on some items of an archive and count on others. Arguments and errors as `trained`."""
    chosen, labels = classes_of(archive, label_set), archive.label_values(label_set)
    if len(np.unique(labels[split.train])) < 2 or not len(split.test):
        raise UserError(f"{archive.path}: {label_set} has fewer than two classes with sounds to learn and to count")
    place, form = device or torch.device("cpu"), archive.representation
    generator = torch.Generator().manual_seed(seed)
    network = build(kind, form.sample_rate, form.samples, len(chosen.classes), generator).to(place)
    _fit(network, archive, labels, split.train, generator, progress)
    network.eval().requires_grad_(False)
    correct = _correct(network, archive, labels, split.test)
    accuracy = HeldOut(correct, len(split.test), len(split.train), split.apart)
    return Classifier(network, kind, label_set, chosen.classes, form.sample_rate, form.samples, seed, accuracy)


def _fit(
    network: Network,
    archive: AnyArchive,
    labels: np.ndarray,
    items: np.ndarray,
    generator: torch.Generator,
    progress: Progress,
) -> None:
    steps = int(np.clip(ROUNDS * len(items) // BATCH, *STEPS))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE_PEAK, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE_PEAK, total_steps=steps, pct_start=0.2)
    network.train()
    for step, chosen in zip(range(steps), _batches(items, generator), strict=False):
        targets = functional.one_hot(torch.from_numpy(labels[chosen]), network.last.out_features).float()
        sounds = augment.disturbed(_sounds(archive, chosen), generator)
        sounds, targets = augment.mixed(sounds, targets, generator)
        seen = network.seen(sounds.to(network.last.weight.device))
        loss = functional.cross_entropy(network(_hidden(seen, generator)), targets.to(seen.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        cycle.step()
        progress((step + 1) / steps)


def _hidden(seen: Tensor, generator: torch.Generator) -> Tensor:
    """Mask pictures; samples stay."""
    return augment.masked(seen, generator) if seen.ndim == 4 else seen


def _batches(items: np.ndarray, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Give batches without end, each item once a round, each batch whole (an item may then come twice in a round)."""
    while True:
        order = torch.randperm(len(items), generator=generator).numpy()
        order = np.resize(order, -(-len(order) // BATCH) * BATCH)
        yield from (items[part] for part in order.reshape(-1, BATCH))


def _sounds(archive: AnyArchive, items: np.ndarray) -> Tensor:
    """Read the mid of items. Shape: [n] -> [n, L]."""
    with torch.no_grad():
        return archive.representation.decode(torch.from_numpy(archive.canvases(items))).mean(1)


def _correct(network: Network, archive: AnyArchive, labels: np.ndarray, items: np.ndarray) -> int:
    """Count the items whose likeliest class is theirs."""
    right = 0
    for start in range(0, len(items), AT_A_TIME):
        part = items[start : start + AT_A_TIME]
        with torch.no_grad():
            told = network(network.seen(_sounds(archive, part).to(network.last.weight.device))).argmax(1)
        right += int((told.cpu().numpy() == labels[part]).sum())
    return right
