// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu on a CPU: each plane flows through row by row, so that only as many raised rows exist as one
// row of the result reads. Built with -fopenmp, but linked without its library: torch's own threads serve.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "bend.h"
#include "codes.h"
#include "columns.h"
#include "flow.h"
#include "lrelu.h"
#include "numbers.h"
#include "tasks.h"
#include "vertical.h"

namespace {

// One thread's working memory and the work on one plane. T: the arithmetic; X: memory outside.
template <class T, class X>
class Stream {
  public:
    Stream(const Pass& pass, Mode mode)
        : rows_(pass.rows), mode_(mode), slope_(T(pass.slope)), clamp_(T(pass.clamp)), n_in_(pass.columns.n_in),
          n_raised_(pass.columns.n_raised), n_out_(pass.columns.n_out),
          across_(pass.columns.p * pass.columns.width_raised), most_wide_(std::max(1, rows_.down * GROUP / rows_.up)),
          up_(converted<T>(rows_.weights_up, rows_.up * rows_.taps_up)),
          down_(converted<T>(rows_.weights_down, rows_.taps_down)), upright_(serves_upright(rows_)),
          widening_(pass.columns, most_wide_), narrowing_(pass.columns, GROUP), codes_(pass.columns),
          wide_(rows_.taps_up + most_wide_ + 1, across_), raised_(rows_.taps_down, across_),
          low_(GROUP + UNFINISHED, across_), terms_(std::max(wide_.count(), raised_.count())) {
        for (T*& row : lowered_) row = low_.push();
        for (T*& row : unfinished_) row = low_.push();
        if (!upright_) return;
        for (int e = 0; e < rows_.up / 2; ++e) folded_up_[e] = Folded<T>(up_.data() + (rows_.up - 1 - e) * TAPS);
        for (int p = 0; p < rows_.down / 2; ++p) folded_down_[p] = Folded<T>(down_.data() + p, rows_.down);
        const Columns& c = pass.columns;
        gain_up_ = T(gain(rows_.weights_up, rows_.up, TAPS) * gain(c.weights_up, c.p, c.taps_up));
    }

    // Results [from, to) of one plane; the raised rows whose codes are written are of
    // [from down, to down), the last part's to the end.
    void run(const X* x, T bias, uint8_t* codes, X* y, int from, int to) {
        codes_.begin(codes, size_t((rows_.n_raised + 3) / 4) * n_raised_);
        own_from_ = from * rows_.down, own_to_ = to == rows_.n_out ? rows_.n_raised : to * rows_.down;
        int next = from * rows_.down + rows_.base;  // the first raised row not made yet
        next_wide_ = input_of(next) - (rows_.taps_up - 1);
        byte_row_ = -1;
        if constexpr (std::is_same_v<T, float>)
            if (upright_) {
                const int end = next + rows_.down * (to - 1 - from) + rows_.taps_down;
                const T most = mode_ == MULTIPLY ? T(0) : bound(x, bias, next_wide_, input_of(end - 1) + 1);
                if (std::isfinite(most)) {
                    widening_.begin(x, bias, rows_.n_in, true);
                    const bool clamped = mode_ == MULTIPLY ? any_clamped(codes, next, end) : most >= clamp_;
                    return clamped ? upright<true>(y, from, to) : upright<false>(y, from, to);
                }
            }
        widening_.begin(x, bias, rows_.n_in, false);
        for (int o = from; o < to; ++o) {
            const int end = o * rows_.down + rows_.base + rows_.taps_down;
            while (next < end) next += make_raised(next, end);
            raised_.oldest_first(terms_.data());
            sum(lowered_[0], terms_.data(), down_.data(), rows_.taps_down, across_);
            narrowing_.rows(lowered_[0], low_.pitch(), 1, y + size_t(o) * n_out_);
        }
        if (mode_ == ACTIVATE_AND_KEEP && to == rows_.n_out)
            while (next < rows_.n_raised) next += make_raised(next, rows_.n_raised);  // they are read by nothing
        flush();
    }

  private:
    // Whether vertical.h serves: for its filters, where raised rows that are read exist and codes begin a byte.
    bool serves_upright(const Rows& r) const {
        if (!std::is_same_v<T, float> || !vertical_serves(r.up, r.taps_up, r.down, r.taps_down)) return false;
        for (int e = 0; e < r.up; ++e)
            if (!mirrored(up_.data() + e * TAPS, up_.data() + (r.up - 1 - e) * TAPS, TAPS)) return false;
        if (!mirrored(down_.data(), down_.data(), r.taps_down)) return false;
        const int end = r.base + r.down * (r.n_out - 1) + r.taps_down;
        if (mode_ == ACTIVATE) return gentle(slope_) && r.base >= 0 && end <= r.n_raised;
        if (mode_ == ACTIVATE_AND_KEEP) return gentle(slope_) && r.base == 0 && end == r.n_raised;
        return mode_ == MULTIPLY;
    }

    // CLAMPED: whether any raised sample may be or, with codes, is clamped.
    template <bool CLAMPED>
    void upright(X* y, int from, int to) {
        if (mode_ == MULTIPLY)
            return flow(y, from, to, [&](int r, int rows, auto run) {
                if (CLAMPED || r < 0 || r + rows > rows_.n_raised) run(slopes<true>(r));
                else run(slopes<false>(r));
            });
        if (mode_ == ACTIVATE)
            return flow(y, from, to, [&](int, int, auto run) {
                if constexpr (CLAMPED) run(Activation<T, true>(slope_, clamp_));
                else run(Relu<T>(slope_));
            });
        flow(y, from, to, [&](int r, int rows, auto run) {
            run(keeping<CLAMPED>(r));
            for (int b = r / BYTE_ROWS; BYTE_ROWS * b < std::min(r + rows, own_to_); ++b) codes_.put(b);
        });
    }

    // Results [from, to): bent(r, rows, run) runs with the bend of so many raised rows from row r on.
    template <class Bent>
    void flow(X* y, int from, int to, Bent bent) {
        for (int o = from - UNFINISHED, count = GROUP; o < to; o += count) {  // the first are never whole
            if (o + 1 == to) count = 1;  // else those that go beyond are left out
            const int r = rows_.down * (o + UNFINISHED) + rows_.base, first = (r + rows_.offset) & (rows_.up - 1);
            const int rows = count * rows_.down, last = input_of(r + rows - 1);
            widen(last);
            wide_.oldest_first(terms_.data());
            const T* const* wide = terms_.data() + wide_.count() - wide_rows(rows_.up, first, rows);
            bent(r, rows, [&](const auto& bend) {
                vertical(lowered_, unfinished_, wide, count, rows_.up, first, rows_.down, folded_up_, folded_down_,
                         across_, bend);
            });
            const int low = std::max(0, from - o), high = std::min(GROUP, to - o);
            if (low < high) narrowing_.rows(lowered_[low], low_.pitch(), high - low, y + size_t(o + low) * n_out_);
        }
    }

    // What no raised sample of rows [from, to) of x is larger than; not finite where one of x isn't.
    T bound(const X* x, T bias, int from, int to) const {
        const size_t low = std::max(from, 0), high = std::min(to, rows_.n_in);
        const float largest = low < high ? largest_of(x + low * n_in_, (high - low) * n_in_) : 0;
        return (largest + std::abs(bias)) * gain_up_ * T(1.0001);
    }

    // Whether a code of raised rows [from, to) says so.
    bool any_clamped(const uint8_t* codes, int from, int to) const {
        const int end = std::min(to, rows_.n_raised);
        const size_t low = std::max(from, 0) / BYTE_ROWS, high = (end + BYTE_ROWS - 1) / BYTE_ROWS;
        uint8_t any = 0;
        for (size_t i = low * n_raised_; i < high * n_raised_; ++i) any |= codes[i];
        return any & 0xaa;
    }

    template <bool CLAMPED>
    Keeping<CLAMPED> keeping(int r) {
        Keeping<CLAMPED> bend(slope_, clamp_);
        for (int i = 0; i < GROUP * rows_.down / BYTE_ROWS; ++i) bend.lines[i] = codes_.line(r / BYTE_ROWS + i);
        return bend;
    }

    template <bool CLAMPED>
    Slopes<CLAMPED> slopes(int r) {
        Slopes<CLAMPED> bend(slope_, r);
        for (int i = 0; i < GROUP * rows_.down; ++i)
            bend.lines[i] = r + i < 0 || r + i >= rows_.n_raised ? codes_.outside() : codes_.fetched((r + i) / BYTE_ROWS);
        return bend;
    }

    // Wide rows up to `last`, as many at once as there is room for.
    void widen(int last) {
        while (next_wide_ <= last) {
            T* rows[MOST];
            const int count = std::min(last + 1 - next_wide_, most_wide_);
            for (int k = 0; k < count; ++k) rows[k] = wide_.push();
            widening_.rows(next_wide_, count, rows);
            next_wide_ += count;
        }
    }

    int input_of(int raised) const { return (raised + rows_.offset) >> (rows_.up >> 1); }

    // Make raised rows r and, where it reads the same rows and is wanted too, r + 1; return how many.
    int make_raised(int r, int end) {
        if (r < 0 || r >= rows_.n_raised) {
            T* row = raised_.push();
            std::fill(row, row + across_, T(0));
            return 1;
        }
        const int last = input_of(r), e = r + rows_.offset - last * rows_.up;
        next_wide_ = std::max(next_wide_, last - (rows_.taps_up - 1));
        widen(last);
        wide_.newest_first(terms_.data());
        const bool room = rows_.taps_down > 1;  // for two rows in the ring
        const int count = room && e + 1 < rows_.up && r + 1 < std::min(end, rows_.n_raised) ? 2 : 1;
        T* made[2] = {raised_.push(), nullptr};
        if (count == 2) made[1] = raised_.push();
        const T* weights[2] = {up_.data() + size_t(e) * rows_.taps_up, nullptr};
        weights[1] = weights[0] + rows_.taps_up;
        if (mode_ == ACTIVATE) {
            if (gentle(slope_)) raise(made, weights, count, Activation<T, true>(slope_, clamp_));
            else raise(made, weights, count, Activation<T, false>(slope_, clamp_));
            return count;
        }
        raise(made, weights, count, [](Vector<T> v) { return v; });
        for (int i = 0; i < count; ++i) finish(made[i], r + i);
        return count;
    }

    template <class Finish>
    void raise(T* const* made, const T* const* weights, int count, Finish finish) {
        if (count == 2) sums<2>(made, terms_.data(), weights, rows_.taps_up, across_, finish);
        else sums<1>(made, terms_.data(), weights, rows_.taps_up, across_, finish);
    }

    // Multiply a raised row by s, or activate it and keep its codes where they are this part's.
    void finish(T* row, int r) {
        if (mode_ == MULTIPLY) return multiply(row, r);
        if (mode_ == LINEAR) return;
        if (r >= own_from_ && r < own_to_) keep(row, r);
        const Activation<T, false> activated(slope_, clamp_);
        for (int m = 0; m < across_; m += LANES<T>) {
            auto& v = *reinterpret_cast<Vector<T>*>(row + m);
            v = activated(v);
        }
    }

    void keep(const T* __restrict row, int r) {
        if (r / 4 != byte_row_) {
            flush();
            byte_row_ = r / 4;
            std::memset(codes_.line(byte_row_), 0, across_);
        }
        const T low = slope_ > 0 ? -clamp_ / slope_ : -INFINITY, high = clamp_;
        const int shift = 2 * (r & 3);
        uint8_t* __restrict codes = codes_.line(byte_row_);
        for (int m = 0, n = across_; m < n; ++m) {
            const int32_t outside = int32_t(row[m] <= low) | int32_t(row[m] >= high);
            const int32_t negative = int32_t(!(row[m] > 0)) & ~outside;
            codes[m] |= uint8_t((outside << 1 | negative) << shift);
        }
    }

    void flush() {
        if (mode_ != ACTIVATE_AND_KEEP || byte_row_ < 0) return;
        codes_.put(byte_row_);
        byte_row_ = -1;
    }

    void multiply(T* __restrict row, int r) {
        const T slope = slope_;
        const int shift = 2 * (r & 3);
        const uint8_t* __restrict codes = codes_.fetched(r / 4);
        for (int m = 0; m < across_; ++m) {
            const int code = (codes[m] >> shift) & 3;
            row[m] *= code == 0 ? T(1) : code == 1 ? slope : T(0);
        }
    }

    const Rows rows_;
    const Mode mode_;
    const T slope_, clamp_;
    const int n_in_, n_raised_, n_out_, across_;  // columns, and those of a raised row in phases
    const int most_wide_;                         // rows that are widened at once
    const std::vector<T> up_, down_;
    const bool upright_;
    Widening<T, X> widening_;
    Narrowing<T, X> narrowing_;
    Codes codes_;
    Ring<T> wide_, raised_, low_;
    std::vector<const T*> terms_;
    T *lowered_[GROUP], *unfinished_[UNFINISHED];
    Folded<T> folded_up_[2], folded_down_[2];
    T gain_up_ = 0;  // what is raised is larger than x by at most so much
    int own_from_ = 0, own_to_ = 0, next_wide_ = 0, byte_row_ = -1;
};

template <class T, class X, class B>
void run(const Pass& pass, Mode mode, const X* x, const B* bias, uint8_t* codes, X* y, int64_t planes,
         int64_t channels, int threads) {
    const Rows& rows = pass.rows;
    const Columns& columns = pass.columns;
    // few planes are cut into parts; where codes are written a part must start at a whole byte
    const bool cuttable = mode != ACTIVATE_AND_KEEP || rows.base == 0;
    const int64_t wanted = planes >= 4 * threads || !cuttable ? 1 : (4 * threads + planes - 1) / std::max<int64_t>(planes, 1);
    const int step = int(std::max<int64_t>(32, ((rows.n_out + wanted - 1) / wanted + 3) / 4 * 4));
    const int64_t parts = cuttable ? (rows.n_out + step - 1) / step : 1;
    const size_t code_plane = size_t((rows.n_raised + 3) / 4) * columns.n_raised;
    Tasks tasks(planes * parts, threads);  // neighbouring planes: as the convolution before and after it
#pragma omp parallel num_threads(threads) if (planes * parts > 1)
    {
        Stream<T, X> stream(pass, mode);
        tasks.each([&](int64_t task) {
            const int64_t plane = task / parts;
            const int part = int(task % parts);
            const int from = part * step, to = parts == 1 ? rows.n_out : std::min(rows.n_out, from + step);
            stream.run(x + plane * rows.n_in * columns.n_in, bias ? T(bias[plane % channels]) : T(0),
                       codes ? codes + plane * code_plane : nullptr, y + plane * rows.n_out * columns.n_out, from, to);
        });
    }
}

}  // namespace

extern "C" void filtered_lrelu(const Pass* pass, int32_t mode, int32_t kind, const void* x, const void* bias,
                               void* codes, void* y, int64_t planes, int64_t channels, int32_t threads) {
    auto go = [&](auto arithmetic, auto outside) {
        using T = decltype(arithmetic);
        using X = decltype(outside);
        run<T, X>(*pass, Mode(mode), static_cast<const X*>(x), static_cast<const T*>(bias), static_cast<uint8_t*>(codes),
                  static_cast<X*>(y), planes, channels, threads);
    };
    if (kind == FLOAT64) go(double(), double());
    else if (kind == BFLOAT16) go(float(), BFloat16());
    else go(float(), float());
}
