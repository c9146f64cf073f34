// SPDX-License-Identifier: Apache-2.0
// Vectors of neighbouring numbers: turned into vectors of neighbouring channels and back, rounded to bfloat16 and back.
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "flow.h"
#include "numbers.h"

using Words = uint32_t __attribute__((vector_size(VECTOR)));                         // 16
using Halves = uint16_t __attribute__((vector_size(VECTOR / 2), aligned(2), may_alias));  // 16

// a0 b0 a1 b1 ... of the lower (first = 0) or upper halves of two vectors
template <class T, int... k>
inline Vector<T> zipped(Vector<T> a, Vector<T> b, std::integral_constant<int, 0>, std::integer_sequence<int, k...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, (k / 2 + k % 2 * LANES<T>)...);
#else
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Index Mask __attribute__((vector_size(VECTOR)));
    return __builtin_shuffle(a, b, Mask{(k / 2 + k % 2 * LANES<T>)...});
#endif
}

template <class T, int... k>
inline Vector<T> zipped(Vector<T> a, Vector<T> b, std::integral_constant<int, 1>, std::integer_sequence<int, k...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, ((k + LANES<T>) / 2 + k % 2 * LANES<T>)...);
#else
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Index Mask __attribute__((vector_size(VECTOR)));
    return __builtin_shuffle(a, b, Mask{((k + LANES<T>) / 2 + k % 2 * LANES<T>)...});
#endif
}

// rows[i][j] -> rows[j][i]
template <class T>
inline void turn(Vector<T>* rows) {
    constexpr int n = LANES<T>;
    constexpr auto all = std::make_integer_sequence<int, n>{};
    Vector<T> next[n];
#pragma GCC unroll 4
    for (int round = 1; round < n; round *= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < n / 2; ++i) {
            next[2 * i] = zipped<T>(rows[i], rows[i + n / 2], std::integral_constant<int, 0>{}, all);
            next[2 * i + 1] = zipped<T>(rows[i], rows[i + n / 2], std::integral_constant<int, 1>{}, all);
        }
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) rows[i] = next[i];
    }
}

// The words whose upper halves are the nearest bfloat16, ties to even; what is no number stays none.
inline Words rounded(Vector<float> v) {
    Words wide;
    std::memcpy(&wide, &v, VECTOR);
    const Words nearest = wide + 0x7fff + (wide >> 16 & 1);
    return (wide & 0x7fffffff) > 0x7f800000 ? (wide | 0x400000) : nearest;
}

inline Halves narrow(Vector<float> v) {
#ifdef __AVX512BF16__
    const auto narrowed = _mm512_cvtneps_pbh(reinterpret_cast<__m512&>(v));
    Halves halves;
    std::memcpy(&halves, &narrowed, VECTOR / 2);
    return halves;
#else
    return __builtin_convertvector(rounded(v) >> 16, Halves);
#endif
}

inline Vector<float> widen(Halves h) {
    const Words wide = __builtin_convertvector(h, Words) << 16;
    Vector<float> v;
    std::memcpy(&v, &wide, VECTOR);
    return v;
}

// Pairs of bfloat16: one of `first` below one of `second`.
inline Words paired(Vector<float> first, Vector<float> second) {
    return (rounded(second) & 0xffff0000) | rounded(first) >> 16;
}

// As many numbers as a vector holds, or the first `count` of them and zeros, in memory as T or as bfloat16.
template <class T, class X>
inline Vector<T> read(const X* from, int64_t count) {
    if constexpr (std::is_same_v<X, BFloat16>) {
        Halves halves{};
        if (count >= LANES<T>) halves = *reinterpret_cast<const Halves*>(from);
        else std::memcpy(&halves, from, 2 * count);
        return widen(halves);
    } else {
        Vector<T> v{};
        if (count >= LANES<T>) v = *reinterpret_cast<const Vector<T>*>(from);
        else std::memcpy(&v, from, sizeof(T) * count);
        return v;
    }
}

template <class T, class X>
inline void write(X* to, Vector<T> v, int64_t count) {
    if constexpr (std::is_same_v<X, BFloat16>) {
        const Halves halves = narrow(v);
        if (count >= LANES<T>) *reinterpret_cast<Halves*>(to) = halves;
        else std::memcpy(to, &halves, 2 * count);
    } else {
        if (count >= LANES<T>) *reinterpret_cast<Vector<T>*>(to) = v;
        else std::memcpy(to, &v, sizeof(T) * count);
    }
}
