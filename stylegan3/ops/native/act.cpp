// SPDX-License-Identifier: Apache-2.0
// The pointwise end of a convolution on a CPU, its tangent and its gradients, each in one pass; formulas in pointwise.py.
// A block is a matrix of neighbouring places of one picture: a row a channel, or a row a place where channels lie
// innermost. What belongs to a channel is then one number of a row or a vector along it; what belongs to a place is the
// other one. Sums are made block by block and added in order, so that they are the same with any number of threads.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "registers.h"
#include "tasks.h"

namespace {

// Pictures [N, C, area]; `own` where each has a level of its own; a block has up to `block` places.
struct End {
    int64_t pictures, channels, area, inner, own, block;
    double slope, gain, clamp;  // clamp as the pictures' type holds it

    int64_t blocks() const { return (area + block - 1) / block; }
};

template <bool inner>
struct Part {
    int64_t picture, place, rows, columns, pitch, at;  // `at` is the first number's place in memory

    Part(const End& e, int64_t task) : picture(task / e.blocks()), place(task % e.blocks() * e.block) {
        const int64_t places = std::min(e.block, e.area - place);
        rows = inner ? places : e.channels;
        columns = inner ? e.channels : places;
        pitch = inner ? e.channels : e.area;
        at = picture * e.channels * e.area + place * (inner ? e.channels : 1);
    }
};

// A factor or summand of each column where `along`, else of each row; one that is absent is the same everywhere.
template <bool along, class T>
struct Each {
    const T* data;
    T absent;

    Register<T> at(int64_t row, int64_t column, int64_t count) const {
        if (!data) return Register<T>{} + absent;
        if constexpr (along) return read<T>(data + column, count);
        else return Register<T>{} + data[row];
    }
};

// Sums over rows where `along`, else over columns, added to `data` where there is any.
template <bool along, class T>
struct Tally {
    T* data;
    Register<T> sum{};

    void add(int64_t column, Register<T> v, int64_t count) {
        if constexpr (along) {
            if (data) write<T>(data + column, read<T>(data + column, count) + v, count);
        } else {
            sum += v;
        }
    }

    void close(int64_t row) {
        if constexpr (!along) {
            if (data)
                for (int k = 0; k < WIDTH<T>; ++k) data[row] += sum[k];
            sum = Register<T>{};
        }
    }
};

template <class T>
struct Activation {
    const T slope, gain, clamp;

    explicit Activation(const End& e) : slope(T(e.slope)), gain(T(e.gain)), clamp(T(e.clamp)) {}

    Register<T> value(Register<T> z) const {  // what is not a number stays none
        z = (z < 0 ? z * slope : z) * gain;
        z = z > clamp ? Register<T>{} + clamp : z;
        return z < -clamp ? Register<T>{} - clamp : z;
    }

    Register<T> sloped(Register<T> v, Register<T> y) const {  // phi'(z) v, read off y
        v = (y > 0 ? v : v * slope) * gain;
        return (y < 0 ? -y : y) >= clamp ? Register<T>{} : v;
    }
};

// p + n, or none
template <class P>
P* moved(P* p, int64_t n) {
    return p ? p + n : nullptr;
}

// to = phi(z), or phi'(z) z where a result y is known, with z = x d + a v + level + bias of what there is
template <bool inner, class T, class X>
void results(const End& e, const X* x, const T* d, const X* a, const T* v, const T* level, const T* bias, const X* y,
             X* to, int threads) {
    const Activation<T> act(e);
    Tasks tasks(e.pictures * e.blocks(), threads);
#pragma omp parallel num_threads(threads)
    tasks.each([&](int64_t task) {
        const Part<inner> p(e, task);
        const Each<inner, T> ds{moved(d, p.picture * e.channels), 1}, vs{moved(v, p.picture * e.channels), 1};
        const Each<inner, T> biases{bias, 0};
        const Each<!inner, T> levels{moved(level, p.picture * e.own * e.area + p.place), 0};
        for (int64_t r = 0; r < p.rows; ++r)
            for (int64_t c = 0; c < p.columns; c += WIDTH<T>) {
                const int64_t i = p.at + r * p.pitch + c, count = p.columns - c;
                Register<T> z = levels.at(r, c, count) + biases.at(r, c, count);
                if (x) z += read<T>(x + i, count) * ds.at(r, c, count);
                if (a) z += read<T>(a + i, count) * vs.at(r, c, count);
                write<T>(to + i, y ? act.sloped(z, read<T>(y + i, count)) : act.value(z), count);
            }
    });
}

// to[i][j] = sum_k parts[i][k][j], in order; one share of the threads' work
template <class T>
void fold(const std::vector<T>& parts, T* to, int64_t rows, int64_t count, int64_t columns) {
    if (!to) return;
    const int64_t vectors = (columns + WIDTH<T> - 1) / WIDTH<T>;
#pragma omp for schedule(static)
    for (int64_t task = 0; task < rows * vectors; ++task) {
        const int64_t i = task / vectors, j = task % vectors * WIDTH<T>;
        Register<T> sum{};
        for (int64_t k = 0; k < count; ++k) sum += read<T>(parts.data() + (i * count + k) * columns + j, columns - j);
        write<T>(to + i * columns + j, sum, columns - j);
    }
}

// With g_z = phi'(z) g, or g where no result y is known:  g_conv = g_z d,  g_d = sum_hw g_z conv,  g_level = sum_o g_z,  g_bias = sum_nhw g_z
template <bool inner, class T, class X>
void gradients(const End& e, const X* g, const X* conv, const T* d, const X* y, X* g_conv, T* g_d, T* g_level,
               T* g_bias, int threads) {
    const Activation<T> act(e);
    const int64_t blocks = e.blocks(), all = e.pictures * blocks;
    std::vector<T> for_d(g_d ? all * e.channels : 0), for_bias(g_bias ? all * e.channels : 0);
    std::vector<T> for_level(g_level ? e.pictures * e.area : 0);
    Tasks tasks(all, threads);
#pragma omp parallel num_threads(threads)
    {
        tasks.each([&](int64_t task) {
            const Part<inner> p(e, task);
            const Each<inner, T> ds{moved(d, p.picture * e.channels), 1};
            Tally<inner, T> by_d{g_d ? for_d.data() + task * e.channels : nullptr};
            Tally<inner, T> by_bias{g_bias ? for_bias.data() + task * e.channels : nullptr};
            Tally<!inner, T> by_level{g_level ? for_level.data() + p.picture * e.area + p.place : nullptr};
            for (int64_t r = 0; r < p.rows; ++r) {
                for (int64_t c = 0; c < p.columns; c += WIDTH<T>) {
                    const int64_t i = p.at + r * p.pitch + c, count = p.columns - c;
                    Register<T> g_z = read<T>(g + i, count);
                    if (y) g_z = act.sloped(g_z, read<T>(y + i, count));
                    if (g_conv) write<T>(g_conv + i, g_z * ds.at(r, c, count), count);
                    if (g_d) by_d.add(c, g_z * read<T>(conv + i, count), count);
                    by_bias.add(c, g_z, count);
                    by_level.add(c, g_z, count);
                }
                by_d.close(r);
                by_bias.close(r);
                by_level.close(r);
            }
        });
#pragma omp barrier
        fold(for_d, g_d, e.pictures, blocks, e.channels);
        fold(for_bias, g_bias, 1, all, e.channels);
        fold(for_level, g_level, e.own ? e.pictures : 1, e.own ? 1 : e.pictures, e.area);
    }
}

// Calls go with the layout, the type of sums and that of the pictures in memory.
template <class Go>
void by_kind(const End& e, int32_t kind, Go go) {
    const auto laid = [&](auto number, auto stored) {
        if (e.inner) go(std::true_type(), number, stored);
        else go(std::false_type(), number, stored);
    };
    if (kind == FLOAT64) laid(double(), double());
    else if (kind == BFLOAT16) laid(float(), BFloat16());
    else laid(float(), float());
}

}  // namespace

extern "C" void act_results(const End* end, int32_t kind, const void* x, const void* d, const void* a, const void* v,
                            const void* level, const void* bias, const void* y, void* to, int32_t threads) {
    by_kind(*end, kind, [=](auto inner, auto number, auto stored) {
        using T = decltype(number);
        using X = decltype(stored);
        results<decltype(inner)::value>(
            *end, static_cast<const X*>(x), static_cast<const T*>(d), static_cast<const X*>(a), static_cast<const T*>(v),
            static_cast<const T*>(level), static_cast<const T*>(bias), static_cast<const X*>(y), static_cast<X*>(to),
            threads);
    });
}

extern "C" void act_gradients(const End* end, int32_t kind, const void* g, const void* conv, const void* d,
                              const void* y, void* g_conv, void* g_d, void* g_level, void* g_bias, int32_t threads) {
    by_kind(*end, kind, [=](auto inner, auto number, auto stored) {
        using T = decltype(number);
        using X = decltype(stored);
        gradients<decltype(inner)::value>(
            *end, static_cast<const X*>(g), static_cast<const X*>(conv), static_cast<const T*>(d),
            static_cast<const X*>(y), static_cast<X*>(g_conv), static_cast<T*>(g_d), static_cast<T*>(g_level),
            static_cast<T*>(g_bias), threads);
    });
}
