// SPDX-License-Identifier: Apache-2.0
// Rows of tiles of pictures, transformed for winograd.h.
#pragma once
#include "flow.h"
#include "pictures.h"
#include "winograd_points.h"

// The lines of samples that a row of tiles reads, of one group of channels, times its factors: zeros before and after
// them. Where the last row of tiles lies above this one, the lines that both read are there.
template <class Map, class T, class X>
class Window {
  public:
    // factors [N, C], or none; `places` tiles in a row, the first one's samples beginning `pad` before the picture's
    Window(const Plane<const X>& x, const T* factors, int64_t pad, int64_t places)
        : x_(x), factors_(factors), pad_(pad), pitch_((Map::step * places + Map::from - Map::step) * WIDTH<T>),
          memory_(Map::from * pitch_) {}

    const T* const* lines(int64_t picture, int64_t group, int64_t row) {
        const bool follows = picture == picture_ && group == group_ && row == row_ + 1;
        picture_ = picture, group_ = group, row_ = row;
        const Register<T> factors = group_of(factors_, picture, group, x_.channels);
        for (int64_t j = 0; j < Map::from; ++j) {
            T* line = memory_.data() + (row * Map::step + j) % Map::from * pitch_;
            lines_[j] = line;
            if (!follows || j >= Map::from - Map::step)
                read_line<T>(x_, picture, group, row * Map::step + j - pad_, factors, line + pad_ * WIDTH<T>);
        }
        return lines_;
    }

  private:
    const Plane<const X>& x_;
    const T* const factors_;
    const int64_t pad_, pitch_;
    Buffer<T> memory_;
    const T* lines_[Map::from];
    int64_t picture_ = -1, group_ = -1, row_ = -1;
};

// A row of tiles from its lines. `put(i, t, vector)` stores value i of tile t.
template <class Map, class T, class Put>
APART void to_tiles(const T* const* lines, int64_t places, Put put) {
    using V = Register<T>;
    constexpr int shared = Map::from - Map::step;  // columns of neighbouring tiles
    V values[Map::to][Map::from];
    const auto column = [&](int64_t t, int j) __attribute__((always_inline)) {
        Map::template apply<T, V>([&](int i) { return *reinterpret_cast<const V*>(lines[i] + (Map::step * t + j) * WIDTH<T>); },
                                  [&](int i, V v) { values[i][j] = v; });
    };
#pragma GCC unroll 2
    for (int j = 0; j < shared; ++j) column(0, j);
    for (int64_t t = 0; t < places; ++t) {
#pragma GCC unroll 8
        for (int j = shared; j < Map::from; ++j) column(t, j);
#pragma GCC unroll 9
        for (int i = 0; i < Map::to; ++i)
            Map::template apply<T, V>([&](int j) { return values[i][j]; },
                                      [&](int j, V v) { put(i * Map::to + j, t, v); });
#pragma GCC unroll 9
        for (int i = 0; i < Map::to; ++i)
#pragma GCC unroll 2
            for (int j = 0; j < shared; ++j) values[i][j] = values[i][Map::step + j];
    }
}
