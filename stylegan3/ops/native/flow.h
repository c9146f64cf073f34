// SPDX-License-Identifier: Apache-2.0
// Rows of numbers on a CPU: weighted sums of them by whole vectors, and rings of the last ones.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

constexpr int MOST = 64;    // terms of a sum
constexpr int VECTOR = 64;  // bytes; a processor with shorter ones does several
constexpr size_t NEAR = 256 << 10;  // bytes that stay in a core's own cache

template <class T>
constexpr int LANES = VECTOR / int(sizeof(T));

// Whole vectors: every row has room for a last one that isn't full. A result's phases are made in order, so that what one
// writes past its end is written over by the next; raised phases are whole (tables.py).
template <class T>
inline int whole(int n) { return (n + LANES<T> - 1) / LANES<T> * LANES<T>; }

// Several numbers, which may begin anywhere and lie where single ones do.
template <class T>
struct Lanes {
    typedef T type __attribute__((vector_size(VECTOR), aligned(alignof(T)), may_alias));
};

template <class T>
using Vector = typename Lanes<T>::type;

// dst[i][m] = finish(sum_k weights[i][k] src[k][m]), a whole vector at a time, for N results of the same rows, which are
// read once; K = 0 reads the count at run time
template <int K, int N, class T, class Finish>
void sum_rows(T* const* dst, const T* const* src, const T* const* weights, int count, int n, Finish finish) {
    const T* rows[K ? K : MOST];
    T w[N][K ? K : MOST];
    const int terms = K ? K : count;
    for (int k = 0; k < terms; ++k) {
        rows[k] = src[k];
        for (int i = 0; i < N; ++i) w[i][k] = weights[i][k];
    }
    T* to[N];
    for (int i = 0; i < N; ++i) to[i] = dst[i];
    for (int m = 0; m < n; m += LANES<T>) {
        Vector<T> sums[N][2];  // two chains, as each waits for its last sum
        for (int i = 0; i < N; ++i) sums[i][0] = sums[i][1] = Vector<T>{};
#pragma GCC unroll 32
        for (int k = 0; k < terms; ++k) {
            const Vector<T> row = *reinterpret_cast<const Vector<T>*>(rows[k] + m);
            for (int i = 0; i < N; ++i) sums[i][k % 2] += w[i][k] * row;
        }
        for (int i = 0; i < N; ++i) *reinterpret_cast<Vector<T>*>(to[i] + m) = finish(sums[i][0] + sums[i][1]);
    }
}

template <int N, class T, class Finish>
void sums(T* const* dst, const T* const* src, const T* const* weights, int count, int n, Finish finish) {
    switch (count) {
        case 1: return sum_rows<1, N>(dst, src, weights, count, n, finish);
        case 2: return sum_rows<2, N>(dst, src, weights, count, n, finish);
        case 4: return sum_rows<4, N>(dst, src, weights, count, n, finish);
        case 6: return sum_rows<6, N>(dst, src, weights, count, n, finish);
        case 12: return sum_rows<12, N>(dst, src, weights, count, n, finish);
        case 24: return sum_rows<24, N>(dst, src, weights, count, n, finish);
        default: return sum_rows<0, N>(dst, src, weights, count, n, finish);
    }
}

template <class T>
void sum(T* dst, const T* const* src, const T* weights, int count, int n) {
    sums<1>(&dst, src, &weights, count, n, [](Vector<T> v) { return v; });
}

// Zeros that begin where a vector may: one that lies across two cache lines is read at half the speed.
template <class T>
class Buffer {
  public:
    explicit Buffer(size_t size) : memory_(size + LANES<T>) {}

    T* data() {
        const auto address = reinterpret_cast<uintptr_t>(memory_.data());
        return memory_.data() + (VECTOR - address % VECTOR) % VECTOR / sizeof(T);
    }

  private:
    std::vector<T> memory_;
};

// The last rows of a flow, the newest written over the oldest.
template <class T>
class Ring {
  public:
    Ring(int count, int width) : count_(count), pitch_(whole<T>(width) + LANES<T>), rows_(size_t(count) * pitch_) {}

    T* push() {
        T* row = rows_.data() + size_t(next_) * pitch_;
        next_ = next_ + 1 == count_ ? 0 : next_ + 1;
        return row;
    }

    int count() const { return count_; }
    int pitch() const { return pitch_; }

    void oldest_first(const T** rows) {
        for (int k = 0, slot = next_; k < count_; ++k, slot = slot + 1 == count_ ? 0 : slot + 1)
            rows[k] = rows_.data() + size_t(slot) * pitch_;
    }

    void newest_first(const T** rows) {
        for (int k = count_ - 1, slot = next_; k >= 0; --k, slot = slot + 1 == count_ ? 0 : slot + 1)
            rows[k] = rows_.data() + size_t(slot) * pitch_;
    }

  private:
    const int count_, pitch_;
    int next_ = 0;
    Buffer<T> rows_;
};
