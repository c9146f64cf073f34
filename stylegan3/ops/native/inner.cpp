// SPDX-License-Identifier: Apache-2.0
// Resampling of pictures whose channels lie innermost [N, H, W, C] by one filter along rows and one along columns; the
// tables are inner.py's. Of each result's row, the input's rows are summed first: neighbours in memory stay neighbours.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "registers.h"
#include "tasks.h"

namespace {

// y[o] = sum_k weights[o][k] x[first[o] + k]
struct Axis {
    int32_t n_in, n_out, taps;
    const int32_t* first;
    const double* weights;
};

// to[m] = sum_k weights[k] from[k step + m]; K = 0 reads the count at run time
template <int K, class T, class X, class Y>
void weighted(const double* weights, int taps, const X* from, int64_t step, Y* to, int64_t n) {
    const int terms = K ? K : taps;
    T w[K ? K : MOST];
    for (int k = 0; k < terms; ++k) w[k] = T(weights[k]);
    for (int64_t m = 0; m < n; m += WIDTH<T>) {
        Register<T> sum{};
        for (int k = 0; k < terms; ++k) sum += w[k] * read<T>(from + k * step + m, n - m);
        write<T>(to + m, sum, n - m);
    }
}

template <class T, class X, class Y>
void weighted(const Axis& axis, int64_t o, const X* from, int64_t step, Y* to, int64_t n) {
    const double* weights = axis.weights + o * axis.taps;
    from += axis.first[o] * step;
    switch (axis.taps) {
        case 1: return weighted<1, T>(weights, 1, from, step, to, n);
        case 2: return weighted<2, T>(weights, 2, from, step, to, n);
        case 4: return weighted<4, T>(weights, 4, from, step, to, n);
        default: return weighted<0, T>(weights, axis.taps, from, step, to, n);
    }
}

// How many results from o on are neighbours' sums with the same weights: one long sum of rows.
inline int alike(const Axis& axis, int o) {
    const double* weights = axis.weights + o * axis.taps;
    int n = 1;
    while (o + n < axis.n_out && axis.first[o + n] == axis.first[o] + n &&
           std::equal(weights, weights + axis.taps, weights + n * axis.taps))
        ++n;
    return n;
}

template <class T, class X>
void resample(const Axis& rows, const Axis& columns, const X* x, X* y, int64_t pictures, int64_t channels, int threads) {
    const int64_t wide = columns.n_in * channels;
    struct Run {
        int64_t from, count;
    };
    std::vector<Run> runs;
    for (int o = 0; o < columns.n_out; o += runs.back().count) runs.push_back({o, alike(columns, o)});
    Tasks tasks(pictures * rows.n_out, threads);
#pragma omp parallel num_threads(threads)
    {
        Buffer<T> memory(wide);
        T* row = memory.data();
        tasks.each([&](int64_t task) {
            weighted<T>(rows, task % rows.n_out, x + task / rows.n_out * rows.n_in * wide, wide, row, wide);
            for (size_t i = 0; i < runs.size(); ++i)
                weighted<T>(columns, runs[i].from, row, channels, y + (task * columns.n_out + runs[i].from) * channels,
                            runs[i].count * channels);
        });
    }
}

}  // namespace

extern "C" void resample_inner(const Axis* rows, const Axis* columns, int32_t kind, const void* x, void* y,
                               int64_t pictures, int64_t channels, int32_t threads) {
    const auto go = [=](auto number, auto stored) {
        using X = decltype(stored);
        resample<decltype(number)>(*rows, *columns, static_cast<const X*>(x), static_cast<X*>(y), pictures, channels,
                                   threads);
    };
    if (kind == FLOAT64) go(double(), double());
    else if (kind == BFLOAT16) go(float(), BFloat16());
    else go(float(), float());
}
