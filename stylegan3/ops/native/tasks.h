// SPDX-License-Identifier: Apache-2.0
// How the threads of a parallel region share tasks that need nothing of each other.
#pragma once
#include <omp.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

// Tasks in shares of neighbouring ones, one for each thread; who is done with its own takes from others' shares: what else
// a machine does slows some of its cores for a while.
class Tasks {
  public:
    const int64_t count;

    Tasks(int64_t all, int64_t threads) : count(all), shares_(threads) {
        for (int64_t k = 0; k < threads; ++k) {
            shares_[k].next = count * k / threads;
            shares_[k].end = count * (k + 1) / threads;
        }
    }

    // go(task) for the calling thread's, until all tasks are begun
    template <class Go>
    void each(Go go) {
        const size_t own = omp_get_thread_num();
        for (size_t k = 0; k < shares_.size(); ++k) {
            Share& share = shares_[(own + k) % shares_.size()];
            for (int64_t task; (task = share.next++) < share.end;) go(task);
        }
    }

  private:
    struct alignas(64) Share {
        std::atomic<int64_t> next;
        int64_t end;
    };
    std::vector<Share> shares_;
};
