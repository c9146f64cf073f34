// SPDX-License-Identifier: Apache-2.0
// Weighted sums of neighbours within a row. Whole vectors are read where they begin; what lies between two of them is put
// together from both: a vector that lies across two cache lines, or across two that have just been written, comes late.
#pragma once
#include <type_traits>
#include <utility>

#include "flow.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

// The numbers [at + J, at + J + LANES), `low` and `high` being those from `at` and from at + LANES on.
template <int J, class T>
inline Vector<T> between([[maybe_unused]] const T* at, Vector<T> low, [[maybe_unused]] Vector<T> high) {
    if constexpr (J == 0) return low;
#ifdef __AVX512F__
    else if constexpr (sizeof(T) == 4)
        return (Vector<T>)_mm512_alignr_epi32((__m512i)high, (__m512i)low, J);
    else
        return (Vector<T>)_mm512_alignr_epi64((__m512i)high, (__m512i)low, J);
#else
    else
        return *reinterpret_cast<const Vector<T>*>(at + J);
#endif
}

// Whether the processor reads a part of a vector; nothing is read outside that part.
#ifdef __AVX512F__
template <class T, class X>
constexpr bool MASKED = std::is_same_v<T, float> && std::is_same_v<X, float>;

inline Vector<float> shifted_within(const float* from, float by, int low, int high) {
    if (low <= 0 && high >= 16) return *reinterpret_cast<const Vector<float>*>(from) + by;
    const auto below = [](int n) { return n >= 16 ? 0xffffu : n > 0 ? (1u << n) - 1 : 0u; };
    const auto part = __mmask16(below(high) & ~below(low));
    return (Vector<float>)_mm512_maskz_add_ps(part, _mm512_maskz_loadu_ps(part, from), _mm512_set1_ps(by));
}
#else
template <class T, class X>
constexpr bool MASKED = false;

inline Vector<float> shifted_within(const float*, float, int, int) { return Vector<float>{}; }
#endif

// dst[i][m] = sum_k weights[i][k] a[P m + START + k] for N results, where a[P m + p] = phases[p][m]
template <int K, int P, int START, int N, class T, int... k>
void slide_by(T* const* dst, const T* const* phases, const T* const* weights, int n, std::integer_sequence<int, k...>) {
    const T* from[P];
    T w[N][K];
    T* to[N];
    Vector<T> low[P], high[P];
    for (int p = 0; p < P; ++p) from[p] = phases[p], low[p] = *reinterpret_cast<const Vector<T>*>(from[p]);
    for (int i = 0; i < N; ++i) {
        to[i] = dst[i];
        for (int t = 0; t < K; ++t) w[i][t] = weights[i][t];
    }
    for (int m = 0; m < n; m += LANES<T>) {
        Vector<T> sums[N][2];
        for (int i = 0; i < N; ++i) sums[i][0] = sums[i][1] = Vector<T>{};
        for (int p = 0; p < P; ++p) high[p] = *reinterpret_cast<const Vector<T>*>(from[p] + m + LANES<T>);
        const auto add = [&](auto term) {
            constexpr int t = decltype(term)::value, p = (START + t) % P;
            const Vector<T> samples = between<(START + t) / P>(from[p] + m, low[p], high[p]);
            for (int i = 0; i < N; ++i) sums[i][t % 2] += w[i][t] * samples;
        };
        (add(std::integral_constant<int, k>{}), ...);
        for (int p = 0; p < P; ++p) low[p] = high[p];
        for (int i = 0; i < N; ++i) *reinterpret_cast<Vector<T>*>(to[i] + m) = sums[i][0] + sums[i][1];
    }
}

// The same for those K, P and START that networks use; false for others.
template <int N, class T>
bool slide(T* const* dst, const T* const* phases, const T* const* weights, int count, int p, int start, int n) {
#define SLIDE(K, P, START)              \
    case (K * 8 + P) * 8 + START:       \
        slide_by<K, P, START, N>(dst, phases, weights, n, std::make_integer_sequence<int, K>{}); \
        return true;
    if (p > 4 || start > 7) return false;
    switch ((count * 8 + p) * 8 + start) {
        SLIDE(6, 1, 0) SLIDE(6, 1, 1) SLIDE(6, 2, 0) SLIDE(6, 2, 1) SLIDE(6, 2, 2)
        SLIDE(12, 2, 0) SLIDE(12, 4, 0) SLIDE(12, 4, 2) SLIDE(24, 4, 0)
        default: return false;
    }
#undef SLIDE
}
