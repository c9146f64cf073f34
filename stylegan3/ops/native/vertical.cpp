// SPDX-License-Identifier: Apache-2.0
// The sums of vertical.h.
#include "vertical.h"

#include <utility>

#include "bend.h"

namespace {

// One pair of raised rows, part of the results sums[0] (the oldest) to sums[5]; NEW where the last one has nothing yet.
template <bool NEW, class T>
[[gnu::always_inline]] inline void lower(Vector<T>* const* sums, const Folded<T>& w, Vector<T> v, Vector<T> mirrored) {
    const Vector<T> sum = v + mirrored, difference = v - mirrored;
    for (int j = 0; j < HALF; ++j) {
        const Vector<T> even = w.even[j] * sum;
        const Vector<T> one = even + w.odd[j] * difference, other = even - w.odd[j] * difference;
        *sums[UNFINISHED - j] = NEW && j == 0 ? one : *sums[UNFINISHED - j] + one;
        *sums[j] += other;
    }
}

constexpr int AHEAD = 4;  // raised rows that are made before they are bent, so that nothing waits for its sums

template <int UP, int FIRST, int DOWN, int G, class T, class Bend, int... first, int... t>
void vertical_by(T* const* results, T* const* unfinished, const T* const* wide, const Folded<T>* up,
                 const Folded<T>* down, int n, const Bend& given, std::integer_sequence<int, first...>,
                 std::integer_sequence<int, t...>) {
    constexpr int WIDE = wide_rows(UP, FIRST, DOWN * G), PLACES = UNFINISHED + 1, ROWS = DOWN * G;
    Bend bend = given;
    const T* rows[WIDE];
    T *to[G], *kept[UNFINISHED];
    Folded<T> w_up[UP / 2], w_down[DOWN / 2];
    for (int j = 0; j < WIDE; ++j) rows[j] = wide[j];
    for (int j = 0; j < G; ++j) to[j] = results[j];
    for (int j = 0; j < UNFINISHED; ++j) kept[j] = unfinished[j];
    for (int e = 0; e < UP / 2; ++e) w_up[e] = up[e];
    for (int p = 0; p < DOWN / 2; ++p) w_down[p] = down[p];
    for (int m = 0; m < n; m += LANES<T>) {
        Vector<T> sums[PLACES], raised[ROWS];
        for (int j = 0; j < UNFINISHED; ++j) sums[j] = *reinterpret_cast<const Vector<T>*>(kept[j] + m);
        const auto raise = [&](auto row) __attribute__((always_inline)) {
            constexpr int r = decltype(row)::value, e = (FIRST + r) % UP, mirrored = r + UP - 1 - 2 * e;
            constexpr bool lower_phase = e < UP / 2, alone = mirrored < 0 || mirrored >= ROWS;
            if constexpr (r < ROWS && (alone || lower_phase)) {  // else it was made with the other one
                const auto at = [&](int j) { return rows[(FIRST + r) / UP + j] + m; };
                const Mirrored<T> x([&](int j) { return *reinterpret_cast<const Vector<T>*>(at(j)); });
                Vector<T> made[2];
                x.phases(w_up[lower_phase ? e : UP - 1 - e], made);
                raised[r] = made[!lower_phase];
                if constexpr (!alone) raised[mirrored] = made[1];
            }
        };
        const auto step = [&](auto row) __attribute__((always_inline)) {
            constexpr int r = decltype(row)::value, oldest = r / DOWN;
            if constexpr (r == 0) (raise(std::integral_constant<int, first>{}), ...);
            raise(std::integral_constant<int, r + AHEAD>{});
            raised[r] = bend(raised[r], row, std::bool_constant<r + 1 == ROWS>(), m);
            if constexpr (r % DOWN == DOWN - 1) {
                Vector<T>* in[PLACES];
                for (int i = 0; i < PLACES; ++i) in[i] = &sums[(oldest + i) % PLACES];
                lower<true, T>(in, w_down[0], raised[r - DOWN + 1], raised[r]);
                if constexpr (DOWN == 4) lower<false, T>(in, w_down[1], raised[r - 2], raised[r - 1]);
                *reinterpret_cast<Vector<T>*>(to[oldest] + m) = sums[oldest % PLACES];
            }
        };
        (step(std::integral_constant<int, t>{}), ...);
        for (int j = 0; j < UNFINISHED; ++j) *reinterpret_cast<Vector<T>*>(kept[j] + m) = sums[(G + j) % PLACES];
    }
}

template <int n>
using Number = std::integral_constant<int, n>;

}  // namespace

template <class T, class Bend>
void vertical(T* const* results, T* const* unfinished, const T* const* wide, int count, int factor, int first,
              int factor_down, const Folded<T>* up, const Folded<T>* down, int n, const Bend& bend) {
    const auto go = [&](auto up_by, auto begin, auto down_by, auto group) {
        constexpr int DOWN = decltype(down_by)::value, G = decltype(group)::value;
        vertical_by<decltype(up_by)::value, decltype(begin)::value, DOWN, G>(
            results, unfinished, wide, up, down, n, bend, std::make_integer_sequence<int, AHEAD>{},
            std::make_integer_sequence<int, DOWN * G>{});
    };
#define VERTICAL(UP, FIRST, DOWN)                                                               \
    case (UP * 4 + FIRST) * 8 + DOWN:                                                           \
        if (count == 1) return go(Number<UP>(), Number<FIRST>(), Number<DOWN>(), Number<1>());  \
        return go(Number<UP>(), Number<FIRST>(), Number<DOWN>(), Number<GROUP>());
    switch ((factor * 4 + first) * 8 + factor_down) {
        VERTICAL(2, 0, 2) VERTICAL(2, 1, 2) VERTICAL(2, 0, 4) VERTICAL(2, 1, 4)
        VERTICAL(4, 0, 2) VERTICAL(4, 1, 2) VERTICAL(4, 2, 2) VERTICAL(4, 3, 2)
    }
#undef VERTICAL
}

#define BENDING(...)                                                                            \
    template void vertical(float* const*, float* const*, const float* const*, int, int, int, int, \
                           const Folded<float>*, const Folded<float>*, int, const __VA_ARGS__&);
BENDING(Relu<float>)
BENDING(Activation<float, true>)
BENDING(Keeping<false>)
BENDING(Keeping<true>)
BENDING(Slopes<false>)
BENDING(Slopes<true>)
#undef BENDING
