// SPDX-License-Identifier: Apache-2.0
// How the filtered leaky relu is cut into tiles for blocks of threads with a small shared memory.
//
// A tile is T outputs along an axis. They read (T - 1) down + taps_down raised samples, from o down + base on; those
// read (raised - 1 + phase) / up + taps_up inputs, where phase = (first raised + offset) mod up. T is a multiple of 4,
// so that phase is the same for every tile and, where base is 0, every tile starts at a whole byte of codes. Raised
// samples are made four at a time, hence a phase below 4 must be known when sums are unrolled (raise in lrelu_block.h).
// Columns have whole bytes each: there a tile starts up to 3 raised samples early (lead), so that its phase is 0.
#pragma once
#include <cstdint>

#include "lrelu.h"

constexpr int MOST_TAPS = 64;     // of a table in a kernel's parameters
constexpr int LARGEST_TILE = 64;  // outputs a side

enum Failure : int32_t { NO_ROOM = -1, NOT_ALIGNED = -2, TOO_MANY_TAPS = -3, NO_KIND = -4 };

// One pass over planes, as Python describes it (block.py). Strides count elements: batch, channel, row, column.
struct Task {
    Rows rows, columns;
    double slope, clamp;
    int32_t mode, kind;
    int32_t tile_rows, tile_columns;  // 0: chosen here
    int64_t planes, channels;
    int64_t x_strides[4], y_strides[4];
    const void *x, *bias;
    void *codes, *y;
};

// i / by for 0 <= i < 2^16, 0 < by < 2^15: inverse = ceil(2^31 / by) is too large by less than 1, i inverse by less
// than 2^16 < 2^31 / by, so that the quotient stays whole.
struct Divider {
    uint32_t by, inverse;
};

inline Divider divider(int by) { return {uint32_t(by), uint32_t(((uint64_t(1) << 31) + by - 1) / by)}; }

// A plan's axis with its tables inside, so that they travel as kernel parameters: read by all threads of a warp at
// once and at addresses known beforehand, they are operands of the multiplications.
template <class T>
struct Axis {
    int n_in, n_raised, n_out, up, down, offset, base, taps_up, taps_down;
    int lead, phase;
    T weights_up[MOST_TAPS], weights_down[MOST_TAPS];
};

inline int residue(int a, int b) { return (a % b + b) % b; }

template <class T>
Axis<T> axis_of(const Rows& rows, bool early) {
    const int phase = residue(rows.base + rows.offset, rows.up);
    Axis<T> a{rows.n_in, rows.n_raised, rows.n_out, rows.up, rows.down, rows.offset, rows.base, rows.taps_up,
              rows.taps_down, early ? phase : 0, early ? 0 : phase, {}, {}};
    for (int k = 0; k < rows.up * rows.taps_up; ++k) a.weights_up[k] = T(rows.weights_up[k]);
    for (int k = 0; k < rows.taps_down; ++k) a.weights_down[k] = T(rows.weights_down[k]);
    return a;
}

// Samples of one tile along one axis.
struct Side {
    int inputs, raised, outputs, tiles;
};

template <class T>
Side side_of(const Axis<T>& a, int outputs, bool keep) {
    int raised = a.lead + (outputs - 1) * a.down + a.taps_down;
    if (keep) {  // the codes that a tile owns: down for each output, the last tile's to the end of the canvas
        const int longer = a.taps_down > a.down ? a.taps_down : a.down;
        raised = a.lead + (outputs - 1) * a.down + longer + a.down - 1;
    }
    raised = (raised + 3) / 4 * 4;
    return {(raised - 1 + a.phase) / a.up + a.taps_up, raised, outputs, (a.n_out + outputs - 1) / outputs};
}

// A tile's sizes and its scratch memory, two areas that the stages use in turn:
//   first: inputs, raised samples, results      second: inputs raised along columns, raised samples lowered along rows
// A row's pitch is odd: threads along columns and threads along rows both meet every bank once.
struct Tile {
    Side rows, columns;
    int pitch_in, pitch_raised, pitch_out, first, second;
    Divider by_columns_in, by_rows_in, by_raised, by_rows_out, by_columns_out;

    int64_t samples() const { return int64_t(first) + second; }
};

inline int larger(int a, int b) { return a > b ? a : b; }

inline Tile tile_of(const Side& rows, const Side& columns) {
    Tile t{rows, columns, columns.inputs | 1, columns.raised | 1, columns.outputs | 1, 0, 0,
           divider(columns.inputs), divider(rows.inputs), divider(columns.raised), divider(rows.outputs),
           divider(columns.outputs)};
    const int most = larger(rows.inputs * t.pitch_in, rows.raised * t.pitch_raised);
    t.first = larger(most, rows.outputs * t.pitch_out);
    t.second = larger(rows.inputs, rows.outputs) * t.pitch_raised;
    return t;
}

// Multiplications of all tiles, and some more for each sample that is moved.
template <class T>
double cost_of(const Tile& t, const Axis<T>& rows, const Axis<T>& columns) {
    constexpr double MOVED = 6;
    const double inputs = t.rows.inputs, raised = t.rows.raised, outputs = t.rows.outputs, across = t.columns.raised;
    const double sums = inputs * across * (columns.taps_up + MOVED) + raised * across * (rows.taps_up + MOVED) +
                        outputs * across * (rows.taps_down + MOVED) +
                        outputs * t.columns.outputs * (columns.taps_down + 2 * MOVED) + inputs * t.columns.inputs * MOVED;
    return sums * t.rows.tiles * t.columns.tiles;
}

constexpr int64_t MOST_SAMPLES = 65535;  // what Divider can count

// Return the cheapest tile whose scratch has at most so many samples; sides that are given stay. rows.tiles is 0 where
// none fits.
template <class T>
Tile choose_tile(const Axis<T>& rows, const Axis<T>& columns, int high, int wide, bool keep, int64_t samples) {
    Tile best{};
    double least = 0;
    for (int h = high ? high : 4; h <= (high ? high : LARGEST_TILE); h += 4)
        for (int w = wide ? wide : 4; w <= (wide ? wide : LARGEST_TILE); w += 4) {
            const Tile tile = tile_of(side_of(rows, h, keep), side_of(columns, w, keep));
            if (tile.samples() > samples || tile.samples() > MOST_SAMPLES) continue;
            const double cost = cost_of(tile, rows, columns);
            if (best.rows.tiles == 0 || cost < least) best = tile, least = cost;
        }
    return best;
}
