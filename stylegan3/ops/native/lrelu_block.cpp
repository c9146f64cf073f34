// SPDX-License-Identifier: Apache-2.0
// The tiles of the card's kernel on a CPU: to test on any machine what a card computes. A block is one thread, for
// which no barrier does anything, or a few, which then must be kept apart by the barriers alone.
#include <pthread.h>

#include <thread>
#include <vector>

#include "lrelu_block.h"
#include "numbers.h"

namespace {

struct Alone {
    static constexpr int thread = 0, threads = 1;
    void barrier() const {}
};

struct Together {
    int thread, threads;
    pthread_barrier_t* gate;
    void barrier() const { pthread_barrier_wait(gate); }
};

template <class T>
void forget(std::vector<T>& scratch) { scratch.assign(scratch.size(), T(NAN)); }

template <class F, class T, class X>
void run_alone(const Launch<T, X>& launch) {
    std::vector<T> scratch(size_t(launch.tile.samples()));
    for (int64_t task = 0; task < launch.tasks(); ++task) {
        forget(scratch);  // a sample that is read before it is written makes results NaN
        TileWork<T, X, F, Alone>(launch, Alone(), scratch.data(), task).run();
    }
}

template <class F, class T, class X>
void run_together(const Launch<T, X>& launch, int threads) {
    std::vector<T> scratch(size_t(launch.tile.samples()));
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, nullptr, unsigned(threads));
    std::vector<std::thread> crew;
    for (int k = 0; k < threads; ++k)
        crew.emplace_back([&, k] {
            for (int64_t task = 0; task < launch.tasks(); ++task)
                TileWork<T, X, F, Together>(launch, Together{k, threads, &gate}, scratch.data(), task).run();
        });
    for (std::thread& one : crew) one.join();
    pthread_barrier_destroy(&gate);
}

template <class T, class X>
int32_t run(const Task& task, int64_t bytes, int threads) {
    Launch<T, X> launch;
    if (const int32_t failure = prepare(task, bytes, bytes, launch)) return failure;
    return with_form(launch, [&](auto form) {
        if (threads == 1) run_alone<decltype(form)>(launch);
        else run_together<decltype(form)>(launch, threads);
        return int32_t(0);
    });
}

}  // namespace

// Returns 0 or a Failure. bytes: of scratch memory; threads: of a block.
extern "C" int32_t filtered_lrelu_block(const Task* task, int64_t bytes, int32_t threads) {
    switch (task->kind) {
        case FLOAT32: return run<float, float>(*task, bytes, threads);
        case FLOAT64: return run<double, double>(*task, bytes, threads);
        case BFLOAT16: return run<float, BFloat16>(*task, bytes, threads);
        default: return NO_KIND;
    }
}
