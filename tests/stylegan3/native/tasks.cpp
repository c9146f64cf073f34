// SPDX-License-Identifier: Apache-2.0
// Counts how often each task is begun, and by which thread, where one thread is slow.
#include "tasks.h"

#include <chrono>
#include <thread>

extern "C" void run(int64_t count, int64_t shares, int32_t threads, int32_t slow_ms, int64_t* begun, int32_t* by) {
    Tasks tasks(count, shares);
#pragma omp parallel num_threads(threads)
    {
        const int own = omp_get_thread_num();
        tasks.each([&](int64_t task) {
#pragma omp atomic
            ++begun[task];
            by[task] = own;
            if (own == 0 && slow_ms) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
        });
    }
}
