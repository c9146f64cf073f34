// SPDX-License-Identifier: Apache-2.0
// The CPU's convolutions with tile registers that are memory: what amx.h and direct.h ask of a processor with Intel's
// matrix extension, for tests on those without. Source: Intel's Architecture Instruction Set Extensions, chapter 3.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace software {

constexpr int TILES = 8, ROWS = 16, BYTES = 64;
using Singles = float __attribute__((vector_size(BYTES)));
using Pairs = uint32_t __attribute__((vector_size(BYTES)));  // of bfloat16, the first in the lower half

struct Registers {
    bool configured = false;
    int rows[TILES], bytes[TILES];
    alignas(BYTES) uint8_t data[TILES][ROWS][BYTES];
};
inline thread_local Registers registers;

// The thread's registers; as a processor does, one without a configuration stops the program.
inline Registers& usable() {
    if (!registers.configured) __builtin_trap();
    return registers;
}

inline void zero(int tile) { std::memset(usable().data[tile], 0, ROWS * BYTES); }

inline void load_config(const void* from) {
    const auto* bytes = static_cast<const uint8_t*>(from);
    if (bytes[0] != 1) __builtin_trap();  // the palette of 8 tiles
    registers.configured = true;
    for (int tile = 0; tile < TILES; ++tile) {
        uint16_t width;
        std::memcpy(&width, bytes + 16 + 2 * tile, 2);
        registers.bytes[tile] = width, registers.rows[tile] = bytes[48 + tile];
        if (width > BYTES || registers.rows[tile] > ROWS) __builtin_trap();
        zero(tile);
    }
}

inline void release() { registers.configured = false; }

inline void load(int tile, const void* from, int64_t stride) {
    zero(tile);
    const Registers& r = registers;
    for (int i = 0; i < r.rows[tile]; ++i)
        std::memcpy(registers.data[tile][i], static_cast<const char*>(from) + i * stride, r.bytes[tile]);
}

inline void store(int tile, void* to, int64_t stride) {
    const Registers& r = usable();
    for (int i = 0; i < r.rows[tile]; ++i)
        std::memcpy(static_cast<char*>(to) + i * stride, r.data[tile][i], r.bytes[tile]);
}

// sums[m][n] += sum_k a[m][2 k] b[k][2 n] + a[m][2 k + 1] b[k][2 n + 1]: first numbers and second ones are summed apart
inline void add_products(int sums, int a, int b) {
    Registers& r = usable();
    for (int m = 0; m < r.rows[sums]; ++m) {
        Singles first{}, second{}, sum;
        for (int k = 0; k < r.bytes[a] / 4; ++k) {
            uint32_t pair;
            Pairs row;
            std::memcpy(&pair, r.data[a][m] + 4 * k, 4);
            std::memcpy(&row, r.data[b][k], BYTES);
            const Pairs all = row - row + pair;
            first += Singles(all << 16) * Singles(row << 16);
            second += Singles(all & 0xffff0000) * Singles(row & 0xffff0000);
        }
        std::memcpy(&sum, r.data[sums][m], BYTES);
        sum += first + second;
        std::memcpy(r.data[sums][m], &sum, r.bytes[sums]);
    }
}

}  // namespace software

// Intel's names; where the processor has such registers, some are functions and some macros.
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig software::load_config
#define _tile_release software::release
#define _tile_zero software::zero
#define _tile_loadd software::load
#define _tile_stored software::store
#define _tile_dpbf16ps software::add_products
#define syscall(...) 0  // the system allows it
#ifndef __AMX_BF16__
#define __AMX_BF16__ 1
#endif

#include "halving.cpp"
#include "winograd.cpp"
