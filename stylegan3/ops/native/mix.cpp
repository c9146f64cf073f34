// SPDX-License-Identifier: Apache-2.0
// 1x1 convolutions between many channels and few ones on a CPU; formulas in mixing.py. Many channels lie in planes or
// innermost, few ones in planes. Work is shared out in blocks of neighbouring places of one picture.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "registers.h"
#include "tasks.h"

namespace {

constexpr int64_t BLOCK = 1024;  // places: those of few channels stay in the first cache

// `own` where each picture has a matrix w [few, many] of its own.
struct Mix {
    int64_t pictures, few, many, area, inner, own;

    int64_t blocks() const { return (area + BLOCK - 1) / BLOCK; }
};

template <class T>
T total(Register<T> v) {
    T sum = 0;
    for (int k = 0; k < WIDTH<T>; ++k) sum += v[k];
    return sum;
}

// One block: where its first place of the first channel is, among few and among many, and its matrix.
template <bool inner, int F, class T, class X>
struct Block {
    const Mix& m;
    const int64_t picture, place, count;
    const int64_t few, many, w;

    Block(const Mix& mix, int64_t task)
        : m(mix), picture(task / mix.blocks()), place(task % mix.blocks() * BLOCK), count(std::min(BLOCK, mix.area - place)),
          few(picture * F * mix.area + place), many(picture * mix.many * mix.area + place * (inner ? mix.many : 1)),
          w(picture * mix.own * F * mix.many) {}

    // y[m] = sum_f w[f][m] x[f]
    void to_many(const T* x, const T* matrix, X* y) const {
        x += few, matrix += w, y += many;
        if constexpr (inner) {
            for (int64_t j = 0; j < count; ++j)
                for (int64_t c = 0; c < m.many; c += WIDTH<T>) {
                    Register<T> sum{};
                    for (int f = 0; f < F; ++f) sum += x[f * m.area + j] * read<T>(matrix + f * m.many + c, m.many - c);
                    write<T>(y + j * m.many + c, sum, m.many - c);
                }
        } else {
            for (int64_t c = 0; c < m.many; ++c)
                for (int64_t j = 0; j < count; j += WIDTH<T>) {
                    Register<T> sum{};
                    for (int f = 0; f < F; ++f) sum += matrix[f * m.many + c] * read<T>(x + f * m.area + j, count - j);
                    write<T>(y + c * m.area + j, sum, count - j);
                }
        }
    }

    // y[f] = sum_m w[f][m] x[m]
    void to_few(const X* x, const T* matrix, T* y) const {
        constexpr int L = WIDTH<T>;
        x += many, matrix += w, y += few;
        if constexpr (inner) {
            for (int64_t j = 0; j < count; j += L)
                for (int f = 0; f < F; ++f) {
                    Register<T> sums[L] = {};
                    for (int64_t c = 0; c < m.many; c += L) {
                        const auto weights = read<T>(matrix + f * m.many + c, m.many - c);
                        for (int k = 0; k < L; ++k)
                            if (j + k < count) sums[k] += weights * read<T>(x + (j + k) * m.many + c, m.many - c);
                    }
                    turn<T>(sums);
                    for (int k = 1; k < L; ++k) sums[0] += sums[k];
                    write<T>(y + f * m.area + j, sums[0], count - j);
                }
        } else {
            alignas(REGISTER) T sums[F][BLOCK] = {};
            for (int64_t c = 0; c < m.many; ++c)
                for (int64_t j = 0; j < count; j += L) {
                    const auto v = read<T>(x + c * m.area + j, count - j);
                    for (int f = 0; f < F; ++f)
                        *reinterpret_cast<Register<T>*>(sums[f] + j) += matrix[f * m.many + c] * v;
                }
            for (int f = 0; f < F; ++f) std::copy(sums[f], sums[f] + count, y + f * m.area);
        }
    }

    // y[f][m] = sum x[f] g[m] over the block's places
    void matrix(const T* x, const X* g, T* y) const {
        x += few, g += many;
        for (int64_t c = 0; c < m.many; c += inner ? WIDTH<T> : 1) {
            Register<T> sums[F] = {};
            if constexpr (inner) {
                for (int64_t j = 0; j < count; ++j) {
                    const auto v = read<T>(g + j * m.many + c, m.many - c);
                    for (int f = 0; f < F; ++f) sums[f] += x[f * m.area + j] * v;
                }
                for (int f = 0; f < F; ++f) write<T>(y + f * m.many + c, sums[f], m.many - c);
            } else {
                for (int64_t j = 0; j < count; j += WIDTH<T>) {
                    const auto v = read<T>(g + c * m.area + j, count - j);
                    for (int f = 0; f < F; ++f) sums[f] += v * read<T>(x + f * m.area + j, count - j);
                }
                for (int f = 0; f < F; ++f) y[f * m.many + c] = total<T>(sums[f]);
            }
        }
    }
};

// each(block, its number) with the layout, how many are few, and the types, for all blocks
template <class Each>
void for_blocks(const Mix& m, int32_t kind, int threads, Each each) {
    const auto run = [&](auto inner, auto few, auto number, auto stored) {
        using Part = Block<decltype(inner)::value, decltype(few)::value, decltype(number), decltype(stored)>;
        Tasks tasks(m.pictures * m.blocks(), threads);
#pragma omp parallel num_threads(threads)
        tasks.each([&](int64_t task) { each(Part(m, task), task, number, stored); });
    };
    const auto by_kind = [&](auto inner, auto few) {
        if (kind == FLOAT64) run(inner, few, double(), double());
        else if (kind == BFLOAT16) run(inner, few, float(), BFloat16());
        else run(inner, few, float(), float());
    };
    const auto by_layout = [&](auto few) {
        if (m.inner) by_kind(std::true_type(), few);
        else by_kind(std::false_type(), few);
    };
    switch (m.few) {
        case 1: return by_layout(std::integral_constant<int, 1>());
        case 2: return by_layout(std::integral_constant<int, 2>());
        case 3: return by_layout(std::integral_constant<int, 3>());
        case 4: return by_layout(std::integral_constant<int, 4>());
        case 5: return by_layout(std::integral_constant<int, 5>());
    }
}

}  // namespace

extern "C" void mix_to_many(const Mix* m, int32_t kind, const void* x, const void* w, void* y, int32_t threads) {
    for_blocks(*m, kind, threads, [=](const auto& block, int64_t, auto number, auto stored) {
        using T = decltype(number);
        block.to_many(static_cast<const T*>(x), static_cast<const T*>(w), static_cast<decltype(stored)*>(y));
    });
}

extern "C" void mix_to_few(const Mix* m, int32_t kind, const void* x, const void* w, void* y, int32_t threads) {
    for_blocks(*m, kind, threads, [=](const auto& block, int64_t, auto number, auto stored) {
        using T = decltype(number);
        block.to_few(static_cast<const decltype(stored)*>(x), static_cast<const T*>(w), static_cast<T*>(y));
    });
}

// A matrix of each block: y [pictures, blocks, few, many]
extern "C" void mix_matrices(const Mix* m, int32_t kind, const void* x, const void* g, void* y, int32_t threads) {
    for_blocks(*m, kind, threads, [=](const auto& block, int64_t task, auto number, auto stored) {
        using T = decltype(number);
        block.matrix(static_cast<const T*>(x), static_cast<const decltype(stored)*>(g),
                     static_cast<T*>(y) + task * m->few * m->many);
    });
}
