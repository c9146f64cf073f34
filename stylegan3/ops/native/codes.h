// SPDX-License-Identifier: Apache-2.0
// Codes of a plane's raised samples: 0 passed, 1 was multiplied by the slope, 2 was clamped. A byte holds those of rows
// 4 b to 4 b + 3 of a column, the first in its lowest bits. In memory a line of bytes has the order of columns, here it
// lies in phases as raised rows do (lrelu.h).
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "lrelu.h"

class Codes {
  public:
    static constexpr int LINES = 16;  // at once; more than rows made together touch

    explicit Codes(const Columns& c)
        : columns_(c), lines_(size_t(LINES) * c.p * c.width_raised), woven_(c.p * c.width_raised),
          nothing_(c.p * c.width_raised, 0xaa) {}

    void begin(uint8_t* plane) {
        plane_ = plane;
        std::fill(held_, held_ + LINES, -1);
    }

    uint8_t* line(int b) { return lines_.data() + size_t(b % LINES) * columns_.p * columns_.width_raised; }

    const uint8_t* fetched(int b) {
        if (held_[b % LINES] != b) move(held_[b % LINES] = b, false);
        return line(b);
    }

    void put(int b) { move(b, true); }

    // Those of rows outside: nothing passes.
    const uint8_t* outside() const { return nothing_.data(); }

  private:
    // Move a line of codes to its place or from there. Those of columns outside the raised canvas are left out, and
    // anything where they are read: their samples are zero.
    void move(int byte_row, bool out) {
        uint8_t* line = this->line(byte_row);
        const Columns& c = columns_;
        const int low = std::clamp(-c.base, 0, c.p * c.width_raised), high = std::clamp(c.n_raised - c.base, low, c.p * c.width_raised);
        uint8_t *there = plane_ + size_t(byte_row) * c.n_raised + c.base + low, *here = woven_.data() + low;
        if (!out) std::memcpy(here, there, high - low);
        if (c.p == 1) weave<1>(line, out);
        else if (c.p == 2) weave<2>(line, out);
        else weave<4>(line, out);
        if (out) std::memcpy(there, here, high - low);
    }

    // The codes of all phases one after another, or in the order of columns.
    template <int P>
    void weave(uint8_t* __restrict line, bool out) {
        const int width = columns_.width_raised;
        uint8_t* __restrict woven = woven_.data();
        if (out) for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) woven[P * m + p] = line[p * width + m];
        else for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) line[p * width + m] = woven[P * m + p];
    }

    const Columns columns_;
    std::vector<uint8_t> lines_, woven_;
    const std::vector<uint8_t> nothing_;
    uint8_t* plane_ = nullptr;
    int held_[LINES];  // which lines lie there
};
