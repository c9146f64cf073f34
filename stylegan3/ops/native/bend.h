// SPDX-License-Identifier: Apache-2.0
// What lies between the resamplings, for whole vectors of raised samples: leaky relu and clamp, with codes kept where a
// gradient will want them, or a product with the slopes that codes tell. Copied to where they are used, so that their
// numbers lie in registers. Each is called with the samples, which row they are of those that are made together, whether
// it is the last one, and the column; CLAMPED says whether the clamp is reached by any sample.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "flow.h"
#include "parts.h"

constexpr int BYTE_ROWS = 4;  // whose codes share a byte
constexpr int RAISED = 16;    // rows that are made together, at most

typedef uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef int32_t Whole __attribute__((vector_size(64)));

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

// The same of what the clamp leaves as it is.
template <class T>
struct Relu {
    Vector<T> slope;

    explicit Relu(T a) : slope(Vector<T>{} + a) {}

    template <class Row, class Last>
    Vector<T> operator()(Vector<T> v, Row, Last, int) const { return larger(slope * v, v); }
};

inline bool gentle(double slope) { return slope > 0 && slope <= 1; }

// Activates, and writes the codes of each four rows to a line of bytes (lrelu.cpp, lrelu_inner.cpp).
template <bool CLAMPED>
struct Keeping {
    Activation<float, true> activation;
    Vector<float> low;  // below it lies the clamp
    uint8_t* lines[RAISED / BYTE_ROWS];
#ifdef MASKS
    Bytes codes{};
#else
    Whole codes{};
#endif

    Keeping(float slope, float clamp) : activation(slope, clamp), low(Vector<float>{} - clamp / slope) {}

    template <class Row, class Last>
    Vector<float> operator()(Vector<float> v, Row, Last, int m) {
        constexpr int row = Row::value % 4;
        if constexpr (row == 0) codes = decltype(codes){};
#ifdef MASKS
        __mmask16 negative = _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NGT_UQ);
        if constexpr (CLAMPED) {
            const __mmask16 outside = _mm512_cmp_ps_mask((__m512)v, (__m512)low, _CMP_LE_OQ) |
                                      _mm512_cmp_ps_mask((__m512)v, (__m512)activation.high, _CMP_GE_OQ);
            add(outside, 2 << 2 * row);
            negative &= __mmask16(~outside);
        }
        add(negative, 1 << 2 * row);
        if constexpr (row == 3 || Last::value) put(lines[Row::value / 4] + m, codes);
        const auto slope = (__m512)activation.slope;
        if constexpr (!CLAMPED) return (Vector<float>)_mm512_mask_mul_ps((__m512)v, negative, (__m512)v, slope);
#else
        const Whole outside = (v <= low) | (v >= activation.high), negative = ~((v > 0) | outside);
        codes |= (outside & (2 << 2 * row)) | (negative & (1 << 2 * row));
        if constexpr (row == 3 || Last::value) put(lines[Row::value / 4] + m, __builtin_convertvector(codes, Bytes));
#endif
        return activation(v);
    }

  private:
    static void put(uint8_t* line, Bytes bytes) { *reinterpret_cast<Bytes*>(line) = bytes; }

#ifdef MASKS
    void add(__mmask16 where, int bits) {
        codes = (Bytes)_mm_mask_add_epi8((__m128i)codes, where, (__m128i)codes, _mm_set1_epi8(char(bits)));
    }
#endif
};

// Products with 1, slope or 0, as a row's two bits of its line of codes say.
#ifdef MASKS
template <bool CLAMPED>
struct Slopes {
    Vector<float> slope;
    const uint8_t* lines[RAISED];
    Bytes bits[BYTE_ROWS];  // the lower one of row i, of row i + 4, ...

    // The first of the rows is row r.
    Slopes(float of, int r) : slope(Vector<float>{} + of) {
        for (int i = 0; i < BYTE_ROWS; ++i) bits[i] = Bytes{} + uint8_t(1 << 2 * ((r + i) & 3));
    }

    template <class Row, class Last>
    Vector<float> operator()(Vector<float> v, Row, Last, int m) const {
        const Bytes codes = *reinterpret_cast<const Bytes*>(lines[Row::value] + m), bit = bits[Row::value % BYTE_ROWS];
        const auto product = [&](Bytes where, __m512 by) {
            const __mmask16 part = _mm_test_epi8_mask((__m128i)codes, (__m128i)where);
            v = (Vector<float>)_mm512_mask_mul_ps((__m512)v, part, (__m512)v, by);
        };
        product(bit, (__m512)slope);
        if constexpr (CLAMPED) product(bit + bit, _mm512_setzero_ps());
        return v;
    }
};
#else
template <bool CLAMPED>
struct Slopes {
    Vector<float> of;  // the four codes, four times: what lies above two bits doesn't matter
    const uint8_t* lines[RAISED];
    int shifts[BYTE_ROWS];

    Slopes(float slope, int r) : of{1, slope, 0, 0, 1, slope, 0, 0, 1, slope, 0, 0, 1, slope, 0, 0} {
        for (int i = 0; i < BYTE_ROWS; ++i) shifts[i] = 2 * ((r + i) & 3);
    }

    template <class Row, class Last>
    Vector<float> operator()(Vector<float> v, Row, Last, int m) const {
        const Whole codes = __builtin_convertvector(*reinterpret_cast<const Bytes*>(lines[Row::value] + m), Whole);
        return v * __builtin_shuffle(of, codes >> shifts[Row::value % BYTE_ROWS]);
    }
};
#endif
