// SPDX-License-Identifier: Apache-2.0
// The matrix products of winograd.h, one small block of a result at a time. Matrices lie in groups of WIDTH<T> channels, a
// vector each. A kind of product says how an operand's numbers lie and what multiplies them:
//   Number    a number in memory, `depth` of bfloat16
//   together  groups of channels that lie side by side at each tile: [groups / together][tiles][together][WIDTH / depth]
//   Block<G>  `rows` rows of results times G vectors of at most `groups`; `Session` is open while there are any
#pragma once
#include "registers.h"

// Blocks in registers. There are 32 of the longest, or 16 half as long, or 32 a quarter as long of which a vector takes two.
#ifdef __AVX512F__
constexpr int ROWS = 8, GROUPS = 3;
#elif defined(__AVX__)
constexpr int ROWS = 4, GROUPS = 3;
#else
constexpr int ROWS = 4, GROUPS = 1;
#endif
static_assert(WIDTH<double> % ROWS == 0 && WIDTH<float> % ROWS == 0, "rows are lanes of one group of channels");

// Kind::add(sum, a, b): sum += a b, one number and a vector.
template <class Kind, class T, class N, int words>
struct Vectors {
    using Number = N;
    struct Session {};
    static constexpr int depth = words, together = 1, rows = ROWS, groups = GROUPS;
    static constexpr int L = WIDTH<T>, numbers = L / depth;

    template <int G>
    struct Block {
        Register<T> sums[ROWS][G] = {};

        Block() = default;
        Block(const T* from, int64_t row, int64_t group) {
            each([=](Register<T>& sum, int i, int j) {
                sum = *reinterpret_cast<const Register<T>*>(from + i * row + j * group);
            });
        }
        void store(T* to, int64_t row, int64_t group) {
            each([=](Register<T>& sum, int i, int j) { *reinterpret_cast<Register<T>*>(to + i * row + j * group) = sum; });
        }
        // += a b over a group of channels: a [rows][numbers], b [numbers][G][L]
        inline __attribute__((always_inline)) void over_channels(const N* a, const N* b) {
            for (int k = 0; k < numbers; ++k, b += G * L) add(a + k, numbers, b, L);
        }
        // += a^T b over `count` words of tiles: a [count][L], of which the first rows, b [G][b_group / L][L]
        inline __attribute__((always_inline)) void over_tiles(const N* a, const N* b, int64_t b_group, int64_t count) {
            for (int64_t t = 0; t < count; ++t) add(a + t * L, 1, b + t * L, b_group);
        }

      private:
        template <class Go>
        inline __attribute__((always_inline)) void each(Go go) {
#pragma GCC unroll 8
            for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
                for (int j = 0; j < G; ++j) go(sums[i][j], i, j);
        }
        inline __attribute__((always_inline)) void add(const N* a, int64_t a_row, const N* b, int64_t b_group) {
            each([=](Register<T>& sum, int i, int j) __attribute__((always_inline)) {
                Kind::add(sum, a + i * a_row, b + j * b_group);
            });
        }
    };
};

template <class T>
struct Single : Vectors<Single<T>, T, T, 1> {
    static inline void add(Register<T>& sum, const T* a, const T* b) {
        sum += *a * *reinterpret_cast<const Register<T>*>(b);
    }
};

#ifdef __AVX512BF16__
struct Pairs : Vectors<Pairs, float, uint32_t, 2> {
    static inline void add(Register<float>& sum, const uint32_t* a, const uint32_t* b) {
        const auto spread = _mm512_set1_epi32(int(*a));
        const auto vector = _mm512_loadu_si512(b);
        sum = Register<float>(_mm512_dpbf16_ps(__m512(sum), (__m512bh)spread, (__m512bh)vector));
    }
};
#endif
