# SPDX-License-Identifier: Apache-2.0
"""Scores of class probabilities: closed forms, and intervals that hold the truth."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.classes import accuracy, am_score, class_scores, inception_score, modified_inception_score


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def certain(classes: list[int], count: int = 4, sure: float = 1.0) -> torch.Tensor:
    """Probabilities `sure` of the class, the rest shared."""
    one = torch.nn.functional.one_hot(torch.tensor(classes), count).double()
    return sure * one + (1 - one) * (1 - sure) / (count - 1)


def test_inception_score_is_classes_held_when_certain_and_1_when_in_doubt_or_collapsed() -> None:
    assert inception_score(certain([0, 1, 2, 3] * 20), rng=rng()).value == pytest.approx(4, rel=1e-6)
    assert inception_score(certain([0, 1] * 40), rng=rng()).value == pytest.approx(2, rel=1e-6)
    assert inception_score(certain([2] * 80), rng=rng()).value == pytest.approx(1, rel=1e-6)
    assert inception_score(torch.full((80, 4), 0.25), rng=rng()).value == pytest.approx(1, rel=1e-6)


def test_inception_score_of_doubtful_classes_is_the_closed_form() -> None:
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.1))
    assert inception_score(certain([0, 1, 2, 3] * 20, sure=0.7), rng=rng()).value == pytest.approx(
        4 / math.exp(entropy)
    )


def test_modified_score_is_the_mean_over_all_pairs_written_out() -> None:
    p = torch.softmax(2 * torch.randn(9, 5, generator=rng()).double(), dim=1)
    pairs = [float((p[i] * (p[i] / p[j]).log()).sum()) for i in range(9) for j in range(9) if i != j]
    assert modified_inception_score(p, rng=rng()).value == pytest.approx(math.exp(sum(pairs) / 72))


def test_modified_score_of_two_kinds_of_output_is_the_closed_form() -> None:
    # Half .9/.1, half .1/.9: a pair differs with chance 10 of 19, by .8 ln 9.
    value = modified_inception_score(certain([0, 1] * 10, 2, 0.9), rng=rng()).value
    assert value == pytest.approx(math.exp(10 / 19 * 0.8 * math.log(9)))


def test_am_score_is_0_at_best_and_grows_with_doubt_and_with_a_lost_class() -> None:
    prior = torch.tensor([5, 5, 5, 5])
    assert am_score(certain([0, 1, 2, 3] * 20), prior, rng=rng()).value == pytest.approx(0, abs=1e-9)
    doubt = am_score(torch.full((80, 4), 0.25), prior, rng=rng()).value
    assert doubt == pytest.approx(math.log(4))
    lost = am_score(certain([0, 1, 2] * 20, sure=0.97), prior, rng=rng()).value
    entropy = -(0.97 * math.log(0.97) + 0.03 * math.log(0.01))
    assert lost == pytest.approx(entropy + 0.25 * math.log(0.25 / 0.01) + 0.75 * math.log(0.25 / 0.33))


def test_intervals_hold_the_scores_of_the_whole_population() -> None:
    draws = rng()
    population = torch.softmax(3 * torch.randn(20_000, 10, generator=draws), dim=1)
    prior = torch.ones(10)
    truth = {name: found.value for name, found in class_scores(population, prior=prior, rng=draws, draws=2).items()}
    held = dict.fromkeys(truth, 0)
    for _ in range(100):
        sample = population[torch.randint(20_000, (150,), generator=draws)]
        for name, found in class_scores(sample, prior=prior, rng=draws, draws=200).items():
            assert found.low <= found.value <= found.high
            held[name] += found.low <= truth[name] <= found.high
    assert min(held.values()) >= 88


def test_bounds_stay_where_scores_can_be() -> None:
    found = inception_score(certain([0, 1, 2, 3] * 5), rng=rng())
    assert 1 <= found.low <= found.high <= 4 + 1e-6
    assert am_score(certain([0, 1, 2, 3] * 5), torch.ones(4), rng=rng()).low >= 0


def test_accuracy_counts_only_items_with_a_wanted_class() -> None:
    found = accuracy(certain([0, 1, 2, 3, 0]), torch.tensor([0, 1, 3, -1, 0]))
    assert found.value == 0.75
    assert 0.2 < found.low < 0.75 < found.high < 1
    assert math.isnan(accuracy(certain([0, 1]), torch.tensor([-1, -1])).value)


def test_scores_are_named() -> None:
    p = certain([0, 1, 2, 3])
    names = ["inception_score", "modified_inception_score", "am_score"]
    assert list(class_scores(p, prior=torch.ones(4), rng=rng())) == names
    assert list(class_scores(p, prior=torch.ones(4), wanted=torch.arange(4), rng=rng())) == [*names, "accuracy"]


def test_bad_probabilities_are_refused_in_one_line() -> None:
    p = certain([0, 1, 2, 3])
    for bad, reason in [(p * 2, "softmax"), (p - 0.5, "softmax"), (p[0], "2 or more"), (p * torch.nan, "softmax")]:
        with pytest.raises(NetworkError, match=reason):
            inception_score(bad, rng=rng())
    with pytest.raises(NetworkError, match="prior is 4 shares"):
        am_score(p, torch.ones(3), rng=rng())
    with pytest.raises(NetworkError, match="classes from -1 to 3"):
        accuracy(p, torch.tensor([0, 1, 2, 4]))
