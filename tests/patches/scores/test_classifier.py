# SPDX-License-Identifier: Apache-2.0
"""Classifiers: they learn what can be told apart, equally every time, and are kept by what they were trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.scores.classifier import Classifier, HeldOut, fitted
from patches.scores.classifier_networks import KINDS, Kind, build
from patches.scores.classifier_split import Split, split_of, tenth
from patches.scores.classifier_training import cache_path, cached, trained, trained_on
from spect.archive.reader import Archive
from tests.patches.scores.tones import CLASSES, SAMPLES, tones

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module", params=KINDS)
def learned(request: pytest.FixtureRequest, archive: Archive) -> Classifier:
    return cached(archive, "class", request.param)


def sounds(archive: Archive, items: np.ndarray) -> torch.Tensor:
    return archive.representation.decode(torch.from_numpy(archive.canvases(items)))


def test_held_out_tones_and_noises_are_known(archive: Archive, learned: Classifier) -> None:
    told = learned.accuracy
    print(learned.version)
    assert learned.classes == CLASSES
    assert told.apart == "held-out files"
    assert (told.count, told.train) == (len(archive.holdout), len(archive.train))
    assert told.estimate.low < told.estimate.value <= told.estimate.high <= 1
    assert told.estimate.value > 0.95


def test_probabilities_are_of_the_classes_whatever_rate_level_and_channels(
    archive: Archive, learned: Classifier
) -> None:
    some, rate = sounds(archive, archive.holdout), archive.representation.sample_rate
    found = learned.probabilities(some, rate)
    assert found.shape == (len(some), 3)
    torch.testing.assert_close(found.sum(1), torch.ones(len(some)))
    assert (found.argmax(1).numpy() == archive.labels[archive.holdout]).mean() == learned.accuracy.estimate.value
    torch.testing.assert_close(learned.probabilities(some.mean(1, keepdim=True) / 8, rate), found, atol=1e-4, rtol=0)
    doubled = some.repeat_interleave(2, dim=2)  # twice the rate, with images above the old band's end
    assert (learned.probabilities(doubled, 2 * rate).argmax(1) == found.argmax(1)).float().mean() > 0.9


def test_features_are_what_the_last_layer_sees(archive: Archive, learned: Classifier) -> None:
    some, rate = sounds(archive, archive.holdout[:3]), archive.representation.sample_rate
    features = learned.encoder(some, rate)
    wanted = learned.probabilities(some, rate)
    torch.testing.assert_close(learned.network.last(features).softmax(1), wanted)


def test_silence_and_short_sounds_have_probabilities(learned: Classifier) -> None:
    for length in (1, 100, 5000):
        assert torch.isfinite(learned.probabilities(torch.zeros(1, 2, length), 8000)).all()


@pytest.mark.parametrize(
    ("wrong", "message"), [(torch.zeros(2, 100), "knows sounds"), (torch.full((1, 2, 100), torch.nan), "NaN or Inf")]
)
def test_what_is_no_sound_is_refused(learned: Classifier, wrong: torch.Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        learned.probabilities(wrong, 8000)


def test_a_kept_classifier_gives_identical_probabilities(archive: Archive, learned: Classifier) -> None:
    path, _ = cache_path(archive, "class", learned.kind, 0)
    before = path.read_bytes()
    again = cached(archive, "class", learned.kind, progress=lambda share: pytest.fail("it was trained anew"))
    some = sounds(archive, archive.holdout)
    assert torch.equal(again.probabilities(some, 8000), learned.probabilities(some, 8000))
    assert (again.accuracy, again.classes, again.version) == (learned.accuracy, learned.classes, learned.version)
    assert path.read_bytes() == before


def test_equal_seeds_give_equal_weights(archive: Archive, learned: Classifier) -> None:
    state = torch.random.get_rng_state()
    again = trained(archive, "class", learned.kind)
    wanted = learned.network.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in again.network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state), "torch's global generator was drawn from"


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return tones(tmp_path_factory.mktemp("undivided"), each=10, holdout=0)


def test_another_archives_classifier_is_never_taken(archive: Archive, undivided: Archive, learned: Classifier) -> None:
    path, key = cache_path(archive, "class", learned.kind, 0)
    others, other_key = cache_path(undivided, "class", learned.kind, 0)
    assert key != other_key
    assert cache_path(archive, "class", learned.kind, 1)[1] != key
    others.write_bytes(path.read_bytes())  # under the other's name
    with pytest.raises(UserError, match="another classifier's"):
        Classifier.load(others, other_key, CPU)
    others.unlink()


def test_a_damaged_file_is_never_taken(archive: Archive, learned: Classifier, tmp_path: Path) -> None:
    path, key = cache_path(archive, "class", learned.kind, 0)
    short = tmp_path / path.name
    short.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole"):
        Classifier.load(short, key, CPU)


def test_without_held_out_items_a_tenth_of_the_files_is_set_apart(undivided: Archive) -> None:
    split = split_of(undivided, "class")
    assert len(split.test) == 3
    assert sorted([*split.train, *split.test]) == list(range(30))
    assert split.apart == "a tenth of the files, set apart by seed 0"


def test_slices_of_one_file_stay_on_one_side() -> None:
    sources = [f"{number // 7}.wav" for number in range(140)]
    apart = tenth(sources)
    assert len({source for source, one in zip(sources, apart, strict=True) if one}) == 2
    assert apart.sum() == 14


def test_where_nothing_can_be_kept_it_is_trained_anew(undivided: Archive) -> None:
    path, _ = cache_path(undivided, "class", "waveform", 0)
    path.mkdir()  # nothing can be renamed over a folder
    shares: list[float] = []
    made = cached(undivided, "class", "waveform", progress=shares.append)
    path.rmdir()
    assert made.accuracy.train == 27
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_what_cannot_be_learned_is_told_in_one_line(archive: Archive) -> None:
    with pytest.raises(UserError, match="no classes called 'pitch'; there is class"):
        trained(archive, "pitch", "waveform")
    with pytest.raises(UserError, match="got kind 'ear'; allowed: spectrogram, waveform"):
        trained(archive, "class", "ear")  # type: ignore[arg-type]
    split = split_of(archive, "class")
    one = split.train[archive.labels[split.train] == 0]
    with pytest.raises(UserError, match="class has fewer than two classes"):
        trained_on(archive, "class", "waveform", Split(one, split.test, ""))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "samples"), [(8000, 64), (8000, 8192), (44100, 2**19), (192000, 2**17)])
def test_networks_bear_every_rate_and_length(kind: Kind, rate: int, samples: int) -> None:
    network = build(kind, rate, samples, 4, torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        out = network(network.seen(torch.randn(1, samples, generator=torch.Generator().manual_seed(1))))
    assert out.shape == (1, 4)
    assert torch.isfinite(out).all()


def test_accuracies_have_wilsons_interval() -> None:
    """Brown, Cai and DasGupta 2001: 0 of 10 is 0 to .2775, 5 of 10 is .2366 to .7634."""
    none, half = HeldOut(0, 10, 5, "").estimate, HeldOut(5, 10, 5, "").estimate
    assert (none.value, none.low, round(none.high, 4)) == (0, 0, 0.2775)
    assert (round(half.low, 4), round(half.high, 4)) == (0.2366, 0.7634)


def test_sounds_are_cut_or_filled_up_at_their_end() -> None:
    assert fitted(torch.arange(6.0)[None], 4).tolist() == [[0, 1, 2, 3]]
    assert fitted(torch.arange(3.0)[None], 4).tolist() == [[0, 1, 2, 0]]
    assert SAMPLES == 2 * 16 * 32
