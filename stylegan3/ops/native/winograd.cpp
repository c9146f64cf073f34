// SPDX-License-Identifier: Apache-2.0
// Winograd's convolution F(4x4, 3x3); derivation in winograd.py.
#include "convolutions.h"

extern "C" int64_t winograd_scratch(const Grid* grid, int32_t kind, int32_t gradient, int32_t threads) {
    return scratch_size<Whole>(*grid, kind, gradient, threads);
}

extern "C" void winograd_results(const Grid* grid, int32_t kind, const void* x, const void* x_factors, const void* w,
                                 void* y, const void* y_factors, const void* beside, void* dots, void* scratch,
                                 int32_t threads) {
    results_of<Whole>(*grid, kind, x, x_factors, w, y, y_factors, beside, dots, scratch, threads);
}

extern "C" void winograd_kernels(const Grid* grid, int32_t kind, const void* x, const void* x_factors, const void* g,
                                 const void* g_factors, void* w, void* scratch, int32_t threads) {
    kernels_of<Whole>(*grid, kind, x, x_factors, g, g_factors, w, scratch, threads);
}
