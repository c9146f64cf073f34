// SPDX-License-Identifier: Apache-2.0
// Rows raised, bent and lowered again without leaving the registers, for the filters of StyleGAN3's networks: 6 taps a
// phase up by 2 or 4, 6 DOWN taps down by DOWN. Each filter is its own mirror image, which halves the products. Results
// are made GROUP at a time, in one vector of columns after another:
//
//   raised row t of DOWN GROUP   e = (FIRST + t) mod UP   reads wide rows (FIRST + t) / UP + [0, 6)
//
// Phases e and UP - 1 - e of the same six rows x have mirrored weights w, so that they are even + odd and even - odd:
//
//   even = sum_j (w_j + w_{5-j}) / 2 (x_j + x_{5-j})      odd = sum_j (w_j - w_{5-j}) / 2 (x_j - x_{5-j})      j < 3
//
// Raised rows p and DOWN - 1 - p of DOWN, v and v', are part of six results each, with weights a_j and a_{5-j}. Both of
//
//   a_j v + a_{5-j} v'  and  a_{5-j} v + a_j v'  are  (a_j + a_{5-j}) / 2 (v + v') +- (a_j - a_{5-j}) / 2 (v - v')
#pragma once
#include "flow.h"
#include "mirror.h"

constexpr int UNFINISHED = 5;
constexpr int GROUP = 4;  // results along rows that are made together, or a single one

// Wide rows that so many raised ones read.
constexpr int wide_rows(int up, int first, int raised) { return (first + raised - 1) / up + TAPS; }

inline bool vertical_serves(int up, int taps_up, int down, int taps_down) {
    const bool factors = (up == 2 && (down == 2 || down == 4)) || (up == 4 && down == 2);
    return factors && taps_up == TAPS && taps_down == TAPS * down;
}

// Rows of n columns; count: GROUP or 1; first: FIRST; up: of the phases below UP / 2, from the oldest row on; down: of the
// rows below DOWN / 2.
template <class T, class Bend>
void vertical(T* const* results, T* const* unfinished, const T* const* wide, int count, int factor, int first,
              int factor_down, const Folded<T>* up, const Folded<T>* down, int n, const Bend& bend);
