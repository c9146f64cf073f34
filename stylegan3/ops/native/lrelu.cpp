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
#include "vertical.h"

namespace {

// One thread's working memory and the work on one plane. T: the arithmetic; X: memory outside.
template <class T, class X>
class Stream {
  public:
    Stream(const Pass& pass, Mode mode)
        : rows_(pass.rows), mode_(mode), slope_(T(pass.slope)), clamp_(T(pass.clamp)), n_out_(pass.columns.n_out),
          across_(pass.columns.p * pass.columns.width_raised), upright_(serves_upright(rows_)),
          up_(converted<T>(rows_.weights_up, rows_.up * rows_.taps_up)),
          down_(converted<T>(rows_.weights_down, rows_.taps_down)), widening_(pass.columns), narrowing_(pass.columns),
          codes_(pass.columns), wide_(rows_.taps_up + rows_.down * GROUP / rows_.up + 1, across_),
          raised_(rows_.taps_down, across_), low_(GROUP + UNFINISHED, across_),
          terms_(std::max(wide_.count(), raised_.count())) {
        for (T*& row : lowered_) row = low_.push();
        for (T*& row : unfinished_) row = low_.push();
    }

    // Results [from, to) of one plane; the raised rows whose codes are written are of
    // [from down, to down), the last part's to the end.
    void run(const X* x, T bias, uint8_t* codes, X* y, int from, int to) {
        widening_.begin(x, bias, rows_.n_in);
        codes_.begin(codes);
        own_from_ = from * rows_.down, own_to_ = to == rows_.n_out ? rows_.n_raised : to * rows_.down;
        int next = from * rows_.down + rows_.base;  // the first raised row not made yet
        next_wide_ = input_of(next) - (rows_.taps_up - 1);
        byte_row_ = -1;
        if constexpr (std::is_same_v<T, float>)
            if (upright_) return upright(y, from, to);
        for (int o = from; o < to; ++o) {
            const int end = o * rows_.down + rows_.base + rows_.taps_down;
            while (next < end) next += make_raised(next, end);
            raised_.oldest_first(terms_.data());
            sum(lowered_[0], terms_.data(), down_.data(), rows_.taps_down, across_);
            put(y, o, from, to, 1);
        }
        if (mode_ == ACTIVATE_AND_KEEP && to == rows_.n_out)
            while (next < rows_.n_raised) next += make_raised(next, rows_.n_raised);  // they are read by nothing
        flush();
    }

  private:
    static constexpr int GROUP = 4;  // results along rows that are made together

    // Whether vertical.h serves: for its filters, where raised rows that are read exist and codes begin a byte.
    bool serves_upright(const Rows& r) const {
        if (!std::is_same_v<T, float> || !vertical_serves(r.up, r.taps_up, r.down, r.taps_down)) return false;
        const int end = r.base + r.down * (r.n_out - 1) + r.taps_down;
        if (mode_ == ACTIVATE) return gentle(slope_) && r.base >= 0 && end <= r.n_raised;
        if (mode_ == ACTIVATE_AND_KEEP) return gentle(slope_) && r.down == 2 && r.base == 0 && end == r.n_raised;
        return mode_ == MULTIPLY;
    }

    void upright(X* y, int from, int to) {
        if (mode_ == ACTIVATE) {
            const Activation<T, true> bend(slope_, clamp_);
            return flow(y, from, to, [&](int, auto) { return bend; }, [](int, int) {});
        }
        if (mode_ == MULTIPLY) return flow(y, from, to, [this](int r, auto rows) { return slopes(r, rows); }, [](int, int) {});
        flow(y, from, to, [this](int r, auto) { return keeping(r); }, [this](int r, int rows) { put_codes(r, rows); });
    }

    // Results [from, to): before(r, rows) gives the bend of raised rows from r on, after(r, rows) follows it.
    template <class Before, class After>
    void flow(X* y, int from, int to, Before before, After after) {
        for (int o = from - UNFINISHED, count = 1; o < to; o += count) {  // the first are never whole
            count = to - o >= GROUP ? GROUP : 1;
            const int raised = count * rows_.down, r = rows_.down * (o + UNFINISHED) + rows_.base;
            const int first = (r + rows_.offset) & (rows_.up - 1);
            for (const int last = input_of(r + raised - 1); next_wide_ <= last; ++next_wide_) widening_.row(next_wide_, wide_.push());
            wide_.oldest_first(terms_.data());
            const T* const* wide = terms_.data() + wide_.count() - wide_rows(rows_.up, first, raised);
            const auto go = [&](auto n) {
                constexpr int G = decltype(n)::value;
                vertical<G>(lowered_, unfinished_, wide, rows_.up, first, rows_.down, up_.data(), down_.data(),
                            across_, before(r, std::integral_constant<int, 4 * G>()));
            };
            if (count == 1) go(std::integral_constant<int, 1>());
            else go(std::integral_constant<int, GROUP>());
            after(r, raised);
            put(y, o, from, to, count);
        }
    }

    Keeping keeping(int r) {
        Keeping bend(slope_, clamp_);
        for (int i = 0; i < BYTE_ROWS; ++i) bend.lines[i] = codes_.line(r / 4 + i);
        bend.second = r % 4 == 2;
        return bend;
    }

    // Lines of codes that are whole and this part's, to their place.
    void put_codes(int r, int rows) {
        for (int b = r / 4; b <= (r + rows - 1) / 4; ++b)
            if (4 * b < own_to_ && (4 * b + 4 <= r + rows || r + rows == rows_.n_raised)) codes_.put(b);
    }

    template <int ROWS>
    Slopes<ROWS> slopes(int r, std::integral_constant<int, ROWS>) {
        Slopes<ROWS> bend(slope_);
        for (int i = 0; i < rows_.down * ROWS / 4; ++i) {
            const int at = r + i, b = at >> 2;
            bend.shifts[i] = 2 * (at & 3);
            bend.lines[i] = at < 0 || at >= rows_.n_raised ? codes_.outside() : codes_.fetched(b);
        }
        return bend;
    }

    // The results from o on among [from, to), which lie lowered.
    void put(X* y, int o, int from, int to, int count) {
        for (int i = std::max(0, from - o); i < count; ++i) {
            const size_t at = size_t(o + i) * n_out_;  // what is written past a row's end is written over
            narrowing_.row(lowered_[i], y + at, at + whole<T>(n_out_) <= size_t(to) * n_out_);
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
        for (; next_wide_ <= last; ++next_wide_) widening_.row(next_wide_, wide_.push());
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
    const int n_out_, across_;  // columns of a result, and of a raised row in phases
    const bool upright_;
    const std::vector<T> up_, down_;
    Widening<T, X> widening_;
    Narrowing<T, X> narrowing_;
    Codes codes_;
    Ring<T> wide_, raised_, low_;
    std::vector<const T*> terms_;
    T *lowered_[GROUP], *unfinished_[UNFINISHED];
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
#pragma omp parallel num_threads(threads) if (planes * parts > 1)
    {
        Stream<T, X> stream(pass, mode);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < planes * parts; ++task) {
            const int64_t plane = task / parts;
            const int part = int(task % parts);
            const int from = part * step, to = parts == 1 ? rows.n_out : std::min(rows.n_out, from + step);
            stream.run(x + plane * rows.n_in * columns.n_in, bias ? T(bias[plane % channels]) : T(0),
                       codes ? codes + plane * code_plane : nullptr, y + plane * rows.n_out * columns.n_out, from, to);
        }
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
