// SPDX-License-Identifier: Apache-2.0
// Numbers as torch keeps them in memory.
#pragma once
#include <cstdint>
#include <cstring>

enum Kind : int32_t { FLOAT32 = 0, FLOAT64 = 1, BFLOAT16 = 2, FLOAT16 = 3 };  // FLOAT16 on cards alone

struct BFloat16 {
    uint16_t bits;

    operator float() const {
        const uint32_t wide = uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &wide, 4);
        return value;
    }

    BFloat16& operator=(float value) {  // the nearest, ties to even
        uint32_t wide;
        std::memcpy(&wide, &value, 4);
        const uint32_t rounded = wide + 0x7fff + ((wide >> 16) & 1);
        bits = uint16_t((value == value ? rounded : (wide | 0x400000)) >> 16);
        return *this;
    }
};
