// SPDX-License-Identifier: Apache-2.0
// The threads of a parallel region in teams that share nothing but what is only read: caches that lie far from each other
// exchange what another thread wrote at a third of the speed of their own.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

struct Team {
    int64_t teams, number, member, size;

    // As many teams as shares of the work, or as threads where those are fewer.
    explicit Team(int64_t shares) {
        const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
        teams = std::min(shares, threads), number = thread % teams, member = thread / teams;
        size = (threads - number + teams - 1) / teams;
        alone_ = teams == threads;
    }

    // go(task) for this member's tasks, neighbouring ones
    template <class Go>
    void each(int64_t tasks, Go go) const {
        for (int64_t task = tasks * member / size; task < tasks * (member + 1) / size; ++task) go(task);
    }

    // go(item) for this team's of all items; as often, if without one (-1), in each thread that meets others. A thread
    // alone takes the next item when it is done: what else a machine does slows some cores for a while, and not others.
    template <class Go>
    void deal(int64_t items, Go go) const {
        if (alone_) {
#pragma omp for schedule(dynamic) nowait
            for (int64_t item = 0; item < items; ++item) go(item);
        } else {
            const int64_t first = items * number / teams, end = items * (number + 1) / teams;
            for (int64_t k = 0; k < (items + teams - 1) / teams; ++k) go(first + k < end ? first + k : -1);
        }
    }

    // Wait for the others. All threads are to meet as often.
    void meet() const {
        if (!alone_) {
#pragma omp barrier
        }
    }

  private:
    bool alone_;  // each team is one thread
};
