// SPDX-License-Identifier: Apache-2.0
// Products of bfloat16 in the tile registers of Intel's matrix extension (AMX): one instruction multiplies 16 rows of 32
// numbers by 32 rows of 16 and adds the results up in float32. Source: Intel's Architecture Instruction Set Extensions,
// chapter 3.
#pragma once
#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__) && defined(__x86_64__)
#define HAS_AMX
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

// Whether the system lets this process use tile registers; it is asked once.
inline bool amx_is_allowed() {
    constexpr long ask = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool allowed = syscall(SYS_arch_prctl, ask, tile_data) == 0;
    return allowed;
}

// While a thread has one, all of its tile registers have 16 rows of 64 bytes.
class TileSession {
  public:
    TileSession() {
        struct alignas(64) {
            uint8_t palette = 1, start = 0, none[14] = {};
            uint16_t bytes[16] = {};
            uint8_t rows[16] = {};
        } shape;
        for (int i = 0; i < 8; ++i) shape.bytes[i] = 64, shape.rows[i] = 16;
        asm volatile("" : : "r"(&shape) : "memory");  // GCC doesn't know what the tile instructions read
        _tile_loadconfig(&shape);
    }
    TileSession(const TileSession&) = delete;
    TileSession& operator=(const TileSession&) = delete;
    ~TileSession() { _tile_release(); }
};
#endif
