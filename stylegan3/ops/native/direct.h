// SPDX-License-Identifier: Apache-2.0
// Convolutions of bfloat16 with kernels of 3x3 taps in tile registers (amx.h), tap after tap: products cost so little there
// that Winograd's transforms of both axes cost more than they save, and exactness with it. One axis pays, that of rows of
// stride 1: F(2, 3) makes two results from four products instead of six, of sums of two samples. These are rounded: what a
// small sample adds beside a large one is as far off as the large one's own rounding, and beside an infinite one no number.
// Source: S. Winograd, Arithmetic Complexity of Computations (1980), chapter 5.
//
// Pictures are worked on in slabs of rows. A slab lies in memory with `pitch` places a row, so that a tap is one distance
// for all of its places, whichever row they are in; zeros lie beside and between the rows where a tap meets them, and
// results are computed for those places for nothing. With stride 2 even and odd rows and columns are pictures (phases) of
// their own; with F(2, 3) the four numbers that are multiplied are, and two results are one place.
#pragma once
#include "amx.h"
#ifdef HAS_AMX
#include <algorithm>

#include "flow.h"
#include "grid.h"
#include "pictures.h"
#include "team.h"

namespace direct {

using V = Register<float>;
constexpr int L = WIDTH<float>, SIDE = 16, WORDS = SIDE * SIDE;  // rows and words of a tile register; words of all
static_assert(L == SIDE && L == BLOCK);
constexpr int64_t SLABS_OF_GROUP = 8;  // a slab stays in a core's second cache
constexpr int64_t DOT_ROWS = 4;        // rows whose dots are summed together

// A way: phases of the samples and of the results along columns (in, out) and along rows; rows and places of a slab beyond
// those of its results; samples and results of a place; factors that a row of taps becomes; of a tap, rows from a result to
// the sample that it meets; of a factor, its phases and places; and the maps of rows, of samples d, of kernels g and of
// products m.
struct Taps {  // stride 1, of gradients of kernels
    static constexpr int in = 1, out = 1, halo = 2;
    static constexpr int row_in = 1, row_halo = 2, samples = 1, results = 1;
    static constexpr int shift(int tap) { return tap; }
    static constexpr int phase_in(int) { return 0; }
    static constexpr int row_shift(int tap) { return tap; }
};
struct Whole {  // stride 1, by F(2, 3)
    static constexpr int in = 1, out = 1, halo = 2;
    static constexpr int row_in = 4, row_out = 4, row_halo = 0, samples = 2, results = 2, factors = 4;
    static constexpr int shift(int tap) { return tap; }
    static constexpr int phase_in(int factor) { return factor; }
    static constexpr int phase_out(int factor) { return factor; }
    static constexpr int row_shift(int) { return 0; }
    static void spread(const V* d, V* to) {
        to[0] = d[0] - d[2], to[1] = d[1] + d[2], to[2] = d[2] - d[1], to[3] = d[1] - d[3];
    }
    static void spread_kernel(const V* g, V* to) {
        const V ends = 0.5f * (g[0] + g[2]), middle = 0.5f * g[1];
        to[0] = g[0], to[1] = ends + middle, to[2] = ends - middle, to[3] = g[2];
    }
    static void join(const V* m, V* y) { y[0] = m[0] + m[1] + m[2], y[1] = m[1] - m[2] - m[3]; }
};
struct Halving {  // stride 2
    static constexpr int in = 2, out = 1, halo = 1;
    static constexpr int row_in = 2, row_out = 1, row_halo = 1, samples = 2, results = 1, factors = TAPS;
    static constexpr int shift(int tap) { return tap / 2; }
    static constexpr int phase_in(int tap) { return tap % 2; }
    static constexpr int phase_out(int) { return 0; }
    static constexpr int row_shift(int tap) { return tap / 2; }
    static void spread(const V* d, V* to) { to[0] = d[0], to[1] = d[1]; }
    static void spread_kernel(const V* g, V* to) { std::copy(g, g + TAPS, to); }
    static void join(const V* m, V* y) { y[0] = m[0]; }
};
struct Doubling {  // the transpose of Halving
    static constexpr int in = 1, out = 2, halo = 1;
    static constexpr int row_in = 1, row_out = 2, row_halo = 1, samples = 1, results = 2, factors = TAPS;
    static constexpr int shift(int tap) { return 1 - tap / 2; }
    static constexpr int phase_in(int) { return 0; }
    static constexpr int phase_out(int tap) { return tap % 2; }
    static constexpr int row_shift(int tap) { return 1 - tap / 2; }
    static void spread(const V* d, V* to) { to[0] = d[0]; }
    static void spread_kernel(const V* g, V* to) { std::copy(g, g + TAPS, to); }
    static void join(const V* m, V* y) { y[0] = m[0], y[1] = m[1]; }
};

template <class Way>
struct Slabs {
    static constexpr int PHASES_IN = Way::in * Way::row_in;
    const Grid& g;
    const int64_t before;       // zeros before the first sample
    const int64_t rows_all;     // of one phase of a picture's results
    const int64_t pitch;        // an even number of places
    const int64_t groups_out;   // of results' channels
    const int64_t most;         // rows of a slab
    const int64_t rows;         // of a slab: whole ones of dots
    const int64_t of_picture;   // slabs

    Slabs(const Grid& grid, int64_t bytes_of_place)
        : g(grid), before(Way::out == 2 ? 1 : g.pad), rows_all(over(g.rows_out, Way::out)),
          pitch(up_to(over(g.columns_out, Way::results) + Way::row_halo, 2)),
          groups_out(over(g.results, L)),
          most(std::max<int64_t>(g.most / SLABS_OF_GROUP / std::max<int64_t>(bytes_of_place * pitch, 1), 1)),
          rows(up_to(over(rows_all, std::max<int64_t>(over(rows_all, most), 1)), DOT_ROWS)),
          of_picture(rows ? over(rows_all, rows) : 0) {}
    // Places from a result to its farthest sample.
    int64_t reach() const { return Way::halo * pitch + Way::row_halo; }
    int64_t picture_of(int64_t slab) const { return slab / of_picture; }
    int64_t first_of(int64_t slab) const { return slab % of_picture * rows; }  // row of one phase of the results
    int64_t rows_of(int64_t slab) const { return std::min(rows, rows_all - first_of(slab)); }
    // A picture's row from its number in a slab's phase.
    int64_t row_of(int64_t first, int64_t i, int64_t phase) const { return Way::in * (first + i) + phase - before; }
    // Of a tap along columns and a factor along rows: the samples' phase, and the places from a result to its sample.
    static constexpr int phase_in(int dy, int dx) { return dy % Way::in * Way::row_in + Way::phase_in(dx); }
    int64_t distance(int dy, int dx) const { return Way::shift(dy) * pitch + Way::row_shift(dx); }
    // Numbers of a line that holds, of 16 channels, the samples of a row, or its results in whole blocks of 32.
    int64_t line_in() const { return (Way::samples * pitch + 2) * L; }
    int64_t line_out() const { return Way::results * up_to(pitch, 2 * L) * L; }
};

}  // namespace direct
#endif
