// SPDX-License-Identifier: Apache-2.0
// Winograd's convolutions along one axis: polynomials to their values at points, and back; derivations in winograd.py and
// halving.py. Each map reads x(0), x(1), ... and writes y(0, value), y(1, value), ... Of maps that read samples of a picture,
// `step` is the way from one tile's to the next one's.
#pragma once
#include "grid.h"

namespace {

#define INLINE inline __attribute__((always_inline))

constexpr double A = 0.70710678118654752, B = 1.41421356237309505, AA = 0.5, BB = 2.0, SUM = AA + BB;  // A B = 1
constexpr double BY_A = 1 / (2 * AA * (AA - BB)), BY_B = 1 / (2 * BB * (BB - AA));  // over a point's distances to others
constexpr int TILE = 4;  // results of a tile

// F(4, 3): the points are 0, +-A, +-B and infinity.
constexpr int POINTS = 6;

// Six samples -> six points (B^T).
struct Spread {
    static constexpr int from = POINTS, to = POINTS, step = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB, sum = SUM;
        const V even_a = x(4) - bb * x(2), odd_a = a * (x(3) - bb * x(1));
        const V even_b = x(4) - aa * x(2), odd_b = b * (x(3) - aa * x(1));
        y(0, x(0) - sum * x(2) + x(4));
        y(1, even_a + odd_a), y(2, even_a - odd_a);
        y(3, even_b + odd_b), y(4, even_b - odd_b);
        y(5, x(1) - sum * x(3) + x(5));
    }
};

// Without the point 0: F(4, 2), five points.
constexpr int FIVE = 5;

// Four results -> five points (A).
struct RaiseFive {
    static constexpr int from = TILE, to = FIVE, step = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const V even_a = x(0) + aa * x(2), odd_a = a * (x(1) + aa * x(3));
        const V even_b = x(0) + bb * x(2), odd_b = b * (x(1) + bb * x(3));
        y(0, even_a + odd_a), y(1, even_a - odd_a);
        y(2, even_b + odd_b), y(3, even_b - odd_b);
        y(4, x(3));
    }
};

// Five points -> four results (A^T).
struct GatherFive {
    static constexpr int from = FIVE, to = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const V sum_a = x(0) + x(1), difference_a = a * (x(0) - x(1));
        const V sum_b = x(2) + x(3), difference_b = b * (x(2) - x(3));
        y(0, sum_a + sum_b);
        y(1, difference_a + difference_b);
        y(2, aa * sum_a + bb * sum_b);
        y(3, aa * difference_a + bb * difference_b + x(4));
    }
};

// Four results -> six points: the transpose of Gather (A).
struct Raise {
    static constexpr int from = TILE, to = POINTS, step = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        y(0, x(0));
        RaiseFive::apply<T, V>(x, [&](int i, V v) __attribute__((always_inline)) { y(i + 1, v); });
    }
};

// Six points -> four results (A^T).
struct Gather {
    static constexpr int from = POINTS, to = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        const auto others = [&](int i) __attribute__((always_inline)) { return x(i + 1); };
        GatherFive::apply<T, V>(others, [&](int i, V v) __attribute__((always_inline)) { y(i, i ? v : x(0) + v); });
    }
};

// Three taps -> six points (G).
struct Weigh {
    static constexpr int from = TAPS, to = POINTS;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A * BY_A, b = B * BY_B, by_a = BY_A, by_b = BY_B, aa = AA * BY_A, bb = BB * BY_B;
        const V even_a = by_a * x(0) + aa * x(2), even_b = by_b * x(0) + bb * x(2);
        y(0, x(0));
        y(1, even_a + a * x(1)), y(2, even_a - a * x(1));
        y(3, even_b + b * x(1)), y(4, even_b - b * x(1));
        y(5, x(2));
    }
};

// Six points -> three taps: the transpose of Weigh (G^T).
struct Unweigh {
    static constexpr int from = POINTS, to = TAPS;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A * BY_A, b = B * BY_B, by_a = BY_A, by_b = BY_B, aa = AA * BY_A, bb = BB * BY_B;
        const V sum_a = x(1) + x(2), sum_b = x(3) + x(4);
        y(0, x(0) + by_a * sum_a + by_b * sum_b);
        y(1, a * (x(1) - x(2)) + b * (x(3) - x(4)));
        y(2, aa * sum_a + bb * sum_b + x(5));
    }
};

// Stride 2: samples that lie two apart, and taps that do, are polynomials of their own. Even ones are F(4, 2) with the points
// +-A, +-B and infinity: FIVE values. The odd tap is alone: at infinity it has no value, so that there are FOUR.
constexpr int FOUR = 4, PHASES = FIVE + FOUR;

// Nine samples -> the five values of the even ones, the four of the odd ones (B^T).
struct SpreadPhases {
    static constexpr int from = 2 * TILE + 1, to = PHASES, step = 2 * TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB, sum = SUM;
#pragma GCC unroll 2
        for (int phase = 0; phase < 2; ++phase) {
            const auto d = [&](int k) __attribute__((always_inline)) { return x(2 * k + phase); };
            const V even_a = d(3) - bb * d(1), odd_a = a * (d(2) - bb * d(0));
            const V even_b = d(3) - aa * d(1), odd_b = b * (d(2) - aa * d(0));
            y(FIVE * phase, even_a + odd_a), y(FIVE * phase + 1, even_a - odd_a);
            y(FIVE * phase + 2, even_b + odd_b), y(FIVE * phase + 3, even_b - odd_b);
            if (phase == 0) y(4, d(0) - sum * d(2) + d(4));
        }
    }
};

// The transpose of that (B).
struct UnspreadPhases {
    static constexpr int from = PHASES, to = 2 * TILE + 1;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB, sum = SUM;
#pragma GCC unroll 2
        for (int phase = 0; phase < 2; ++phase) {
            const auto v = [&](int k) __attribute__((always_inline)) { return x(FIVE * phase + k); };
            const V sum_a = v(0) + v(1), difference_a = a * (v(0) - v(1));
            const V sum_b = v(2) + v(3), difference_b = b * (v(2) - v(3));
            const V first = -(bb * difference_a + aa * difference_b), third = difference_a + difference_b;
            y(phase, phase == 0 ? first + x(4) : first);
            y(2 + phase, -(bb * sum_a + aa * sum_b));
            y(4 + phase, phase == 0 ? third - sum * x(4) : third);
            y(6 + phase, sum_a + sum_b);
        }
        y(8, x(4));
    }
};

constexpr double TO_A = 1 / (2 * A * (AA - BB)), TO_B = 1 / (2 * B * (BB - AA));  // as BY_A, without the point 0

// Three taps -> the five values of the first and the last one, the four of the one between (G).
struct WeighPhases {
    static constexpr int from = TAPS, to = PHASES;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T to_a = TO_A, to_b = TO_B, a = A * TO_A, b = B * TO_B;
        const V first_a = to_a * x(0), last_a = a * x(2), first_b = to_b * x(0), last_b = b * x(2);
        y(0, last_a + first_a), y(1, last_a - first_a);
        y(2, last_b + first_b), y(3, last_b - first_b);
        y(4, x(2));
        y(5, to_a * x(1)), y(6, -to_a * x(1));
        y(7, to_b * x(1)), y(8, -to_b * x(1));
    }
};

// The transpose of that (G^T).
struct UnweighPhases {
    static constexpr int from = PHASES, to = TAPS;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T to_a = TO_A, to_b = TO_B, a = A * TO_A, b = B * TO_B;
        y(0, to_a * (x(0) - x(1)) + to_b * (x(2) - x(3)));
        y(1, to_a * (x(5) - x(6)) + to_b * (x(7) - x(8)));
        y(2, a * (x(0) + x(1)) + b * (x(2) + x(3)) + x(4));
    }
};

// A square of numbers: `Map` along its columns, then along its rows. `in(i, j)` reads, `out(i, j, value)` writes.
template <class Map, class T, class V, class In, class Out>
INLINE void square(In in, Out out) {
    V half[Map::to][Map::from];
#pragma GCC unroll 9
    for (int j = 0; j < Map::from; ++j)
        Map::template apply<T, V>([&](int i) { return in(i, j); }, [&](int i, V v) { half[i][j] = v; });
#pragma GCC unroll 9
    for (int i = 0; i < Map::to; ++i)
        Map::template apply<T, V>([&](int j) { return half[i][j]; }, [&](int j, V v) { out(i, j, v); });
}

}  // namespace
