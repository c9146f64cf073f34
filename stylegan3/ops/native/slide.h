// SPDX-License-Identifier: Apache-2.0
// Weighted sums of neighbours within rows. Whole vectors are read where they begin; what lies between two of them is put
// together from both: a vector that lies across two cache lines, or across two that have just been written, comes late.
#pragma once
#include <type_traits>
#include <utility>

#include "flow.h"
#include "mirror.h"
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

#ifdef __AVX512F__
constexpr bool SHIFTS = true;  // between() reads no memory
#else
constexpr bool SHIFTS = false;
#endif

// Rows a of several phases, a[P m + p] = phases[p][m], one `pitch` after another.
template <class T>
struct Phased {
    const T* phases[4];
    int count;  // P
    int rows, pitch;
};

// put(0, row, m, vector) gets the sums over k < K of weights[k] a[P m + START + k] of each row. Of several phases whole
// vectors are summed first, and then those sums of neighbours: fewer are put together from two.
template <int K, int P, int START, class T, class Put, int... j>
void slide_sums(const Phased<T>& a, const T* weights, int n, Put put, std::integer_sequence<int, j...>) {
    constexpr int J = sizeof...(j);
    T w[K];
    for (int k = 0; k < K; ++k) w[k] = weights[k];
    for (int row = 0; row < a.rows; ++row) {
        const T* from[P];
        for (int p = 0; p < P; ++p) from[p] = a.phases[p] + size_t(row) * a.pitch;
        const auto sum = [&](int m, Vector<T>* sums) __attribute__((always_inline)) {
            for (int i = 0; i < J; ++i) sums[i] = Vector<T>{};
#pragma GCC unroll 24
            for (int k = 0, t = START; k < K; ++k, ++t)
                sums[t / P] += w[k] * *reinterpret_cast<const Vector<T>*>(from[t % P] + m);
        };
        Vector<T> now[J], next[J] = {};
        sum(0, now);
        for (int m = 0; m < n; m += LANES<T>) {
            if (m + LANES<T> < n + J - 1) sum(m + LANES<T>, next);
            const Vector<T> parts[J] = {between<j>((const T*)nullptr, now[j], next[j])...};
            Vector<T> all = parts[0];
            for (int i = 1; i < J; ++i) all += parts[i];
            put(0, row, m, all);
            for (int i = 0; i < J; ++i) now[i] = next[i];
        }
    }
}

// put(i, row, m, vector) gets the sums over k < K of weights[i][k] a[P m + START + k] of each row, for N results; MIRRORED:
// the second one's weights are the first one's from their end on.
template <int K, int P, int START, int N, bool MIRRORED, class T, class Put, int... k>
void slide_by(const Phased<T>& a, const T* const* weights, int n, Put put, std::integer_sequence<int, k...>) {
    T w[N][K];
    for (int i = 0; i < N; ++i)
        for (int t = 0; t < K; ++t) w[i][t] = weights[i][t];
    for (int row = 0; row < a.rows; ++row) {
        const T* from[P];
        Vector<T> low[P], high[P];
        for (int p = 0; p < P; ++p) {
            from[p] = a.phases[p] + size_t(row) * a.pitch;
            low[p] = *reinterpret_cast<const Vector<T>*>(from[p]);
        }
        for (int m = 0; m < n; m += LANES<T>) {
            for (int p = 0; p < P; ++p) high[p] = *reinterpret_cast<const Vector<T>*>(from[p] + m + LANES<T>);
            const auto samples = [&](auto term) __attribute__((always_inline)) {
                constexpr int t = START + decltype(term)::value, p = t % P;
                return between<t / P>(from[p] + m, low[p], high[p]);
            };
            const Vector<T> x[K] = {samples(std::integral_constant<int, k>())...};
            for (int p = 0; p < P; ++p) low[p] = high[p];
            Vector<T> made[N];
            if constexpr (MIRRORED) Mirrored<T>([&](int j) { return x[j]; }).phases(Folded<T>(w[0]), made);
            else
                for (int i = 0; i < N; ++i) {
                    Vector<T> sums[2] = {};  // two chains, as each waits for its last sum
#pragma GCC unroll 24
                    for (int t = 0; t < K; ++t) sums[t % 2] += w[i][t] * x[t];
                    made[i] = sums[0] + sums[1];
                }
            for (int i = 0; i < N; ++i) put(i, row, m, made[i]);
        }
    }
}

// The same for those K, P and START that networks use; false for others. mirrors: MIRRORED, of N = 2.
template <int N, class T, class Put>
bool slide(const Phased<T>& a, const T* const* weights, int count, int start, int n, bool mirrors, Put put) {
#define SLIDE(K, P, START)                                                                                      \
    case (K * 8 + P) * 8 + START: {                                                                             \
        constexpr auto all = std::make_integer_sequence<int, K>{};                                              \
        constexpr auto last = std::make_integer_sequence<int, (START + K - 1) / P + 1>{};                       \
        constexpr bool can = K == TAPS && N == 2 && std::is_same_v<T, float>;                                   \
        if constexpr (N == 1 && P > 1 && SHIFTS) slide_sums<K, P, START>(a, weights[0], n, put, last);          \
        else if (can && mirrors) slide_by<K, P, START, N, can>(a, weights, n, put, all);                        \
        else slide_by<K, P, START, N, false>(a, weights, n, put, all);                                          \
        return true;                                                                                            \
    }
    if (a.count > 4 || start > 7) return false;
    switch ((count * 8 + a.count) * 8 + start) {
        SLIDE(6, 1, 0) SLIDE(6, 1, 1) SLIDE(6, 2, 0) SLIDE(6, 2, 1) SLIDE(6, 2, 2)
        SLIDE(12, 2, 0) SLIDE(12, 4, 0) SLIDE(12, 4, 2) SLIDE(24, 4, 0)
        default: return false;
    }
#undef SLIDE
}
