// SPDX-License-Identifier: Apache-2.0
// What a processor's longest registers hold: neighbouring numbers, turned into neighbouring channels and back, rounded to
// bfloat16 and back. Longer vectors than they are would be kept in memory by the compiler.
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "flow.h"
#include "numbers.h"

#define APART __attribute__((noinline))  // a function with registers of its own

#ifdef __AVX512F__
constexpr int REGISTER = 64;  // bytes
#else
constexpr int REGISTER = 32;
#endif

template <class T>
constexpr int WIDTH = REGISTER / int(sizeof(T));

template <class T>
struct Registers {
    typedef T type __attribute__((vector_size(REGISTER), aligned(alignof(T)), may_alias));
};

template <class T>
using Register = typename Registers<T>::type;

using Words = uint32_t __attribute__((vector_size(REGISTER)));
using Halves = uint16_t __attribute__((vector_size(REGISTER / 2), aligned(2), may_alias));

// a0 b0 a1 b1 ... of the lower (part 0) or upper halves (part 1) of two vectors
template <class T, int part, int... k>
inline Register<T> zipped(Register<T> a, Register<T> b, std::integer_sequence<int, k...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, ((k + part * WIDTH<T>) / 2 + k % 2 * WIDTH<T>)...);
#else
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Index Mask __attribute__((vector_size(REGISTER)));
    return __builtin_shuffle(a, b, Mask{((k + part * WIDTH<T>) / 2 + k % 2 * WIDTH<T>)...});
#endif
}

// rows[i][j] -> rows[j][i]
template <class T>
inline void turn(Register<T>* rows) {
    constexpr int n = WIDTH<T>;
    constexpr auto all = std::make_integer_sequence<int, n>{};
    Register<T> next[n];
#pragma GCC unroll 4
    for (int round = 1; round < n; round *= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < n / 2; ++i) {
            next[2 * i] = zipped<T, 0>(rows[i], rows[i + n / 2], all);
            next[2 * i + 1] = zipped<T, 1>(rows[i], rows[i + n / 2], all);
        }
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) rows[i] = next[i];
    }
}

// The words whose upper halves are the nearest bfloat16, ties to even; what is no number stays none.
inline Words rounded(Register<float> v) {
    Words wide;
    std::memcpy(&wide, &v, REGISTER);
    const Words nearest = wide + 0x7fff + (wide >> 16 & 1);
    return (wide & 0x7fffffff) > 0x7f800000 ? (wide | 0x400000) : nearest;
}

inline Halves narrow(Register<float> v) {
#ifdef __AVX512BF16__
    const auto narrowed = _mm512_cvtneps_pbh(__m512(v));
    Halves halves;
    std::memcpy(&halves, &narrowed, REGISTER / 2);
    return halves;
#else
    return __builtin_convertvector(rounded(v) >> 16, Halves);
#endif
}

inline Register<float> widen(Halves h) {
    const Words wide = __builtin_convertvector(h, Words) << 16;
    Register<float> v;
    std::memcpy(&v, &wide, REGISTER);
    return v;
}

// Pairs of bfloat16: one of `first` below one of `second`.
inline Words paired(Register<float> first, Register<float> second) {
#if defined(__AVX512BF16__) && defined(__AVX512BW__)
    typedef uint16_t Index __attribute__((vector_size(REGISTER)));
    constexpr Index alternate{0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                              8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const auto halves = _mm512_cvtne2ps_pbh(__m512(second), __m512(first));
    return (Words)_mm512_permutexvar_epi16((__m512i)alternate, (__m512i)halves);
#else
    return (rounded(second) & 0xffff0000) | rounded(first) >> 16;
#endif
}

// Numbers of a picture in memory that lie in one number of a register: bfloat16 are turned in pairs, as one word.
template <class T, class X>
constexpr int SHARE = int(sizeof(T) / sizeof(X));

// Number s of each word.
template <class X, int s, class T>
inline Register<T> taken(Register<T> words) {
    if constexpr (!std::is_same_v<X, BFloat16>) {
        return words;
    } else {
        const Words wide = s ? (Words)words & 0xffff0000 : (Words)words << 16;
        return (Register<T>)wide;
    }
}

// Words of one number or, of bfloat16, of two; the second is not looked at otherwise.
template <class X, class T>
inline Register<T> joined(Register<T> first, [[maybe_unused]] Register<T> second) {
    if constexpr (!std::is_same_v<X, BFloat16>) return first;
    else return (Register<T>)paired(first, second);
}

// As many numbers as a vector holds, or the first `count` of them and zeros, in memory as T or as bfloat16.
template <class T, class X>
inline Register<T> read(const X* from, int64_t count) {
    if constexpr (std::is_same_v<X, BFloat16>) {
        Halves halves{};
        if (count >= WIDTH<T>) halves = *reinterpret_cast<const Halves*>(from);
        else std::memcpy(&halves, from, 2 * count);
        return widen(halves);
    } else {
        Register<T> v{};
        if (count >= WIDTH<T>) v = *reinterpret_cast<const Register<T>*>(from);
        else std::memcpy(&v, from, sizeof(T) * count);
        return v;
    }
}

template <class T, class X>
inline void write(X* to, Register<T> v, int64_t count) {
    if constexpr (std::is_same_v<X, BFloat16>) {
        const Halves halves = narrow(v);
        if (count >= WIDTH<T>) *reinterpret_cast<Halves*>(to) = halves;
        else std::memcpy(to, &halves, 2 * count);
    } else {
        if (count >= WIDTH<T>) *reinterpret_cast<Register<T>*>(to) = v;
        else std::memcpy(to, &v, sizeof(T) * count);
    }
}
