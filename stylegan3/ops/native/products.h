// SPDX-License-Identifier: Apache-2.0
// The matrix products of winograd.h, one small block of a result in registers. Matrices lie in groups of WIDTH<T>
// channels, a vector each: [groups][tiles][WIDTH]; bfloat16 come in pairs that one instruction multiplies and adds.
#pragma once
#include "registers.h"

// A block of results in registers: ROWS numbers spread over registers, times GROUPS registers. There are 32 of the
// longest, or 16 half as long, or 32 a quarter as long of which a vector takes two.
#ifdef __AVX512F__
constexpr int ROWS = 8, GROUPS = 3;
#elif defined(__AVX__)
constexpr int ROWS = 4, GROUPS = 3;
#else
constexpr int ROWS = 4, GROUPS = 1;
#endif
static_assert(WIDTH<double> % ROWS == 0 && WIDTH<float> % ROWS == 0, "rows are lanes of one group of channels");

// How an operand's numbers lie: single ones, or pairs of bfloat16 in a word.
template <class T>
struct Single {
    using Number = T;
    static constexpr int depth = 1;
    static inline void add(Register<T>& sum, const T* a, const T* b) {
        sum += *a * *reinterpret_cast<const Register<T>*>(b);
    }
};

#ifdef __AVX512BF16__
struct Pairs {
    using Number = uint32_t;
    static constexpr int depth = 2;
    static inline void add(Register<float>& sum, const uint32_t* a, const uint32_t* b) {
        const auto spread = _mm512_set1_epi32(int(*a));
        const auto vector = _mm512_loadu_si512(b);
        sum = Register<float>(_mm512_dpbf16_ps(__m512(sum), (__m512bh)spread, (__m512bh)vector));
    }
};
#endif

// sums[i][j] += sum_k a[k a_next + i a_row] b[k b_next + j b_group]; a_row of 1 or more numbers
template <class T, class Kind, int G>
struct Block {
    using Number = typename Kind::Number;
    Register<T> sums[ROWS][G] = {};

    inline __attribute__((always_inline)) void add(const Number* a, int64_t a_row, const Number* b, int64_t b_group) {
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < G; ++j) Kind::add(sums[i][j], a + i * a_row, b + j * b_group);
    }
};
