// SPDX-License-Identifier: Apache-2.0
// Products of bfloat16 by Intel's matrix extension (AMX), for winograd.h: a block is 16 rows of 16 results, G times, in tile
// registers 0 to G - 1; one instruction adds the products over 32 numbers. Source: Intel's Architecture Instruction Set
// Extensions, chapter 3.
#pragma once
#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__)
#define HAS_AMX
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "registers.h"

// Whether the system lets this process use tile registers; it is asked once.
inline bool amx_is_allowed() {
    constexpr long ask = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool allowed = syscall(SYS_arch_prctl, ask, tile_data) == 0;
    return allowed;
}

struct Amx {
    using Number = uint32_t;
    static constexpr int depth = 2, together = 2, rows = 16, groups = 4;
    static constexpr int L = WIDTH<float>, SIDE = 16;  // rows and words of a tile register
    static_assert(L == SIDE);

    // All tile registers have 16 rows of 64 bytes.
    struct Session {
        Session() {
            struct alignas(64) {
                uint8_t palette = 1, start = 0, none[14] = {};
                uint16_t bytes[16] = {};
                uint8_t rows[16] = {};
            } shape;
            for (int i = 0; i < 8; ++i) shape.bytes[i] = 4 * SIDE, shape.rows[i] = SIDE;
            _tile_loadconfig(&shape);
        }
        Session(const Session&) = delete;
        ~Session() { _tile_release(); }
    };

    template <int G>
    struct Block {
        Block() {
            _tile_zero(0);
            if constexpr (G > 1) _tile_zero(1);
            if constexpr (G > 2) _tile_zero(2);
            if constexpr (G > 3) _tile_zero(3);
        }
        Block(const float* from, int64_t row, int64_t group) {
            _tile_loadd(0, from, 4 * row);
            if constexpr (G > 1) _tile_loadd(1, from + group, 4 * row);
            if constexpr (G > 2) _tile_loadd(2, from + 2 * group, 4 * row);
            if constexpr (G > 3) _tile_loadd(3, from + 3 * group, 4 * row);
        }
        void store(float* to, int64_t row, int64_t group) {
            _tile_stored(0, to, 4 * row);
            if constexpr (G > 1) _tile_stored(1, to + group, 4 * row);
            if constexpr (G > 2) _tile_stored(2, to + 2 * group, 4 * row);
            if constexpr (G > 3) _tile_stored(3, to + 3 * group, 4 * row);
        }
        // += a b over two groups of channels: a [rows][SIDE], b [SIDE][G][L]
        inline __attribute__((always_inline)) void over_channels(const uint32_t* a, const uint32_t* b) {
            add(a, b, G * L, L);
        }
        // += a^T b over `count` words of tiles: a [count][L], b [G][b_group / L][L]
        inline void over_tiles(const uint32_t* a, const uint32_t* b, int64_t b_group, int64_t count) {
            constexpr int ahead = 4;  // blocks that are turned while earlier ones are read
            alignas(64) uint32_t turned[ahead][SIDE * SIDE];
            int64_t t = 0;
            for (; t + SIDE <= count; t += SIDE) {
                uint32_t* block = turned[t / SIDE % ahead];
                turn_block(a + t * L, SIDE, block);
                written();
                add(block, b + t * L, L, b_group);
            }
            if (t == count) return;
            alignas(64) uint32_t rest[G][SIDE * L] = {};
            for (int j = 0; j < G; ++j) std::memcpy(rest[j], b + j * b_group + t * L, 4 * (count - t) * L);
            uint32_t* block = turned[t / SIDE % ahead];
            turn_block(a + t * L, count - t, block);
            written();
            add(block, rest[0], L, SIDE * L);
        }

      private:
        // What was written is in memory: GCC doesn't know that loading a tile reads it.
        static inline void written() { asm volatile("" ::: "memory"); }

        static inline void turn_block(const uint32_t* from, int64_t count, uint32_t* to) {
            Register<float> rows[SIDE];
            for (int i = 0; i < SIDE; ++i)
                rows[i] = i < count ? *reinterpret_cast<const Register<float>*>(from + i * L) : Register<float>{};
            turn<float>(rows);
            for (int i = 0; i < SIDE; ++i) *reinterpret_cast<Register<float>*>(to + i * SIDE) = rows[i];
        }
        static inline __attribute__((always_inline)) void add(const uint32_t* a, const uint32_t* b, int64_t b_row,
                                                              int64_t b_group) {
            _tile_loadd(4, a, 4 * SIDE);
            _tile_loadd(5, b, 4 * b_row);
            _tile_dpbf16ps(0, 4, 5);
            if constexpr (G > 1) {
                _tile_loadd(6, b + b_group, 4 * b_row);
                _tile_dpbf16ps(1, 4, 6);
            }
            if constexpr (G > 2) {
                _tile_loadd(7, b + 2 * b_group, 4 * b_row);
                _tile_dpbf16ps(2, 4, 7);
            }
            if constexpr (G > 3) {
                _tile_loadd(5, b + 3 * b_group, 4 * b_row);
                _tile_dpbf16ps(3, 4, 5);
            }
        }
    };
};
#endif
