// SPDX-License-Identifier: Apache-2.0
// Codes of a plane's raised samples: 0 passed, 1 was multiplied by the slope, 2 was clamped. A byte holds those of rows
// 4 b to 4 b + 3 of a column, the first in its lowest bits. In memory a line of bytes has the order of columns, here it
// lies in phases as raised rows do (lrelu.h).
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "lrelu.h"
#include "parts.h"

#ifdef MASKS
constexpr int BUNCH = 16;  // bytes of a phase that are woven at once

// Bytes of P phases, `apart` from each other, in turn; only [low, high) of them are written.
template <int P>
inline void put_woven(const uint8_t* phases, int apart, uint8_t* to, int low, int high) {
    const auto bytes = [&](int p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(phases + p * apart)); };
    if constexpr (P == 2) {
        const __m256i odd = _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes(1)), 8);
        _mm256_mask_storeu_epi8(to, lanes(low, high), _mm256_or_si256(_mm256_cvtepu8_epi16(bytes(0)), odd));
    } else {
        __m512i all = _mm512_cvtepu8_epi32(bytes(0));
        for (int p = 1; p < P; ++p) all |= _mm512_slli_epi32(_mm512_cvtepu8_epi32(bytes(p)), 8 * p);
        _mm512_mask_storeu_epi8(to, lanes(low, high) | uint64_t(lanes(low - 32, high - 32)) << 32, all);
    }
}

// The way back; zeros are read outside.
template <int P>
inline void unweave(const uint8_t* from, int low, int high, uint8_t* phases, int apart) {
    const auto put = [&](int p, __m128i bytes) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(phases + p * apart), bytes);
    };
    if constexpr (P == 2) {
        const __m256i both = _mm256_maskz_loadu_epi8(lanes(low, high), from);
        put(0, _mm256_cvtepi16_epi8(both)), put(1, _mm256_cvtepi16_epi8(_mm256_srli_epi16(both, 8)));
    } else {
        const __m512i all = _mm512_maskz_loadu_epi8(lanes(low, high) | uint64_t(lanes(low - 32, high - 32)) << 32, from);
        for (int p = 0; p < P; ++p) put(p, _mm512_cvtepi32_epi8(_mm512_srli_epi32(all, 8 * p)));
    }
}
#endif

class Codes {
  public:
    static constexpr int LINES = 16;  // at once; more than rows made together touch

    explicit Codes(const Columns& c)
        : columns_(c), lines_(size_t(LINES) * c.p * c.width_raised), woven_(c.p * c.width_raised),
          nothing_(c.p * c.width_raised, 0xaa) {}

    // size: bytes of a plane; the next one's come early.
    void begin(uint8_t* plane, size_t size) {
        plane_ = plane, ahead_ = size <= NEAR ? size : 0;
        std::fill(held_, held_ + LINES, -1);
    }

    uint8_t* line(int b) { return lines_.data() + size_t(b % LINES) * columns_.p * columns_.width_raised; }

    const uint8_t* fetched(int b) {
        if (held_[b % LINES] == b) return line(b);
        const uint8_t* next = plane_ + size_t(b) * columns_.n_raised + ahead_;
        for (int m = 0; ahead_ && m < columns_.n_raised; m += VECTOR) __builtin_prefetch(next + m);
        move(held_[b % LINES] = b, false);
        return line(b);
    }

    void put(int b) { move(b, true); }

    // Those of rows outside: nothing passes.
    const uint8_t* outside() const { return nothing_.data(); }

  private:
    // Move a line of codes to its place or from there. Those of columns outside the raised canvas are left out, and
    // anything where they are read: their samples are zero.
    void move(int byte_row, bool out) {
        const Columns& c = columns_;
        const int all = c.p * c.width_raised;
        const int low = std::clamp(-c.base, 0, all), high = std::clamp(c.n_raised - c.base, low, all);
        uint8_t *there = plane_ + size_t(byte_row) * c.n_raised + c.base, *line = this->line(byte_row);
        if (c.p == 1) weave<1>(line, there, low, high, out);
        else if (c.p == 2) weave<2>(line, there, low, high, out);
        else weave<4>(line, there, low, high, out);
    }

    // Bytes [low, high) of what is in the order of columns: phase p of column P m + p lies at p * width + m.
    template <int P>
    void weave(uint8_t* __restrict line, uint8_t* there, int low, int high, bool out) {
        const int width = columns_.width_raised;
#ifdef MASKS
        if constexpr (P > 1) {
            for (int m = 0; m < width; m += BUNCH) {
                if (out) put_woven<P>(line + m, width, there + P * m, low - P * m, high - P * m);
                else unweave<P>(there + P * m, low - P * m, high - P * m, line + m, width);
            }
            return;
        }
#endif
        uint8_t* __restrict woven = woven_.data();
        if (!out) std::copy(there + low, there + high, woven + low);
        if (out) for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) woven[P * m + p] = line[p * width + m];
        else for (int m = 0; m < width; ++m) for (int p = 0; p < P; ++p) line[p * width + m] = woven[P * m + p];
        if (out) std::copy(woven + low, woven + high, there + low);
    }

    const Columns columns_;
    std::vector<uint8_t> lines_, woven_;
    const std::vector<uint8_t> nothing_;
    uint8_t* plane_ = nullptr;
    size_t ahead_ = 0;  // bytes from what is read to what is on its way from memory
    int held_[LINES];  // which lines lie there
};
