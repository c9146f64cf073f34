// SPDX-License-Identifier: Apache-2.0
// Winograd's convolution F(4x4, 3x3) on a CPU; derivation in winograd.py. Pictures are worked on in groups of whole rows
// of tiles, few enough that what is transformed is still near when it is multiplied. A vector holds neighbouring
// channels: transforms and products need no shuffles but those that turn channels inwards and outwards again.
#include <algorithm>
#include <cstdint>

#include "products.h"
#include "winograd_points.h"

namespace {

struct Grid {
    int64_t pictures, channels, height, width;  // x [N, C, H, W]
    int64_t results, rows_out, columns_out;     // y [N, O, H', W']
    int64_t pad;                                // zeros before x's first row and column
    int64_t inner;                              // channels lie innermost, in x and y
    int64_t most;                               // bytes of a group
    int64_t rows, columns;                      // tiles of a picture
};

inline int64_t over(int64_t n, int64_t by) { return (n + by - 1) / by; }

// Where a picture's numbers are.
template <class X>
struct Plane {
    X* data;
    int64_t channels, height, width;
    bool inner;

    X* at(int64_t n, int64_t c, int64_t i, int64_t j) const {
        return inner ? data + ((n * height + i) * width + j) * channels + c
                     : data + ((n * channels + c) * height + i) * width + j;
    }
};

// One row of one group of channels -> line[j][lane], zeros in `pad` places before and up to `length`
template <class T, class X>
__attribute__((noinline)) void read_line(const Plane<const X>& x, int64_t n, int64_t group, int64_t row, int64_t pad, T* line, int64_t length) {
    constexpr int L = WIDTH<T>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, x.channels - c);
    if (row < 0 || row >= x.height) {
        std::fill(line, line + length * L, T(0));
        return;
    }
    std::fill(line, line + pad * L, T(0));
    std::fill(line + (pad + x.width) * L, line + length * L, T(0));
    auto* to = reinterpret_cast<Register<T>*>(line) + pad;
    if (x.inner) {
        for (int64_t j = 0; j < x.width; ++j) to[j] = read<T>(x.at(n, c, row, j), channels);
        return;
    }
    for (int64_t j = 0; j < x.width; j += L) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) block[k] = k < channels ? read<T>(x.at(n, c + k, row, j), x.width - j) : Register<T>{};
        turn<T>(block);
        const int64_t count = std::min<int64_t>(L, x.width - j);
        if (count == L)
            for (int k = 0; k < L; ++k) to[j + k] = block[k];
        else
            for (int k = 0; k < count; ++k) to[j + k] = block[k];
    }
}

// line[j][lane] -> one row of one group of channels
template <class T, class X>
__attribute__((noinline)) void write_line(const Plane<X>& y, int64_t n, int64_t group, int64_t row, const T* line) {
    constexpr int L = WIDTH<T>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, y.channels - c);
    const auto* from = reinterpret_cast<const Register<T>*>(line);
    if (y.inner) {
        for (int64_t j = 0; j < y.width; ++j) write<T>(y.at(n, c, row, j), from[j], channels);
        return;
    }
    for (int64_t j = 0; j < y.width; j += L) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) block[k] = from[j + k];
        turn<T>(block);
        for (int k = 0; k < channels; ++k) write<T>(y.at(n, c + k, row, j), block[k], y.width - j);
    }
}

// The memory of a call: U, the kernels (or sums for their gradient); V and M, a group's tiles.
template <class Kind, class T>
struct Memory {
    using Number = typename Kind::Number;
    static constexpr int L = WIDTH<T>, depth = Kind::depth;
    const Grid& g;
    int64_t in, out;    // groups of channels
    int64_t step;       // rows of tiles in a group
    int64_t tiles;      // most tiles of a group, whole blocks
    int64_t line;       // places of a row of samples

    explicit Memory(const Grid& grid, bool raised) : g(grid), in(over(g.channels, L)), out(over(g.results, L)) {
        const int64_t numbers = VALUES * places() * L, taken = numbers * sizeof(Number) / depth;
        const int64_t row = taken * in + out * (raised ? taken : numbers * int64_t(sizeof(T)));
        const int64_t most = raised ? std::max<int64_t>(g.most, sums_size() * sizeof(T)) : g.most;
        step = std::clamp<int64_t>(most / row, 1, std::max<int64_t>(1, g.pictures * g.rows));
        tiles = over(step * places(), ROWS) * ROWS;
        line = over(TILE * places() + TAPS - 1, L) * L;
    }
    // tiles of a row: an even number where neighbours are multiplied together
    int64_t places() const { return over(g.columns, depth) * depth; }
    int64_t spread_size() const { return VALUES * in * tiles * L / depth; }
    int64_t raised_size() const { return VALUES * out * tiles * L / depth; }
    int64_t result_size() const { return VALUES * out * tiles * L; }
    int64_t sums_size() const { return VALUES * in * out * L * L; }
    int64_t kernel_size() const { return VALUES * in * out * L * L / depth; }
};

// x -> V: one row of tiles of one group of channels. `put(i, t, vector)` stores value i of tile t.
template <class Map, class T, class X, class Put>
__attribute__((noinline)) void to_tiles(const Grid& g, const Plane<const X>& x, int64_t pad, int64_t group, int64_t row, T* lines, int64_t line,
              int64_t places, Put put) {
    using V = Register<T>;
    constexpr int L = WIDTH<T>;
    for (int j = 0; j < Map::from; ++j)
        read_line<T>(x, row / g.rows, group, row % g.rows * TILE + j - pad, pad, lines + j * line * L, line);
    auto* at = reinterpret_cast<V*>(lines);
    for (int64_t q = 0; q < TILE * places + Map::from - TILE; ++q) {
        V column[Map::from];
        for (int i = 0; i < Map::from; ++i) column[i] = at[i * line + q];
        Map::template apply<T, V>([&](int i) { return column[i]; }, [=](int i, V v) { at[i * line + q] = v; });
    }
    for (int64_t t = 0; t < places; ++t)
        for (int i = 0; i < POINTS; ++i)
            Map::template apply<T, V>([=](int j) { return at[i * line + TILE * t + j]; },
                                      [=](int j, V v) { put(i * POINTS + j, t, v); });
}

// w [O, C, 3, 3] -> U [36][panels of GROUPS][channels][GROUPS][WIDTH], pairs of channels in a word where depth is 2
template <class Kind, class T>
__attribute__((noinline)) void weigh(const Memory<Kind, T>& m, const T* w, typename Kind::Number* u, int64_t task) {
    using V = Register<T>;
    constexpr int L = WIDTH<T>, taps = TAPS * TAPS, depth = Kind::depth;
    const Grid& g = m.g;
    const int64_t group = task / m.in, c0 = task % m.in * L, o0 = group * L;
    const int64_t channels = std::min<int64_t>(L, g.channels - c0), results = std::min<int64_t>(L, g.results - o0);
    alignas(REGISTER) T some[L][taps][L] = {};
    for (int o = 0; o < results; ++o) {
        const T* from = w + ((o0 + o) * g.channels + c0) * taps;
        for (int c = 0; c < channels; ++c)
            for (int k = 0; k < taps; ++k) some[c][k][o] = from[c * taps + k];
    }
    const int64_t panel = group / GROUPS, wide = std::min<int64_t>(GROUPS, m.out - panel * GROUPS);
    typename Kind::Number* to = u + (panel * GROUPS * m.in * L + c0 * wide + group % GROUPS * depth) * L / depth;
    const int64_t next = m.in * m.out * L * L / depth;
    for (int c = 0; c < L; c += depth) {
        V values[depth][VALUES];
        for (int d = 0; d < depth; ++d)
            square<Weigh, T, V>(
                [&](int i, int j) { return *reinterpret_cast<const V*>(some[c + d][i * TAPS + j]); },
                [&](int i, int j, V v) { values[d][i * POINTS + j] = v; });
        for (int k = 0; k < VALUES; ++k) {
            void* at = to + k * next + c / depth * wide * L;
            if constexpr (depth == 1) *static_cast<V*>(at) = values[0][k];
            else *static_cast<Words*>(at) = paired(values[0][k], values[depth - 1][k]);
        }
    }
}

// M [36][groups][tiles][WIDTH] = U V for one of the 36 values and one panel of results
template <int G, class Kind, class T>
__attribute__((noinline)) void multiply(const Memory<Kind, T>& m, const typename Kind::Number* u, const typename Kind::Number* v, T* to,
              int64_t count) {
    constexpr int L = WIDTH<T>, numbers = L / Kind::depth;
    for (int64_t t = 0; t < count; t += ROWS) {
        Block<T, Kind, G> block;
        const auto* b = u;
        for (int64_t group = 0; group < m.in; ++group) {
            const auto* a = v + (group * m.tiles + t) * numbers;
            for (int k = 0; k < numbers; ++k, b += G * L) block.add(a + k, numbers, b, L);
        }
        for (int j = 0; j < G; ++j)
            for (int i = 0; i < ROWS; ++i)
                *reinterpret_cast<Register<T>*>(to + (j * m.tiles + t + i) * L) = block.sums[i][j];
    }
}

// sums [36][channels][groups][WIDTH] += V^T R for one of the 36 values and one panel of results
template <int G, class Kind, class T>
__attribute__((noinline)) void accumulate(const Memory<Kind, T>& m, const typename Kind::Number* v, const typename Kind::Number* r, T* sums,
                int64_t count) {
    constexpr int L = WIDTH<T>;
    for (int64_t c = 0; c < m.in * L; c += ROWS) {
        Block<T, Kind, G> block;
        const auto* a = v + (c / L * m.tiles / Kind::depth * L + c % L);
        for (int64_t t = 0; t < count / Kind::depth; ++t) block.add(a + t * L, 1, r + t * L, m.tiles / Kind::depth * L);
        for (int i = 0; i < ROWS; ++i)
            for (int j = 0; j < G; ++j)
                *reinterpret_cast<Register<T>*>(sums + ((c + i) * m.out + j) * L) += block.sums[i][j];
    }
}

template <class Go>
void by_width(int64_t wide, Go go) {
    if (GROUPS >= 3 && wide == 3) go(std::integral_constant<int, 3>());
    else if (GROUPS >= 2 && wide == 2) go(std::integral_constant<int, 2>());
    else go(std::integral_constant<int, 1>());
}

template <class Kind, class T, class X>
void results(const Grid& g, const X* x, const T* w, X* y, char* scratch, int threads) {
    using Number = typename Kind::Number;
    using V = Register<T>;
    constexpr int L = WIDTH<T>, depth = Kind::depth, numbers = L / depth;
    const Memory<Kind, T> m(g, false);
    auto* u = reinterpret_cast<Number*>(scratch);
    auto* v = u + m.kernel_size();
    auto* sums = reinterpret_cast<T*>(v + m.spread_size());
    const Plane<const X> from{x, g.channels, g.height, g.width, bool(g.inner)};
    const Plane<X> to{y, g.results, g.rows_out, g.columns_out, bool(g.inner)};
    const int64_t panels = over(m.out, GROUPS), all = g.pictures * g.rows;
#pragma omp parallel num_threads(threads)
    {
        Buffer<T> memory(POINTS * m.line * L);
        T* lines = memory.data();
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.in * m.out; ++task) weigh<Kind, T>(m, w, u, task);
        for (int64_t first = 0; first < all; first += m.step) {
            const int64_t rows = std::min(m.step, all - first), count = rows * g.columns;
#pragma omp for schedule(static)
            for (int64_t task = 0; task < m.in * rows; ++task) {
                const int64_t group = task / rows, row = task % rows;
                Number* tiles = v + (group * m.tiles + row * g.columns) * numbers;
                to_tiles<Spread, T>(g, from, g.pad, group, first + row, lines, m.line, g.columns,
                                    [=](int i, int64_t t, V value) {
                                        void* at = tiles + (i * m.in * m.tiles + t) * numbers;
                                        if constexpr (depth == 1) *static_cast<V*>(at) = value;
                                        else *static_cast<Halves*>(at) = narrow(value);
                                    });
            }
#pragma omp for schedule(static)
            for (int64_t task = 0; task < VALUES * panels; ++task) {
                const int64_t i = task / panels, group = task % panels * GROUPS;
                by_width(std::min<int64_t>(GROUPS, m.out - group), [=](auto wide) {
                    multiply<decltype(wide)::value>(m, u + (i * m.out + group) * m.in * L * numbers,
                                                    v + i * m.in * m.tiles * numbers,
                                                    sums + (i * m.out + group) * m.tiles * L, count);
                });
            }
#pragma omp for schedule(static)
            for (int64_t task = 0; task < m.out * rows; ++task) {
                const int64_t group = task / rows, row = task % rows, top = (first + row) % g.rows * TILE;
                const T* tiles = sums + (group * m.tiles + row * g.columns) * L;
                auto* at = reinterpret_cast<V*>(lines);
                for (int64_t t = 0; t < g.columns; ++t)
                    square<Gather, T, V>(
                        [=](int i, int j) {
                            return *reinterpret_cast<const V*>(tiles + ((i * POINTS + j) * m.out * m.tiles + t) * L);
                        },
                        [=](int i, int j, V value) { at[i * m.line + TILE * t + j] = value; });
                for (int64_t i = 0; i < std::min<int64_t>(TILE, g.rows_out - top); ++i)
                    write_line<T>(to, (first + row) / g.rows, group, top + i, lines + i * m.line * L);
            }
        }
    }
}

template <class Kind, class T, class X>
void kernels(const Grid& g, const X* x, const X* y, T* w, char* scratch, int threads) {
    using Number = typename Kind::Number;
    using V = Register<T>;
    constexpr int L = WIDTH<T>, depth = Kind::depth, taps = TAPS * TAPS;
    const Memory<Kind, T> m(g, true);
    auto* sums = reinterpret_cast<T*>(scratch);
    auto* v = reinterpret_cast<Number*>(sums + m.sums_size());
    auto* r = v + m.spread_size();
    const Plane<const X> from{x, g.channels, g.height, g.width, bool(g.inner)};
    const Plane<const X> grads{y, g.results, g.rows_out, g.columns_out, bool(g.inner)};
    const int64_t panels = over(m.out, GROUPS), all = g.pictures * g.rows, places = m.places();
    const int64_t size = m.in * m.out * L * L;
#pragma omp parallel num_threads(threads)
    {
        Buffer<T> memory(POINTS * m.line * L), pair(VALUES * L);
        T *lines = memory.data(), *kept = pair.data();
        const auto put = [=](Number* tiles, int64_t groups) {
            return [=](int i, int64_t t, V value) {
                if constexpr (depth == 1) {
                    *reinterpret_cast<V*>(tiles + (i * groups * m.tiles + t) * L) = value;
                } else {
                    V& first = *reinterpret_cast<V*>(kept + i * L);
                    if (t % 2 == 0) first = value;
                    else *reinterpret_cast<Words*>(tiles + (i * groups * m.tiles / 2 + t / 2) * L) = paired(first, value);
                }
            };
        };
#pragma omp for schedule(static)
        for (int64_t task = 0; task < VALUES * m.in; ++task)
            std::fill(sums + task * m.out * L * L, sums + (task + 1) * m.out * L * L, T(0));
        for (int64_t first = 0; first < all; first += m.step) {
            const int64_t rows = std::min(m.step, all - first), count = rows * places;
#pragma omp for schedule(static)
            for (int64_t task = 0; task < (m.in + m.out) * rows; ++task) {
                const int64_t row = task % rows, group = task / rows, own = group < m.in ? group : group - m.in;
                Number* tiles = (group < m.in ? v : r) + (own * m.tiles + row * places) / depth * L;
                if (group < m.in)
                    to_tiles<Spread, T>(g, from, g.pad, own, first + row, lines, m.line, places, put(tiles, m.in));
                else
                    to_tiles<Raise, T>(g, grads, 0, own, first + row, lines, m.line, places, put(tiles, m.out));
            }
#pragma omp for schedule(static)
            for (int64_t task = 0; task < VALUES * panels; ++task) {
                const int64_t i = task / panels, group = task % panels * GROUPS;
                by_width(std::min<int64_t>(GROUPS, m.out - group), [=](auto wide) {
                    accumulate<decltype(wide)::value>(m, v + i * m.in * m.tiles / depth * L,
                                                      r + (i * m.out + group) * m.tiles / depth * L,
                                                      sums + i * size + group * L, count);
                });
            }
        }
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.in * m.out; ++task) {
            const int64_t group = task / m.in, c0 = task % m.in * L, o0 = group * L;
            const int64_t channels = std::min<int64_t>(L, g.channels - c0), results = std::min<int64_t>(L, g.results - o0);
            for (int c = 0; c < channels; ++c)
                square<Unweigh, T, V>(
                    [=](int i, int j) {
                        return *reinterpret_cast<const V*>(sums + (i * POINTS + j) * size + ((c0 + c) * m.out + group) * L);
                    },
                    [=](int i, int j, V value) {
                        for (int o = 0; o < results; ++o)
                            w[((o0 + o) * g.channels + c0 + c) * taps + i * TAPS + j] = value[o];
                    });
        }
    }
}

// Calls go with the kinds of number of products and of the pictures in memory.
template <class Go>
void by_kind(int32_t kind, Go go) {
    if (kind == FLOAT64) return go(Single<double>(), double(), double());
    if (kind != BFLOAT16) return go(Single<float>(), float(), float());
#ifdef __AVX512BF16__
    return go(Pairs(), float(), BFloat16());
#else
    return go(Single<float>(), float(), BFloat16());
#endif
}

}  // namespace

// Bytes of memory that a call needs; `gradient` is that of the kernels.
extern "C" int64_t winograd_scratch(const Grid* grid, int32_t kind, int32_t gradient) {
    int64_t bytes = 0;
    by_kind(kind, [&](auto products, auto number, auto) {
        using T = decltype(number);
        const Memory<decltype(products), T> m(*grid, gradient);
        const int64_t tiles = m.spread_size() + (gradient ? m.raised_size() : m.kernel_size());
        const int64_t sums = gradient ? m.sums_size() : m.result_size();
        bytes = tiles * sizeof(typename decltype(products)::Number) + sums * sizeof(T);
    });
    return bytes;
}

extern "C" void winograd_results(const Grid* grid, int32_t kind, const void* x, const void* w, void* y,
                                 void* scratch, int32_t threads) {
    by_kind(kind, [=](auto products, auto number, auto stored) {
        using X = decltype(stored);
        results<decltype(products)>(*grid, static_cast<const X*>(x), static_cast<const decltype(number)*>(w),
                                    static_cast<X*>(y), static_cast<char*>(scratch), threads);
    });
}

extern "C" void winograd_kernels(const Grid* grid, int32_t kind, const void* x, const void* g, void* w,
                                 void* scratch, int32_t threads) {
    by_kind(kind, [=](auto products, auto number, auto stored) {
        using X = decltype(stored);
        kernels<decltype(products)>(*grid, static_cast<const X*>(x), static_cast<const X*>(g),
                                    static_cast<decltype(number)*>(w), static_cast<char*>(scratch), threads);
    });
}
