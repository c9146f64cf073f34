// SPDX-License-Identifier: Apache-2.0
// Rows of pictures in memory, of one group of channels at a time, as registers of neighbouring channels.
#pragma once
#include <algorithm>
#include <cstdint>

#include "registers.h"

// Channels lie outermost, in planes; innermost; or innermost in blocks of so many, the last one filled with zeros.
enum Layout : int64_t { OUTERMOST = 0, INNERMOST = 1, BLOCKED = 2 };
constexpr int64_t BLOCK = 16;  // as in blocks.py

// Where a picture's numbers are.
template <class X>
struct Plane {
    X* data;
    int64_t channels, height, width, layout;

    X* at(int64_t n, int64_t c, int64_t i, int64_t j) const {
        if (layout == OUTERMOST) return data + ((n * channels + c) * height + i) * width + j;
        if (layout == INNERMOST) return data + ((n * height + i) * width + j) * channels + c;
        const int64_t blocks = (channels + BLOCK - 1) / BLOCK;
        return data + (((n * blocks + c / BLOCK) * height + i) * width + j) * BLOCK + c % BLOCK;
    }

    // From a place to its right neighbour.
    int64_t step() const { return layout == OUTERMOST ? 1 : layout == INNERMOST ? channels : BLOCK; }
};

// A picture's numbers [N, C] of one group of channels; ones where there are none, zeros beyond C.
template <class T>
inline Register<T> group_of(const T* numbers, int64_t n, int64_t group, int64_t channels) {
    if (!numbers) return Register<T>{} + 1;
    if (group * WIDTH<T> >= channels) return Register<T>{};
    return read<T>(numbers + n * channels + group * WIDTH<T>, channels - group * WIDTH<T>);
}

constexpr int AHEAD = 4;  // rows: those of the next tiles are fetched meanwhile

// go(first, count) for blocks of a row of `width` places: each is whole, the last one reaching back, if any can be.
template <int many, class Go>
inline void by_blocks(int64_t width, Go go) {
    for (int64_t j = 0; j < width; j += many) go(std::max<int64_t>(0, std::min(j, width - many)), std::min<int64_t>(many, width));
}

// One row of one group of channels, times a factor each -> line[j][lane]; zeros beyond the picture and its channels
template <class T, class X>
__attribute__((noinline)) void read_line(const Plane<const X>& x, int64_t n, int64_t group, int64_t row, Register<T> factors,
                                         T* line) {
    constexpr int L = WIDTH<T>, S = SHARE<T, X>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, x.channels - c);
    auto* to = reinterpret_cast<Register<T>*>(line);
    if (row < 0 || row >= x.height || c >= x.channels) {
        std::fill(line, line + x.width * L, T(0));
        return;
    }
    if (x.layout != OUTERMOST) {
        const X* from = x.at(n, c, row, 0);
        const int64_t step = x.step(), ahead = AHEAD * x.width * step;
        const auto copy = [&](int64_t lanes) __attribute__((always_inline)) {
            for (int64_t j = 0; j < x.width; ++j) {
                __builtin_prefetch(from + j * step + ahead);
                to[j] = factors * read<T>(from + j * step, lanes);
            }
        };
        return channels < L ? copy(channels) : copy(L);
    }
    by_blocks<S * L>(x.width, [&](int64_t first, int64_t count) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) {
            block[k] = Register<T>{};
            if (k >= channels) continue;
            const X* from = x.at(n, c + k, row, first);
            __builtin_prefetch(from + AHEAD * x.width);
            if (count == S * L) std::memcpy(&block[k], from, REGISTER);
            else std::memcpy(&block[k], from, count * sizeof(X));
        }
        turn<T>(block);
        const auto put = [&](int j, Register<T> v) {
            if (count == S * L || j < count) to[first + j] = factors * v;
        };
        for (int k = 0; k < L; ++k) {
            put(S * k, taken<X, 0, T>(block[k]));
            if constexpr (S == 2) put(S * k + 1, taken<X, 1, T>(block[k]));
        }
    });
}

// line[j][lane], times a factor each -> one row of one group of channels; a line has room for a block
template <class T, class X>
__attribute__((noinline)) void write_line(const Plane<X>& y, int64_t n, int64_t group, int64_t row, Register<T> factors,
                                          const T* line) {
    constexpr int L = WIDTH<T>, S = SHARE<T, X>;
    const int64_t c = group * L, channels = std::min<int64_t>(L, y.channels - c);
    const auto* from = reinterpret_cast<const Register<T>*>(line);
    if (y.layout != OUTERMOST) {
        X* to = y.at(n, c, row, 0);
        const int64_t step = y.step(), ahead = AHEAD * y.width * step;
        const auto copy = [&](int64_t lanes) __attribute__((always_inline)) {
            for (int64_t j = 0; j < y.width; ++j) {
                __builtin_prefetch(to + j * step + ahead, 1);
                write<T>(to + j * step, factors * from[j], lanes);
            }
        };
        return channels < L && y.layout == INNERMOST ? copy(channels) : copy(L);
    }
    by_blocks<S * L>(y.width, [&](int64_t first, int64_t count) {
        Register<T> block[L];
        for (int k = 0; k < L; ++k) {
            const auto* pair = from + first + S * k;
            block[k] = joined<X, T>(factors * pair[0], factors * pair[S - 1]);
        }
        turn<T>(block);
        for (int k = 0; k < channels; ++k) {
            X* to = y.at(n, c + k, row, first);
            __builtin_prefetch(to + AHEAD * y.width, 1);
            if (count == S * L) std::memcpy(to, &block[k], REGISTER);
            else std::memcpy(to, &block[k], count * sizeof(X));
        }
    });
}
