// SPDX-License-Identifier: Apache-2.0
// Winograd's F(4x4, 3x3) along one axis: polynomials to their values at the points 0, +-A, +-B and infinity, and back;
// derivation in winograd.py. Each map reads x(0), x(1), ... and writes y(0, value), y(1, value), ...
#pragma once

#define INLINE inline __attribute__((always_inline))

constexpr double A = 0.70710678118654752, B = 1.41421356237309505, AA = 0.5, BB = 2.0, SUM = AA + BB;  // A B = 1
constexpr double BY_A = 1 / (2 * AA * (AA - BB)), BY_B = 1 / (2 * BB * (BB - AA));  // over a point's distances to others
constexpr int POINTS = 6, TILE = 4, TAPS = 3, VALUES = POINTS * POINTS;

// Six samples -> six points (B^T).
struct Spread {
    static constexpr int from = POINTS, to = POINTS;
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

// Four results -> six points: the transpose of Gather (A).
struct Raise {
    static constexpr int from = TILE, to = POINTS;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const V even_a = x(0) + aa * x(2), odd_a = a * (x(1) + aa * x(3));
        const V even_b = x(0) + bb * x(2), odd_b = b * (x(1) + bb * x(3));
        y(0, x(0));
        y(1, even_a + odd_a), y(2, even_a - odd_a);
        y(3, even_b + odd_b), y(4, even_b - odd_b);
        y(5, x(3));
    }
};

// Six points -> four results (A^T).
struct Gather {
    static constexpr int from = POINTS, to = TILE;
    template <class T, class V, class In, class Out>
    static INLINE void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const V sum_a = x(1) + x(2), difference_a = a * (x(1) - x(2));
        const V sum_b = x(3) + x(4), difference_b = b * (x(3) - x(4));
        y(0, x(0) + sum_a + sum_b);
        y(1, difference_a + difference_b);
        y(2, aa * sum_a + bb * sum_b);
        y(3, aa * difference_a + bb * difference_b + x(5));
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

// A square of numbers: `Map` along its columns, then along its rows. `in(i, j)` reads, `out(i, j, value)` writes.
template <class Map, class T, class V, class In, class Out>
INLINE void square(In in, Out out) {
    V half[Map::to][Map::from];
#pragma GCC unroll 6
    for (int j = 0; j < Map::from; ++j)
        Map::template apply<T, V>([&](int i) { return in(i, j); }, [&](int i, V v) { half[i][j] = v; });
#pragma GCC unroll 6
    for (int i = 0; i < Map::to; ++i)
        Map::template apply<T, V>([&](int j) { return half[i][j]; }, [&](int j, V v) { out(i, j, v); });
}
