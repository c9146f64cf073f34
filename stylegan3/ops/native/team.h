// SPDX-License-Identifier: Apache-2.0
// The threads of a parallel region in teams that share nothing but what is only read: caches that lie far from each other
// exchange what another thread wrote at a third of the speed of their own.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "tasks.h"

struct Team {
    int64_t teams, number, member, size;

    // As many teams as shares of the work, or as threads where those are fewer.
    explicit Team(int64_t shares) {
        const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
        teams = std::min(shares, threads), number = thread % teams, member = thread / teams;
        size = (threads - number + teams - 1) / teams;
        alone_ = teams == threads;
    }

    // go(task) for this team's of the tasks; as often in each thread that meets others: without a task (-1), if their number
    // is no multiple of that of teams
    template <class Go>
    void take(Tasks& tasks, Go go) const {
        if (alone_) return tasks.each(go);
        const int64_t first = tasks.count * number / teams, end = tasks.count * (number + 1) / teams;
        for (int64_t k = 0; k < (tasks.count + teams - 1) / teams; ++k) go(first + k < end ? first + k : -1);
    }

    // go(task) for this member's tasks, neighbouring ones
    template <class Go>
    void each(int64_t tasks, Go go) const {
        for (int64_t task = tasks * member / size; task < tasks * (member + 1) / size; ++task) go(task);
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
