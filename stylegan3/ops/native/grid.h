// SPDX-License-Identifier: Apache-2.0
// What is convolved with kernels of 3x3 taps: sizes, and the kernels in memory.
#pragma once
#include <algorithm>
#include <cstdint>

#include "registers.h"

constexpr int TAPS = 3;

struct Grid {
    int64_t pictures, channels, height, width;  // x [N, C, H, W]
    int64_t results, rows_out, columns_out;     // y [N, O, H', W']
    int64_t pad;                                // zeros before x's first row and column
    int64_t layout;                             // of x and y
    int64_t most;                               // bytes of a group
};

inline int64_t over(int64_t n, int64_t by) { return (n + by - 1) / by; }
inline int64_t up_to(int64_t n, int64_t of) { return over(n, of) * of; }  // a multiple of `of`

// w [O, C, 3, 3] of one group of results and one of channels -> some[c][tap][lane o], zeros beyond O and C
template <class T>
inline void read_kernels(const Grid& g, const T* w, int64_t o0, int64_t c0, Register<T>* some) {
    constexpr int L = WIDTH<T>, taps = TAPS * TAPS;
    const int64_t numbers = std::min<int64_t>(L, g.channels - c0) * taps, results = std::min<int64_t>(L, g.results - o0);
    for (int first = 0; first < taps * L; first += L) {
        Register<T>* rows = some + first;
        for (int o = 0; o < L; ++o)
            rows[o] = o < results && first < numbers
                ? read<T>(w + ((o0 + o) * g.channels + c0) * taps + first, numbers - first) : Register<T>{};
        turn<T>(rows);
    }
}

// The way back; `some` is worked on.
template <class T>
inline void write_kernels(const Grid& g, T* w, int64_t o0, int64_t c0, Register<T>* some) {
    constexpr int L = WIDTH<T>, taps = TAPS * TAPS;
    const int64_t numbers = std::min<int64_t>(L, g.channels - c0) * taps, results = std::min<int64_t>(L, g.results - o0);
    for (int first = 0; first < numbers; first += L) {
        Register<T>* rows = some + first;
        turn<T>(rows);
        for (int o = 0; o < results; ++o)
            write<T>(w + ((o0 + o) * g.channels + c0) * taps + first, rows[o], numbers - first);
    }
}
