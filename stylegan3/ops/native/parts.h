// SPDX-License-Identifier: Apache-2.0
// Whole vectors of which a part lies in memory, there as T or as bfloat16: what is outside is neither read nor written.
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "flow.h"
#include "numbers.h"
#include "registers.h"
#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__BMI2__)
#include <immintrin.h>
#define MASKS  // the processor reads and writes parts
#endif

#ifdef MASKS
template <class T>
constexpr bool MASKED = std::is_same_v<T, float>;

// Which of a vector's lanes are [low, high).
inline uint32_t lanes(int low, int high) {
    const auto below = [](int n) { return n >= 32 ? ~0u : n > 0 ? (1u << n) - 1 : 0u; };
    return below(high) & ~below(low);
}

// from[STEP m] where m is of the part, else 0
template <int STEP>
inline __m512 part_of(const float* from, __mmask16 part) {
    if constexpr (STEP == 1) return _mm512_maskz_loadu_ps(part, from);
    const uint32_t places = _pdep_u32(part, 0x55555555);
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512 low = _mm512_maskz_loadu_ps(places, from), high = _mm512_maskz_loadu_ps(places >> 16, from + 16);
    return _mm512_permutex2var_ps(low, even, high);
}

template <int STEP>
inline __m512 part_of(const BFloat16* from, __mmask16 part) {
    const __m512i words = STEP == 1 ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(part, from))
                                    : _mm512_maskz_loadu_epi16(_pdep_u32(part, 0x55555555), from);
    return (__m512)_mm512_slli_epi32(words, 16);
}

inline void put_part(float* to, Vector<float> v, int count) {
    _mm512_mask_storeu_ps(to, lanes(0, count), (__m512)v);
}

inline void put_part(BFloat16* to, Vector<float> v, int count) {
    const Halves halves = narrow(v);
    _mm256_mask_storeu_epi16(to, lanes(0, count), *reinterpret_cast<const __m256i*>(&halves));
}
#else
template <class T>
constexpr bool MASKED = false;
#endif

// from[STEP m] + by where m lies in [low, high), else 0.
template <int STEP, class T, class X>
inline Vector<T> shifted(const X* from, T by, int low, int high) {
#ifdef MASKS
    if constexpr (MASKED<T> && STEP <= 2) {
        const auto added = [&](__mmask16 part) __attribute__((always_inline)) {
            return (Vector<T>)_mm512_maskz_add_ps(part, part_of<STEP>(from, part), _mm512_set1_ps(by));
        };
        return low <= 0 && high >= LANES<T> ? added(0xffff) : added(lanes(low, high));
    }
#endif
    T numbers[LANES<T>]{};
    for (int m = std::max(low, 0); m < std::min(high, LANES<T>); ++m) numbers[m] = T(from[m * STEP]) + by;
    return *reinterpret_cast<const Vector<T>*>(numbers);
}

// The first `count` numbers, or all.
template <class T, class X>
inline void put_first(X* to, Vector<T> v, int count) {
#ifdef MASKS
    if constexpr (MASKED<T>) return put_part(to, v, count);
#endif
    X numbers[LANES<T>];
    for (int m = 0; m < LANES<T>; ++m) numbers[m] = v[m];
    std::copy_n(numbers, std::min(count, LANES<T>), to);
}

// The same of two vectors' numbers in turn.
template <class T, class X>
inline void put_pairs(X* to, Vector<T> even, Vector<T> odd, int count) {
#ifdef MASKS
    if constexpr (MASKED<T> && std::is_same_v<X, BFloat16>) {
        const auto words = [](Vector<T> v) { return (__m512i)widen(narrow(v)); };
        const __m512i pairs = _mm512_or_epi32(words(odd), _mm512_srli_epi32(words(even), 16));
        return _mm512_mask_storeu_epi16(to, lanes(0, count), pairs);
    } else if constexpr (MASKED<T>) {
        constexpr auto all = std::make_integer_sequence<int, LANES<T>>{};
        put_part(to, zipped<T, 0>(even, odd, all), count);
        return put_part(to + LANES<T>, zipped<T, 1>(even, odd, all), count - LANES<T>);
    }
#endif
    X numbers[2 * LANES<T>];
    for (int m = 0; m < LANES<T>; ++m) numbers[2 * m] = even[m], numbers[2 * m + 1] = odd[m];
    std::copy_n(numbers, std::min(count, 2 * LANES<T>), to);
}

// The largest magnitude among n numbers; not a number where one isn't. As whole numbers their bits have the same order.
template <class X>
inline float largest_of(const X* x, size_t n) {
    using Bits = std::conditional_t<sizeof(X) == 2, uint16_t, uint32_t>;
    typedef Bits Some __attribute__((vector_size(VECTOR)));
    constexpr size_t COUNT = VECTOR / sizeof(X);
    Some largest{}, some{};
    for (size_t i = 0; i < n; i += COUNT) {
        if (i + COUNT <= n) std::memcpy(&some, x + i, VECTOR);
        else std::memcpy(&some, x + i, sizeof(X) * (n - i));  // the others are of the last ones
        some &= Bits(~Bits(0)) >> 1;
        largest = some > largest ? some : largest;
    }
    Bits most = 0;
    for (size_t i = 0; i < COUNT; ++i) most = std::max(most, largest[i]);
    X number;
    std::memcpy(&number, &most, sizeof(X));
    return number;
}
