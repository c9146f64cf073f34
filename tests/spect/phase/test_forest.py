# SPDX-License-Identifier: Apache-2.0
"""Potentials along a maximum spanning forest: against a plain Kruskal, on trees, islands and contradictions."""

import numpy as np
import torch

from spect.phase.forest import Edges, integrate, trust_keys


def kruskal(nodes: int, edges: list[tuple[int, int, float, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Best edges first, by the book. Returns island and potential relative to the island's first node."""
    island = np.arange(nodes)
    potential = np.zeros(nodes)
    for u, v, rise, _ in sorted(edges, key=lambda edge: -edge[3]):
        if island[u] != island[v]:
            moved = island == island[v]
            potential[moved] += potential[u] + rise - potential[v]
            island[moved] = island[u]
    return island, potential


def random_graph(nodes: int, count: int, seed: int) -> list[tuple[int, int, float, int]]:
    rng = np.random.default_rng(seed)
    pairs = [(u, v) for u, v in rng.integers(0, nodes, (count, 2)).tolist() if u != v]
    weights = rng.integers(0, 4, len(pairs)).astype(np.float32)  # many ties
    keys = trust_keys(torch.from_numpy(weights), torch.arange(len(pairs))).tolist()
    return [(u, v, float(rng.normal()), key) for (u, v), key in zip(pairs, keys, strict=True)]


def as_edges(edges: list[tuple[int, int, float, int]]) -> Edges:
    source, target, rise, key = zip(*edges, strict=True)
    return Edges(torch.tensor(source), torch.tensor(target), torch.tensor(rise).double(), torch.tensor(key))


def test_potentials_are_those_of_the_maximum_spanning_forest() -> None:
    for seed in range(20):
        nodes = 60
        edges = random_graph(nodes, 20 + 8 * seed, seed)
        found, tree = (x.numpy() for x in integrate(nodes, as_edges(edges), torch.zeros(nodes).double()))
        island, potential = kruskal(nodes, edges)
        assert len(set(zip(tree, island, strict=True))) == len(set(tree)) == len(set(island))
        for name in set(island.tolist()):
            inside = island == name
            difference = found[inside] - potential[inside]
            assert np.ptp(difference) < 1e-5  # float32 rounding of the rises
            assert np.abs(found[inside]).min() == 0  # its root starts at 0


def test_nodes_without_edges_keep_their_start() -> None:
    start = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    phi, tree = integrate(4, as_edges([(1, 3, 0.5, 7)]), start)
    assert phi[[0, 2]].tolist() == [1.0, 3.0]
    assert float(phi[3] - phi[1]) == 0.5
    assert tree.tolist() == [0, 1, 2, 1]
    assert integrate(0, as_edges([(0, 0, 0.0, 0)]).where(torch.zeros(1, dtype=torch.bool)), start[:0])[0].shape == (0,)


def test_a_long_chain_adds_up() -> None:
    rng = torch.Generator().manual_seed(0)
    rise = torch.randn(1999, generator=rng).double()
    keys = torch.randperm(1999, generator=rng)
    phi, _ = integrate(2000, Edges(torch.arange(1999), torch.arange(1, 2000), rise, keys), torch.zeros(2000).double())
    torch.testing.assert_close(phi.diff(), rise, rtol=0, atol=1e-10)


def test_the_more_trusted_way_wins() -> None:
    # Two ways from 0 to 2 that contradict each other: directly, or over 1.
    weight = torch.tensor([1.0, 3.0, 2.0])
    edges = Edges(torch.tensor([0, 0, 1]), torch.tensor([2, 1, 2]), torch.tensor([9.0, 1.0, 1.0]).double(),
                  trust_keys(weight, torch.arange(3)))  # fmt: skip
    phi, _ = integrate(3, edges, torch.zeros(3).double())
    assert float(phi[2] - phi[0]) == 2.0


def test_equal_weights_go_by_order() -> None:
    keys = trust_keys(torch.tensor([0.0, 1.0, 1.0, 1e-30]), torch.arange(4))
    assert keys.argsort(descending=True).tolist() == [1, 2, 3, 0]
    assert int(keys.min()) >= 0
