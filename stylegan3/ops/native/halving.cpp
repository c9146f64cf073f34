// SPDX-License-Identifier: Apache-2.0
// Winograd's convolution 3x3 with stride 2 and its transpose; derivation in halving.py. The kernels w are
// [results, channels, 3, 3] of the way that is gone: doubling's are halving's with channels and results exchanged.
#include "convolutions.h"

extern "C" int64_t halving_scratch(const Grid* grid, int32_t kind, int32_t gradient, int32_t threads) {
    return scratch_size<Halving>(*grid, kind, gradient, threads);
}

extern "C" void halving_results(const Grid* grid, int32_t kind, const void* x, const void* w, void* y, void* scratch,
                                int32_t threads) {
    results_of<Halving>(*grid, kind, x, nullptr, w, y, nullptr, nullptr, nullptr, scratch, threads);
}

extern "C" void halving_kernels(const Grid* grid, int32_t kind, const void* x, const void* g, void* w, void* scratch,
                                int32_t threads) {
    kernels_of<Halving>(*grid, kind, x, nullptr, g, nullptr, w, scratch, threads);
}

extern "C" int64_t doubling_scratch(const Grid* grid, int32_t kind, int32_t, int32_t threads) {
    return scratch_size<Doubling>(*grid, kind, false, threads);
}

extern "C" void doubling_results(const Grid* grid, int32_t kind, const void* x, const void* w, void* y, void* scratch,
                                 int32_t threads) {
    results_of<Doubling>(*grid, kind, x, nullptr, w, y, nullptr, nullptr, nullptr, scratch, threads);
}
