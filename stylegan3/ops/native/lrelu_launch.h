// SPDX-License-Identifier: Apache-2.0
// From a task of Python's to a launch: tables converted, a tile chosen, a form found. Shared by the launcher for cards
// (lrelu.cu) and the one for tests (lrelu_block.cpp).
#pragma once
#include <cmath>

#include "lrelu_tile.h"

#ifdef __CUDACC__
#define BLOCK_CALL __device__ __forceinline__
#define BLOCK_BOTH __host__ __device__
#define BLOCK_UNROLL _Pragma("unroll")
#else
#define BLOCK_CALL inline
#define BLOCK_BOTH
#define BLOCK_UNROLL
#endif

// Factors and taps (of both axes) known to the compiler; zeros are read at run time.
template <int UP, int TAPS_UP, int DOWN, int TAPS_DOWN>
struct Form {
    static constexpr int up = UP, taps_up = TAPS_UP, down = DOWN, taps_down = TAPS_DOWN;
};
using AnyForm = Form<0, 0, 0, 0>;

template <class F, class T>
bool fits(const Axis<T>& a) {
    return a.up == F::up && a.taps_up == F::taps_up && a.down == F::down && a.taps_down == F::taps_down;
}

// All that a launch has in common. T: the arithmetic; X: memory outside.
template <class T, class X>
struct Launch {
    Axis<T> rows, columns;
    Tile tile;
    T slope, clamp, low;  // low: where slope v reaches -clamp
    int mode;
    bool channels_first;
    int64_t planes, channels, x_strides[4], y_strides[4];
    const X* x;
    const T* bias;
    uint8_t* codes;
    X* y;

    BLOCK_BOTH int64_t tasks() const { return planes * tile.rows.tiles * tile.columns.tiles; }
};

inline bool short_enough(const Rows& r) { return r.up * r.taps_up <= MOST_TAPS && r.taps_down <= MOST_TAPS; }

// Fill a launch; its tile has at most ``bytes`` of scratch memory, or, where none is that small, ``most``.
template <class T, class X>
int32_t prepare(const Task& task, int64_t bytes, int64_t most, Launch<T, X>& l) {
    const bool keep = task.mode == ACTIVATE_AND_KEEP;
    if (!short_enough(task.rows) || !short_enough(task.columns)) return TOO_MANY_TAPS;
    if (keep && (task.rows.base != 0 || task.columns.base != 0)) return NOT_ALIGNED;
    if (task.tile_rows % 4 || task.tile_columns % 4) return NOT_ALIGNED;
    l.rows = axis_of<T>(task.rows, false), l.columns = axis_of<T>(task.columns, true);
    for (const int64_t size : {bytes, most}) {
        l.tile = choose_tile(l.rows, l.columns, task.tile_rows, task.tile_columns, keep, size / int64_t(sizeof(T)));
        if (l.tile.rows.tiles) break;
    }
    if (!l.tile.rows.tiles) return NO_ROOM;
    l.slope = T(task.slope), l.clamp = T(task.clamp);
    l.low = l.slope > 0 ? -l.clamp / l.slope : -T(INFINITY);
    l.mode = task.mode, l.channels_first = task.x_strides[1] != 1 || task.x_strides[3] == 1;
    l.planes = task.planes, l.channels = task.channels;
    for (int k = 0; k < 4; ++k) l.x_strides[k] = task.x_strides[k], l.y_strides[k] = task.y_strides[k];
    l.x = static_cast<const X*>(task.x), l.bias = static_cast<const T*>(task.bias);
    l.codes = static_cast<uint8_t*>(task.codes), l.y = static_cast<X*>(task.y);
    return 0;
}

// Call run(form) with the form that fits both axes. The forms: StyleGAN3 with 6 taps a sample, and its gradients.
template <class T, class X, class Run>
int32_t with_form(const Launch<T, X>& l, Run run) {
    const auto both = [&](auto form) { return fits<decltype(form)>(l.rows) && fits<decltype(form)>(l.columns); };
    if constexpr (sizeof(T) == 4) {
        if (both(Form<2, 6, 2, 12>())) return run(Form<2, 6, 2, 12>());
        if (both(Form<4, 6, 2, 12>())) return run(Form<4, 6, 2, 12>());
        if (both(Form<2, 6, 4, 24>())) return run(Form<2, 6, 4, 24>());
    }
    return run(AnyForm());
}
