// SPDX-License-Identifier: Apache-2.0
// The sums of a filtered leaky relu's threads: four neighbours at once, so that each sample is read once for all four.
// With a Form that the compiler knows all loops unroll, and weights are constants of the kernel's parameters.
#pragma once
#include "lrelu_launch.h"

struct Split {
    int row, rest;
};

BLOCK_CALL Split split(int i, const Divider& d) {
    const int row = int((uint64_t(uint32_t(i)) * d.inverse) >> 31);
    return {row, i - row * int(d.by)};
}

// Four raised samples from v = 0 on, the first of phase PHASE:
//   sums[v] = sum_k weights_up[(v + PHASE) mod up][k] from[floor((v + PHASE) / up) + taps - 1 - k]
template <class F, int PHASE, class T>
BLOCK_CALL void raise(T (&sums)[4], const T* from, int stride, const Axis<T>& a) {
    const int up = F::up ? F::up : a.up, taps = F::up ? F::taps_up : a.taps_up, phase = F::up ? PHASE : a.phase;
    sums[0] = sums[1] = sums[2] = sums[3] = T(0);
    BLOCK_UNROLL
    for (int j = 0; j < (3 + phase) / up + taps; ++j) {
        const T sample = from[j * stride];
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v) {
            const int k = (v + phase) / up + taps - 1 - j;
            if (k >= 0 && k < taps) sums[v] += a.weights_up[(v + phase) % up * taps + k] * sample;
        }
    }
}

// Four results: sums[v] = sum_k weights_down[k] from[v down + k]
template <class F, class T>
BLOCK_CALL void lower(T (&sums)[4], const T* from, int stride, const Axis<T>& a) {
    const int down = F::up ? F::down : a.down, taps = F::up ? F::taps_down : a.taps_down;
    sums[0] = sums[1] = sums[2] = sums[3] = T(0);
    BLOCK_UNROLL
    for (int j = 0; j < 3 * down + taps; ++j) {
        const T sample = from[j * stride];
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v) {
            const int k = j - v * down;
            if (k >= 0 && k < taps) sums[v] += a.weights_down[k] * sample;
        }
    }
}

template <class T>
BLOCK_CALL void write(T* to, int stride, const T (&sums)[4]) {
    BLOCK_UNROLL
    for (int v = 0; v < 4; ++v) to[v * stride] = sums[v];
}
