// SPDX-License-Identifier: Apache-2.0
// The transforms of Winograd's convolution F(4x4, 3x3) on a CPU; derivation in winograd.py. Each works on whole rows of
// tiles: rows are split into four phases, so that the sixteen or so numbers that a tile combines lie in different runs
// of memory, and neighbours in a run belong to neighbouring tiles.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "numbers.h"

namespace {

constexpr double A = 0.70710678118654752, B = 1.41421356237309505;  // points 0, +-A, +-B and infinity; A B = 1
constexpr double AA = 0.5, BB = 2.0, SUM = AA + BB;

// Six samples -> the values at the six points (B^T).
struct Spread {
    static constexpr int inputs = 6;
    template <class T, class In, class Out>
    static inline void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB, sum = SUM;
        const T even_a = x(4) - bb * x(2), odd_a = a * (x(3) - bb * x(1));
        const T even_b = x(4) - aa * x(2), odd_b = b * (x(3) - aa * x(1));
        y(0, x(0) - sum * x(2) + x(4));
        y(1, even_a + odd_a), y(2, even_a - odd_a);
        y(3, even_b + odd_b), y(4, even_b - odd_b);
        y(5, x(1) - sum * x(3) + x(5));
    }
};

// Four results -> six points: the transpose of Gather (A).
struct Raise {
    static constexpr int inputs = 4;
    template <class T, class In, class Out>
    static inline void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const T even_a = x(0) + aa * x(2), odd_a = a * (x(1) + aa * x(3));
        const T even_b = x(0) + bb * x(2), odd_b = b * (x(1) + bb * x(3));
        y(0, x(0));
        y(1, even_a + odd_a), y(2, even_a - odd_a);
        y(3, even_b + odd_b), y(4, even_b - odd_b);
        y(5, x(3));
    }
};

// Six points -> four results (A^T).
struct Gather {
    template <class T, class In, class Out>
    static inline void apply(In x, Out y) {
        constexpr T a = A, b = B, aa = AA, bb = BB;
        const T sum_a = x(1) + x(2), difference_a = a * (x(1) - x(2));
        const T sum_b = x(3) + x(4), difference_b = b * (x(3) - x(4));
        y(0, x(0) + sum_a + sum_b);
        y(1, difference_a + difference_b);
        y(2, aa * sum_a + bb * sum_b);
        y(3, aa * difference_a + bb * difference_b + x(5));
    }
};

struct Grid {
    int64_t pictures, channels, height, width;  // of the pictures
    int64_t rows, columns;                      // tiles of a picture
    int64_t pad;                                // zeros before the first row and column
    int64_t first, last;                        // rows of tiles, counted through all pictures: [first, last)
};

// One row of a picture, `pad` zeros before it, split into phases: to[p line + t] = from[4 t + p - pad].
template <class T, class X>
void split_row(const X* from, int64_t width, int64_t pad, T* to, int64_t line) {
    for (int64_t p = 0; p < 4; ++p, to += line) {
        const int64_t low = std::min((pad - p + 3) / 4, line);
        const int64_t high = std::clamp((width + pad - p + 3) / 4, low, line);
        std::fill(to, to + low, T(0));
        for (int64_t t = low; t < high; ++t) to[t] = T(from[4 * t + p - pad]);
        std::fill(to + high, to + line, T(0));
    }
}

// x [N, C, H, W] -> tiles [36][C][last - first][columns]
template <class Transform, class T, class X>
void to_tiles(const Grid& g, const X* x, T* tiles, int threads) {
    constexpr int inputs = Transform::inputs;
    const int64_t n = g.columns, line = n + 1, wide = 4 * line;
    const int64_t count = g.last - g.first, step = g.channels * count * n;
#pragma omp parallel num_threads(threads)
    {
        std::vector<T> split(inputs * wide), mixed(6 * wide);
        T *from = split.data(), *to = mixed.data();
#pragma omp for schedule(static)
        for (int64_t task = 0; task < g.channels * count; ++task) {
            const int64_t c = task / count, row = g.first + task % count;
            const X* plane = x + (row / g.rows * g.channels + c) * g.height * g.width;
            for (int j = 0; j < inputs; ++j) {
                const int64_t i = row % g.rows * 4 + j - g.pad;
                if (i >= 0 && i < g.height) split_row(plane + i * g.width, g.width, g.pad, from + j * wide, line);
                else std::fill(from + j * wide, from + (j + 1) * wide, T(0));
            }
#pragma GCC ivdep
            for (int64_t t = 0; t < wide; ++t)
                Transform::template apply<T>([=](int j) { return from[j * wide + t]; },
                                 [=](int i, T v) { to[i * wide + t] = v; });
            for (int i = 0; i < 6; ++i) {
                const T* mix = to + i * wide;
                T* block = tiles + i * 6 * step + task * n;
#pragma GCC ivdep
                for (int64_t t = 0; t < n; ++t)
                    Transform::template apply<T>([=](int j) { return mix[j % 4 * line + t + j / 4]; },
                                     [=](int k, T v) { block[k * step + t] = v; });
            }
        }
    }
}

// tiles [36][C][last - first][columns] -> y [N, C, H, W]
template <class T, class X>
void from_tiles(const Grid& g, const T* tiles, X* y, int threads) {
    const int64_t n = g.columns, wide = 4 * n, count = g.last - g.first, step = g.channels * count * n;
#pragma omp parallel num_threads(threads)
    {
        std::vector<T> split(6 * wide), mixed(4 * wide);
        T *from = split.data(), *to = mixed.data();
#pragma omp for schedule(static)
        for (int64_t task = 0; task < g.channels * count; ++task) {
            const int64_t c = task / count, row = g.first + task % count;
            for (int i = 0; i < 6; ++i) {
                const T* block = tiles + i * 6 * step + task * n;
                T* mix = from + i * wide;
#pragma GCC ivdep
                for (int64_t t = 0; t < n; ++t)
                    Gather::apply<T>([=](int k) { return block[k * step + t]; },
                                  [=](int k, T v) { mix[k * n + t] = v; });
            }
#pragma GCC ivdep
            for (int64_t t = 0; t < wide; ++t)
                Gather::apply<T>([=](int i) { return from[i * wide + t]; },
                              [=](int a, T v) { to[a * wide + t] = v; });
            const int64_t top = row % g.rows * 4;
            X* picture = y + (row / g.rows * g.channels + c) * g.height * g.width;
            for (int64_t a = 0; a < std::min<int64_t>(4, g.height - top); ++a)
                for (int64_t k = 0; k < 4; ++k)
                    for (int64_t t = 0; t < (g.width - k + 3) / 4; ++t)
                        picture[(top + a) * g.width + 4 * t + k] = to[a * wide + k * n + t];
        }
    }
}

// Calls go with the kinds of number of the tiles and of the pictures in memory.
template <class Go>
void by_kind(int32_t kind, Go go) {
    if (kind == FLOAT64) go(double(), double());
    else if (kind == BFLOAT16) go(float(), BFloat16());
    else go(float(), float());
}

}  // namespace

extern "C" void winograd_spread(const Grid* grid, int32_t kind, const void* x, void* tiles, int32_t threads) {
    by_kind(kind, [=](auto tile, auto number) {
        using T = decltype(tile);
        to_tiles<Spread>(*grid, static_cast<const decltype(number)*>(x), static_cast<T*>(tiles), threads);
    });
}

extern "C" void winograd_raise(const Grid* grid, int32_t kind, const void* x, void* tiles, int32_t threads) {
    by_kind(kind, [=](auto tile, auto number) {
        using T = decltype(tile);
        to_tiles<Raise>(*grid, static_cast<const decltype(number)*>(x), static_cast<T*>(tiles), threads);
    });
}

extern "C" void winograd_gather(const Grid* grid, int32_t kind, const void* tiles, void* y, int32_t threads) {
    by_kind(kind, [=](auto tile, auto number) {
        using T = decltype(tile);
        from_tiles(*grid, static_cast<const T*>(tiles), static_cast<decltype(number)*>(y), threads);
    });
}
