// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu on a CPU for pictures whose channels lie innermost, with the filters that vertical.h takes. A
// vector is a place's neighbouring channels: resampling along columns needs no shuffles, and rows are raised, bent and
// lowered as planes' rows are (lrelu.cpp), only that each column is LANES numbers long. Tables and checks are
// lrelu_inner.py's.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bend.h"
#include "flow.h"
#include "lrelu.h"
#include "mirror.h"
#include "numbers.h"
#include "registers.h"
#include "tasks.h"
#include "vertical.h"

namespace {

using V = Vector<float>;
constexpr int L = LANES<float>;
constexpr int SIDE = 32;  // columns of zeros on both sides of a row; lrelu_inner.py sees to it that no filter reaches beyond

struct Inner {
    Rows rows, columns;
    double slope, clamp;  // clamp: infinity for none
};

inline V& at(float* row, int column) { return *reinterpret_cast<V*>(row + column * L); }
inline const V& at(const float* row, int column) { return *reinterpret_cast<const V*>(row + column * L); }

// A vector's channels, or the first `lanes` of them and zeros, in memory as float32 or bfloat16.
template <class X>
inline V take(const X* from, int lanes) {
    Register<float> parts[VECTOR / REGISTER];
    for (int i = 0; i < VECTOR / REGISTER; ++i)
        parts[i] = read<float>(from + i * WIDTH<float>, std::max(0, lanes - i * WIDTH<float>));
    V v;
    std::memcpy(&v, parts, VECTOR);
    return v;
}

template <class X>
inline void put(X* to, V v, int lanes) {
    Register<float> parts[VECTOR / REGISTER];
    std::memcpy(parts, &v, VECTOR);
    for (int i = 0; i < VECTOR / REGISTER; ++i)
        write<float>(to + i * WIDTH<float>, parts[i], std::max(0, lanes - i * WIDTH<float>));
}

// An axis's filters, folded.
struct Filters {
    Folded<float> up[2], down[2];

    explicit Filters(const Rows& axis) {
        const std::vector<float> u(axis.weights_up, axis.weights_up + axis.up * TAPS);
        const std::vector<float> d(axis.weights_down, axis.weights_down + axis.taps_down);
        for (int e = 0; e < axis.up / 2; ++e) up[e] = Folded<float>(u.data() + (axis.up - 1 - e) * TAPS);
        for (int p = 0; p < axis.down / 2; ++p) down[p] = Folded<float>(d.data() + p, axis.down);
    }
};

// Rows of columns, with SIDE columns on both sides.
class Lines {
  public:
    Lines(int count, int columns) : pitch_((columns + 2 * SIDE) * L), memory_(size_t(count) * pitch_) {}
    float* line(int i) { return memory_.data() + size_t(i) * pitch_ + SIDE * L; }

  private:
    const size_t pitch_;
    Buffer<float> memory_;
};

// One thread's working memory and the work on one group of channels of one picture.
template <class X>
class Flow {
  public:
    Flow(const Inner& pass, Mode mode)
        : rows_(pass.rows), columns_(pass.columns), mode_(mode), slope_(float(pass.slope)), clamp_(float(pass.clamp)),
          along_rows_(pass.rows), along_columns_(pass.columns), gain_(float(gain(rows_.weights_up, rows_.up, TAPS) * gain(columns_.weights_up, columns_.up, TAPS) * 1.0001)),
          most_wide_(std::max(1, rows_.down * GROUP / rows_.up)), ring_(TAPS + most_wide_ + 1),
          line_(1, columns_.n_in), wide_(ring_, columns_.n_raised), low_(GROUP + UNFINISHED, columns_.n_raised),
          nothing_(columns_.n_raised * L, 0xaa), others_(columns_.n_raised * L),
          down_(columns_.weights_down, columns_.weights_down + columns_.taps_down) {
        for (int i = 0; i < GROUP; ++i) lowered_[i] = low_.line(i);
        for (int i = 0; i < UNFINISHED; ++i) unfinished_[i] = low_.line(GROUP + i);
    }

    // Results [from, to) of x and y, this group's first channel of C; `lanes` of them are the group's. Of codes, those of
    // raised rows below to down are written, the last part's to the end.
    void run(const X* x, const float* bias, uint8_t* codes, X* y, int channels, int lanes, int from, int to) {
        x_ = x, codes_ = codes, channels_ = channels, lanes_ = lanes;
        own_to_ = to == rows_.n_out ? rows_.n_raised : to * rows_.down;
        bias_ = bias ? take(bias, lanes) : V{};
        next_ = input_of(rows_.down * from + rows_.base) - (TAPS - 1);
        for (int o = from - UNFINISHED, count = GROUP; o < to; o += count) {  // the first are never whole
            if (o + 1 == to) count = 1;  // else those that go beyond are left out
            const int r = rows_.down * (o + UNFINISHED) + rows_.base, first = (r + rows_.offset) & (rows_.up - 1);
            const int rows = count * rows_.down, last = input_of(r + rows - 1), used = wide_rows(rows_.up, first, rows);
            while (next_ <= last) widen(next_++);
            const float* wide[MOST];
            int32_t bits = 0;
            for (int k = 0; k < used; ++k) {
                const int i = last - used + 1 + k;
                wide[k] = wide_.line(slot(i)), bits = std::max(bits, largest_[slot(i)]);
            }
            float largest;
            std::memcpy(&largest, &bits, sizeof(bits));
            const auto go = [&](const auto& bend) {
                vertical(lowered_, unfinished_, wide, count, rows_.up, first, rows_.down, along_rows_.up, along_rows_.down,
                         columns_.n_raised * L, bend);
            };
            bent(r, rows, std::isfinite(largest) && largest * gain_ < clamp_, go);
            for (int i = std::max(0, from - o); i < std::min(GROUP, to - o); ++i)
                narrow_row(lowered_[i], y + size_t(o + i) * columns_.n_out * channels);
        }
    }

  private:
    int input_of(int raised) const { return (raised + rows_.offset) >> (rows_.up >> 1); }
    int slot(int i) const { return (i + 64 * ring_) % ring_; }

    // go(what happens to so many raised rows from row r on)
    template <class Go>
    void bent(int r, int rows, bool small, Go go) {
        const int bytes = columns_.n_raised * L;
        if (mode_ == ACTIVATE) return small ? go(Relu<float>(slope_)) : go(Activation<float, true>(slope_, clamp_));
        if (mode_ == ACTIVATE_AND_KEEP) {
            const auto keep = [&](auto bend) {
                for (int i = 0; i < GROUP * rows_.down / BYTE_ROWS; ++i)
                    bend.lines[i] = r + BYTE_ROWS * i < own_to_ ? codes_ + size_t(r / BYTE_ROWS + i) * bytes : others_.data();
                go(bend);
            };
            return small ? keep(Keeping<false>(slope_, clamp_)) : keep(Keeping<true>(slope_, clamp_));
        }
        const auto multiply = [&](auto bend) {
            for (int i = 0; i < GROUP * rows_.down; ++i)
                bend.lines[i] = r + i < 0 || r + i >= rows_.n_raised ? nothing_.data()
                                                                    : codes_ + size_t((r + i) / BYTE_ROWS) * bytes;
            go(bend);
        };
        if (r < 0 || r + rows > rows_.n_raised || any_clamped(r, rows)) multiply(Slopes<true>(slope_, r));
        else multiply(Slopes<false>(slope_, r));
    }

    bool any_clamped(int r, int rows) const {
        const size_t bytes = size_t(columns_.n_raised) * L, low = r / BYTE_ROWS, high = (r + rows - 1) / BYTE_ROWS + 1;
        uint8_t any = 0;
        for (size_t i = low * bytes; i < high * bytes; ++i) any |= codes_[i];
        return any & 0xaa;
    }

    __attribute__((noinline)) void widen(int i) {
        float* wide = wide_.line(slot(i));
        largest_[slot(i)] = 0;
        if (i < 0 || i >= rows_.n_in) return std::fill(wide, wide + columns_.n_raised * L, 0.0f);
        float* line = line_.line(0);
        const X* from = x_ + size_t(i) * columns_.n_in * channels_;
        const auto read_all = [&](int lanes) __attribute__((always_inline)) {
            Whole most{};
            for (int j = 0; j < columns_.n_in; ++j) {
                __builtin_prefetch(from + size_t(j + 4 * columns_.n_in) * channels_);
                const V v = bias_ + take(from + size_t(j) * channels_, lanes);
                at(line, j) = v;
                const Whole bits = (Whole)v & 0x7fffffff;
                most = bits > most ? bits : most;
            }
            for (int k = 0; k < L; ++k) largest_[slot(i)] = std::max(largest_[slot(i)], most[k]);
        };
        if (lanes_ == L) read_all(L);
        else read_all(lanes_);
        if (columns_.up == 2) raise<2>(line, wide);
        else raise<4>(line, wide);
    }

    template <int UP>
    __attribute__((noinline)) void raise(const float* line, float* wide) const {
        V even[UP / 2][HALF], odd[UP / 2][HALF];  // broadcast once
        for (int e = 0; e < UP / 2; ++e)
            for (int j = 0; j < HALF; ++j)
                even[e][j] = V{} + along_columns_.up[e].even[j], odd[e][j] = V{} + along_columns_.up[e].odd[j];
        const int first = columns_.offset / UP, last = (columns_.n_raised - 1 + columns_.offset) / UP;
        V x[TAPS];
        for (int k = 0; k < TAPS - 1; ++k) x[k + 1] = at(line, first - (TAPS - 1) + k);
        for (int i = first; i <= last; ++i) {
#pragma GCC unroll 8
            for (int k = 0; k < TAPS - 1; ++k) x[k] = x[k + 1];
            x[TAPS - 1] = at(line, i);
            const int c = UP * i - columns_.offset;
            V sums[HALF], differences[HALF];
#pragma GCC unroll 8
            for (int j = 0; j < HALF; ++j) sums[j] = x[j] + x[TAPS - 1 - j], differences[j] = x[j] - x[TAPS - 1 - j];
#pragma GCC unroll 2
            for (int e = 0; e < UP / 2; ++e) {
                const V a = even[e][0] * sums[0] + even[e][1] * sums[1] + even[e][2] * sums[2];
                const V b = odd[e][0] * differences[0] + odd[e][1] * differences[1] + odd[e][2] * differences[2];
                at(wide, c + e) = a + b, at(wide, c + UP - 1 - e) = a - b;
            }
        }
    }

    void narrow_row(const float* low, X* y) const {
        if (columns_.down == 2) lower<2>(low, y);
        else lower<4>(low, y);
    }

    template <int DOWN>
    __attribute__((noinline)) void lower(const float* low, X* y) const {
        constexpr int N = TAPS * DOWN;
        V w[N / 2];
#pragma GCC unroll 12
        for (int k = 0; k < N / 2; ++k) w[k] = V{} + down_[k];
        const float* from = low + columns_.base * L;
        const int channels = channels_, lanes = lanes_;
        const auto sum = [&](int k0) __attribute__((always_inline)) {
            V sums[2]{};
#pragma GCC unroll 12
            for (int k = 0; k < N / 2; ++k) sums[k % 2] += w[k] * (at(from, k0 + k) + at(from, k0 + N - 1 - k));
            return sums[0] + sums[1];
        };
        int o = 0;
        for (; o + 1 < columns_.n_out && lanes == L; o += 2, from += 2 * DOWN * L, y += 2 * channels) {
            __builtin_prefetch(y + size_t(channels) * columns_.n_out * 2, 1);
            const V first = sum(0), second = sum(DOWN);  // which read mostly the same
            put(y, first, L), put(y + channels, second, L);
        }
        for (; o < columns_.n_out; ++o, from += DOWN * L, y += channels) put(y, sum(0), lanes);
    }

    const Rows rows_, columns_;
    const Mode mode_;
    const float slope_, clamp_;
    const Filters along_rows_, along_columns_;
    const float gain_;
    const int most_wide_, ring_;
    Lines line_, wide_, low_;
    const std::vector<uint8_t> nothing_;
    std::vector<uint8_t> others_;  // codes that another part writes
    const std::vector<float> down_;
    int32_t largest_[MOST] = {};  // magnitude of each wide row's samples, as bits: what is no number is larger than any
    float *lowered_[GROUP], *unfinished_[UNFINISHED];
    const X* x_ = nullptr;
    uint8_t* codes_ = nullptr;
    int channels_ = 0, lanes_ = 0, own_to_ = 0, next_ = 0;
    V bias_{};
};

}  // namespace

// biases: one for each channel of so many pictures in turn as make up `period` channels.
extern "C" void lrelu_inner(const Inner* pass, int32_t mode, int32_t kind, const void* x, const void* bias, void* codes,
                            void* y, int64_t pictures, int64_t channels, int64_t period, int32_t threads) {
    const auto go = [=](auto stored) {
        using X = decltype(stored);
        const Rows &rows = pass->rows, &columns = pass->columns;
        const int64_t groups = (channels + L - 1) / L, planes = pictures * groups;
        const size_t size_in = size_t(rows.n_in) * columns.n_in * channels;
        const size_t size_out = size_t(rows.n_out) * columns.n_out * channels;
        const size_t size_codes = size_t((rows.n_raised + BYTE_ROWS - 1) / BYTE_ROWS) * columns.n_raised * L;
        // few planes are cut into parts, which begin whole bytes of codes
        const int64_t wanted = planes >= 4 * threads ? 1 : (4 * threads + planes - 1) / std::max<int64_t>(planes, 1);
        const int step = int(std::max<int64_t>(32, ((rows.n_out + wanted - 1) / wanted + 3) / 4 * 4));
        const int64_t parts = (rows.n_out + step - 1) / step;
        Tasks tasks(planes * parts, threads);
#pragma omp parallel num_threads(threads)
        {
            Flow<X> flow(*pass, Mode(mode));
            tasks.each([&](int64_t task) {
                const int64_t plane = task / parts, n = plane / groups, c = plane % groups * L;
                const int from = int(task % parts) * step;
                flow.run(static_cast<const X*>(x) + n * size_in + c,
                         bias ? static_cast<const float*>(bias) + (n * channels + c) % period : nullptr,
                         codes ? static_cast<uint8_t*>(codes) + plane * size_codes : nullptr,
                         static_cast<X*>(y) + n * size_out + c, int(channels), int(std::min<int64_t>(L, channels - c)),
                         from, std::min(rows.n_out, from + step));
            });
        }
    };
    if (kind == BFLOAT16) go(BFloat16());
    else go(float());
}
