// SPDX-License-Identifier: Apache-2.0
// Rows of pictures in memory, of one group of channels at a time, as registers of neighbouring channels.
#pragma once
#include <algorithm>
#include <cstdint>

#include "registers.h"

// Where a picture's numbers are.
template <class X>
struct Plane {
    X* data;
    int64_t channels, height, width;
    bool inner;

    X* at(int64_t n, int64_t c, int64_t i, int64_t j) const {
        return inner ? data + ((n * height + i) * width + j) * channels + c
                     : data + ((n * channels + c) * height + i) * width + j;
    }
};

// One row of one group of channels -> line[j][lane], zeros in `pad` places before and up to `length`
template <class T, class X>
__attribute__((noinline)) void read_line(const Plane<const X>& x, int64_t n, int64_t group, int64_t row, int64_t pad, T* line, int64_t length) {
    constexpr int L = WIDTH<T>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, x.channels - c);
    if (row < 0 || row >= x.height) {
        std::fill(line, line + length * L, T(0));
        return;
    }
    std::fill(line, line + pad * L, T(0));
    std::fill(line + (pad + x.width) * L, line + length * L, T(0));
    auto* to = reinterpret_cast<Register<T>*>(line) + pad;
    if (x.inner) {
        for (int64_t j = 0; j < x.width; ++j) to[j] = read<T>(x.at(n, c, row, j), channels);
        return;
    }
    for (int64_t j = 0; j < x.width; j += L) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) block[k] = k < channels ? read<T>(x.at(n, c + k, row, j), x.width - j) : Register<T>{};
        turn<T>(block);
        const int64_t count = std::min<int64_t>(L, x.width - j);
        if (count == L)
            for (int k = 0; k < L; ++k) to[j + k] = block[k];
        else
            for (int k = 0; k < count; ++k) to[j + k] = block[k];
    }
}

// line[j][lane] -> one row of one group of channels
template <class T, class X>
__attribute__((noinline)) void write_line(const Plane<X>& y, int64_t n, int64_t group, int64_t row, const T* line) {
    constexpr int L = WIDTH<T>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, y.channels - c);
    const auto* from = reinterpret_cast<const Register<T>*>(line);
    if (y.inner) {
        for (int64_t j = 0; j < y.width; ++j) write<T>(y.at(n, c, row, j), from[j], channels);
        return;
    }
    for (int64_t j = 0; j < y.width; j += L) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) block[k] = from[j + k];
        turn<T>(block);
        for (int k = 0; k < channels; ++k) write<T>(y.at(n, c + k, row, j), block[k], y.width - j);
    }
}

