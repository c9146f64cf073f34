// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu on a CPU: each plane flows through row by row, so that only as many raised rows exist as one
// row of the result reads. Built with -fopenmp, but linked without its library: torch's own threads serve.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "bend.h"
#include "flow.h"
#include "lrelu.h"
#include "numbers.h"
#include "slide.h"
#include "vertical.h"

namespace {

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

// One thread's working memory and the work on one plane. T: the arithmetic; X: memory outside.
template <class T, class X>
class Stream {
  public:
    Stream(const Pass& pass, Mode mode)
        : rows_(pass.rows), columns_(pass.columns), mode_(mode), slope_(T(pass.slope)), clamp_(T(pass.clamp)),
          across_(columns_.p * columns_.width_raised),
          up_(reversed(converted<T>(columns_.weights_up, columns_.p * columns_.taps_up), columns_.taps_up)),
          down_(converted<T>(columns_.weights_down, columns_.q * columns_.taps_down)),
          rows_up_(converted<T>(rows_.weights_up, rows_.up * rows_.taps_up)),
          rows_down_(converted<T>(rows_.weights_down, rows_.taps_down)),
          lines_{Buffer<T>(columns_.s * columns_.width_in + LANES<T>), Buffer<T>(columns_.s * columns_.width_in + LANES<T>)},
          read_(((columns_.n_out - 1) * (columns_.p / columns_.q) + columns_.taps_down - 1) / columns_.p + 1), wide_(rows_.taps_up + rows_.down * GROUP / rows_.up + 1, across_),
          raised_(rows_.taps_down + (GROUP - 1) * rows_.down, across_), low_(GROUP + UNFINISHED, across_), upright_(serves_upright(rows_)),
          result_(columns_.q * columns_.width_out + LANES<T>), codes_(across_), code_lines_(CODE_LINES * across_), woven_(across_),
          nothing_(across_, 0xaa), terms_(std::max({columns_.taps_up,
          columns_.taps_down, wide_.count(), rows_.taps_down + (GROUP - 1) * rows_.down})) {
        for (T*& row : lowered_) row = low_.push();
        for (T*& row : unfinished_) row = low_.push();
        for (int p = 0; p < columns_.p; ++p)
            raised_within_.push_back(inside(columns_.base + p, columns_.p, columns_.n_raised, columns_.width_raised));
        for (int s = 0; s < columns_.s; ++s)
            x_within_.push_back(inside(columns_.first + s, columns_.s, columns_.n_in, columns_.width_in));
        for (int p = 0; p < columns_.p; ++p) {
            const int at = columns_.offsets_up[(p + 1) * columns_.taps_up - 1];
            const int start = at % columns_.width_in * columns_.s + at / columns_.width_in;
            if (p && spreads_.back().count == 1 && spreads_.back().start == start) spreads_.back().count = 2;
            else spreads_.push_back({p, 1, start});
        }
    }

    // Results [from, to) of one plane; the raised rows whose codes are written are of
    // [from down, to down), the last part's to the end.
    void run(const X* x, T bias, uint8_t* codes, X* y, int from, int to) {
        x_ = x, bias_ = bias, packed_ = codes;
        own_from_ = from * rows_.down, own_to_ = to == rows_.n_out ? rows_.n_raised : to * rows_.down;
        int next = from * rows_.down + rows_.base;  // the first raised row not made yet
        next_wide_ = input_of(next) - (rows_.taps_up - 1);
        std::fill(held_, held_ + CODE_LINES, -1);
        byte_row_ = -1, lined_[0] = lined_[1] = -1;
        if constexpr (std::is_same_v<T, float>)
            if (upright_) return upright(y, from, to);
        for (int o = from, count = 1; o < to; o += count) {
            count = to - o >= GROUP && grouped() ? GROUP : 1;
            const int begin = o * rows_.down + rows_.base, wanted = rows_.taps_down + (count - 1) * rows_.down;
            while (next < begin + wanted) next += make_raised(next, begin + wanted);
            raised_.oldest_first(terms_.data());
            lower(terms_.data() + (rows_.taps_down + (GROUP - 1) * rows_.down - wanted), count);
            put(y, o, from, to, count);
        }
        if (mode_ == ACTIVATE_AND_KEEP && to == rows_.n_out)
            while (next < rows_.n_raised) next += make_raised(next, rows_.n_raised);  // they are read by nothing
        flush();
    }

  private:
    static constexpr int AHEAD = 4;  // rows of x that are on their way from memory
    static constexpr int GROUP = 8;  // results along rows that are made together

    static constexpr int CODE_LINES = 16;  // more than rows made together touch

    bool grouped() const { return rows_.down == 2 && (rows_.taps_down == 12 || rows_.taps_down == 4); }

    void lower(const T* const* rows, int count) {
        if (count == 1) return sum(lowered_[0], rows, rows_down_.data(), rows_.taps_down, across_);
        if (rows_.taps_down == 4) return lower_rows<4, 2, GROUP>(lowered_, rows, rows_down_.data(), across_);
        lower_rows<12, 2, GROUP>(lowered_, rows, rows_down_.data(), across_);
    }

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
            for (const int last = input_of(r + raised - 1); next_wide_ <= last; ++next_wide_) make_wide(next_wide_);
            wide_.oldest_first(terms_.data());
            const T* const* wide = terms_.data() + wide_.count() - wide_rows(rows_.up, first, raised);
            const auto go = [&](auto n) {
                constexpr int G = decltype(n)::value;
                vertical<G>(lowered_, unfinished_, wide, rows_.up, first, rows_.down, rows_up_.data(), rows_down_.data(),
                            across_, before(r, std::integral_constant<int, 4 * G>()));
            };
            if (count == 1) go(std::integral_constant<int, 1>());
            else go(std::integral_constant<int, GROUP>());
            after(r, raised);
            put(y, o, from, to, count);
        }
    }

    uint8_t* line_of_codes(int byte_row) { return code_lines_.data() + size_t(byte_row % CODE_LINES) * across_; }

    Keeping keeping(int r) {
        Keeping bend(slope_, clamp_);
        for (int i = 0; i < BYTE_ROWS; ++i) bend.lines[i] = line_of_codes(r / 4 + i);
        bend.second = r % 4 == 2;
        return bend;
    }

    // Lines of codes that are whole and this part's, to their place.
    void put_codes(int r, int rows) {
        for (int b = r / 4; b <= (r + rows - 1) / 4; ++b)
            if (4 * b < own_to_ && (4 * b + 4 <= r + rows || r + rows == rows_.n_raised)) move_codes(b, line_of_codes(b), true);
    }

    template <int ROWS>
    Slopes<ROWS> slopes(int r, std::integral_constant<int, ROWS>) {
        Slopes<ROWS> bend(slope_);
        for (int i = 0; i < rows_.down * ROWS / 4; ++i) {
            const int at = r + i, b = at >> 2;
            bend.shifts[i] = 2 * (at & 3);
            if (at < 0 || at >= rows_.n_raised) bend.lines[i] = nothing_.data();
            else {
                if (held_[b % CODE_LINES] != b) move_codes(held_[b % CODE_LINES] = b, line_of_codes(b), false);
                bend.lines[i] = line_of_codes(b);
            }
        }
        return bend;
    }

    // The results from o on among [from, to), which lie lowered.
    void put(X* y, int o, int from, int to, int count) {
        for (int i = std::max(0, from - o); i < count; ++i) {
            const size_t at = size_t(o + i) * columns_.n_out;  // what is written past a row's end is written over
            store(lowered_[i], y + at, at + whole<T>(columns_.n_out) <= size_t(to) * columns_.n_out);
        }
    }

    int input_of(int raised) const { return (raised + rows_.offset) >> (rows_.up >> 1); }

    // Bring row i of x to the raised rate along columns.
    void make_wide(int i) {
        const Columns& c = columns_;
        T* wide = wide_.push();
        if (i < 0 || i >= rows_.n_in) return void(std::fill(wide, wide + across_, T(0)));
        const T* line = line_of(i);
        if (i + 1 < rows_.n_in) line_of(i + 1);  // written long before it is read
        for (const Spread& at : spreads_) {
            T* parts[2] = {wide + size_t(at.phase) * c.width_raised, wide + size_t(at.phase + 1) * c.width_raised};
            const T* weights[2] = {up_.data() + at.phase * c.taps_up, up_.data() + (at.phase + 1) * c.taps_up};
            if (at.count == 2) spread<2>(parts, weights, line, at);
            else spread<1>(parts, weights, line, at);
        }
        for (int p = 0; p < c.p; ++p) clear_outside(wide + size_t(p) * c.width_raised, raised_within_[p]);
    }

    template <int N>
    void spread(T* const* parts, const T* const* weights, const T* line, const Spread& at) {
        const Columns& c = columns_;
        const T* phases[4];
        for (int s = 0; s < c.s; ++s) phases[s] = line + size_t(s) * c.width_in;
        if (slide<N>(parts, phases, weights, c.taps_up, c.s, at.start, c.width_raised)) return;
        const int32_t* offsets = c.offsets_up + at.phase * c.taps_up;
        for (int k = 0; k < c.taps_up; ++k) terms_[k] = line + offsets[c.taps_up - 1 - k];
        sums<N>(parts, terms_.data(), weights, c.taps_up, c.width_raised, [](Vector<T> v) { return v; });
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
            const auto [low, high] = x_within_[s];
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
            if (slope_ > 0 && slope_ <= 1) raise(made, weights, count, Activation<T, true>(slope_, clamp_));
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

    // Move a line of codes to its place or from there. Those of columns outside the raised canvas are left out, and
    // anything where they are read: their samples are zero.
    void move_codes(int byte_row, uint8_t* line, bool out) {
        const Columns& c = columns_;
        const int low = std::clamp(-c.base, 0, across_), high = std::clamp(c.n_raised - c.base, low, across_);
        uint8_t *there = packed_ + size_t(byte_row) * c.n_raised + c.base + low, *here = woven_.data() + low;
        if (!out) std::memcpy(here, there, high - low);
        if (c.p == 1) weave<1>(line, out);
        else if (c.p == 2) weave<2>(line, out);
        else weave<4>(line, out);
        if (out) std::memcpy(there, here, high - low);
    }

    // The codes of all phases one after another, or in the order of columns.
    template <int P>
    void weave(uint8_t* __restrict line, bool out) {
        const int width = columns_.width_raised;
        uint8_t* __restrict woven = woven_.data();
        if (out) for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) woven[P * m + p] = line[p * width + m];
        else for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) line[p * width + m] = woven[P * m + p];
    }

    void flush() {
        if (mode_ != ACTIVATE_AND_KEEP || byte_row_ < 0) return;
        move_codes(byte_row_, codes_.data(), true);
        byte_row_ = -1;
    }

    void multiply(T* __restrict row, int r) {
        if (r / 4 != byte_row_) {
            byte_row_ = r / 4;
            move_codes(byte_row_, codes_.data(), false);
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
    void store(const T* low, X* y, bool room) {
        const Columns& c = columns_;
        for (int m = 0; m < c.n_out; m += VECTOR / int(sizeof(X))) __builtin_prefetch(y + AHEAD * c.n_out + m, 1);
        const T* phases[4];
        for (int p = 0; p < c.p; ++p) phases[p] = low + size_t(p) * c.width_raised;
        for (int q = 0; q < c.q; ++q) {
            T* part = result_.data() + size_t(q) * c.width_out;
            if constexpr (std::is_same_v<T, X>)
                if (c.q == 1 && room) part = y;
            const T* weights = down_.data() + q * c.taps_down;
            if (!slide<1>(&part, phases, &weights, c.taps_down, c.p, q * (c.p / c.q), c.width_out)) {
                for (int k = 0; k < c.taps_down; ++k) terms_[k] = low + c.offsets_down[q * c.taps_down + k];
                sum(part, terms_.data(), weights, c.taps_down, c.width_out);
            }
            const int count = (c.n_out - q + c.q - 1) / c.q;
            if (c.q == 1 && static_cast<const void*>(part) != y) for (int m = 0; m < count; ++m) y[m] = part[m];
            if (c.q > 2) for (int m = 0; m < count; ++m) y[c.q * m + q] = part[m];
        }
        if (c.q == 2) {
            const T *even = result_.data(), *odd = even + c.width_out;
            for (int m = 0; m < c.n_out / 2; ++m) y[2 * m] = even[m], y[2 * m + 1] = odd[m];
            if (c.n_out % 2) y[c.n_out - 1] = even[c.n_out / 2];
        }
    }

    const Rows rows_;
    const Columns columns_;
    const Mode mode_;
    const T slope_, clamp_;
    const int across_;
    const std::vector<T> up_, down_, rows_up_, rows_down_;
    Buffer<T> lines_[2];
    int lined_[2] = {-1, -1};  // the rows that lie there
    std::vector<Span> raised_within_, x_within_;  // what of each phase lies inside the canvas
    std::vector<Spread> spreads_;
    const int read_;  // samples of a raised phase that results read
    Ring<T> wide_, raised_, low_;
    const bool upright_;
    Buffer<T> result_;
    std::vector<uint8_t> codes_, code_lines_, woven_;
    const std::vector<uint8_t> nothing_;  // codes of rows outside
    int held_[CODE_LINES];  // which lines of codes lie there
    std::vector<const T*> terms_;
    T *lowered_[GROUP], *unfinished_[UNFINISHED];
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
