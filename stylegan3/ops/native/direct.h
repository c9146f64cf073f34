// SPDX-License-Identifier: Apache-2.0
// Convolutions of bfloat16 with kernels of 3x3 taps in tile registers (amx.h), tap after tap: where products cost so
// little, Winograd's transforms cost more than they save, and exactness with it.
//
// Pictures are worked on in slabs of rows. A slab lies in memory with `pitch` places a row, zeros beside and between the
// rows, so that a tap is one distance for all of its places, whichever row they are in: results are computed for all of
// them, those between two rows for nothing. With stride 2 even and odd rows and columns are pictures (phases) of their own.
#pragma once
#include "amx.h"
#ifdef HAS_AMX
#include <algorithm>

#include "flow.h"
#include "grid.h"
#include "pictures.h"
#include "team.h"

namespace direct {

constexpr int L = WIDTH<float>, SIDE = 16, WORDS = SIDE * SIDE;  // rows and words of a tile register; words of all
static_assert(L == SIDE);
constexpr int64_t SLABS_OF_GROUP = 8;  // a slab stays in a core's second cache
constexpr int64_t DOT_ROWS = 4;        // rows whose dots are summed together

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

template <class Way>
struct Slabs {
    static constexpr int PHASES_IN = Way::in * Way::in, PHASES_OUT = Way::out * Way::out;
    const Grid& g;
    const int64_t before;       // zeros before the first sample
    const int64_t rows_all;     // of one phase of a picture's results
    const int64_t pitch;        // an even number of places
    const int64_t groups_out;   // of results' channels; blocks are filled up
    const int64_t most;         // rows of a slab
    const int64_t rows;         // of a slab: whole ones of dots
    const int64_t of_picture;   // slabs

    Slabs(const Grid& grid, int64_t bytes_of_place)
        : g(grid), before(Way::out == 2 ? 1 : g.pad), rows_all(over(g.rows_out, Way::out)),
          pitch(up_to(over(g.columns_out, Way::out) + Way::halo, 2)),
          groups_out(g.layout == BLOCKED ? over(g.results, BLOCK) : over(g.results, L)),
          most(std::max<int64_t>(g.most / SLABS_OF_GROUP / std::max<int64_t>(bytes_of_place * pitch, 1), 1)),
          rows(up_to(over(rows_all, std::max<int64_t>(over(rows_all, most), 1)), DOT_ROWS)),
          of_picture(rows ? over(rows_all, rows) : 0) {}
    int64_t reach() const { return Way::halo * (pitch + 1); }  // places from a result to its farthest sample, or beyond

    // go(team, share, slab) for this thread's of all slabs; as often, if without a slab (-1), in each thread
    template <class Go>
    static void each(int64_t slabs, int64_t shares, Go go) {
        const Team team(shares);
        for (int64_t share = team.number; share < shares; share += team.teams)
            for (int64_t k = 0; k < over(slabs, shares); ++k) {
                const int64_t slab = slabs * share / shares + k;
                go(team, share, slab < slabs * (share + 1) / shares ? slab : -1);
            }
    }
    int64_t picture_of(int64_t slab) const { return slab / of_picture; }
    int64_t first_of(int64_t slab) const { return slab % of_picture * rows; }  // row of one phase of the results
    int64_t rows_of(int64_t slab) const { return std::min(rows, rows_all - first_of(slab)); }
    // A picture's row from its number in a slab's phase.
    int64_t row_of(int64_t first, int64_t i, int64_t phase) const { return Way::in * (first + i) + phase - before; }
    // Places from a result to the sample that a tap multiplies, along one axis.
    static constexpr int shift(int tap) { return Way::out == 2 ? 1 - tap / 2 : tap / Way::in; }
    static constexpr int phase(int dy, int dx) { return dy % Way::in * Way::in + dx % Way::in; }
    int64_t distance(int dy, int dx) const { return shift(dy) * pitch + shift(dx); }
    // Numbers of a row of 16 channels in whole blocks of 32 places; of the line that holds all of its phases.
    int64_t row_numbers() const { return up_to(pitch, 2 * L) * L; }
    int64_t line() const { return Way::in * row_numbers(); }
};

}  // namespace direct
#endif
