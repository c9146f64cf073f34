// SPDX-License-Identifier: Apache-2.0
// Winograd's convolutions on a CPU; derivations in winograd.py and halving.py. Rows of tiles are shared out to teams of
// threads, which work on them in groups, few enough that what is transformed is still near when it is multiplied. A vector
// holds neighbouring channels: transforms and products need no shuffles but those that turn channels inwards and outwards
// again.
#pragma once
#include <algorithm>
#include <cstdint>

#include "grid.h"
#include "pictures.h"
#include "products.h"
#include "team.h"
#include "winograd_points.h"
#include "winograd_tiles.h"

namespace {

// Ways to convolve. Along an axis samples, kernels and results have so many values; a result's value is the sum of the
// products of `terms` of a kernel's values, each with one of the samples' values.
struct Whole {  // stride 1
    using Samples = Spread;
    using Kernels = Weigh;
    using Given = Raise;  // results' gradients
    using Results = Gather;
    using Taps = Unweigh;
    static constexpr bool expands = false;  // a tile has more results than samples, and neighbours' overlap by one
    static constexpr int last = -1;         // the value that alone reaches the next tile
    static constexpr int samples = POINTS, kernels = POINTS, results = POINTS, step = TILE;  // results from tile to tile
    static constexpr int terms(int) { return 1; }
    static constexpr int kernel(int result, int) { return result; }
    static constexpr int sample(int kernel) { return kernel; }
    static constexpr int result(int kernel) { return kernel; }
};

struct Halving {  // stride 2
    using Samples = SpreadPhases;
    using Kernels = WeighPhases;
    using Given = RaiseFive;
    using Results = GatherFive;
    using Taps = UnweighPhases;
    static constexpr bool expands = false;
    static constexpr int last = -1;
    static constexpr int samples = PHASES, kernels = PHASES, results = FIVE, step = TILE;
    static constexpr int terms(int result) { return result < FOUR ? 2 : 1; }
    static constexpr int kernel(int result, int term) { return result + FIVE * term; }
    static constexpr int sample(int kernel) { return kernel; }
    static constexpr int result(int kernel) { return kernel % FIVE; }
};

struct Doubling {  // the transpose of Halving
    using Samples = RaiseFive;
    using Kernels = WeighPhases;
    using Results = UnspreadPhases;
    static constexpr bool expands = true;
    static constexpr int last = FIVE - 1;
    static constexpr int samples = FIVE, kernels = PHASES, results = PHASES, step = 2 * TILE;
    static constexpr int terms(int) { return 1; }
    static constexpr int kernel(int result, int) { return result; }
    static constexpr int sample(int kernel) { return kernel % FIVE; }
};

// Each team reads all matrices, and adds to its own of a gradient: with large ones, or few rows of tiles, all threads are
// one team.
constexpr int64_t SMALL = 8 << 20, SMALL_SUMS = 4 << 20, LEAST = 4;  // bytes, rows of a share

// The memory of a call: U, the kernels (or sums for their gradient); V and M, a group's tiles.
template <class Way, class Kind, class T>
struct Memory {
    using Number = typename Kind::Number;
    static constexpr int L = WIDTH<T>, depth = Kind::depth;
    static constexpr int64_t APART_BY = VECTOR / sizeof(Number);
    static constexpr int SAMPLES = Way::samples * Way::samples, KERNELS = Way::kernels * Way::kernels;
    static constexpr int RESULTS = Way::results * Way::results;
    const Grid& g;
    const int64_t rows, columns;  // tiles of a picture
    const int64_t in, out;        // groups of channels
    const int64_t places;         // tiles of a row: an even number where neighbours are multiplied together
    const int64_t line;           // places of a row of results, whole blocks of write_line
    int64_t shares;               // of the rows of tiles; of a gradient as many with any number of threads
    int64_t step;                 // rows of tiles in a group
    int64_t groups;               // of a share
    int64_t tiles;                // most tiles of a group, whole blocks

    Memory(const Grid& grid, bool gradient, int64_t threads)
        : g(grid), rows(over(Way::expands ? g.height : g.rows_out, TILE)),
          columns(over(Way::expands ? g.width : g.columns_out, TILE)), in(over(g.channels, L)),
          out(gradient ? over(g.results, L) : written(g)),
          places(gradient ? up_to(columns, depth) : columns),
          line(up_to(Way::step * places + Way::expands, 2 * L)) {
        const int64_t numbers = places * L, taken = numbers * sizeof(Number) / depth;
        const int64_t row = SAMPLES * taken * in + RESULTS * out * (gradient ? taken : numbers * int64_t(sizeof(T)));
        const int64_t matrices = gradient ? sums_size() * sizeof(T) : kernel_size() * sizeof(Number);
        const int64_t parts = gradient ? 2 : threads;
        shares = matrices <= (gradient ? SMALL_SUMS : SMALL) && all() >= LEAST * parts ? parts : 1;
        const int64_t most = std::max(g.most / shares, matrices);  // each group reads them all
        step = std::clamp<int64_t>(most / std::max<int64_t>(row, 1), 1, std::max<int64_t>(1, all()));
        groups = over(over(all(), shares), step);
        tiles = up_to((step + Way::expands) * places, ROWS);
    }
    int64_t all() const { return g.pictures * rows; }
    // Groups of results' channels; blocks are filled up.
    static int64_t written(const Grid& g) {
        return g.layout == BLOCKED ? over(g.results, BLOCK) * (BLOCK / L) : over(g.results, L);
    }
    // Group of channels and row of a task: neighbouring tasks are neighbours in memory.
    struct Place {
        int64_t group, row;
    };
    Place place_of(int64_t task, int64_t groups, int64_t rows) const {
        return g.layout == INNERMOST ? Place{task % groups, task / groups} : Place{task / rows, task % rows};
    }
    // go(first row of tiles, rows) for group k of a share; the last ones may be without rows.
    template <class Go>
    void group_of_share(int64_t share, int64_t k, Go go) const {
        const int64_t first = all() * share / shares + k * step, end = all() * (share + 1) / shares;
        go(first, std::clamp<int64_t>(end - first, 0, step));
    }
    // go(team, share, first row of tiles, rows) for this thread's groups, as many for each one
    template <class Go>
    void for_shares(Go go) const {
        const Team team(shares);
        for (int64_t share = team.number; share < shares; share += team.teams)
            for (int64_t k = 0; k < groups; ++k)
                group_of_share(share, k, [&](int64_t first, int64_t rows) { go(team, share, first, rows); });
    }
    // From one of the values to the next: an odd number of cache lines, or all values would fall on the same ones.
    int64_t spread_next() const { return in * tiles * L / depth + APART_BY; }
    int64_t raised_next() const { return out * tiles * L / depth + APART_BY; }
    int64_t result_next() const { return out * tiles * L + VECTOR / int64_t(sizeof(T)); }
    int64_t spread_size() const { return SAMPLES * spread_next(); }
    int64_t raised_size() const { return RESULTS * raised_next(); }
    int64_t result_size() const { return RESULTS * result_next(); }
    int64_t sums_size() const { return KERNELS * in * out * L * L; }
    int64_t kernel_size() const { return KERNELS * in * out * L * L / depth; }
};

// w [O, C, 3, 3] -> U [values][panels of GROUPS][channels][GROUPS][WIDTH], pairs of channels in a word where depth is 2
template <class Way, class Kind, class T>
APART void weigh(const Memory<Way, Kind, T>& m, const T* w, typename Kind::Number* u, int64_t task) {
    using V = Register<T>;
    constexpr int L = WIDTH<T>, taps = TAPS * TAPS, depth = Kind::depth;
    const int64_t group = task / m.in, c0 = task % m.in * L;
    V some[taps * L];
    read_kernels<T>(m.g, w, group * L, c0, some);
    const int64_t panel = group / GROUPS, wide = std::min<int64_t>(GROUPS, m.out - panel * GROUPS);
    typename Kind::Number* to = u + (panel * GROUPS * m.in * L + c0 * wide + group % GROUPS * depth) * L / depth;
    const int64_t next = m.in * m.out * L * L / depth;
    for (int c = 0; c < L; c += depth) {
        V values[depth][m.KERNELS];
        for (int d = 0; d < depth; ++d)
            square<typename Way::Kernels, T, V>(
                [&](int i, int j) { return some[(c + d) * taps + i * TAPS + j]; },
                [&](int i, int j, V v) { values[d][i * Way::kernels + j] = v; });
        for (int k = 0; k < m.KERNELS; ++k) {
            void* at = to + k * next + c / depth * wide * L;
            if constexpr (depth == 1) *static_cast<V*>(at) = values[0][k];
            else *static_cast<Words*>(at) = paired(values[0][k], values[depth - 1][k]);
        }
    }
}

// M [values][groups][tiles][WIDTH] = U V for one of the values, one panel of results and tiles [first, count)
template <int G, class Way, class Kind, class T>
APART void multiply(const Memory<Way, Kind, T>& m, const typename Kind::Number* u, const typename Kind::Number* v, T* sums,
                    int64_t value, int64_t panel, int64_t first, int64_t count) {
    using Number = typename Kind::Number;
    constexpr int L = WIDTH<T>, numbers = L / Kind::depth;
    const int row = int(value / Way::results), column = int(value % Way::results);
    T* to = sums + value * m.result_next() + panel * GROUPS * m.tiles * L;
    const Number *kernels[4], *samples[4];
    int terms = 0;
    for (int i = 0; i < Way::terms(row); ++i)
        for (int j = 0; j < Way::terms(column); ++j, ++terms) {
            const int64_t k = Way::kernel(row, i), l = Way::kernel(column, j);
            kernels[terms] = u + ((k * Way::kernels + l) * m.out + panel * GROUPS) * m.in * L * numbers;
            samples[terms] = v + (Way::sample(int(k)) * Way::samples + Way::sample(int(l))) * m.spread_next();
        }
    for (int64_t t = first / ROWS * ROWS; t < count; t += ROWS) {
        Block<T, Kind, G> block;
        for (int term = 0; term < terms; ++term) {
            const Number* b = kernels[term];
            for (int64_t group = 0; group < m.in; ++group) {
                const Number* a = samples[term] + (group * m.tiles + t) * numbers;
                for (int k = 0; k < numbers; ++k, b += G * L) block.add(a + k, numbers, b, L);
            }
        }
        for (int j = 0; j < G; ++j)
            for (int i = 0; i < ROWS; ++i)
                *reinterpret_cast<Register<T>*>(to + (j * m.tiles + t + i) * L) = block.sums[i][j];
    }
}

// sums [values][channels][groups][WIDTH] += V^T R for one of the values and one panel of results
template <int G, class Way, class Kind, class T>
APART void accumulate(const Memory<Way, Kind, T>& m, const typename Kind::Number* v, const typename Kind::Number* r,
                      T* sums, int64_t count) {
    constexpr int L = WIDTH<T>, depth = Kind::depth;
    for (int64_t c = 0; c < m.in * L; c += ROWS) {
        Block<T, Kind, G> block;
        const auto* a = v + (c / L * m.tiles / depth * L + c % L);
        for (int64_t t = 0; t < count / depth; ++t) block.add(a + t * L, 1, r + t * L, m.tiles / depth * L);
        for (int i = 0; i < ROWS; ++i)
            for (int j = 0; j < G; ++j)
                *reinterpret_cast<Register<T>*>(sums + ((c + i) * m.out + j) * L) += block.sums[i][j];
    }
}

// go(width of a panel of results): GROUPS groups of channels, or fewer
template <class Go>
void by_width(int64_t wide, Go go) {
    if (GROUPS >= 3 && wide == 3) go(std::integral_constant<int, 3>());
    else if (GROUPS >= 2 && wide == 2) go(std::integral_constant<int, 2>());
    else go(std::integral_constant<int, 1>());
}

// Pictures, and factors of each one's channels [N, C], or none.
template <class T, class X>
struct Scaled {
    X* data;
    const T* factors;
};

// One row of tiles' results from their values M: at[i][j], lines of m.line places. `tiles` is the first one's.
template <class Way, class Kind, class T>
APART void gather(const Memory<Way, Kind, T>& m, const T* tiles, bool follows, Register<T>* at) {
    using V = Register<T>;
    constexpr int L = WIDTH<T>, side = Way::results;
    const auto value = [=, next = m.result_next()](int i, int j, int64_t t) __attribute__((always_inline)) {
        return *reinterpret_cast<const V*>(tiles + (i * side + j) * next + t * L);
    };
    const auto add = [](V& to, V v, bool first) __attribute__((always_inline)) { to = first ? v : to + v; };
    for (int64_t t = 0; t < m.places; ++t)
        square<typename Way::Results, T, V>(
            [=](int i, int j) { return value(i, j, t); },
            [=, &m](int i, int j, V v) { add(at[i * m.line + Way::step * t + j], v, !Way::expands || j || !t); });
    if constexpr (Way::expands) {
        if (!follows) return;
        for (int64_t t = 0; t < m.places; ++t)  // of the tiles above
            Way::Results::template apply<T, V>([=](int j) { return value(Way::last, j, t - m.places); },
                                               [=](int j, V v) { add(at[Way::step * t + j], v, false); });
    }
}

// y = factors conv(factors x, w); where there is a picture `beside` y, its products with what y is before its factors
// are summed along each row of tiles: dots [N, rows of tiles, O]
template <class Way, class Kind, class T, class X>
void results(const Grid& g, Scaled<T, const X> x, const T* w, Scaled<T, X> y, const X* beside, T* dots, char* scratch,
             int threads) {
    using Number = typename Kind::Number;
    using V = Register<T>;
    using Map = typename Way::Samples;
    constexpr int L = WIDTH<T>, depth = Kind::depth, numbers = L / depth;
    const Memory<Way, Kind, T> m(g, false, threads);
    auto* u = reinterpret_cast<Number*>(scratch);
    const Plane<const X> from{x.data, g.channels, g.height, g.width, g.layout};
    const Plane<X> to{y.data, g.results, g.rows_out, g.columns_out, g.layout};
    const Plane<const X> other{beside, g.results, g.rows_out, g.columns_out, g.layout};
    const int64_t panels = over(m.out, GROUPS);
    Tasks tasks(m.shares * m.groups, threads);  // as many for each team
#pragma omp parallel num_threads(threads)
    {
        Buffer<T> memory((Way::step + Way::expands + 1) * m.line * L);
        T* lines = memory.data();
        Window<Map, T, X> window(from, x.factors, g.pad, m.places);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.in * m.out; ++task) weigh(m, w, u, task);
        const Team team(m.shares);
        auto* v = u + m.kernel_size() + team.number * m.spread_size();
        auto* sums = reinterpret_cast<T*>(u + m.kernel_size() + m.shares * m.spread_size()) + team.number * m.result_size();
        const auto compute = [&](int64_t first, int64_t rows) {
            // The tiles above the first ones, if their results overlap.
            const int64_t above = Way::expands && rows && first % m.rows ? 1 : 0, all = above + rows;
            team.each(m.in * all, [&](int64_t task) {
                const auto [group, place] = m.place_of(task, m.in, all);
                const int64_t row = first - above + place;
                Number* tiles = v + (group * m.tiles + place * m.places) * numbers;
                to_tiles<Map>(window.lines(row / m.rows, group, row % m.rows), m.places,
                              [=, next = m.spread_next()](int i, int64_t t, V value) {
                                  void* at = tiles + i * next + t * numbers;
                                  if constexpr (depth == 1) *static_cast<V*>(at) = value;
                                  else *static_cast<Halves*>(at) = narrow(value);
                              });
            });
            team.meet();
            team.each(m.RESULTS * panels, [&](int64_t task) {
                const int64_t value = task / panels, panel = task % panels;
                const bool reaches = value / Way::results == Way::last;  // the tiles below
                by_width(std::min<int64_t>(GROUPS, m.out - panel * GROUPS), [=, &m](auto wide) {
                    multiply<decltype(wide)::value>(m, u, v, sums, value, panel, reaches ? 0 : above * m.places,
                                                    all * m.places);
                });
            });
            team.meet();
            team.each(m.out * rows, [&](int64_t task) {
                const auto [group, own] = m.place_of(task, m.out, rows);
                const int64_t place = above + own, row = first + own;
                const int64_t picture = row / m.rows, tile = row % m.rows, top = tile * Way::step;
                const int64_t most = Way::step + (tile == m.rows - 1 ? Way::expands : 0);
                const int64_t high = std::min(most, g.rows_out - top);
                auto* at = reinterpret_cast<V*>(lines);
                gather(m, sums + (group * m.tiles + place * m.places) * L, tile > 0, at);
                if (beside && group * L < g.results) {
                    V sum{}, *with = at + (Way::step + Way::expands) * m.line;
                    for (int64_t i = 0; i < high; ++i) {
                        read_line<T>(other, picture, group, top + i, V{} + 1, reinterpret_cast<T*>(with));
                        for (int64_t j = 0; j < g.columns_out; ++j) sum += at[i * m.line + j] * with[j];
                    }
                    write<T>(dots + row * g.results + group * L, sum, g.results - group * L);
                }
                const V factors = group_of(y.factors, picture, group, g.results);
                for (int64_t i = 0; i < high; ++i)
                    write_line<T>(to, picture, group, top + i, factors, lines + i * m.line * L);
            });
        };
        team.take(tasks, [&](int64_t k) { m.group_of_share(k / m.groups, k % m.groups, compute); });
    }
}

// The gradient of w for that of y, with their factors and those of x.
template <class Way, class Kind, class T, class X>
void kernels(const Grid& g, Scaled<T, const X> x, Scaled<T, const X> y, T* w, char* scratch, int threads) {
    using Number = typename Kind::Number;
    using V = Register<T>;
    constexpr int L = WIDTH<T>, depth = Kind::depth, taps = TAPS * TAPS;
    const Memory<Way, Kind, T> m(g, true, threads);
    auto* all_sums = reinterpret_cast<T*>(scratch);
    const Plane<const X> from{x.data, g.channels, g.height, g.width, g.layout};
    const Plane<const X> grads{y.data, g.results, g.rows_out, g.columns_out, g.layout};
    const int64_t panels = over(m.out, GROUPS), size = m.in * m.out * L * L;
#pragma omp parallel num_threads(threads)
    {
        Buffer<T> memory(m.SAMPLES * L);  // as many values as a tile has, or more
        T* kept = memory.data();
        Window<typename Way::Samples, T, X> samples(from, x.factors, g.pad, m.places);
        Window<typename Way::Given, T, X> given(grads, y.factors, 0, m.places);
        const auto put = [=](Number* tiles, int64_t next) {
            return [=](int i, int64_t t, V value) {
                if constexpr (depth == 1) {
                    *reinterpret_cast<V*>(tiles + i * next + t * L) = value;
                } else {
                    V& first = *reinterpret_cast<V*>(kept + i * L);
                    if (t % 2 == 0) first = value;
                    else *reinterpret_cast<Words*>(tiles + i * next + t / 2 * L) = paired(first, value);
                }
            };
        };
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.shares * m.KERNELS * m.in; ++task)
            std::fill(all_sums + task * m.out * L * L, all_sums + (task + 1) * m.out * L * L, T(0));
        m.for_shares([&](const Team& team, int64_t share, int64_t first, int64_t rows) {
            T* sums = all_sums + share * m.sums_size();
            auto* v = reinterpret_cast<Number*>(all_sums + m.shares * m.sums_size()) +
                      share * (m.spread_size() + m.raised_size());
            auto* r = v + m.spread_size();
            team.each((m.in + m.out) * rows, [&](int64_t task) {
                const auto [group, place] = m.place_of(task, m.in + m.out, rows);
                const int64_t row = first + place, picture = row / m.rows;
                const int64_t own = group < m.in ? group : group - m.in;
                Number* tiles = (group < m.in ? v : r) + (own * m.tiles + place * m.places) / depth * L;
                if (group < m.in)
                    to_tiles<typename Way::Samples>(samples.lines(picture, own, row % m.rows), m.places,
                                     put(tiles, m.spread_next()));
                else
                    to_tiles<typename Way::Given>(given.lines(picture, own, row % m.rows), m.places,
                                    put(tiles, m.raised_next()));
            });
            team.meet();
            team.each(m.KERNELS * panels, [&](int64_t task) {
                const int64_t k = task / panels, group = task % panels * GROUPS;
                const int i = int(k / Way::kernels), j = int(k % Way::kernels);
                const auto* of_x = v + (Way::sample(i) * Way::samples + Way::sample(j)) * m.spread_next();
                const auto* of_y = r + (Way::result(i) * Way::results + Way::result(j)) * m.raised_next();
                by_width(std::min<int64_t>(GROUPS, m.out - group), [=, &m](auto wide) {
                    accumulate<decltype(wide)::value>(m, of_x, of_y + group * m.tiles / depth * L,
                                                      sums + k * size + group * L, rows * m.places);
                });
            });
            team.meet();
        });
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.in * m.out; ++task) {
            const int64_t group = task / m.in, c0 = task % m.in * L;
            const int64_t channels = std::min<int64_t>(L, g.channels - c0);
            V some[taps * L] = {};
            for (int c = 0; c < channels; ++c)
                square<typename Way::Taps, T, V>(
                    [=, &m](int i, int j) {
                        const T* at = all_sums + (i * Way::kernels + j) * size + ((c0 + c) * m.out + group) * L;
                        V sum = *reinterpret_cast<const V*>(at);
                        for (int64_t k = 1; k < m.shares; ++k) sum += *reinterpret_cast<const V*>(at + k * m.sums_size());
                        return sum;
                    },
                    [&](int i, int j, V value) { some[c * taps + i * TAPS + j] = value; });
            write_kernels<T>(g, w, group * L, c0, some);
        }
    }
}

}  // namespace
