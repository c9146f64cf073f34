// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu on a CPU: each plane flows through row by row, so that only as many raised rows exist as one
// row of the result reads. Built with -fopenmp, but linked without its library: torch's own threads serve.
#include <algorithm>
#include <cmath>
#include <vector>

#include "flow.h"
#include "lrelu.h"
#include "numbers.h"

namespace {

template <class T>
std::vector<T> converted(const double* values, size_t n) { return std::vector<T>(values, values + n); }

inline int floor_div(int a, int b) { return a / b - (a % b < 0); }

// One thread's working memory and the work on one plane. T: the arithmetic; X: memory outside.
template <class T, class X>
class Stream {
  public:
    Stream(const Pass& pass, Mode mode)
        : rows_(pass.rows), columns_(pass.columns), mode_(mode), slope_(T(pass.slope)), clamp_(T(pass.clamp)),
          across_(columns_.p * columns_.width_raised),
          up_(converted<T>(columns_.weights_up, columns_.p * columns_.taps_up)),
          down_(converted<T>(columns_.weights_down, columns_.q * columns_.taps_down)),
          rows_up_(converted<T>(rows_.weights_up, rows_.up * rows_.taps_up)),
          rows_down_(converted<T>(rows_.weights_down, rows_.taps_down)),
          line_(columns_.s * columns_.width_in + LANES<T>), wide_(rows_.taps_up, across_),
          raised_(rows_.taps_down, across_), low_(across_ + LANES<T>),
          result_(columns_.q * columns_.width_out + LANES<T>), codes_(across_), terms_(std::max({columns_.taps_up,
          columns_.taps_down, rows_.taps_up, rows_.taps_down})) {}

    // Results [from, to) of one plane; the raised rows whose codes are written are of
    // [from down, to down), the last part's to the end.
    void run(const X* x, T bias, uint8_t* codes, X* y, int from, int to) {
        x_ = x, bias_ = bias, packed_ = codes;
        own_from_ = from * rows_.down, own_to_ = to == rows_.n_out ? rows_.n_raised : to * rows_.down;
        int next = from * rows_.down + rows_.base;  // the first raised row not made yet
        next_wide_ = input_of(next) - (rows_.taps_up - 1);
        byte_row_ = -1;
        for (int o = from; o < to; ++o) {
            const int begin = o * rows_.down + rows_.base;
            const int end = begin + rows_.taps_down;
            while (next < end) next += make_raised(next, end);
            raised_.oldest_first(terms_.data());
            sum(low_.data(), terms_.data(), rows_down_.data(), rows_.taps_down, across_);
            store(y + size_t(o) * columns_.n_out);
        }
        if (mode_ == ACTIVATE_AND_KEEP && to == rows_.n_out)
            while (next < rows_.n_raised) next += make_raised(next, rows_.n_raised);  // they are read by nothing
        flush();
    }

  private:
    int input_of(int raised) const { return floor_div(raised + rows_.offset, rows_.up); }

    // Bring row i of x to the raised rate along columns.
    void make_wide(int i) {
        const Columns& c = columns_;
        T* wide = wide_.push();
        if (i < 0 || i >= rows_.n_in) return void(std::fill(wide, wide + across_, T(0)));
        const X* from = x_ + size_t(i) * c.n_in;
        for (int s = 0; s < c.s; ++s) {
            T* line = line_.data() + size_t(s) * c.width_in;
            const int begin = c.first + s;  // index of m = 0
            const int low = std::clamp(floor_div(-begin + c.s - 1, c.s), 0, c.width_in);
            const int high = std::clamp(floor_div(c.n_in - 1 - begin, c.s) + 1, low, c.width_in);
            std::fill(line, line + low, T(0));
            if (c.s == 1) for (int m = low; m < high; ++m) line[m] = T(from[begin + m]) + bias_;
            else for (int m = low; m < high; ++m) line[m] = T(from[begin + c.s * m]) + bias_;
            std::fill(line + high, line + c.width_in, T(0));
        }
        for (int p = 0; p < c.p;) {
            const int32_t* offsets = c.offsets_up + p * c.taps_up;
            for (int k = 0; k < c.taps_up; ++k) terms_[k] = line_.data() + offsets[k];
            T* parts[2] = {wide + size_t(p) * c.width_raised, wide + size_t(p + 1) * c.width_raised};
            const T* weights[2] = {up_.data() + p * c.taps_up, up_.data() + (p + 1) * c.taps_up};
            const bool two = p + 1 < c.p && std::equal(offsets, offsets + c.taps_up, offsets + c.taps_up);
            const auto same = [](Vector<T> v) { return v; };
            if (two) sums<2>(parts, terms_.data(), weights, c.taps_up, c.width_raised, same);
            else sums<1>(parts, terms_.data(), weights, c.taps_up, c.width_raised, same);
            p += 1 + two;
        }
        for (int p = 0; p < c.p; ++p) clear_outside(wide + size_t(p) * c.width_raised, c.base + p);
    }

    // Zeros for the samples of a phase that lie outside the raised canvas; `begin` is the index of its first.
    void clear_outside(T* part, int begin) const {
        const Columns& c = columns_;
        const int low = std::clamp(floor_div(-begin + c.p - 1, c.p), 0, c.width_raised);
        const int high = std::clamp(floor_div(c.n_raised - 1 - begin, c.p) + 1, low, c.width_raised);
        std::fill(part, part + low, T(0));
        std::fill(part + high, part + c.width_raised, T(0));
    }

    // Make raised rows r and, where it reads the same rows and is wanted too, r + 1; return how many.
    int make_raised(int r, int end) {
        if (r < 0 || r >= rows_.n_raised) {
            T* row = raised_.push();
            std::fill(row, row + across_, T(0));
            return 1;
        }
        const int last = input_of(r), e = r + rows_.offset - last * rows_.up;
        next_wide_ = std::max(next_wide_, last - (rows_.taps_up - 1));
        for (; next_wide_ <= last; ++next_wide_) make_wide(next_wide_);
        wide_.newest_first(terms_.data());
        const bool room = rows_.taps_down > 1;  // for two rows in the ring
        const int count = room && e + 1 < rows_.up && r + 1 < std::min(end, rows_.n_raised) ? 2 : 1;
        T* made[2] = {raised_.push(), nullptr};
        if (count == 2) made[1] = raised_.push();
        const T* weights[2] = {rows_up_.data() + size_t(e) * rows_.taps_up, nullptr};
        weights[1] = weights[0] + rows_.taps_up;
        if (mode_ == ACTIVATE) {
            raise(made, weights, count, [this](Vector<T> v) { return activated(v); });
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
        for (int m = 0; m < across_; m += LANES<T>) {
            auto& v = *reinterpret_cast<Vector<T>*>(row + m);
            v = activated(v);
        }
    }

    Vector<T> activated(Vector<T> v) const {
        v = v > 0 ? v : slope_ * v;
        v = v < -clamp_ ? Vector<T>{} - clamp_ : v;
        return v > clamp_ ? Vector<T>{} + clamp_ : v;
    }

    void keep(const T* __restrict row, int r) {
        if (r / 4 != byte_row_) {
            flush();
            byte_row_ = r / 4;
            std::fill(codes_.begin(), codes_.end(), 0);
        }
        const T low = slope_ > 0 ? -clamp_ / slope_ : -INFINITY, high = clamp_;
        const int shift = 2 * (r & 3);
        uint8_t* __restrict codes = codes_.data();
        for (int m = 0, n = across_; m < n; ++m) {
            const int32_t outside = int32_t(row[m] <= low) | int32_t(row[m] >= high);
            const int32_t negative = int32_t(!(row[m] > 0)) & ~outside;
            codes[m] |= uint8_t((outside << 1 | negative) << shift);
        }
    }

    // Columns outside the raised canvas are left out on the way out, and read as code 0 of a sample that is zero.
    template <class Move>
    void each_code(Move move) {
        const Columns c = columns_;
        for (int p = 0; p < c.p; ++p) {
            const int begin = c.base + p;
            const int low = std::clamp(floor_div(-begin + c.p - 1, c.p), 0, c.width_raised);
            const int high = std::clamp(floor_div(c.n_raised - 1 - begin, c.p) + 1, low, c.width_raised);
            uint8_t* part = codes_.data() + size_t(p) * c.width_raised;
            for (int m = low; m < high; ++m) move(part[m], begin + c.p * m);
        }
    }

    void flush() {
        if (mode_ != ACTIVATE_AND_KEEP || byte_row_ < 0) return;
        uint8_t* to = packed_ + size_t(byte_row_) * columns_.n_raised;
        each_code([to](uint8_t code, int column) { to[column] = code; });
        byte_row_ = -1;
    }

    void multiply(T* __restrict row, int r) {
        if (r / 4 != byte_row_) {
            byte_row_ = r / 4;
            const uint8_t* from = packed_ + size_t(byte_row_) * columns_.n_raised;
            each_code([from](uint8_t& code, int column) { code = from[column]; });
        }
        const T slope = slope_;
        const int shift = 2 * (r & 3);
        const uint8_t* __restrict codes = codes_.data();
        for (int m = 0; m < across_; ++m) {
            const int code = (codes[m] >> shift) & 3;
            row[m] *= code == 0 ? T(1) : code == 1 ? slope : T(0);
        }
    }

    // Bring a row back along columns and put its phases together.
    void store(X* y) {
        const Columns& c = columns_;
        for (int q = 0; q < c.q; ++q) {
            for (int k = 0; k < c.taps_down; ++k) terms_[k] = low_.data() + c.offsets_down[q * c.taps_down + k];
            T* part = result_.data() + size_t(q) * c.width_out;
            sum(part, terms_.data(), down_.data() + q * c.taps_down, c.taps_down, c.width_out);
            const int count = (c.n_out - q + c.q - 1) / c.q;
            if (c.q == 1) for (int m = 0; m < count; ++m) y[m] = part[m];
            else for (int m = 0; m < count; ++m) y[c.q * m + q] = part[m];
        }
    }

    const Rows rows_;
    const Columns columns_;
    const Mode mode_;
    const T slope_, clamp_;
    const int across_;
    const std::vector<T> up_, down_, rows_up_, rows_down_;
    Buffer<T> line_;
    Ring<T> wide_, raised_;
    Buffer<T> low_, result_;
    std::vector<uint8_t> codes_;
    std::vector<const T*> terms_;
    const X* x_ = nullptr;
    T bias_ = 0;
    uint8_t* packed_ = nullptr;
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
