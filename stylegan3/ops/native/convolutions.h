// SPDX-License-Identifier: Apache-2.0
// Convolutions with kernels of 3x3 taps from addresses: Winograd's way, or directly where products cost next to nothing.
#pragma once
#include "direct_kernels.h"
#include "direct_results.h"
#include "winograd.h"

namespace {

// Whether pictures of a kind are convolved in tile registers.
inline bool is_direct([[maybe_unused]] int32_t kind) {
#ifdef HAS_AMX
    return kind == BFLOAT16 && amx_is_allowed();
#else
    return false;
#endif
}

#ifdef HAS_AMX
direct::Whole directly(Whole);
direct::Halving directly(Halving);
direct::Doubling directly(Doubling);
template <class Way>
using Directly = decltype(directly(Way()));
template <class Way>  // of gradients of kernels: sums of less rounded numbers, and as fast
using ByTaps = std::conditional_t<std::is_same_v<Way, Whole>, direct::Taps, Directly<Way>>;
#endif

// Calls go with the kind of number of products, that of transforms and that of the pictures in memory.
template <class Go>
void by_kind(int32_t kind, Go go) {
    if (kind == FLOAT64) go(Single<double>(), double(), double());
#ifdef __AVX512BF16__
    else if (kind == BFLOAT16) go(Pairs(), float(), BFloat16());
#else
    else if (kind == BFLOAT16) go(Single<float>(), float(), BFloat16());
#endif
    else go(Single<float>(), float(), float());
}

// Bytes of memory that a call needs; `gradient` is that of the kernels.
template <class Way>
int64_t scratch_size(const Grid& grid, int32_t kind, bool gradient, int32_t threads) {
#ifdef HAS_AMX
    if (is_direct(kind))
        return 4 * (gradient ? direct::ForKernels<ByTaps<Way>>(grid).words(threads)
                             : direct::ForResults<Directly<Way>>(grid).words(threads));
#endif
    int64_t bytes = 0;
    by_kind(kind, [&](auto products, auto number, auto) {
        using T = decltype(number);
        const Memory<Way, decltype(products), T> m(grid, gradient, threads);
        const int64_t shared = gradient ? 0 : m.kernel_size();
        const int64_t tiles = m.shares * (m.spread_size() + (gradient ? m.raised_size() : 0));
        const int64_t sums = m.shares * (gradient ? m.sums_size() : m.result_size());
        bytes = (shared + tiles) * sizeof(typename decltype(products)::Number) + sums * sizeof(T);
    });
    return bytes;
}

// The functions of direct_results.h and winograd.h, from addresses.
template <class Way>
void results_of(const Grid& grid, int32_t kind, const void* x, const void* x_factors, const void* w, void* y,
                const void* y_factors, const void* beside, void* dots, void* scratch, int32_t threads) {
#ifdef HAS_AMX
    if (is_direct(kind))
        return direct::results<Directly<Way>>(
            grid, static_cast<const BFloat16*>(x), static_cast<const float*>(x_factors), static_cast<const float*>(w),
            static_cast<BFloat16*>(y), static_cast<const float*>(y_factors), static_cast<const BFloat16*>(beside),
            static_cast<float*>(dots), static_cast<uint32_t*>(scratch), threads);
#endif
    by_kind(kind, [=, &grid](auto products, auto number, auto stored) {
        using T = decltype(number);
        using X = decltype(stored);
        results<Way, decltype(products), T, X>(
            grid, {static_cast<const X*>(x), static_cast<const T*>(x_factors)}, static_cast<const T*>(w),
            {static_cast<X*>(y), static_cast<const T*>(y_factors)}, static_cast<const X*>(beside), static_cast<T*>(dots),
            static_cast<char*>(scratch), threads);
    });
}

template <class Way>
void kernels_of(const Grid& grid, int32_t kind, const void* x, const void* x_factors, const void* g,
                const void* g_factors, void* w, void* scratch, int32_t threads) {
#ifdef HAS_AMX
    if (is_direct(kind))
        return direct::kernels<ByTaps<Way>>(
            grid, static_cast<const BFloat16*>(x), static_cast<const float*>(x_factors), static_cast<const BFloat16*>(g),
            static_cast<const float*>(g_factors), static_cast<float*>(w), static_cast<uint32_t*>(scratch), threads);
#endif
    by_kind(kind, [=, &grid](auto products, auto number, auto stored) {
        using T = decltype(number);
        using X = decltype(stored);
        kernels<Way, decltype(products), T, X>(
            grid, {static_cast<const X*>(x), static_cast<const T*>(x_factors)},
            {static_cast<const X*>(g), static_cast<const T*>(g_factors)}, static_cast<T*>(w), static_cast<char*>(scratch),
            threads);
    });
}

}  // namespace
