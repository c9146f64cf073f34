// SPDX-License-Identifier: Apache-2.0
// Single rows of the filtered leaky relu on a CPU: raised along columns on the way in, lowered on the way out. Along
// columns everything lies in phases (lrelu.h).
#pragma once
#include <algorithm>
#include <type_traits>
#include <vector>

#include "lrelu.h"
#include "slide.h"

constexpr int AHEAD = 4;  // rows that are on their way from memory

template <class T>
std::vector<T> converted(const double* values, size_t n) { return std::vector<T>(values, values + n); }

// Each run of n numbers from its end on.
template <class T>
std::vector<T> reversed(std::vector<T> values, int n) {
    for (auto run = values.begin(); run != values.end(); run += n) std::reverse(run, run + n);
    return values;
}

inline int floor_div(int a, int b) { return a / b - (a % b < 0); }

// Raised phases that read the same samples of a line, from a place in x counted from m = 0 on.
struct Spread {
    int phase, count, start;
};

struct Span {
    int low, high;
};

// Those m of [0, count) for which begin + step m lies in [0, n).
inline Span inside(int begin, int step, int n, int count) {
    const int low = std::clamp(floor_div(-begin + step - 1, step), 0, count);
    return {low, std::clamp(floor_div(n - 1 - begin, step) + 1, low, count)};
}

// Brings rows of x, with a bias, to the raised rate.
template <class T, class X>
class Widening {
  public:
    explicit Widening(const Columns& c)
        : columns_(c), weights_(reversed(converted<T>(c.weights_up, c.p * c.taps_up), c.taps_up)),
          lines_{Buffer<T>(c.s * c.width_in + LANES<T>), Buffer<T>(c.s * c.width_in + LANES<T>)},
          read_(((c.n_out - 1) * (c.p / c.q) + c.taps_down - 1) / c.p + 1) {
        for (int s = 0; s < c.s; ++s) within_.push_back(inside(c.first + s, c.s, c.n_in, c.width_in));
        for (int p = 0; p < c.p; ++p) {
            raised_within_.push_back(inside(c.base + p, c.p, c.n_raised, c.width_raised));
            const int at = c.offsets_up[(p + 1) * c.taps_up - 1], start = at % c.width_in * c.s + at / c.width_in;
            if (p && spreads_.back().count == 1 && spreads_.back().start == start) spreads_.back().count = 2;
            else spreads_.push_back({p, 1, start});
        }
    }

    void begin(const X* x, T bias, int rows) {
        x_ = x, bias_ = bias, count_ = rows;
        lined_[0] = lined_[1] = -1;
    }

    // Row i, in whole phases; of zeros where x has none.
    void row(int i, T* wide) {
        const Columns& c = columns_;
        if (i < 0 || i >= count_) return void(std::fill(wide, wide + c.p * c.width_raised, T(0)));
        const T* line = line_of(i);
        if (i + 1 < count_) line_of(i + 1);  // written long before it is read
        for (const Spread& at : spreads_) {
            T* parts[2] = {wide + size_t(at.phase) * c.width_raised, wide + size_t(at.phase + 1) * c.width_raised};
            const T* weights[2] = {weights_.data() + at.phase * c.taps_up, weights_.data() + (at.phase + 1) * c.taps_up};
            if (at.count == 2) spread<2>(parts, weights, line, at);
            else spread<1>(parts, weights, line, at);
        }
        for (int p = 0; p < c.p; ++p) clear_outside(wide + size_t(p) * c.width_raised, raised_within_[p]);
    }

  private:
    template <int N>
    void spread(T* const* parts, const T* const* weights, const T* line, const Spread& at) {
        const Columns& c = columns_;
        const T* phases[4];
        for (int s = 0; s < c.s; ++s) phases[s] = line + size_t(s) * c.width_in;
        if (slide<N>(parts, phases, weights, c.taps_up, c.s, at.start, c.width_raised)) return;
        const T* terms[MOST];
        const int32_t* offsets = c.offsets_up + at.phase * c.taps_up;
        for (int k = 0; k < c.taps_up; ++k) terms[k] = line + offsets[c.taps_up - 1 - k];
        sums<N>(parts, terms, weights, c.taps_up, c.width_raised, [](Vector<T> v) { return v; });
    }

    // Row i of x with its bias, in phases, zero outside.
    const T* line_of(int i) {
        const Columns& c = columns_;
        T* lines = lines_[i % 2].data();
        if (lined_[i % 2] == i) return lines;
        lined_[i % 2] = i;
        const X* from = x_ + size_t(i) * c.n_in;
        for (int m = 0; m < c.n_in; m += VECTOR / int(sizeof(X))) __builtin_prefetch(from + AHEAD * c.n_in + m);
        for (int s = 0; s < c.s; ++s) {
            T* line = lines + size_t(s) * c.width_in;
            const int begin = c.first + s;  // index of m = 0
            const auto [low, high] = within_[s];
            if constexpr (MASKED<T, X>)
                if (c.s == 1) {
                    for (int m = 0; m < c.width_in; m += LANES<T>)
                        *reinterpret_cast<Vector<T>*>(line + m) = shifted_within(from + begin + m, bias_, low - m, high - m);
                    continue;
                }
            std::fill(line, line + low, T(0));
            if (c.s == 1) for (int m = low; m < high; ++m) line[m] = T(from[begin + m]) + bias_;
            else for (int m = low; m < high; ++m) line[m] = T(from[begin + c.s * m]) + bias_;
            std::fill(line + high, line + c.width_in, T(0));
        }
        return lines;
    }

    // Zeros for the samples of a phase that lie outside the raised canvas and are read.
    void clear_outside(T* part, const Span& within) const {
        std::fill(part, part + within.low, T(0));
        if (within.high < read_) std::fill(part + within.high, part + read_, T(0));
    }

    const Columns columns_;
    const std::vector<T> weights_;
    Buffer<T> lines_[2];
    int lined_[2] = {-1, -1};  // the rows that lie there
    const int read_;           // samples of a raised phase that results read
    std::vector<Span> within_, raised_within_;  // what of each phase lies inside the canvas
    std::vector<Spread> spreads_;
    const X* x_ = nullptr;
    T bias_ = 0;
    int count_ = 0;
};

// Brings rows back from the raised rate and puts their phases together.
template <class T, class X>
class Narrowing {
  public:
    explicit Narrowing(const Columns& c)
        : columns_(c), weights_(converted<T>(c.weights_down, c.q * c.taps_down)), parts_(c.q * c.width_out + LANES<T>) {}

    // With `room` a whole vector may be written beyond the row's end.
    void row(const T* low, X* y, bool room) {
        const Columns& c = columns_;
        for (int m = 0; m < c.n_out; m += VECTOR / int(sizeof(X))) __builtin_prefetch(y + AHEAD * c.n_out + m, 1);
        const T *phases[4], *terms[MOST];
        for (int p = 0; p < c.p; ++p) phases[p] = low + size_t(p) * c.width_raised;
        for (int q = 0; q < c.q; ++q) {
            T* part = parts_.data() + size_t(q) * c.width_out;
            if constexpr (std::is_same_v<T, X>)
                if (c.q == 1 && room) part = y;
            const T* weights = weights_.data() + q * c.taps_down;
            if (!slide<1>(&part, phases, &weights, c.taps_down, c.p, q * (c.p / c.q), c.width_out)) {
                for (int k = 0; k < c.taps_down; ++k) terms[k] = low + c.offsets_down[q * c.taps_down + k];
                sum(part, terms, weights, c.taps_down, c.width_out);
            }
            const int count = (c.n_out - q + c.q - 1) / c.q;
            if (c.q == 1 && static_cast<const void*>(part) != y) for (int m = 0; m < count; ++m) y[m] = part[m];
            if (c.q > 2) for (int m = 0; m < count; ++m) y[c.q * m + q] = part[m];
        }
        if (c.q == 2) {
            const T *even = parts_.data(), *odd = even + c.width_out;
            for (int m = 0; m < c.n_out / 2; ++m) y[2 * m] = even[m], y[2 * m + 1] = odd[m];
            if (c.n_out % 2) y[c.n_out - 1] = even[c.n_out / 2];
        }
    }

  private:
    const Columns columns_;
    const std::vector<T> weights_;
    Buffer<T> parts_;
};
