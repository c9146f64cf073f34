// SPDX-License-Identifier: Apache-2.0
// The tiles of the card's kernel on a CPU, each by a block of one thread: to test on any machine what a card computes.
#include <vector>

#include "lrelu_block.h"
#include "numbers.h"

namespace {

struct Alone {
    static constexpr int thread = 0, threads = 1;
    void barrier() const {}
};

template <class T, class X>
int32_t run(const Task& task, int64_t bytes) {
    Launch<T, X> launch;
    if (const int32_t failure = prepare(task, bytes, bytes, launch)) return failure;
    return with_form(launch, [&](auto form) {
        // a sample that no stage has written shows up as NaN
        std::vector<T> scratch(size_t(launch.tile.samples()), T(NAN));
        for (int64_t task = 0; task < launch.tasks(); ++task)
            TileWork<T, X, decltype(form), Alone>(launch, Alone(), scratch.data(), task).run();
        return int32_t(0);
    });
}

}  // namespace

// Returns 0 or a Failure. bytes: of scratch memory.
extern "C" int32_t filtered_lrelu_block(const Task* task, int64_t bytes) {
    switch (task->kind) {
        case FLOAT32: return run<float, float>(*task, bytes);
        case FLOAT64: return run<double, double>(*task, bytes);
        case BFLOAT16: return run<float, BFloat16>(*task, bytes);
        default: return NO_KIND;
    }
}
