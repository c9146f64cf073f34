// SPDX-License-Identifier: Apache-2.0
// The matrix products of winograd.cpp, one small block of a result in registers. Matrices lie in groups of LANES<T>
// channels, a vector each: [groups][tiles][LANES]; bfloat16 come in pairs that one instruction multiplies and adds.
#pragma once
#include "lanes.h"

// A block of registers: ROWS numbers spread over vectors, times GROUPS vectors. A processor has 32 long registers or 16
// half as long.
#ifdef __AVX512F__
constexpr int ROWS = 8, GROUPS = 3;
#else
constexpr int ROWS = 4, GROUPS = 1;
#endif

// How an operand's numbers lie: single ones, or pairs of bfloat16 in a word.
template <class T>
struct Single {
    using Number = T;
    static constexpr int depth = 1;
    static inline void add(Vector<T>& sum, const T* a, const T* b) {
        sum += *a * *reinterpret_cast<const Vector<T>*>(b);
    }
};

#ifdef __AVX512BF16__
struct Pairs {
    using Number = uint32_t;
    static constexpr int depth = 2;
    static inline void add(Vector<float>& sum, const uint32_t* a, const uint32_t* b) {
        const auto spread = _mm512_set1_epi32(int(*a));
        const auto vector = _mm512_loadu_si512(b);
        sum = Vector<float>(_mm512_dpbf16_ps(__m512(sum), (__m512bh)spread, (__m512bh)vector));
    }
};
#endif

// sums[i][j] += sum_k a[k a_next + i a_row] b[k b_next + j b_group]; a_row of 1 or more numbers
template <class T, class Kind, int G>
struct Block {
    using Number = typename Kind::Number;
    Vector<T> sums[ROWS][G] = {};

    inline __attribute__((always_inline)) void add(const Number* a, int64_t a_row, const Number* b, int64_t b_group) {
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < G; ++j) Kind::add(sums[i][j], a + i * a_row, b + j * b_group);
    }
};
