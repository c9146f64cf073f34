// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu of one tile (lrelu_tile.h) by one block of threads:
//
//   load       inputs + bias, zero outside the canvas        columns       raised along columns
//   rows       raised along rows, then phi or times s        rows down     lowered along rows
//   columns    lowered along columns                         store
//
// Each stage is a loop that any number of threads share, and a barrier follows it; one thread and no barrier run the
// same code on a CPU. A thread makes four neighbouring sums at once, so that a sample is read once for all of them.
// Where lanes of a warp lie: along columns while a stage goes along rows or moves samples (neighbours in memory), along
// rows while a stage goes along columns (odd pitches: no two in one bank).
#pragma once
#include "lrelu_sums.h"

// One tile at work. Block has thread, threads and barrier().
template <class T, class X, class F, class Block>
struct TileWork {
    const Launch<T, X>& l;
    const Block block;
    T *const first, *const second;
    int64_t plane;
    int out_row, out_column;      // of the first result
    int raised_row, raised_column;  // of the first raised sample

    BLOCK_CALL TileWork(const Launch<T, X>& launch, const Block& b, T* scratch, int64_t task)
        : l(launch), block(b), first(scratch), second(scratch + launch.tile.first) {
        const int across = l.tile.columns.tiles, tiles = l.tile.rows.tiles * across;
        // neighbours in memory are worked on at about the same time: where channels lie innermost a warp's samples are
        // far apart, and blocks of other channels find theirs in the lines that it brought to the cache
        plane = l.channels_first ? task / tiles : task % l.planes;
        const int tile = int(l.channels_first ? task - plane * tiles : task / l.planes);
        out_row = tile / across * l.tile.rows.outputs;
        out_column = tile % across * l.tile.columns.outputs;
        raised_row = out_row * l.rows.down + l.rows.base - l.rows.lead;
        raised_column = out_column * l.columns.down + l.columns.base - l.columns.lead;
    }

    BLOCK_CALL void run() const {
        load();
        block.barrier();
        raise_columns();
        block.barrier();
        raise_rows();
        block.barrier();
        lower_rows();
        block.barrier();
        lower_columns();
        block.barrier();
        store();
        block.barrier();  // before the next tile is loaded over it
    }

    BLOCK_CALL int64_t start(const int64_t (&strides)[4]) const {
        return plane / l.channels * strides[0] + plane % l.channels * strides[1];
    }

    static BLOCK_CALL int first_input(int raised, const Axis<T>& a) {
        return (raised + a.offset - a.phase) / a.up - (a.taps_up - 1);  // without remainder
    }

    BLOCK_CALL void load() const {
        const X* x = l.x + start(l.x_strides);
        const T bias = l.bias ? l.bias[plane % l.channels] : T(0);
        const int top = first_input(raised_row, l.rows), left = first_input(raised_column, l.columns);
        for (int i = block.thread; i < l.tile.rows.inputs * l.tile.columns.inputs; i += block.threads) {
            const Split at = split(i, l.tile.by_columns_in);
            const int row = top + at.row, column = left + at.rest;
            const bool inside = row >= 0 && row < l.rows.n_in && column >= 0 && column < l.columns.n_in;
            first[at.row * l.tile.pitch_in + at.rest] =
                inside ? T(x[row * l.x_strides[2] + column * l.x_strides[3]]) + bias : T(0);
        }
    }

    BLOCK_CALL void raise_columns() const {
        const int up = F::up ? F::up : l.columns.up;
        for (int i = block.thread; i < l.tile.rows.inputs * (l.tile.columns.raised / 4); i += block.threads) {
            const Split at = split(i, l.tile.by_rows_in);  // four columns, row
            T sums[4];
            raise<F, 0>(sums, first + at.rest * l.tile.pitch_in + at.row * 4 / up, 1, l.columns);
            write(second + at.rest * l.tile.pitch_raised + at.row * 4, 1, sums);
        }
    }

    BLOCK_CALL void raise_rows() const {
        if (F::up < 2 || l.rows.phase == 0) return raise_rows_from<0>();
        if (F::up == 2 || l.rows.phase == 1) return raise_rows_from<1>();
        if (l.rows.phase == 2) return raise_rows_from<2>();
        raise_rows_from<3>();
    }

    template <int PHASE>
    BLOCK_CALL void raise_rows_from() const {
        const int up = F::up ? F::up : l.rows.up, pitch = l.tile.pitch_raised;
        for (int i = block.thread; i < l.tile.columns.raised * (l.tile.rows.raised / 4); i += block.threads) {
            const Split at = split(i, l.tile.by_raised);  // four rows, column
            T sums[4];
            raise<F, PHASE>(sums, second + at.row * 4 / up * pitch + at.rest, pitch, l.rows);
            between(sums, raised_row + 4 * at.row, raised_column + at.rest);
            write(first + 4 * at.row * pitch + at.rest, pitch, sums);
        }
    }

    // What lies between the resamplings, for four raised samples of a column.
    BLOCK_CALL void between(T (&sums)[4], int row, int column) const {
        const bool inside = column >= 0 && column < l.columns.n_raised;
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v)
            if (!inside || row + v < 0 || row + v >= l.rows.n_raised) sums[v] = T(0);
        if (l.mode == MULTIPLY) {
            if (inside) multiply(sums, row, column);
            return;
        }
        if (l.mode == ACTIVATE_AND_KEEP && owns(row, column)) keep(sums, row, column);
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v) {
            const T y = sums[v] > T(0) ? sums[v] : l.slope * sums[v];
            sums[v] = y < -l.clamp ? -l.clamp : y > l.clamp ? l.clamp : y;
        }
    }

    static BLOCK_CALL bool owned(int raised, int out, int outputs, const Axis<T>& a) {
        const int end = out + outputs >= a.n_out ? a.n_raised : (out + outputs) * a.down;
        return raised >= out * a.down && raised < end;
    }

    BLOCK_CALL bool owns(int row, int column) const {
        return owned(row, out_row, l.tile.rows.outputs, l.rows) &&
               owned(column, out_column, l.tile.columns.outputs, l.columns);
    }

    BLOCK_CALL int64_t bytes() const { return (l.rows.n_raised + 3) / 4; }

    BLOCK_CALL void keep(const T (&sums)[4], int row, int column) const {
        int byte = 0;
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v) {
            const bool outside = sums[v] <= l.low || sums[v] >= l.clamp;
            const int code = outside ? 2 : sums[v] > T(0) ? 0 : 1;
            if (row + v < l.rows.n_raised) byte |= code << 2 * v;
        }
        l.codes[(plane * bytes() + row / 4) * l.columns.n_raised + column] = uint8_t(byte);
    }

    // Rows of a transposed plan start anywhere: four of them lie in one byte or two.
    BLOCK_CALL void multiply(T (&sums)[4], int row, int column) const {
        const int above = (row & ~3) / 4, shift = 2 * (row & 3);
        const uint8_t* column_of = l.codes + plane * bytes() * l.columns.n_raised + column;
        int bits = 0;
        if (above >= 0 && above < bytes()) bits = column_of[int64_t(above) * l.columns.n_raised];
        if (shift && above + 1 >= 0 && above + 1 < bytes())
            bits |= column_of[int64_t(above + 1) * l.columns.n_raised] << 8;
        bits >>= shift;
        BLOCK_UNROLL
        for (int v = 0; v < 4; ++v) {
            const int code = bits >> 2 * v & 3;
            sums[v] *= code == 0 ? T(1) : code == 1 ? l.slope : T(0);
        }
    }

    BLOCK_CALL void lower_rows() const {
        const int down = F::up ? F::down : l.rows.down, pitch = l.tile.pitch_raised;
        for (int i = block.thread; i < l.tile.columns.raised * (l.tile.rows.outputs / 4); i += block.threads) {
            const Split at = split(i, l.tile.by_raised);
            T sums[4];
            lower<F>(sums, first + (l.rows.lead + 4 * at.row * down) * pitch + at.rest, pitch, l.rows);
            write(second + 4 * at.row * pitch + at.rest, pitch, sums);
        }
    }

    BLOCK_CALL void lower_columns() const {
        const int down = F::up ? F::down : l.columns.down;
        for (int i = block.thread; i < l.tile.rows.outputs * (l.tile.columns.outputs / 4); i += block.threads) {
            const Split at = split(i, l.tile.by_rows_out);
            T sums[4];
            lower<F>(sums, second + at.rest * l.tile.pitch_raised + l.columns.lead + 4 * at.row * down, 1, l.columns);
            write(first + at.rest * l.tile.pitch_out + 4 * at.row, 1, sums);
        }
    }

    BLOCK_CALL void store() const {
        X* y = l.y + start(l.y_strides);
        for (int i = block.thread; i < l.tile.rows.outputs * l.tile.columns.outputs; i += block.threads) {
            const Split at = split(i, l.tile.by_columns_out);
            const int row = out_row + at.row, column = out_column + at.rest;
            if (row < l.rows.n_out && column < l.columns.n_out)
                y[row * l.y_strides[2] + column * l.y_strides[3]] = first[at.row * l.tile.pitch_out + at.rest];
        }
    }
};
