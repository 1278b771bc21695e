// A program bound to a GPU: every launch with its parameters, all of them
// recorded once as a graph that serves any sizes up to the program's bounds.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaMemory.h"
#include "runtime/device/cuda/CudaModule.h"

#include <mutex>
#include <optional>

namespace moec::rt::cuda {

/// A launch with everything but the stream.
class BoundLaunch {
public:
  BoundLaunch(const KernelCode &kernel, const fb::Program &program, const fb::Launch &launch,
              const ProgramBuffers &buffers);
  /// `early`: with the kernel's wish to start before its predecessor's end.
  void launch(Stream stream, bool early) const;
  /// "kernel 'matmul_3' (layers.0.self_attn.o_proj)"
  const std::string &name() const { return what; }

private:
  std::string what;
  KernelCode kernel;
  unsigned blocks;
  std::vector<DevicePtr> addresses; // of the arguments, then of the dims
  std::vector<TensorMap> maps;
  std::vector<void *> params; // point into the two above
};

/// A graph of launches that can be run again and again.
class RecordedGraph {
public:
  /// Records what `work` does on the GPU's stream.
  RecordedGraph(const Gpu &gpu, const std::function<void()> &work);
  ~RecordedGraph();
  RecordedGraph(const RecordedGraph &) = delete;
  RecordedGraph &operator=(const RecordedGraph &) = delete;
  void launch(Stream stream) const {
    check(api().cuGraphLaunch(exec, stream), "cannot run a graph");
  }

private:
  GraphExec exec = nullptr;
};

class CudaProgram final : public BoundProgram {
public:
  /// `mutex` guards the GPU's stream.
  CudaProgram(const Gpu &gpu, std::mutex &mutex, const CudaModule &module,
              const fb::Program &program, const ProgramBuffers &buffers, bool launchByLaunch);
  ~CudaProgram() override;

  void run(std::span<const uint8_t> block, std::vector<double> *seconds) override;

private:
  void checkDims(std::span<const uint8_t> block) const;
  void upload(std::span<const uint8_t> block);
  void runEach(std::vector<double> *seconds);
  void runTimed(std::vector<double> &seconds);

  const Gpu &gpu;
  std::mutex &mutex;
  BufferView inputs;
  std::vector<BoundLaunch> launches;
  std::optional<RecordedGraph> graph; // none when launched one by one
  PinnedBuffer staging;               // the inputs on their way
  EventHandle uploaded{kEventNoTiming};
  bool early = false; // the driver can start launches early
  // For profiling: a graph with an event before, between and after the launches.
  std::vector<EventHandle> marks;
  std::optional<RecordedGraph> timedGraph;
};

} // namespace moec::rt::cuda
