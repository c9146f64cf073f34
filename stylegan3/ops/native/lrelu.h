// SPDX-License-Identifier: Apache-2.0
// What the filtered leaky relu's kernels share with Python (tables.py): one plane's resamplings as lists of
// (offset, weight). Derivation there.
#pragma once
#include <cstdint>

// Along columns everything is split into phases, so that each sum runs over neighbours:
//   x    index i = first + S m + s   at  s * width_in + m
//   raised     r = base + P m + p    at  p * width_raised + m
//   y          o = Q m + q           at  q * width_out + m          P = max(up, down), S = P / up, Q = P / down
struct Columns {
    int32_t n_in, n_raised, n_out;
    int32_t first, base;
    int32_t s, p, q;                               // phases
    int32_t width_in, width_raised, width_out;     // samples a phase
    int32_t taps_up, taps_down;                    // terms of a sum
    const int32_t *offsets_up, *offsets_down;      // [p][taps_up], [q][taps_down]
    const double *weights_up, *weights_down;
};

// Rows are whole vectors, so that they need no phases:
//   raised[r] = sum_k weights_up[(r + offset) mod up][k] x[floor((r + offset) / up) - k]
//   y[o]      = sum_k weights_down[k] raised[o down + base + k]
struct Rows {
    int32_t n_in, n_raised, n_out;
    int32_t up, down, offset, base;
    int32_t taps_up, taps_down;
    const double *weights_up, *weights_down;       // [up][taps_up], [taps_down]
};

struct Pass {
    Rows rows;
    Columns columns;
    double slope, clamp;  // clamp: infinity for none
};

enum Mode : int32_t { ACTIVATE = 0, ACTIVATE_AND_KEEP = 1, MULTIPLY = 2, LINEAR = 3 };
