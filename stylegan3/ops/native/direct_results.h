// SPDX-License-Identifier: Apache-2.0
// Results of convolutions in tile registers; how is told in direct.h.
#pragma once
#include "direct.h"
#ifdef HAS_AMX

namespace direct {

constexpr int64_t AT_ONCE = 2 * SIDE;  // places of a result that are computed together

// The memory of results, in words: U, the kernels; P, a slab's samples [phases][pairs of groups][places][2][16 bfloat16];
// M, a thread's results of two groups [phases][2][places][16].
template <class Way>
struct ForResults : Slabs<Way> {
    using Base = Slabs<Way>;
    const int64_t pairs;  // of groups of channels

    static int64_t bytes_of_place(const Grid& g) {
        return 4 * (Base::PHASES_IN * over(g.channels, 2 * L) * SIDE + Base::PHASES_OUT * 2 * L);
    }
    explicit ForResults(const Grid& grid) : Base(grid, bytes_of_place(grid)), pairs(over(grid.channels, 2 * L)) {}
    int64_t slabs() const { return this->g.pictures * this->of_picture; }
    int64_t kernel_size() const { return this->groups_out * pairs * Base::FACTORS * WORDS; }
    int64_t counted() const { return up_to(this->rows * this->pitch, AT_ONCE); }  // places
    int64_t plane() const { return (counted() + this->reach()) * SIDE; }
    int64_t sample_size() const { return Base::PHASES_IN * pairs * plane(); }
    int64_t result_plane() const { return counted() * L; }
    int64_t result_size() const { return Base::PHASES_OUT * 2 * result_plane(); }
    // Teams share slabs where all threads' together would be too large: of wide pictures with many channels.
    int64_t shares(int64_t threads) const {
        const int64_t bytes = std::max<int64_t>(4 * sample_size(), 1), fit = 4 * this->g.most / bytes;
        return std::max<int64_t>(std::min({threads, slabs(), fit}), 1);
    }
    int64_t words(int64_t threads) const {
        return kernel_size() + shares(threads) * sample_size() + threads * result_size();
    }
};

// Kernels of one group of results and one of channels -> U [groups of results][pairs of groups][factors][16 words][16]
template <class Way>
void pack_kernels(const ForResults<Way>& m, const float* w, int64_t out, int64_t group, uint32_t* u) {
    V some[TAPS * TAPS * L];
    read_kernels<float>(m.g, w, out * L, group * L, some);
    uint32_t* to = u + (out * m.pairs + group / 2) * m.FACTORS * WORDS + group % 2 * (WORDS / 2);
    for (const V* row = some; row < some + TAPS * TAPS * L; row += 2 * TAPS * TAPS, to += L)
        for (int dy = 0; dy < TAPS; ++dy) {
            V first[Way::factors], second[Way::factors];
            Way::spread_kernel(row + dy * TAPS, first);
            Way::spread_kernel(row + (TAPS + dy) * TAPS, second);
            for (int k = 0; k < Way::factors; ++k)
                *reinterpret_cast<Words*>(to + (dy * Way::factors + k) * WORDS) = paired(first[k], second[k]);
        }
}

// Words from a result's place in P and from its first kernel to those that are multiplied.
struct Factor {
    int64_t samples, kernels;
};

// M [places][16] of one group of results, or of two, `next` apart
template <int G>
inline APART void multiply(const uint32_t* samples, int64_t plane, int64_t pairs, const uint32_t* kernels, int64_t of_pair,
                           const Factor* factors, int count, float* to, int64_t next, int64_t places) {
    const TileSession session;
    for (int64_t p = 0; p < places; p += AT_ONCE, to += AT_ONCE * L) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t k = 0; k < pairs; ++k)
            for (int i = 0; i < count; ++i) {
                const uint32_t* a = samples + k * plane + factors[i].samples + p * SIDE;
                const uint32_t* b = kernels + k * of_pair + factors[i].kernels;
                _tile_loadd(4, a, 4 * SIDE);
                _tile_loadd(6, b, 4 * L);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(5, a + WORDS, 4 * SIDE);
                _tile_dpbf16ps(1, 5, 6);
                if constexpr (G == 2) {
                    _tile_loadd(7, b + pairs * of_pair, 4 * L);
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

template <class Way>
struct Results {
    const Grid& g;
    const ForResults<Way> m;
    const Plane<const BFloat16> x, beside;
    const Plane<BFloat16> y;
    const float *x_factors, *y_factors;
    float* dots;  // [N, fours of rows, O]

    // What a thread writes into, and nobody else.
    struct Lines {
        Buffer<float> samples, results, beside;
        explicit Lines(const Results& r)
            : samples(r.m.line_in()), results(r.m.line_out()), beside(r.beside.data ? r.g.columns_out * L : 0) {}
    };

    // One row of samples of one group of channels -> P
    void pack(Lines& lines, int64_t slab, int64_t i, int64_t phase, int64_t group, uint32_t* samples) const {
        const int64_t picture = m.picture_of(slab);
        read_line<float>(x, picture, group, m.row_of(m.first_of(slab), i, phase),
                         group_of(x_factors, picture, group, g.channels), lines.samples.data() + m.before * L);
        const auto* line = reinterpret_cast<const V*>(lines.samples.data());
        uint32_t* at = samples + (phase * Way::columns_in * m.pairs + group / 2) * m.plane() + i * m.pitch * SIDE +
                       group % 2 * (SIDE / 2);
        for (int64_t j = 0; j < m.pitch; ++j, at += SIDE) {
            V spread[Way::columns_in];
            Way::spread(line + Way::samples * j, spread);
            for (int column = 0; column < Way::columns_in; ++column)
                *reinterpret_cast<Halves*>(at + column * m.pairs * m.plane()) = narrow(spread[column]);
        }
    }

    // Rows of a slab of one group of results, from M
    void write_rows(Lines& lines, int64_t slab, int64_t group, const float* sums) const {
        const int64_t picture = m.picture_of(slab), first = Way::out * m.first_of(slab);
        const int64_t end = std::min(Way::out * m.rows_of(slab), g.rows_out - first);
        const bool has_dots = beside.data && group * L < g.results;
        const V factors = group_of(y_factors, picture, group, g.results);
        auto* line = reinterpret_cast<V*>(lines.results.data());
        V sum{};
        for (int64_t i = 0; i < end; ++i) {
            const float* at = sums + i % Way::out * Way::columns_out * 2 * m.result_plane() + i / Way::out * m.pitch * L;
            for (int64_t j = 0; j < m.pitch; ++j, at += L) {
                V some[Way::columns_out];
                for (int column = 0; column < Way::columns_out; ++column)
                    some[column] = *reinterpret_cast<const V*>(at + column * 2 * m.result_plane());
                Way::join(some, line + Way::results * j);
            }
            if (has_dots) {
                const auto* with = reinterpret_cast<const V*>(lines.beside.data());
                read_line<float>(beside, picture, group, first + i, V{} + 1, lines.beside.data());
                for (int64_t j = 0; j < g.columns_out; ++j) sum += line[j] * with[j];
                if ((i + 1) % DOT_ROWS == 0 || i + 1 == end) {
                    write<float>(dots + (picture * over(g.rows_out, DOT_ROWS) + (first + i) / DOT_ROWS) * g.results + group * L,
                                 sum, g.results - group * L);
                    sum = V{};
                }
            }
            write_line<float>(y, picture, group, first + i, factors, lines.results.data());
        }
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
    uint32_t *u = scratch, *slabs = u + m.kernel_size(), *sums = slabs + shares * m.sample_size();
    Factor factors[m.PHASES_OUT][TAPS * TAPS];
    int counts[m.PHASES_OUT] = {};
    for (int k = 0; k < m.FACTORS; ++k) {
        const int dy = k / Way::factors, dx = k % Way::factors, phase = m.phase_out(dy, dx);
        factors[phase][counts[phase]++] = {m.phase_in(dy, dx) * m.pairs * m.plane() + m.distance(dy, dx) * SIDE, k * WORDS};
    }
    Tasks tasks(m.slabs(), threads);
#pragma omp parallel num_threads(threads)
    {
        typename Results<Way>::Lines lines(all);
        auto* own = reinterpret_cast<float*>(sums + omp_get_thread_num() * m.result_size());
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.groups_out * groups; ++task) pack_kernels(m, w, task / groups, task % groups, u);
        const Team team(shares);
        uint32_t* samples = slabs + team.number * m.sample_size();
        team.take(tasks, m.slabs(), [&](int64_t slab) {
            const int64_t rows = slab < 0 ? 0 : m.rows_of(slab);
            team.each(rows ? (rows + Way::halo) * Way::in * groups : 0, [&](int64_t task) {
                all.pack(lines, slab, task / groups / Way::in, task / groups % Way::in, task % groups, samples);
            });
            team.meet();
            team.each(rows ? twos : 0, [&](int64_t two) {
                const int64_t group = 2 * two, of_pair = m.FACTORS * WORDS;
                const bool both = group + 1 < m.groups_out;
                for (int phase = 0; phase < m.PHASES_OUT; ++phase)
                    (both ? multiply<2> : multiply<1>)(
                        samples, m.plane(), m.pairs, u + group * m.pairs * of_pair, of_pair, factors[phase],
                        counts[phase], own + phase * 2 * m.result_plane(), m.result_plane(), rows * m.pitch);
                all.write_rows(lines, slab, group, own);
                if (both) all.write_rows(lines, slab, group + 1, own + m.result_plane());
            });
            team.meet();
        });
    }
}

}  // namespace direct
#endif
