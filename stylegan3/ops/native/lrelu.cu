// SPDX-License-Identifier: Apache-2.0
// The filtered leaky relu on a card: blocks of threads take tiles (lrelu_block.h), as many as there are or as a grid of
// one dimension holds, then the next ones.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "lrelu_block.h"
#include "numbers.h"

namespace {

constexpr int THREADS = 256;
constexpr int BLOCKS = 4;  // wanted on a multiprocessor: others work while one waits at a barrier or for memory

struct Threads {
    const int thread = int(threadIdx.x);
    static constexpr int threads = THREADS;
    __device__ __forceinline__ void barrier() const { __syncthreads(); }
};

template <class T, class X, class F>
__global__ void __launch_bounds__(THREADS, BLOCKS) filtered_lrelu(const __grid_constant__ Launch<T, X> launch) {
    extern __shared__ __align__(16) unsigned char memory[];
    for (int64_t task = blockIdx.x; task < launch.tasks(); task += gridDim.x)
        TileWork<T, X, F, Threads>(launch, Threads(), reinterpret_cast<T*>(memory), task).run();
}

struct Room {
    int block, all, reserved;  // bytes of shared memory: of a block, of a multiprocessor, and taken by each block
};

cudaError_t room_of(int device, Room& room) {
    cudaError_t error = cudaSetDevice(device);
    if (!error) error = cudaDeviceGetAttribute(&room.block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    if (!error) error = cudaDeviceGetAttribute(&room.all, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
    if (!error) error = cudaDeviceGetAttribute(&room.reserved, cudaDevAttrReservedSharedMemoryPerBlock, device);
    return error;
}

template <class T, class X>
int32_t run(const Task& task, const Room& room, cudaStream_t stream) {
    static_assert(sizeof(Launch<T, X>) <= 4096, "a kernel's parameters take 4 KB");
    Launch<T, X> launch;
    const int64_t wanted = room.all / BLOCKS - room.reserved;
    if (const int32_t failure = prepare(task, wanted, room.block, launch)) return failure;
    if (launch.tasks() == 0) return 0;
    return with_form(launch, [&](auto form) {
        const auto kernel = filtered_lrelu<T, X, decltype(form)>;
        const int bytes = int(launch.tile.samples() * int64_t(sizeof(T)));
        const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
        if (error) return int32_t(error);
        const int64_t most = 0x7fffffff;
        kernel<<<unsigned(launch.tasks() < most ? launch.tasks() : most), THREADS, bytes, stream>>>(launch);
        return int32_t(cudaGetLastError());
    });
}

}  // namespace

// Start a task on a device's stream. Returns 0, a Failure or an error of CUDA's.
extern "C" int32_t filtered_lrelu_cuda(const Task* task, int32_t device, void* stream) {
    Room room;
    if (const cudaError_t error = room_of(device, room)) return error;
    const auto on = static_cast<cudaStream_t>(stream);
    switch (task->kind) {
        case FLOAT32: return run<float, float>(*task, room, on);
        case FLOAT64: return run<double, double>(*task, room, on);
        case BFLOAT16: return run<float, __nv_bfloat16>(*task, room, on);
        case FLOAT16: return run<float, __half>(*task, room, on);
        default: return NO_KIND;
    }
}

extern "C" const char* filtered_lrelu_cuda_error(int32_t code) {
    switch (code) {
        case NO_ROOM: return "no tile fits the shared memory";
        case NOT_ALIGNED: return "codes are kept where the first output reads the first raised sample, tiles in fours";
        case TOO_MANY_TAPS: return "a filter is longer than the kernel's tables";
        case NO_KIND: return "no such type of numbers";
        default: return cudaGetErrorString(cudaError_t(code));
    }
}
