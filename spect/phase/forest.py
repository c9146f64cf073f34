# SPDX-License-Identifier: Apache-2.0
"""Potentials from differences: integrate along the maximum spanning forest of a graph, in O(log n) parallel rounds.

Each edge (u, v) says what phi[v] - phi[u] is, and how far to trust it. Following the most trusted edges first, without
ever closing a circle, is a maximum spanning forest. Boruvka 1926 finds it without a queue: in every round each
component takes its best edge, all merge at once, and the merged graph is the next round's. Each component keeps phi
relative to its root; pointer jumping adds the relative values along the way (Shiloach and Vishkin 1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Edges:
    """Edges of a graph.

    Args:
        source, target: the nodes u and v. Shape: int64 [m].
        rise: phi[v] - phi[u]. Shape: float64 [m].
        key: trust, all different. Shape: int64 [m], >= 0.
    """

    source: Tensor
    target: Tensor
    rise: Tensor
    key: Tensor

    def where(self, kept: Tensor) -> Edges:
        """Return those of a mask. Shape: bool [m]."""
        place = kept.nonzero()[:, 0]
        return Edges(self.source[place], self.target[place], self.rise[place], self.key[place])


def integrate(nodes: int, edges: Edges, start: Tensor) -> tuple[Tensor, Tensor]:
    """Give every node its phi: the start's at the root of each tree, from there along the tree's edges.

    Returns: phi float64 [nodes], and the number of each node's tree, int64 [nodes], in the order of their roots.

    Shape: start float64 [nodes].
    """
    levels = []
    origin = torch.arange(nodes, device=start.device)  # which node is each component's root
    while len(edges.key):
        parent, offset = _roots(*_best_edges(len(origin), edges))
        component, roots = _numbered(parent)
        levels.append((component, offset))
        origin = origin[roots]
        edges = _contracted(edges, component, offset)
    phi, tree = start[origin], torch.arange(len(origin), device=start.device)
    for component, offset in reversed(levels):
        phi, tree = phi[component] + offset, tree[component]
    return phi, tree


def trust_keys(weight: Tensor, order: Tensor) -> Tensor:
    """Turn weights into keys that order alike, the one first in `order` first among equals.

    Shape: float32 [m] >= 0, int64 [m], all different, 0 <= order < 2^32 -> int64 [m].
    """
    return weight.contiguous().view(torch.int32).long() << 32 | (2**32 - 1 - order)


def _best_edges(nodes: int, edges: Edges) -> tuple[Tensor, Tensor]:
    """Let each node follow its most trusted edge; of two that chose the same one the first stays where it is.

    Returns: parent int64 [nodes], and phi[node] - phi[parent] [nodes].
    """
    best = edges.key.new_full((nodes,), -1)
    best.scatter_reduce_(0, edges.source, edges.key, "amax")
    best.scatter_reduce_(0, edges.target, edges.key, "amax")
    parent = torch.arange(nodes, device=best.device)
    offset = edges.rise.new_zeros(nodes)
    for here, there, sign in ((edges.source, edges.target, -1), (edges.target, edges.source, 1)):
        chosen = (best[here] == edges.key).nonzero()[:, 0]
        node = here[chosen]
        parent[node] = there[chosen]
        offset[node] = sign * edges.rise[chosen]
    itself = torch.arange(nodes, device=best.device)
    stays = (parent[parent] == itself) & (itself < parent)
    return torch.where(stays, itself, parent), torch.where(stays, 0.0, offset)


def _roots(parent: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Jump until each node points at its root, adding up the offsets on the way. Shape: [n], [n] -> [n], [n]."""
    while True:
        further = parent[parent]
        if torch.equal(further, parent):
            return parent, offset
        offset = offset + offset[parent]
        parent = further


def _numbered(parent: Tensor) -> tuple[Tensor, Tensor]:
    """Number the roots in order. Shape: [n] -> component of each node [n], the roots [components]."""
    roots = (parent == torch.arange(len(parent), device=parent.device)).nonzero()[:, 0]
    number = torch.empty_like(parent)
    number[roots] = torch.arange(len(roots), device=parent.device)
    return number[parent], roots


def _contracted(edges: Edges, component: Tensor, offset: Tensor) -> Edges:
    """Take the edges between components, their rise now between the roots."""
    source, target = component[edges.source], component[edges.target]
    rise = edges.rise + offset[edges.source] - offset[edges.target]
    return Edges(source, target, rise, edges.key).where(source != target)
