// SPDX-License-Identifier: Apache-2.0
// Results of convolutions in tile registers; how is told in direct.h.
#pragma once
#include "direct.h"
#ifdef HAS_AMX

namespace direct {

constexpr int64_t AT_ONCE = 2 * SIDE;   // places of a result that are computed together
constexpr int64_t CHUNK = 8 * AT_ONCE;  // places that meet kernels while these are in a core's first cache

// The memory of results, in words: U, the kernels, as they are read: [twos of groups of results][phases of the results]
// [pairs of groups of channels][factors of the phase][2][16 words][16]; P, a slab's samples [phases][pairs][places][2]
// [16 bfloat16].
template <class Way>
struct ForResults : Slabs<Way> {
    using Base = Slabs<Way>;
    static constexpr int PHASES_OUT = Way::out * Way::row_out, FACTORS = TAPS * Way::factors;
    const int64_t pairs;  // of groups of channels
    const int64_t twos;   // of groups of results
    struct Factor {
        int dy, dx;
    };
    Factor factors[FACTORS];         // those of a phase behind each other
    int ends[PHASES_OUT + 1] = {0};  // where a phase's begin, and where they end

    static int64_t bytes_of_place(const Grid& g) { return 4 * Base::PHASES_IN * over(g.channels, 2 * L) * SIDE; }
    explicit ForResults(const Grid& grid)
        : Base(grid, bytes_of_place(grid)), pairs(over(grid.channels, 2 * L)), twos(over(this->groups_out, 2)) {
        int k = 0;
        for (int phase = 0; phase < PHASES_OUT; ++phase) {
            for (int dy = 0; dy < TAPS; ++dy)
                for (int dx = 0; dx < Way::factors; ++dx)
                    if (dy % Way::out * Way::row_out + Way::phase_out(dx) == phase) factors[k++] = {dy, dx};
            ends[phase + 1] = k;
        }
    }
    int64_t slabs() const { return this->g.pictures * this->of_picture; }
    int64_t kernels_of_two() const { return pairs * FACTORS * 2 * WORDS; }
    int64_t kernel_size() const { return twos * kernels_of_two(); }
    int64_t counted() const { return up_to(this->rows * this->pitch, AT_ONCE); }  // places
    int64_t plane() const { return (counted() + this->reach()) * SIDE; }
    int64_t sample_size() const { return Base::PHASES_IN * pairs * plane(); }
    // Teams share slabs where all threads' together would be too large: of wide pictures with many channels.
    int64_t shares(int64_t threads) const {
        const int64_t bytes = std::max<int64_t>(4 * sample_size(), 1), fit = 4 * this->g.most / bytes;
        return std::max<int64_t>(std::min({threads, slabs(), fit}), 1);
    }
    int64_t words(int64_t threads) const { return kernel_size() + shares(threads) * sample_size(); }
    // Words from a result's place in P to what a factor meets.
    int64_t way_of(Factor k) const {
        return Base::phase_in(k.dy, k.dx) * pairs * plane() + this->distance(k.dy, k.dx) * SIDE;
    }
};

// Kernels of one group of results and one of channels -> U
template <class Way>
void pack_kernels(const ForResults<Way>& m, const float* w, int64_t out, int64_t group, uint32_t* u) {
    V some[TAPS * TAPS * L];
    read_kernels<float>(m.g, w, out * L, group * L, some);
    uint32_t* to = u + out / 2 * m.kernels_of_two() + out % 2 * WORDS + group % 2 * (WORDS / 2);
    for (int c = 0; c < L; c += 2, to += L) {
        V first[TAPS * Way::factors], second[TAPS * Way::factors];
        for (int dy = 0; dy < TAPS; ++dy) {
            Way::spread_kernel(some + c * TAPS * TAPS + dy * TAPS, first + dy * Way::factors);
            Way::spread_kernel(some + (c + 1) * TAPS * TAPS + dy * TAPS, second + dy * Way::factors);
        }
        for (int phase = 0; phase < m.PHASES_OUT; ++phase) {
            const int begin = m.ends[phase], count = m.ends[phase + 1] - begin;
            uint32_t* at = to + (begin * m.pairs + group / 2 * count) * 2 * WORDS;
            for (int k = begin; k < begin + count; ++k, at += 2 * WORDS) {
                const int from = m.factors[k].dy * Way::factors + m.factors[k].dx;
                *reinterpret_cast<Words*>(at) = paired(first[from], second[from]);
            }
        }
    }
}

// Places of one phase of one group of results, or of two, `next` apart -> to [places][16]
template <int G>
inline void multiply(const uint32_t* samples, int64_t plane, int64_t pairs, const uint32_t* kernels, const int64_t* ways,
                     int count, float* to, int64_t next, int64_t places) {
    for (int64_t p = 0; p < places; p += AT_ONCE, samples += 2 * WORDS, to += 2 * WORDS) {
        _tile_zero(0);
        _tile_zero(1);
        if constexpr (G == 2) {
            _tile_zero(2);
            _tile_zero(3);
        }
        const uint32_t* b = kernels;
        for (int64_t k = 0; k < pairs; ++k)
            for (int i = 0; i < count; ++i, b += 2 * WORDS) {
                const uint32_t* a = samples + k * plane + ways[i];
                _tile_loadd(4, a, 4 * SIDE);
                _tile_loadd(6, b, 4 * L);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(5, a + WORDS, 4 * SIDE);
                _tile_dpbf16ps(1, 5, 6);
                if constexpr (G == 2) {
                    _tile_loadd(7, b + WORDS, 4 * L);
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
        Buffer<float> samples, sums, results, beside;
        explicit Lines(const Results& r)
            : samples(r.m.line_in()), sums(r.m.PHASES_OUT * 2 * CHUNK * L), results(Way::out * 2 * r.m.line_out()),
              beside(r.beside.data ? r.g.columns_out * L : 0) {}
    };

    // One row of samples of one group of channels -> P
    void pack(Lines& lines, int64_t slab, int64_t i, int64_t phase, int64_t group, uint32_t* samples) const {
        const int64_t picture = m.picture_of(slab);
        read_line<float>(x, picture, group, m.row_of(m.first_of(slab), i, phase),
                         group_of(x_factors, picture, group, g.channels), lines.samples.data() + m.before * L);
        const auto* line = reinterpret_cast<const V*>(lines.samples.data());
        uint32_t* at = samples + (phase * Way::row_in * m.pairs + group / 2) * m.plane() + i * m.pitch * SIDE +
                       group % 2 * (SIDE / 2);
        for (int64_t j = 0; j < m.pitch; ++j, at += SIDE) {
            V spread[Way::row_in];
            Way::spread(line + Way::samples * j, spread);
            for (int column = 0; column < Way::row_in; ++column)
                *reinterpret_cast<Halves*>(at + column * m.pairs * m.plane()) = narrow(spread[column]);
        }
    }

    // All rows of a slab of one group of results, or of two
    template <int G>
    APART void compute(Lines& lines, int64_t slab, int64_t group, const uint32_t* samples, const uint32_t* u) const {
        int64_t ways[m.FACTORS];
        for (int k = 0; k < m.FACTORS; ++k) ways[k] = m.way_of(m.factors[k]);
        float* sums = lines.sums.data();  // [phases][G][places][16]
        V dots_of[G] = {};
        const int64_t places = m.rows_of(slab) * m.pitch;
        const TileSession session;
        for (int64_t p = 0, i = 0, j = 0; p < places; p += CHUNK) {
            const int64_t here = std::min(CHUNK, places - p);
            for (int phase = 0; phase < m.PHASES_OUT; ++phase)
                multiply<G>(samples + p * SIDE, m.plane(), m.pairs,
                            u + group / 2 * m.kernels_of_two() + m.ends[phase] * m.pairs * 2 * WORDS, ways + m.ends[phase],
                            m.ends[phase + 1] - m.ends[phase], sums + phase * G * CHUNK * L, CHUNK * L, here);
            for (int64_t k = 0; k < here;) {
                const int64_t count = std::min(here - k, m.pitch - j);
                for (int row = 0; row < Way::out; ++row)
                    for (int n = 0; n < G; ++n)
                        join(sums + ((row * Way::row_out * G + n) * CHUNK + k) * L, G * CHUNK * L, count,
                             lines.results.data() + (row * G + n) * m.line_out() + Way::results * j * L);
                k += count, j += count;
                if (j < m.pitch) continue;
                for (int row = 0; row < Way::out; ++row)
                    for (int n = 0; n < G; ++n)
                        write_row(lines, slab, Way::out * i + row, group + n,
                                  lines.results.data() + (row * G + n) * m.line_out(), dots_of[n]);
                ++i, j = 0;
            }
        }
    }

    // Places of all columns' phases, `next` apart -> as many of a line
    static void join(const float* from, int64_t next, int64_t places, float* line) {
        for (int64_t j = 0; j < places; ++j) {
            V some[Way::row_out];
            for (int column = 0; column < Way::row_out; ++column)
                some[column] = *reinterpret_cast<const V*>(from + column * next + j * L);
            Way::join(some, reinterpret_cast<V*>(line) + Way::results * j);
        }
    }

    // One row of a slab of one group of results; the rows before it are summed up in `sum`.
    void write_row(Lines& lines, int64_t slab, int64_t i, int64_t group, const float* line, V& sum) const {
        const int64_t picture = m.picture_of(slab), row = Way::out * m.first_of(slab) + i;
        if (row >= g.rows_out) return;
        if (beside.data) {
            read_line<float>(beside, picture, group, row, V{} + 1, lines.beside.data());
            const auto *of = reinterpret_cast<const V*>(line), *with = reinterpret_cast<const V*>(lines.beside.data());
            for (int64_t j = 0; j < g.columns_out; ++j) sum += of[j] * with[j];
            if ((row + 1) % DOT_ROWS == 0 || row + 1 == g.rows_out) {
                write<float>(dots + (picture * over(g.rows_out, DOT_ROWS) + row / DOT_ROWS) * g.results + group * L, sum,
                             g.results - group * L);
                sum = V{};
            }
        }
        write_line<float>(y, picture, group, row, group_of(y_factors, picture, group, g.results), line);
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
    const int64_t shares = m.shares(threads), groups = 2 * m.pairs;
    uint32_t *u = scratch, *slabs = u + m.kernel_size();
    Tasks tasks(m.slabs(), threads);
#pragma omp parallel num_threads(threads)
    {
        typename Results<Way>::Lines lines(all);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.groups_out * groups; ++task) pack_kernels(m, w, task / groups, task % groups, u);
        const Team team(shares);
        uint32_t* samples = slabs + team.number * m.sample_size();
        team.take(tasks, [&](int64_t slab) {
            const int64_t rows = slab < 0 ? 0 : m.rows_of(slab);
            team.each(rows ? (rows + Way::halo) * Way::in * groups : 0, [&](int64_t task) {
                all.pack(lines, slab, task / groups / Way::in, task / groups % Way::in, task % groups, samples);
            });
            team.meet();
            team.each(rows ? m.twos : 0, [&](int64_t two) {
                if (2 * two + 1 < m.groups_out) all.template compute<2>(lines, slab, 2 * two, samples, u);
                else all.template compute<1>(lines, slab, 2 * two, samples, u);
            });
            team.meet();
        });
    }
}

}  // namespace direct
#endif
