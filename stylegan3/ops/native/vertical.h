// SPDX-License-Identifier: Apache-2.0
// Rows raised, bent and lowered again without leaving the registers, for the filters of StyleGAN3's networks: 6 taps a
// phase up by 2 or 4, 12 taps down by 2. Results are made G at a time, in a vector of columns after another:
//
//   raised row t of 2 G   e = (FIRST + t) mod UP   reads wide rows (FIRST + t) / UP + [0, 6)
//   it is part of six results: of the oldest unfinished one with weight 10 + t mod 2, of the newest with t mod 2
#pragma once
#include <utility>

#include "flow.h"

constexpr int TAPS_UP = 6, TAPS_DOWN = 12, UNFINISHED = TAPS_DOWN / 2 - 1;

// Wide rows that G results read.
constexpr int wide_rows(int up, int first, int results) { return (first + 2 * results - 1) / up + TAPS_UP; }

template <int UP, int FIRST, int G, class T, class Bend, int... t>
void vertical_by(T* const* results, T* const* unfinished, const T* const* wide, const T* up, const T* down, int n,
                 Bend bend, std::integer_sequence<int, t...>) {
    constexpr int WIDE = wide_rows(UP, FIRST, G);
    const T* rows[WIDE];
    T* to[G];
    T* kept[UNFINISHED];
    T w_up[UP * TAPS_UP], w_down[TAPS_DOWN];
    for (int j = 0; j < WIDE; ++j) rows[j] = wide[j];
    for (int j = 0; j < G; ++j) to[j] = results[j];
    for (int j = 0; j < UNFINISHED; ++j) kept[j] = unfinished[j];
    for (int k = 0; k < UP * TAPS_UP; ++k) w_up[k] = up[k];
    for (int k = 0; k < TAPS_DOWN; ++k) w_down[k] = down[k];
    for (int m = 0; m < n; m += LANES<T>) {
        Vector<T> sums[UNFINISHED + 1];
        for (int j = 0; j < UNFINISHED; ++j) sums[j] = *reinterpret_cast<const Vector<T>*>(kept[j] + m);
        const auto step = [&](auto row) {
            constexpr int r = decltype(row)::value, e = (FIRST + r) % UP, newest = (FIRST + r) / UP + TAPS_UP - 1;
            Vector<T> halves[2] = {};
            for (int k = 0; k < TAPS_UP; ++k)
                halves[k % 2] += w_up[e * TAPS_UP + k] * *reinterpret_cast<const Vector<T>*>(rows[newest - k] + m);
            const Vector<T> v = bend(halves[0] + halves[1], r, m);
            constexpr int oldest = r / 2, places = UNFINISHED + 1;
            for (int i = 0; i < UNFINISHED; ++i) sums[(oldest + i) % places] += w_down[10 + r % 2 - 2 * i] * v;
            auto& last = sums[(oldest + UNFINISHED) % places];
            if constexpr (r % 2 == 0) last = w_down[0] * v;
            else {
                last += w_down[1] * v;
                *reinterpret_cast<Vector<T>*>(to[oldest] + m) = sums[oldest % places];
            }
        };
        (step(std::integral_constant<int, t>{}), ...);
        for (int j = 0; j < UNFINISHED; ++j)
            *reinterpret_cast<Vector<T>*>(kept[j] + m) = sums[(G + j) % (UNFINISHED + 1)];
    }
}

template <int G, class T, class Bend>
void vertical(T* const* results, T* const* unfinished, const T* const* wide, int factor, int first, const T* up,
              const T* down, int n, Bend bend) {
#define VERTICAL(UP, FIRST)                                                             \
    case UP * 4 + FIRST:                                                                \
        return vertical_by<UP, FIRST, G>(results, unfinished, wide, up, down, n, bend, \
                                         std::make_integer_sequence<int, 2 * G>{});
    switch (factor * 4 + first) {
        VERTICAL(2, 0) VERTICAL(2, 1) VERTICAL(4, 0) VERTICAL(4, 1) VERTICAL(4, 2) VERTICAL(4, 3)
    }
#undef VERTICAL
}
