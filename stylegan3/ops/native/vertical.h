// SPDX-License-Identifier: Apache-2.0
// Rows raised, bent and lowered again without leaving the registers, for the filters of StyleGAN3's networks: 6 taps a
// phase up by 2 or 4, 6 DOWN taps down by DOWN. Results are made G at a time, in one vector of columns after another:
//
//   raised row t of DOWN G   e = (FIRST + t) mod UP   reads wide rows (FIRST + t) / UP + [0, 6)
//   it is part of six results: weight 5 DOWN + t mod DOWN of the oldest unfinished one, t mod DOWN of the newest
#pragma once
#include <utility>

#include "flow.h"

constexpr int TAPS_UP = 6, UNFINISHED = 5;

// Wide rows that so many raised ones read.
constexpr int wide_rows(int up, int first, int raised) { return (first + raised - 1) / up + TAPS_UP; }

template <int UP, int FIRST, int DOWN, int G, class T, class Bend, int... t>
void vertical_by(T* const* results, T* const* unfinished, const T* const* wide, const T* up, const T* down, int n,
                 Bend bend, std::integer_sequence<int, t...>) {
    constexpr int WIDE = wide_rows(UP, FIRST, DOWN * G), PLACES = UNFINISHED + 1;
    const T* rows[WIDE];
    T *to[G], *kept[UNFINISHED];
    T w_up[UP * TAPS_UP], w_down[PLACES * DOWN];
    for (int j = 0; j < WIDE; ++j) rows[j] = wide[j];
    for (int j = 0; j < G; ++j) to[j] = results[j];
    for (int j = 0; j < UNFINISHED; ++j) kept[j] = unfinished[j];
    for (int k = 0; k < UP * TAPS_UP; ++k) w_up[k] = up[k];
    for (int k = 0; k < PLACES * DOWN; ++k) w_down[k] = down[k];
    for (int m = 0; m < n; m += LANES<T>) {
        Vector<T> sums[PLACES];
        for (int j = 0; j < UNFINISHED; ++j) sums[j] = *reinterpret_cast<const Vector<T>*>(kept[j] + m);
        const auto step = [&](auto row) {
            constexpr int r = decltype(row)::value, e = (FIRST + r) % UP, newest = (FIRST + r) / UP + TAPS_UP - 1;
            Vector<T> halves[2] = {};
            for (int k = 0; k < TAPS_UP; ++k)
                halves[k % 2] += w_up[e * TAPS_UP + k] * *reinterpret_cast<const Vector<T>*>(rows[newest - k] + m);
            const Vector<T> v = bend(halves[0] + halves[1], row, std::bool_constant<r + 1 == DOWN * G>(), m);
            constexpr int oldest = r / DOWN, part = r % DOWN;
            for (int i = 0; i < UNFINISHED; ++i) sums[(oldest + i) % PLACES] += w_down[(UNFINISHED - i) * DOWN + part] * v;
            auto& last = sums[(oldest + UNFINISHED) % PLACES];
            if constexpr (part == 0) last = w_down[0] * v;
            else last += w_down[part] * v;
            if constexpr (part == DOWN - 1) *reinterpret_cast<Vector<T>*>(to[oldest] + m) = sums[oldest % PLACES];
        };
        (step(std::integral_constant<int, t>{}), ...);
        for (int j = 0; j < UNFINISHED; ++j) *reinterpret_cast<Vector<T>*>(kept[j] + m) = sums[(G + j) % PLACES];
    }
}

inline bool vertical_serves(int up, int taps_up, int down, int taps_down) {
    const bool factors = (up == 2 && (down == 2 || down == 4)) || (up == 4 && down == 2);
    return factors && taps_up == TAPS_UP && taps_down == (UNFINISHED + 1) * down;
}

template <int G, class T, class Bend>
void vertical(T* const* results, T* const* unfinished, const T* const* wide, int factor, int first, int factor_down,
              const T* up, const T* down, int n, Bend bend) {
#define VERTICAL(UP, FIRST, DOWN)                                                             \
    case (UP * 4 + FIRST) * 8 + DOWN:                                                         \
        return vertical_by<UP, FIRST, DOWN, G>(results, unfinished, wide, up, down, n, bend, \
                                               std::make_integer_sequence<int, DOWN * G>{});
    switch ((factor * 4 + first) * 8 + factor_down) {
        VERTICAL(2, 0, 2) VERTICAL(2, 1, 2) VERTICAL(2, 0, 4) VERTICAL(2, 1, 4)
        VERTICAL(4, 0, 2) VERTICAL(4, 1, 2) VERTICAL(4, 2, 2) VERTICAL(4, 3, 2)
    }
#undef VERTICAL
}
