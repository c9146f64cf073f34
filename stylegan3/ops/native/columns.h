// SPDX-License-Identifier: Apache-2.0
// Single rows of the filtered leaky relu on a CPU: raised along columns on the way in, lowered on the way out. Along
// columns everything lies in phases (lrelu.h).
#pragma once
#include <algorithm>
#include <type_traits>
#include <vector>

#include "lrelu.h"
#include "parts.h"
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
    bool mirrored;  // two, whose weights are each other's mirror images
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
    // rows: at once, at most
    Widening(const Columns& c, int rows)
        : columns_(c), weights_(reversed(converted<T>(c.weights_up, c.p * c.taps_up), c.taps_up)),
          pitch_(c.s * c.width_in + LANES<T>), lines_(size_t(rows) * pitch_),
          read_(((c.n_out - 1) * (c.p / c.q) + c.taps_down - 1) / c.p + 1) {
        for (int s = 0; s < c.s; ++s) within_.push_back(inside(c.first + s, c.s, c.n_in, c.width_in));
        for (int p = 0; p < c.p; ++p) {
            raised_within_.push_back(inside(c.base + p, c.p, c.n_raised, c.width_raised));
            const int at = c.offsets_up[(p + 1) * c.taps_up - 1], start = at % c.width_in * c.s + at / c.width_in;
            if (p && spreads_.back().count == 1 && spreads_.back().start == start) {
                const T* weights = weights_.data() + (p - 1) * c.taps_up;
                spreads_.back().count = 2, spreads_.back().mirrored = ::mirrored(weights, weights + c.taps_up, c.taps_up);
            } else {
                spreads_.push_back({p, 1, start, false});
            }
        }
    }

    // folds: whether weights that mirror each other may be made use of, which turns an infinity to what is no number.
    void begin(const X* x, T bias, int rows, bool folds) {
        x_ = x, bias_ = bias, rows_ = rows, folds_ = folds;
        const size_t plane = size_t(rows) * columns_.n_in;  // the next one comes where it doesn't drive out this one
        ahead_ = plane * sizeof(X) <= NEAR ? plane : AHEAD * columns_.n_in;
    }

    // Rows i, i + 1, ... in whole phases; of zeros where x has none.
    void rows(int i, int count, T* const* wide) {
        const Columns& c = columns_;
        const int low = std::clamp(-i, 0, count), high = std::clamp(rows_ - i, low, count);
        for (int k = 0; k < count; ++k) {
            if (k < low || k >= high) std::fill(wide[k], wide[k] + c.p * c.width_raised, T(0));
            else set_line(i + k, lines_.data() + size_t(k) * pitch_);
        }
        if (low == high) return;
        for (const Spread& at : spreads_) {
            if (at.count == 2) spread<2>(wide, low, high, at);
            else spread<1>(wide, low, high, at);
        }
        for (int k = low; k < high; ++k)
            for (int p = 0; p < c.p; ++p) clear_outside(wide[k] + size_t(p) * c.width_raised, raised_within_[p]);
    }

  private:
    // Raised phases of rows [low, high) from their lines.
    template <int N>
    void spread(T* const* wide, int low, int high, const Spread& at) {
        const Columns& c = columns_;
        const T *weights[N], *from = lines_.data() + size_t(low) * pitch_;
        for (int i = 0; i < N; ++i) weights[i] = weights_.data() + (at.phase + i) * c.taps_up;
        Phased<T> a{{}, c.s, high - low, pitch_};
        for (int s = 0; s < c.s; ++s) a.phases[s] = from + size_t(s) * c.width_in;
        const size_t width = c.width_raised, begin = at.phase * width;
        const auto put = [&](int i, int row, int m, Vector<T> v) {
            *reinterpret_cast<Vector<T>*>(wide[low + row] + begin + i * width + m) = v;
        };
        if (slide<N>(a, weights, c.taps_up, at.start, c.width_raised, at.mirrored && folds_, put)) return;
        const int32_t* offsets = c.offsets_up + at.phase * c.taps_up;
        for (int row = low; row < high; ++row, from += pitch_) {
            const T* terms[MOST];
            T* parts[N];
            for (int k = 0; k < c.taps_up; ++k) terms[k] = from + offsets[c.taps_up - 1 - k];
            for (int i = 0; i < N; ++i) parts[i] = wide[row] + begin + i * width;
            sums<N>(parts, terms, weights, c.taps_up, c.width_raised, [](Vector<T> v) { return v; });
        }
    }

    // Row i of x with its bias, in phases, zero outside.
    void set_line(int i, T* line) const {
        const X* from = x_ + size_t(i) * columns_.n_in;
        for (int m = 0; m < columns_.n_in; m += VECTOR / int(sizeof(X))) __builtin_prefetch(from + ahead_ + m);
        if (columns_.s == 1) set_phases<1>(from, line);
        else if (columns_.s == 2) set_phases<2>(from, line);
        else set_phases<4>(from, line);
    }

    template <int S>
    void set_phases(const X* from, T* line) const {
        const int width = columns_.width_in;
        const T bias = bias_;
        for (int s = 0; s < S; ++s, line += width) {
            const X* begin = from + columns_.first + s;  // of m = 0
            const auto [low, high] = within_[s];
            for (int m = 0; m < width; m += LANES<T>)
                *reinterpret_cast<Vector<T>*>(line + m) = shifted<S>(begin + S * m, bias, low - m, high - m);
        }
    }

    // Zeros for the samples of a phase that lie outside the raised canvas and are read.
    void clear_outside(T* part, const Span& within) const {
        std::fill(part, part + within.low, T(0));
        if (within.high < read_) std::fill(part + within.high, part + read_, T(0));
    }

    const Columns columns_;
    const std::vector<T> weights_;
    const int pitch_;
    Buffer<T> lines_;
    const int read_;           // samples of a raised phase that results read
    std::vector<Span> within_, raised_within_;  // what of each phase lies inside the canvas
    std::vector<Spread> spreads_;
    const X* x_ = nullptr;
    T bias_ = 0;
    int rows_ = 0;
    size_t ahead_ = 0;  // of what is read
    bool folds_ = false;
};

// Brings rows back from the raised rate and puts their phases together.
template <class T, class X>
class Narrowing {
  public:
    // rows: at once, at most
    Narrowing(const Columns& c, int rows)
        : columns_(c), weights_(converted<T>(c.weights_down, c.q * c.taps_down)), pitch_(whole<T>(c.width_out)),
          parts_(size_t(c.q) * rows * pitch_), line_(pitch_) {}

    // Rows that lie one `pitch` after another.
    void rows(const T* low, int pitch, int count, X* y) {
        const Columns& c = columns_;
        const int line = VECTOR / int(sizeof(X));
        for (int m = 0; m < count * c.n_out; m += line) __builtin_prefetch(y + AHEAD * c.n_out + m, 1);
        if (c.q == 1)
            return phase(0, low, pitch, count, [&](int, int row, int m, Vector<T> v) {
                put_first<T>(y + size_t(row) * c.n_out + m, v, c.n_out - m);
            });
        const auto part = [&](int q, int row) { return parts_.data() + (size_t(q) * count + row) * pitch_; };
        for (int q = 0; q < (c.q == 2 ? 1 : c.q); ++q)
            phase(q, low, pitch, count, [&](int, int row, int m, Vector<T> v) {
                *reinterpret_cast<Vector<T>*>(part(q, row) + m) = v;
            });
        if (c.q == 2)
            return phase(1, low, pitch, count, [&](int, int row, int m, Vector<T> v) {
                const auto even = *reinterpret_cast<const Vector<T>*>(part(0, row) + m);
                put_pairs<T>(y + size_t(row) * c.n_out + 2 * m, even, v, c.n_out - 2 * m);
            });
        for (int row = 0; row < count; ++row)
            for (int o = 0; o < c.n_out; ++o) y[size_t(row) * c.n_out + o] = part(o % c.q, row)[o / c.q];
    }

  private:
    // put(0, row, m, vector) gets phase q of the rows' results.
    template <class Put>
    void phase(int q, const T* low, int pitch, int count, Put put) {
        const Columns& c = columns_;
        Phased<T> a{{}, c.p, count, pitch};
        for (int p = 0; p < c.p; ++p) a.phases[p] = low + size_t(p) * c.width_raised;
        const T* weights = weights_.data() + q * c.taps_down;
        if (slide<1>(a, &weights, c.taps_down, q * (c.p / c.q), c.width_out, false, put)) return;
        for (int row = 0; row < count; ++row, low += pitch) {
            const T* terms[MOST];
            for (int k = 0; k < c.taps_down; ++k) terms[k] = low + c.offsets_down[q * c.taps_down + k];
            sum(line_.data(), terms, weights, c.taps_down, c.width_out);
            for (int m = 0; m < c.width_out; m += LANES<T>) put(0, row, m, *reinterpret_cast<Vector<T>*>(line_.data() + m));
        }
    }

    const Columns columns_;
    const std::vector<T> weights_;
    const int pitch_;
    Buffer<T> parts_, line_;
};
