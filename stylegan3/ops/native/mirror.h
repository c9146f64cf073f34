// SPDX-License-Identifier: Apache-2.0
// Filters that are their own mirror images: what is read with mirrored weights is added and subtracted first, which
// takes no multiplier. See vertical.h for the sums. An infinity among what is read becomes what is no number.
#pragma once
#include <algorithm>
#include <cmath>

#include "flow.h"

constexpr int TAPS = 6, HALF = TAPS / 2;  // of a phase

// Whether n weights are n others from their end on, to float32's rounding.
template <class T>
bool mirrored(const T* a, const T* b, int n) {
    T largest = 0, apart = 0;
    for (int k = 0; k < n; ++k) {
        largest = std::max(largest, std::abs(a[k]));
        apart = std::max(apart, std::abs(a[k] - b[n - 1 - k]));
    }
    return apart <= largest * T(0x1p-23);
}

// Six weights that lie `step` apart, as half their sums and differences.
template <class T>
struct Folded {
    T even[HALF], odd[HALF];

    Folded() = default;
    explicit Folded(const T* weights, int step = 1) {
        for (int j = 0; j < HALF; ++j) {
            const T a = weights[j * step], b = weights[(TAPS - 1 - j) * step];
            even[j] = (a + b) / 2, odd[j] = (a - b) / 2;
        }
    }
};

// Six vectors, as sums and differences.
template <class T>
struct Mirrored {
    Vector<T> sums[HALF], differences[HALF];

    template <class Get>
    explicit Mirrored(Get x) {
        for (int j = 0; j < HALF; ++j) {
            const Vector<T> a = x(j), b = x(TAPS - 1 - j);
            sums[j] = a + b, differences[j] = a - b;
        }
    }

    // Their sum with these weights, and with the mirrored ones.
    void phases(const Folded<T>& w, Vector<T>* made) const {
        const Vector<T> even = w.even[0] * sums[0] + w.even[1] * sums[1] + w.even[2] * sums[2];
        const Vector<T> odd = w.odd[0] * differences[0] + w.odd[1] * differences[1] + w.odd[2] * differences[2];
        made[0] = even + odd, made[1] = even - odd;
    }
};

// How much larger than what they read sums with these weights, of several phases, can be.
inline double gain(const double* weights, int phases, int taps) {
    double most = 0;
    for (int e = 0; e < phases; ++e) {
        double sum = 0;
        for (int k = 0; k < taps; ++k) sum += std::abs(*weights++);
        most = std::max(most, sum);
    }
    return most;
}
