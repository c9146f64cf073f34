// SPDX-License-Identifier: Apache-2.0
// Convolutions of bfloat16 with kernels of 3x3 taps in tile registers (amx.h), tap after tap: where products cost so little,
// Winograd's transforms cost more than they save, and exactness with it.
//
// Pictures are worked on in slabs of rows. A slab lies in memory with `pitch` places a row, zeros around the picture, so that
// a tap is one distance for all of its places, whichever row they are in: results are computed for all of them, those
// between two rows for nothing. With stride 2 even and odd rows and columns are pictures (phases) of their own.
#pragma once
#include "amx.h"
#ifdef HAS_AMX
#include "flow.h"
#include "grid.h"
#include "pictures.h"
#include "team.h"

namespace direct {

constexpr int L = WIDTH<float>, SIDE = 16, TILE = SIDE * SIDE;  // rows and words of a tile register; words of all
static_assert(L == SIDE);
constexpr int64_t AT_ONCE = 2 * SIDE;   // places of a result that are computed together
constexpr int64_t OF_A_GROUP = 8;       // slabs: one stays in a core's second cache
constexpr int64_t ROWS_OF_DOTS = 4;     // as rows of a tile of Winograd's
constexpr int64_t LEAST = 8;            // slabs that are summed in two halves

// Phases of the samples and of the results along an axis; rows and columns of a slab beyond those of its results.
struct Whole {  // stride 1
    static constexpr int in = 1, out = 1, halo = 2;
};
struct Halving {  // stride 2
    static constexpr int in = 2, out = 1, halo = 1;
};
struct Doubling {  // the transpose of Halving
    static constexpr int in = 1, out = 2, halo = 1;
};

inline int64_t whole(int64_t n, int64_t of) { return over(n, of) * of; }

template <class Way>
struct Slabs {
    static constexpr int IN = Way::in * Way::in, OUT = Way::out * Way::out;
    const Grid& g;
    const int64_t before;      // zeros before the first sample
    const int64_t rows_all;    // of one phase of a picture's results
    const int64_t pitch;       // an even number of places
    const int64_t pairs, out;  // pairs of groups of channels, groups of results
    int64_t rows;              // of a slab
    int64_t of_picture;        // slabs

    Slabs(const Grid& grid, int64_t bytes_of_place)
        : g(grid), before(Way::out == 2 ? 1 : g.pad), rows_all(over(g.rows_out, Way::out)),
          pitch(whole(over(g.columns_out, Way::out) + Way::halo, 2)), pairs(over(g.channels, 2 * L)),
          out(g.layout == BLOCKED ? over(g.results, BLOCK) : over(g.results, L)) {
        const int64_t most = std::max<int64_t>(g.most / OF_A_GROUP / (bytes_of_place * pitch), 1);
        rows = whole(over(rows_all, std::max<int64_t>(over(rows_all, most), 1)), ROWS_OF_DOTS);
        of_picture = rows_all ? over(rows_all, rows) : 0;
    }
    int64_t all() const { return g.pictures * of_picture; }
    int64_t places() const { return rows * pitch; }
    int64_t reach() const { return Way::halo * (pitch + 1); }  // the farthest place of a tap

    // go(team, share, picture, first row, rows) for this thread's slabs; as many, if without rows, for each one
    template <class Go>
    void each(int64_t shares, Go go) const {
        const Team team(shares);
        for (int64_t share = team.number; share < shares; share += team.teams)
            for (int64_t k = 0; k < over(all(), shares); ++k) {
                const int64_t slab = all() * share / shares + k, first = slab % of_picture * rows;
                const bool is_own = slab < all() * (share + 1) / shares;
                go(team, share, slab / of_picture, first, is_own ? std::min(rows, rows_all - first) : 0);
            }
    }
    // Rows of samples that so many of results read.
    static int64_t read_by(int64_t rows) { return rows ? rows + Way::halo : 0; }
    // A row of samples from its number in a slab's phase.
    int64_t row_of(int64_t first, int64_t i, int64_t phase) const { return Way::in * (first + i) + phase - before; }
    // Places from a result to the sample that a tap multiplies, along one axis.
    static constexpr int shift(int tap) { return Way::out == 2 ? 1 - tap / 2 : tap / Way::in; }
    static constexpr int phase(int dy, int dx) { return dy % Way::in * Way::in + dx % Way::in; }
    int64_t distance(int dy, int dx) const { return shift(dy) * pitch + shift(dx); }
    // Numbers of a line that holds all phases' places of a row, and whole blocks of 32.
    int64_t line() const { return Way::in * whole(pitch, 2 * L) * L; }
};

// The memory of results: U, the kernels; P, a slab's samples [phases][pairs of groups][places][2][16 bfloat16]; M, its results
// [phases][groups][places][16].
template <class Way>
struct ForResults : Slabs<Way> {
    using Base = Slabs<Way>;
    static int64_t of_place(const Grid& g) {
        return Base::IN * over(g.channels, 2 * L) * 4 * SIDE + Base::OUT * over(g.results, L) * 4 * L;
    }
    explicit ForResults(const Grid& grid) : Base(grid, of_place(grid)) {}
    int64_t counted() const { return whole(this->places(), AT_ONCE); }
    int64_t kernel_size() const { return this->out * this->pairs * TAPS * TAPS * TILE; }
    int64_t plane() const { return (counted() + this->reach()) * SIDE; }
    int64_t sample_size() const { return Base::IN * this->pairs * plane(); }
    int64_t result_plane() const { return counted() * L; }
    // write_line reads blocks of a row
    int64_t result_size() const { return Base::OUT * this->out * result_plane() + 2 * L * L; }
    int64_t shares(int64_t threads) const { return std::max<int64_t>(std::min(threads, this->all()), 1); }
    int64_t words(int64_t threads) const {
        return kernel_size() + shares(threads) * (sample_size() + result_size());
    }
};

// Kernels of one group of results and one of channels -> U [groups of results][pairs of groups][taps][tile]
template <class Way>
void pack_kernels(const ForResults<Way>& m, const float* w, int64_t out, int64_t group, uint32_t* u) {
    constexpr int taps = TAPS * TAPS;
    Register<float> some[taps * L];
    read_kernels<float>(m.g, w, out * L, group * L, some);
    uint32_t* to = u + (out * m.pairs + group / 2) * taps * TILE + group % 2 * (TILE / 2);
    for (int tap = 0; tap < taps; ++tap)
        for (int c = 0; c < L; c += 2)
            *reinterpret_cast<Words*>(to + tap * TILE + c / 2 * L) = paired(some[c * taps + tap], some[(c + 1) * taps + tap]);
}

// Words from a result's place in P and from the kernels of its first tap to those that are multiplied.
struct Tap {
    int64_t samples, kernels;
};

// M [places][16] of one group of results, or of two, `next` apart
template <int G>
inline APART void multiply(const uint32_t* samples, int64_t plane, int64_t pairs, const uint32_t* kernels, const Tap* taps,
                           int count, float* to, int64_t next, int64_t places) {
    constexpr int64_t all_taps = TAPS * TAPS * TILE;
    const TileSession session;
    for (int64_t p = 0; p < places; p += AT_ONCE, to += AT_ONCE * L) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t k = 0; k < pairs; ++k)
            for (int i = 0; i < count; ++i) {
                const uint32_t* a = samples + k * plane + taps[i].samples + p * SIDE;
                const uint32_t* b = kernels + k * all_taps + taps[i].kernels;
                _tile_loadd(4, a, 4 * SIDE);
                _tile_loadd(6, b, 4 * L);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(5, a + TILE, 4 * SIDE);
                _tile_dpbf16ps(1, 5, 6);
                if constexpr (G == 2) {
                    _tile_loadd(7, b + pairs * all_taps, 4 * L);
                    _tile_dpbf16ps(2, 4, 7);
                    _tile_dpbf16ps(3, 5, 7);
                }
            }
        _tile_stored(0, to, 4 * L);
        _tile_stored(1, to + TILE, 4 * L);
        if constexpr (G == 2) {
            _tile_stored(2, to + next, 4 * L);
            _tile_stored(3, to + next + TILE, 4 * L);
        }
    }
}

// Results of one row of both phases, side by side.
inline void weave(const float* even, const float* odd, int64_t places, float* to) {
    using V = Register<float>;
    for (int64_t j = 0; j < places; ++j) {
        reinterpret_cast<V*>(to)[2 * j] = reinterpret_cast<const V*>(even)[j];
        reinterpret_cast<V*>(to)[2 * j + 1] = reinterpret_cast<const V*>(odd)[j];
    }
}

// y = factors conv(factors x, w); where there is a picture `beside` y, its products with what y is before its factors are
// summed over every four rows: dots [N, fours of rows, O]
template <class Way>
void results(const Grid& g, const BFloat16* x, const float* x_factors, const float* w, BFloat16* y, const float* y_factors,
             const BFloat16* beside, float* dots, uint32_t* scratch, int threads) {
    using V = Register<float>;
    const ForResults<Way> m(g);
    const Plane<const BFloat16> from{x, g.channels, g.height, g.width, g.layout};
    const Plane<BFloat16> to{y, g.results, g.rows_out, g.columns_out, g.layout};
    const Plane<const BFloat16> other{beside, g.results, g.rows_out, g.columns_out, g.layout};
    const int64_t shares = m.shares(threads), groups = 2 * m.pairs, twos = over(m.out, 2);
    uint32_t* u = scratch;
    Tap taps[m.OUT][TAPS * TAPS];
    int counts[m.OUT] = {};
    for (int tap = 0; tap < TAPS * TAPS; ++tap) {
        const int dy = tap / TAPS, dx = tap % TAPS, phase = dy % Way::out * Way::out + dx % Way::out;
        taps[phase][counts[phase]++] = {m.phase(dy, dx) * m.pairs * m.plane() + m.distance(dy, dx) * SIDE, tap * TILE};
    }
#pragma omp parallel num_threads(threads)
    {
        Buffer<float> memory(m.line()), woven(Way::out * whole(m.pitch, 2 * L) * L), with(g.columns_out * L);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.out * groups; ++task) pack_kernels(m, w, task / groups, task % groups, u);
        m.each(shares, [&](const Team& team, int64_t share, int64_t picture, int64_t first, int64_t rows) {
            uint32_t* samples = u + m.kernel_size() + share * (m.sample_size() + m.result_size());
            auto* sums = reinterpret_cast<float*>(samples + m.sample_size());
            team.each(m.read_by(rows) * Way::in * groups, [&](int64_t task) {
                const int64_t group = task % groups, i = task / groups / Way::in, phase = task / groups % Way::in;
                read_line<float>(from, picture, group, m.row_of(first, i, phase),
                                 group_of(x_factors, picture, group, g.channels), memory.data() + m.before * L);
                const auto* line = reinterpret_cast<const V*>(memory.data());
                for (int64_t column = 0; column < Way::in; ++column) {
                    uint32_t* at = samples + ((phase * Way::in + column) * m.pairs + group / 2) * m.plane() +
                                   i * m.pitch * SIDE + group % 2 * (SIDE / 2);
                    for (int64_t j = 0; j < m.pitch; ++j)
                        *reinterpret_cast<Halves*>(at + j * SIDE) = narrow(line[Way::in * j + column]);
                }
            });
            team.meet();
            team.each(m.OUT * twos, [&](int64_t task) {
                const int64_t phase = task / twos, group = task % twos * 2;
                (group + 1 < m.out ? multiply<2> : multiply<1>)(
                    samples, m.plane(), m.pairs, u + group * m.pairs * TAPS * TAPS * TILE, taps[phase], counts[phase],
                    sums + (phase * m.out + group) * m.result_plane(), m.result_plane(), rows * m.pitch);
            });
            team.meet();
            team.each(over(rows, ROWS_OF_DOTS) * m.out, [&](int64_t task) {
                const int64_t group = task % m.out, top = task / m.out * ROWS_OF_DOTS;
                const int64_t end = Way::out * std::min(top + ROWS_OF_DOTS, rows);
                const bool has_dots = beside && group * L < g.results;
                const V factors = group_of(y_factors, picture, group, g.results);
                V sum{};
                for (int64_t i = Way::out * top; i < std::min(end, g.rows_out - Way::out * first); ++i) {
                    const int64_t row = Way::out * first + i;
                    const float* line = sums + (i % Way::out * Way::out * m.out + group) * m.result_plane() +
                                        i / Way::out * m.pitch * L;
                    if constexpr (Way::out == 2) {
                        weave(line, line + m.out * m.result_plane(), m.pitch, woven.data());
                        line = woven.data();
                    }
                    if (has_dots) {
                        read_line<float>(other, picture, group, row, V{} + 1, with.data());
                        for (int64_t j = 0; j < g.columns_out; ++j)
                            sum += reinterpret_cast<const V*>(line)[j] * reinterpret_cast<const V*>(with.data())[j];
                    }
                    write_line<float>(to, picture, group, row, factors, line);
                }
                if (has_dots)
                    write<float>(dots + (picture * over(g.rows_out, ROWS_OF_DOTS) + (first + top) / ROWS_OF_DOTS) * g.results +
                                     group * L, sum, g.results - group * L);
            });
        });
    }
}

// The memory of a gradient of kernels: its sums [taps][results][groups of channels][16]; X, a slab's samples in words of
// neighbouring places [phases][groups][pairs beginning at even places, at odd ones][pairs][16]; R, its results' gradients
// [results][places].
template <class Way>
struct ForKernels : Slabs<Way> {
    using Base = Slabs<Way>;
    static constexpr int64_t DEPTH = 2 * SIDE;  // places that one instruction sums over
    static int64_t of_place(const Grid& g) { return 2 * L * (2 * Base::IN * over(g.channels, L) + over(g.results, L)); }
    explicit ForKernels(const Grid& grid) : Base(grid, of_place(grid)) {}
    int64_t groups() const { return over(this->g.channels, L); }
    int64_t shares() const { return this->all() >= LEAST ? 2 : 1; }  // with any number of threads
    // Pairs of samples that so many places of results meet.
    int64_t met(int64_t places) const { return (whole(places, DEPTH) + this->reach() + 1) / 2; }
    int64_t copy() const { return met(this->places()) * L; }
    int64_t sample_size() const { return Base::IN * groups() * 2 * copy(); }
    int64_t plane() const { return whole(this->places(), 2 * DEPTH) + DEPTH; }  // an odd number of cache lines
    int64_t result_size() const { return this->out * L * plane() / 2; }
    int64_t sums_size() const { return TAPS * TAPS * this->out * L * groups() * L; }
    int64_t words() const { return shares() * (sums_size() + sample_size() + result_size()); }
};

// A line's places [places][16 channels] -> planes [16 channels][places], whole blocks of 32
inline void write_planes(const float* line, int64_t places, uint16_t* to, int64_t plane) {
    const auto* from = reinterpret_cast<const Register<float>*>(line);
    for (int64_t j = 0; j < places; j += 2 * L) {
        Register<float> block[L];
        for (int k = 0; k < L; ++k) block[k] = Register<float>(paired(from[j + 2 * k], from[j + 2 * k + 1]));
        turn<float>(block);
        for (int k = 0; k < L; ++k) std::memcpy(to + k * plane + j, &block[k], REGISTER);
    }
}

// Where a sum's operands are: R of 16 results, X of three neighbouring taps, the sums of the first tap.
struct Sum {
    const uint16_t* results;
    const uint32_t* samples[TAPS];
    float* sums;
};

// sums of three neighbouring taps, `next` apart, += R X, of 16 or twice 16 results and 16 channels
template <int G>
inline APART void accumulate(const Sum& at, int64_t plane, int64_t places, int64_t row, int64_t next) {
    const TileSession session;
    const auto* second = at.results + L * plane;
    float *sums = at.sums, *others = sums + L * row;
    _tile_loadd(0, sums, 4 * row);
    _tile_loadd(1, sums + next, 4 * row);
    _tile_loadd(2, sums + 2 * next, 4 * row);
    if constexpr (G == 2) {
        _tile_loadd(3, others, 4 * row);
        _tile_loadd(4, others + next, 4 * row);
        _tile_loadd(5, others + 2 * next, 4 * row);
    }
    for (int64_t p = 0; p < places; p += 2 * SIDE) {
        _tile_loadd(6, at.results + p, 2 * plane);
        _tile_loadd(7, at.samples[0] + p / 2 * L, 4 * L);
        _tile_dpbf16ps(0, 6, 7);
        _tile_loadd(7, at.samples[1] + p / 2 * L, 4 * L);
        _tile_dpbf16ps(1, 6, 7);
        _tile_loadd(7, at.samples[2] + p / 2 * L, 4 * L);
        _tile_dpbf16ps(2, 6, 7);
        if constexpr (G == 2) {
            _tile_loadd(6, second + p, 2 * plane);
            _tile_dpbf16ps(5, 6, 7);
            _tile_loadd(7, at.samples[0] + p / 2 * L, 4 * L);
            _tile_dpbf16ps(3, 6, 7);
            _tile_loadd(7, at.samples[1] + p / 2 * L, 4 * L);
            _tile_dpbf16ps(4, 6, 7);
        }
    }
    _tile_stored(0, sums, 4 * row);
    _tile_stored(1, sums + next, 4 * row);
    _tile_stored(2, sums + 2 * next, 4 * row);
    if constexpr (G == 2) {
        _tile_stored(3, others, 4 * row);
        _tile_stored(4, others + next, 4 * row);
        _tile_stored(5, others + 2 * next, 4 * row);
    }
}

// The gradient of w for that of y, with their factors and those of x.
template <class Way>
void kernels(const Grid& g, const BFloat16* x, const float* x_factors, const BFloat16* y, const float* y_factors, float* w,
             uint32_t* scratch, int threads) {
    using V = Register<float>;
    const ForKernels<Way> m(g);
    const Plane<const BFloat16> from{x, g.channels, g.height, g.width, g.layout};
    const Plane<const BFloat16> grads{y, g.results, g.rows_out, g.columns_out, g.layout};
    const int64_t shares = m.shares(), groups = m.groups(), row = groups * L, next = m.out * L * row;
    const int64_t twos = over(m.out, 2);
    auto* all_sums = reinterpret_cast<float*>(scratch);
#pragma omp parallel num_threads(threads)
    {
        Buffer<float> memory(m.line() + 2 * L), given(whole(m.pitch, 2 * L) * L);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < shares * TAPS * TAPS * m.out; ++task)
            std::fill(all_sums + task * L * row, all_sums + (task + 1) * L * row, 0.f);
        m.each(shares, [&](const Team& team, int64_t share, int64_t picture, int64_t first, int64_t rows) {
            float* sums = all_sums + share * m.sums_size();
            uint32_t* samples = scratch + shares * m.sums_size() + share * (m.sample_size() + m.result_size());
            auto* results = reinterpret_cast<uint16_t*>(samples + m.sample_size());
            const int64_t places = rows * m.pitch, groups_of_x = Way::in * groups;
            team.each(rows ? groups_of_x + m.out : 0, [&](int64_t task) {
                if (task < groups_of_x) {
                    const int64_t phase = task / groups, group = task % groups;
                    const V factors = group_of(x_factors, picture, group, g.channels);
                    uint32_t* to = samples + (phase * groups_of_x + group) * 2 * m.copy();
                    const auto* line = reinterpret_cast<const V*>(memory.data());
                    for (int64_t i = 0; i < m.read_by(rows); ++i) {
                        read_line<float>(from, picture, group, m.row_of(first, i, phase), factors,
                                         memory.data() + m.before * L);
                        for (int64_t column = 0; column < Way::in; ++column) {
                            uint32_t* at = to + column * groups * 2 * m.copy() + i * m.pitch / 2 * L;
                            for (int64_t j = column; j < Way::in * m.pitch; j += 2 * Way::in, at += L) {
                                const V between = line[j + Way::in];
                                *reinterpret_cast<Words*>(at) = paired(line[j], between);
                                *reinterpret_cast<Words*>(at + m.copy()) = paired(between, line[j + 2 * Way::in]);
                            }
                        }
                    }
                    const int64_t end = m.read_by(rows) * m.pitch / 2;
                    for (int64_t k = 0; k < 2 * Way::in; ++k)  // what comes after them meets zeros
                        std::memset(to + (k / 2 * groups * 2 + k % 2) * m.copy() + end * L, 0, 4 * (m.met(places) - end) * L);
                } else {
                    const int64_t group = task - groups_of_x;
                    const V factors = group_of(y_factors, picture, group, g.results);
                    uint16_t* to = results + group * L * m.plane();
                    for (int64_t i = 0; i < rows; ++i) {  // each row writes over what the one before wrote beyond its end
                        read_line<float>(grads, picture, group, first + i, factors, given.data());
                        write_planes(given.data(), m.pitch, to + i * m.pitch, m.plane());
                    }
                    for (int64_t o = 0; o < L; ++o)
                        std::memset(to + o * m.plane() + places, 0, 2 * (whole(places, m.DEPTH) - places));
                }
            });
            team.meet();
            team.each(rows ? groups * TAPS * twos : 0, [&](int64_t task) {
                const int64_t out = task % twos * 2, group = task / twos / TAPS;
                const int dy = int(task / twos % TAPS);
                Sum at{results + out * L * m.plane(), {}, sums + dy * TAPS * next + out * L * row + group * L};
                for (int dx = 0; dx < TAPS; ++dx) {
                    const int64_t distance = m.distance(dy, dx);
                    at.samples[dx] = samples + (m.phase(dy, dx) * groups + group) * 2 * m.copy() +
                                     distance % 2 * m.copy() + distance / 2 * L;
                }
                (out + 1 < m.out ? accumulate<2> : accumulate<1>)(at, m.plane(), places, row, next);
            });
            team.meet();
        });
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t task = 0; task < groups * m.out; ++task) {
            const int64_t group = task / m.out, out = task % m.out;
            V some[TAPS * TAPS * L];
            for (int tap = 0; tap < TAPS * TAPS; ++tap) {
                V block[L];
                for (int o = 0; o < L; ++o) {
                    const float* at = all_sums + tap * next + (out * L + o) * row + group * L;
                    block[o] = *reinterpret_cast<const V*>(at);
                    for (int64_t k = 1; k < shares; ++k) block[o] += *reinterpret_cast<const V*>(at + k * m.sums_size());
                }
                turn<float>(block);
                for (int c = 0; c < L; ++c) some[c * TAPS * TAPS + tap] = block[c];
            }
            write_kernels<float>(g, w, out * L, group * L, some);
        }
    }
}

}  // namespace direct
#endif
