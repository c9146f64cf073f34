// SPDX-License-Identifier: Apache-2.0
// What lies between the resamplings, for whole vectors of raised samples: leaky relu and clamp, with codes kept where a
// gradient will want them, or a product with the slopes that codes tell. Copied to where they are used, so that their
// numbers lie in registers. Each is called with the samples, which row they are of those that are made together, whether
// it is the last one, and the column.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "flow.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

constexpr int BYTE_ROWS = 4;  // lines of codes that rows made together touch, at most

typedef uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef int32_t Whole __attribute__((vector_size(64)));

// g++ 12 takes these conversions apart into numbers.
#ifdef __AVX512F__
inline Whole widened(const uint8_t* bytes) {
    return (Whole)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}

inline Bytes narrowed(Whole codes) { return (Bytes)_mm512_cvtepi32_epi8((__m512i)codes); }
#else
inline Whole widened(const uint8_t* bytes) {
    return __builtin_convertvector(*reinterpret_cast<const Bytes*>(bytes), Whole);
}

inline Bytes narrowed(Whole codes) { return __builtin_convertvector(codes, Bytes); }
#endif

template <class V>
inline V larger(V a, V b) { return a > b ? a : b; }  // b where either is not a number

template <class V>
inline V smaller(V a, V b) { return a < b ? a : b; }

// Leaky relu and clamp; a slope is GENTLE in (0, 1], where the larger of v and slope v is meant: cheaper than a choice.
template <class T, bool GENTLE>
struct Activation {
    Vector<T> slope, low, high;

    Activation(T a, T clamp) : slope(Vector<T>{} + a), low(Vector<T>{} - clamp), high(Vector<T>{} + clamp) {}

    Vector<T> operator()(Vector<T> v) const {
        if constexpr (GENTLE) v = larger(slope * v, v);
        else v = v > 0 ? v : slope * v;
        return smaller(high, larger(low, v));
    }

    template <class Row, class Last>
    Vector<T> operator()(Vector<T> v, Row, Last, int) const { return (*this)(v); }
};

inline bool gentle(double slope) { return slope > 0 && slope <= 1; }

// Codes of four rows share a line of bytes (lrelu.cpp); the first row begins one or, with `second`, is its third.
struct Keeping {
    Activation<float, true> activation;
    Vector<float> low;  // below it lies the clamp
    uint8_t* lines[BYTE_ROWS];
    bool second = false;
    Whole code{};

    Keeping(float slope, float clamp) : activation(slope, clamp), low(Vector<float>{} - clamp / slope) {}

    template <class Row, class Last>
    Vector<float> operator()(Vector<float> v, Row, Last, int m) {
        constexpr int row = Row::value % 4;
        if constexpr (row == 0) code = Whole{};
        const Whole outside = (v <= low) | (v >= activation.high), negative = ~((v > 0) | outside);
        code |= (outside & (2 << 2 * row)) | (negative & (1 << 2 * row));
        if constexpr (row == 3 || Last::value) {
            auto& bytes = *reinterpret_cast<Bytes*>(lines[Row::value / 4] + m);
            if (second) bytes |= narrowed(code << 4);
            else bytes = narrowed(code);
        }
        return activation(v);
    }
};

// Products with 1, slope or 0, as a row's two bits of its line of codes say.
template <int ROWS>
struct Slopes {
    Vector<float> of;  // of the four codes, four times: what lies above two bits doesn't matter
    const uint8_t* lines[ROWS];
    int shifts[ROWS];

    explicit Slopes(float slope) : of{1, slope, 0, 0, 1, slope, 0, 0, 1, slope, 0, 0, 1, slope, 0, 0} {}

    template <class Row, class Last>
    Vector<float> operator()(Vector<float> v, Row, Last, int m) const {
        const Whole codes = widened(lines[Row::value] + m);
        return v * __builtin_shuffle(of, codes >> shifts[Row::value]);
    }
};
