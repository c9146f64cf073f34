// SPDX-License-Identifier: Apache-2.0
// Results of convolutions in tile registers; how is told in direct.h.
#pragma once
#include "direct.h"
#ifdef HAS_AMX

namespace direct {

constexpr int64_t AT_ONCE = 2 * SIDE;  // places of a result that are computed together

// The memory of results, in words: U, the kernels; P, a slab's samples [phases][pairs of groups][places][2][16 bfloat16]; M,
// its results [phases][groups][places][16].
template <class Way>
struct ForResults : Slabs<Way> {
    using Base = Slabs<Way>;
    const int64_t pairs;  // of groups of channels

    static int64_t bytes_of_place(const Grid& g) {
        return 4 * (Base::PHASES_IN * over(g.channels, 2 * L) * SIDE + Base::PHASES_OUT * over(g.results, L) * L);
    }
    explicit ForResults(const Grid& grid) : Base(grid, bytes_of_place(grid)), pairs(over(grid.channels, 2 * L)) {}
    int64_t slabs() const { return this->g.pictures * this->of_picture; }
    int64_t kernel_size() const { return this->groups_out * pairs * TAPS * TAPS * WORDS; }
    int64_t counted() const { return up_to(this->rows * this->pitch, AT_ONCE); }  // places
    int64_t plane() const { return (counted() + this->reach()) * SIDE; }
    int64_t sample_size() const { return Base::PHASES_IN * pairs * plane(); }
    int64_t result_plane() const { return counted() * L; }
    // write_line reads whole blocks of a row
    int64_t result_size() const { return Base::PHASES_OUT * this->groups_out * result_plane() + 2 * L * L; }
    int64_t share_size() const { return sample_size() + result_size(); }
    // Teams share slabs where all threads' together would be too large: of wide pictures with many channels.
    int64_t shares(int64_t threads) const {
        const int64_t bytes = share_size() * int64_t(sizeof(uint32_t)), fit = std::max<int64_t>(4 * this->g.most / bytes, 1);
        return std::max<int64_t>(std::min({threads, slabs(), fit}), 1);
    }
    int64_t words(int64_t threads) const { return kernel_size() + shares(threads) * share_size(); }
};

// Kernels of one group of results and one of channels -> U [groups of results][pairs of groups][taps][16 words][16]
template <class Way>
void pack_kernels(const ForResults<Way>& m, const float* w, int64_t out, int64_t group, uint32_t* u) {
    constexpr int taps = TAPS * TAPS;
    Register<float> some[taps * L];
    read_kernels<float>(m.g, w, out * L, group * L, some);
    uint32_t* to = u + (out * m.pairs + group / 2) * taps * WORDS + group % 2 * (WORDS / 2);
    for (int c = 0; c < L; c += 2, to += L)
        for (int tap = 0; tap < taps; ++tap)
            *reinterpret_cast<Words*>(to + tap * WORDS) = paired(some[c * taps + tap], some[(c + 1) * taps + tap]);
}

// Words from a result's place in P and from the kernels of its first tap to those that are multiplied.
struct Tap {
    int64_t samples, kernels;
};

// M [places][16] of one group of results, or of two, `next` apart
template <int G>
inline APART void multiply(const uint32_t* samples, int64_t plane, int64_t pairs, const uint32_t* kernels, const Tap* taps,
                           int count, float* to, int64_t next, int64_t places) {
    constexpr int64_t all_taps = TAPS * TAPS * WORDS;
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
                _tile_loadd(5, a + WORDS, 4 * SIDE);
                _tile_dpbf16ps(1, 5, 6);
                if constexpr (G == 2) {
                    _tile_loadd(7, b + pairs * all_taps, 4 * L);
                    _tile_dpbf16ps(2, 4, 7);
                    _tile_dpbf16ps(3, 5, 7);
                }
            }
        _tile_stored(0, to, 4 * L);
        _tile_stored(1, to + WORDS, 4 * L);
        if constexpr (G == 2) {
            _tile_stored(2, to + next, 4 * L);
            _tile_stored(3, to + next + WORDS, 4 * L);
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

template <class Way>
struct Results {
    using V = Register<float>;
    const Grid& g;
    const ForResults<Way> m;
    const Plane<const BFloat16> x, beside;
    const Plane<BFloat16> y;
    const float *x_factors, *y_factors;
    float* dots;  // [N, fours of rows, O]

    // What a thread writes into, and nobody else.
    struct Lines {
        Buffer<float> samples, woven, beside;
        explicit Lines(const Results& r)
            : samples(r.m.line()), woven(Way::out * r.m.row_numbers()), beside(r.beside.data ? r.g.columns_out * L : 0) {}
    };

    // One row of samples of one group of channels -> P
    void pack(Lines& lines, int64_t slab, int64_t i, int64_t phase, int64_t group, uint32_t* samples) const {
        const int64_t picture = m.picture_of(slab);
        read_line<float>(x, picture, group, m.row_of(m.first_of(slab), i, phase),
                         group_of(x_factors, picture, group, g.channels), lines.samples.data() + m.before * L);
        const auto* line = reinterpret_cast<const V*>(lines.samples.data());
        for (int64_t column = 0; column < Way::in; ++column) {
            uint32_t* at = samples + ((phase * Way::in + column) * m.pairs + group / 2) * m.plane() + i * m.pitch * SIDE +
                           group % 2 * (SIDE / 2);
            for (int64_t j = 0; j < m.pitch; ++j)
                *reinterpret_cast<Halves*>(at + j * SIDE) = narrow(line[Way::in * j + column]);
        }
    }

    // Four rows of a slab of one group of results, from M
    void write_rows(Lines& lines, int64_t slab, int64_t top, int64_t group, const float* sums) const {
        const int64_t picture = m.picture_of(slab), first = Way::out * m.first_of(slab);
        const int64_t end = std::min(Way::out * std::min(top + DOT_ROWS, m.rows_of(slab)), g.rows_out - first);
        const bool has_dots = beside.data && group * L < g.results;
        const V factors = group_of(y_factors, picture, group, g.results);
        V sum{};
        for (int64_t i = Way::out * top; i < end; ++i) {
            const float* line = sums + (i % Way::out * Way::out * m.groups_out + group) * m.result_plane() +
                                i / Way::out * m.pitch * L;
            if constexpr (Way::out == 2) {
                weave(line, line + m.groups_out * m.result_plane(), m.pitch, lines.woven.data());
                line = lines.woven.data();
            }
            if (has_dots) {
                float* with = lines.beside.data();
                read_line<float>(beside, picture, group, first + i, V{} + 1, with);
                for (int64_t j = 0; j < g.columns_out * L; j += L)
                    sum += *reinterpret_cast<const V*>(line + j) * *reinterpret_cast<const V*>(with + j);
            }
            write_line<float>(y, picture, group, first + i, factors, line);
        }
        if (has_dots)
            write<float>(dots + (picture * over(g.rows_out, DOT_ROWS) + (first + top) / DOT_ROWS) * g.results + group * L, sum,
                         g.results - group * L);
    }
};

// y = factors conv(factors x, w); where there is a picture `beside` y, its products with what y is before its factors are
// summed over every four rows: dots [N, fours of rows, O]
template <class Way>
void results(const Grid& g, const BFloat16* x, const float* x_factors, const float* w, BFloat16* y, const float* y_factors,
             const BFloat16* beside, float* dots, uint32_t* scratch, int threads) {
    const Results<Way> all{g, ForResults<Way>(g),
                           {x, g.channels, g.height, g.width, g.layout},
                           {beside, g.results, g.rows_out, g.columns_out, g.layout},
                           {y, g.results, g.rows_out, g.columns_out, g.layout},
                           x_factors, y_factors, dots};
    const auto& m = all.m;
    const int64_t shares = m.shares(threads), groups = 2 * m.pairs, twos = over(m.groups_out, 2);
    uint32_t* u = scratch;
    Tap taps[m.PHASES_OUT][TAPS * TAPS];
    int counts[m.PHASES_OUT] = {};
    for (int tap = 0; tap < TAPS * TAPS; ++tap) {
        const int dy = tap / TAPS, dx = tap % TAPS, phase = dy % Way::out * Way::out + dx % Way::out;
        taps[phase][counts[phase]++] = {m.phase(dy, dx) * m.pairs * m.plane() + m.distance(dy, dx) * SIDE, tap * WORDS};
    }
#pragma omp parallel num_threads(threads)
    {
        typename Results<Way>::Lines lines(all);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.groups_out * groups; ++task) pack_kernels(m, w, task / groups, task % groups, u);
        m.each(m.slabs(), shares, [&](const Team& team, int64_t share, int64_t slab) {
            uint32_t* samples = u + m.kernel_size() + share * m.share_size();
            auto* sums = reinterpret_cast<float*>(samples + m.sample_size());
            const int64_t rows = slab < 0 ? 0 : m.rows_of(slab);
            team.each(rows ? (rows + Way::halo) * Way::in * groups : 0, [&](int64_t task) {
                all.pack(lines, slab, task / groups / Way::in, task / groups % Way::in, task % groups, samples);
            });
            team.meet();
            team.each(m.PHASES_OUT * twos, [&](int64_t task) {
                const int64_t phase = task / twos, group = task % twos * 2;
                (group + 1 < m.groups_out ? multiply<2> : multiply<1>)(
                    samples, m.plane(), m.pairs, u + group * m.pairs * TAPS * TAPS * WORDS, taps[phase], counts[phase],
                    sums + (phase * m.groups_out + group) * m.result_plane(), m.result_plane(), rows * m.pitch);
            });
            team.meet();
            team.each(over(rows, DOT_ROWS) * m.groups_out, [&](int64_t task) {
                all.write_rows(lines, slab, task / m.groups_out * DOT_ROWS, task % m.groups_out, sums);
            });
        });
    }
}

}  // namespace direct
#endif
