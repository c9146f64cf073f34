// SPDX-License-Identifier: Apache-2.0
// Gradients of kernels in tile registers; how is told in direct.h. Places between rows have gradients of zero, which meet
// samples: of infinite ones more taps are no numbers than must be.
#pragma once
#include "direct.h"
#ifdef HAS_AMX
#include <cstring>

namespace direct {

constexpr int64_t MANY_SHARES = 4;
constexpr int64_t DEPTH = 2 * SIDE;       // places that one instruction sums over
constexpr int64_t LEAST_OF_SHARES = 4;    // slabs that are summed in several shares

// The memory of a gradient of kernels, in words: its sums [taps][groups of results][of channels][16][16]; X, a slab's samples in
// words of neighbouring places [phases][groups][words that begin at even places, at odd ones][words][16]; R, its results'
// gradients [results][places]. Small pictures lie below each other in one slab.
template <class Way>
struct ForKernels : Slabs<Way> {
    using Base = Slabs<Way>;
    const int64_t groups;  // of channels
    const int64_t many;    // pictures of a slab

    static int64_t bytes_of_place(const Grid& g) {
        return 2 * L * (2 * Base::PHASES_IN * over(g.channels, L) + over(g.results, L));
    }
    explicit ForKernels(const Grid& grid)
        : Base(grid, bytes_of_place(grid)), groups(over(grid.channels, L)),
          many(this->of_picture != 1 ? 1
               : std::clamp<int64_t>(this->most / below(), 1, std::max<int64_t>(grid.pictures / LEAST_OF_SHARES, 1))) {}
    int64_t below() const { return this->rows_all + Way::halo; }  // rows from a small picture to the next one
    int64_t slabs() const { return over(this->g.pictures, many) * this->of_picture; }
    // With any number of threads, which take them in turn.
    int64_t shares() const {
        if (slabs() < LEAST_OF_SHARES) return 1;
        return slabs() < 2 * LEAST_OF_SHARES || 4 * MANY_SHARES * sums_size() > this->g.most ? 2 : MANY_SHARES;
    }
    int64_t teams(int64_t threads) const { return std::min(shares(), threads); }
    int64_t places() const { return ((many - 1) * below() + this->rows) * this->pitch; }
    // Words of samples that so many places of results meet.
    int64_t met(int64_t places) const { return (up_to(places, DEPTH) + this->reach() + 1) / 2; }
    int64_t copy() const { return met(places()) * L; }
    int64_t sample_size() const { return Base::PHASES_IN * groups * 2 * copy(); }
    int64_t plane() const { return up_to(places(), 2 * DEPTH) + DEPTH; }  // places: an odd number of cache lines
    int64_t result_size() const { return this->groups_out * L * plane() / 2; }
    int64_t sums_plane() const { return this->groups_out * groups * WORDS; }
    int64_t sum_of(int64_t tap, int64_t out, int64_t group) const {
        return tap * sums_plane() + (out * groups + group) * WORDS;
    }
    int64_t sums_size() const { return TAPS * TAPS * sums_plane(); }
    int64_t words(int64_t threads) const {
        return shares() * sums_size() + teams(threads) * (sample_size() + result_size());
    }

    // go(share, slab) for a share's slabs; as often, if without a slab (-1), for each share
    template <class Go>
    void each(int64_t share, Go go) const {
        for (int64_t k = 0; k < over(slabs(), shares()); ++k) {
            const int64_t slab = slabs() * share / shares() + k;
            go(share, slab < slabs() * (share + 1) / shares() ? slab : -1);
        }
    }
};

// A line's places [places][16 channels] -> planes [16 channels][places]
inline void write_planes(const V* line, int64_t places, uint16_t* to, int64_t plane) {
    for (int64_t j = 0; j < places; j += 2 * L) {
        V block[L];
        for (int k = 0; k < L; ++k) block[k] = V(paired(line[j + 2 * k], line[j + 2 * k + 1]));
        turn<float>(block);
        if (places - j >= 2 * L)
            for (int k = 0; k < L; ++k) std::memcpy(to + k * plane + j, &block[k], REGISTER);
        else
            for (int k = 0; k < L; ++k) std::memcpy(to + k * plane + j, &block[k], 2 * (places - j));
    }
}

// Where a sum's operands are: R of 16 results, X of three taps along columns, the sums of the first of them.
struct Sum {
    const uint16_t* results;
    const uint32_t* samples[TAPS];
    float* sums;
};

// sums of three taps, `next` apart, += R X, of 16 results and 16 channels or twice as many results, `beside` apart
template <int G>
inline APART void accumulate(const Sum& at, int64_t plane, int64_t places, int64_t beside, int64_t next) {
    const TileSession session;
    const auto* second = at.results + L * plane;
    float *sums = at.sums, *others = sums + beside;
    _tile_loadd(0, sums, 4 * L);
    _tile_loadd(1, sums + next, 4 * L);
    _tile_loadd(2, sums + 2 * next, 4 * L);
    if constexpr (G == 2) {
        _tile_loadd(3, others, 4 * L);
        _tile_loadd(4, others + next, 4 * L);
        _tile_loadd(5, others + 2 * next, 4 * L);
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
    _tile_stored(0, sums, 4 * L);
    _tile_stored(1, sums + next, 4 * L);
    _tile_stored(2, sums + 2 * next, 4 * L);
    if constexpr (G == 2) {
        _tile_stored(3, others, 4 * L);
        _tile_stored(4, others + next, 4 * L);
        _tile_stored(5, others + 2 * next, 4 * L);
    }
}

template <class Way>
struct Kernels {
    const Grid& g;
    const ForKernels<Way> m;
    const Plane<const BFloat16> x, y;
    const float *x_factors, *y_factors;

    // What a thread writes into, and nobody else.
    struct Lines {
        Buffer<float> samples, results;
        explicit Lines(const Kernels& k) : samples(k.m.line_in()), results(k.m.line_out()) {}
    };
    // A slab: of one picture from a row of its results, or of several whole ones.
    struct Part {
        int64_t picture, pictures, first, rows;
    };
    Part part_of(int64_t slab) const {
        const int64_t picture = m.picture_of(slab) * m.many;
        return {picture, std::min(m.many, g.pictures - picture), m.first_of(slab), m.rows_of(slab)};
    }
    static int64_t rows_read(const Part& part) { return part.pictures * (part.rows + Way::halo); }
    int64_t places(const Part& part) const { return (rows_read(part) - Way::halo) * m.pitch; }

    // One row of samples of one group of channels, and after the last one what comes after them -> X
    void pack_samples(Lines& lines, const Part& part, int64_t r, int64_t phase, int64_t group, uint32_t* samples) const {
        const int64_t below = part.rows + Way::halo, picture = part.picture + r / below;
        read_line<float>(x, picture, group, m.row_of(part.first, r % below, phase),
                         group_of(x_factors, picture, group, g.channels), lines.samples.data() + m.before * L);
        const auto* line = reinterpret_cast<const V*>(lines.samples.data());
        for (int column = 0; column < Way::row_in; ++column) {
            uint32_t* to = samples + ((phase * Way::row_in + column) * m.groups + group) * 2 * m.copy();
            for (int64_t j = 0; j < m.pitch; j += 2) {
                uint32_t* at = to + (r * m.pitch + j) / 2 * L;
                const auto* from = line + Way::samples * j + column;
                *reinterpret_cast<Words*>(at) = paired(from[0], from[Way::samples]);
                if (column == 0)  // odd columns are one place away from no result
                    *reinterpret_cast<Words*>(at + m.copy()) = paired(from[Way::samples], from[2 * Way::samples]);
            }
            if (r + 1 < rows_read(part)) continue;
            const int64_t end = rows_read(part) * m.pitch / 2, rest = m.met(places(part)) - end;
            for (int copy = 0; copy < 2; ++copy) std::memset(to + copy * m.copy() + end * L, 0, 4 * rest * L);
        }
    }

    // One row of one group of results' gradients, and after the last one zeros -> R
    void pack_results(Lines& lines, const Part& part, int64_t r, int64_t group, uint16_t* results) const {
        const int64_t below = part.rows + Way::halo, picture = part.picture + r / below, i = r % below, end = places(part);
        uint16_t* to = results + group * L * m.plane();
        read_line<float>(y, picture, group, part.first + i,  // zeros below a picture
                         group_of(y_factors, picture, group, g.results), lines.results.data());
        write_planes(reinterpret_cast<const V*>(lines.results.data()), m.pitch, to + r * m.pitch, m.plane());
        if ((r + 1) * m.pitch < end) return;
        for (int64_t o = 0; o < L; ++o) std::memset(to + o * m.plane() + end, 0, 2 * (up_to(end, DEPTH) - end));
    }

    // The sums of one column of taps, of one group of channels and one or two of results
    void add_up(const Part& part, int dx, int64_t group, int64_t out, const uint32_t* samples, const uint16_t* results,
                float* sums) const {
        Sum at{results + out * L * m.plane(), {}, sums + m.sum_of(dx, out, group)};
        for (int dy = 0; dy < TAPS; ++dy) {
            const int64_t distance = m.distance(dy, dx);
            at.samples[dy] = samples + (m.phase_in(dy, dx) * m.groups + group) * 2 * m.copy() + distance % 2 * m.copy() +
                             distance / 2 * L;
        }
        (out + 1 < m.groups_out ? accumulate<2> : accumulate<1>)(at, m.plane(), places(part), m.groups * WORDS,
                                                                 TAPS * m.sums_plane());
    }

    // All shares' sums of one group of channels and one of results -> w
    void write(const float* all_sums, int64_t group, int64_t out, float* w) const {
        V some[TAPS * TAPS * L];
        for (int tap = 0; tap < TAPS * TAPS; ++tap) {
            V block[L];
            for (int o = 0; o < L; ++o) {
                const float* at = all_sums + m.sum_of(tap, out, group) + o * L;
                block[o] = *reinterpret_cast<const V*>(at);
                for (int64_t k = 1; k < m.shares(); ++k) block[o] += *reinterpret_cast<const V*>(at + k * m.sums_size());
            }
            turn<float>(block);
            for (int c = 0; c < L; ++c) some[c * TAPS * TAPS + tap] = block[c];
        }
        write_kernels<float>(g, w, out * L, group * L, some);
    }
};

// The gradient of w for that of y, with their factors and those of x.
template <class Way>
void kernels(const Grid& g, const BFloat16* x, const float* x_factors, const BFloat16* y, const float* y_factors, float* w,
             uint32_t* scratch, int threads) {
    const Kernels<Way> all{g, ForKernels<Way>(g),
                           {x, g.channels, g.height, g.width, g.layout},
                           {y, g.results, g.rows_out, g.columns_out, g.layout},
                           x_factors, y_factors};
    const auto& m = all.m;
    const int64_t shares = m.shares(), twos = over(m.groups_out, 2);
    auto* all_sums = reinterpret_cast<float*>(scratch);
    Tasks tasks(shares, threads);
#pragma omp parallel num_threads(threads)
    {
        typename Kernels<Way>::Lines lines(all);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < shares * TAPS * TAPS; ++task)
            std::fill(all_sums + task * m.sums_plane(), all_sums + (task + 1) * m.sums_plane(), 0.f);
        const Team team(shares);
        uint32_t* samples = scratch + shares * m.sums_size() + team.number * (m.sample_size() + m.result_size());
        auto* results = reinterpret_cast<uint16_t*>(samples + m.sample_size());
        const auto add_slab = [&](int64_t share, int64_t slab) {
            const auto part = slab < 0 ? typename Kernels<Way>::Part{} : all.part_of(slab);
            const int64_t of_row = Way::in * m.groups + m.groups_out, rows = part.rows ? all.rows_read(part) : 0;
            team.each(rows * of_row, [&](int64_t task) {
                const int64_t r = task / of_row, own = task % of_row, group = own - Way::in * m.groups;
                if (group < 0) all.pack_samples(lines, part, r, own / m.groups, own % m.groups, samples);
                else if (r < rows - Way::halo) all.pack_results(lines, part, r, group, results);
            });
            team.meet();
            team.each(part.rows ? m.groups * TAPS * twos : 0, [&](int64_t task) {
                all.add_up(part, int(task / twos % TAPS), task / twos / TAPS, task % twos * 2, samples,
                           results, all_sums + share * m.sums_size());
            });
            team.meet();
        };
        team.take(tasks, [&](int64_t share) { m.each(share, add_slab); });
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t task = 0; task < m.groups * m.groups_out; ++task)
            all.write(all_sums, task / m.groups_out, task % m.groups_out, w);
    }
}

}  // namespace direct
#endif
