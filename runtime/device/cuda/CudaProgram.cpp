#include "runtime/device/cuda/CudaProgram.h"

#include "runtime/device/cuda/TensorMaps.h"

#include <cstring>

namespace moec::rt::cuda {
namespace {

/// From here on recorded graphs keep early launches.
constexpr int kEarlyLaunchInGraphs = 12030;

std::string launchName(const KernelCode &kernel, const fb::Launch &launch) {
  std::string name = joined("kernel '", kernel.info->symbol()->str(), "'");
  return launch.label() ? joined(name, " (", launch.label()->str(), ")") : name;
}

} // namespace

BoundLaunch::BoundLaunch(const KernelCode &kernel, const fb::Program &program,
                         const fb::Launch &launch, const ProgramBuffers &buffers)
    : what(launchName(kernel, launch)), kernel(kernel) {
  const int64_t bounds[] = {1, int64_t(program.max_tokens()), int64_t(program.max_sequences()),
                            int64_t(program.max_output_rows())};
  blocks = unsigned(blockCount(*kernel.info, tileCount(*launch.grid(), bounds)));
  std::vector<BufferView> views;
  for (const fb::Arg *arg : *launch.args()) {
    views.push_back(buffers.view(*arg));
    addresses.push_back(addressOf(views.back().data));
  }
  addresses.push_back(addressOf(buffers.inputs.data)); // the dims
  if (kernel.info->tensor_maps())
    for (const fb::TensorMap *map : *kernel.info->tensor_maps())
      maps.push_back(encodeTensorMap(*map, program, views[map->slot()],
                                     joined(what, " tensor_maps[", maps.size(), "]")));
  for (DevicePtr &address : addresses)
    params.push_back(&address);
  for (TensorMap &map : maps)
    params.push_back(&map);
}

void BoundLaunch::launch(Stream stream, bool early) const {
  const fb::Kernel &info = *kernel.info;
  LaunchAttribute attributes[2] = {};
  LaunchConfig config{
      {blocks, 1, 1}, {info.threads(), 1, 1}, info.shared_bytes(), stream, attributes, 0};
  if (info.cluster() > 1) {
    attributes[config.numAttributes].id = kAttributeCluster;
    unsigned *cluster = attributes[config.numAttributes++].cluster;
    cluster[0] = info.cluster(), cluster[1] = cluster[2] = 1;
  }
  if (info.early_launch() && early) {
    attributes[config.numAttributes].id = kAttributeEarlyLaunch;
    attributes[config.numAttributes++].earlyLaunch = 1;
  }
  check(
      api().cuLaunchKernelEx(&config, kernel.function, const_cast<void **>(params.data()), nullptr),
      what, " does not launch");
}

RecordedGraph::RecordedGraph(const Gpu &gpu, const std::function<void()> &work) {
  check(api().cuStreamBeginCapture(gpu.stream, kCaptureThreadLocal), "cannot record a graph");
  Graph graph = nullptr;
  try {
    work();
  } catch (...) {
    api().cuStreamEndCapture(gpu.stream, &graph);
    if (graph)
      api().cuGraphDestroy(graph);
    throw;
  }
  check(api().cuStreamEndCapture(gpu.stream, &graph), "cannot record a graph");
  Result result = api().cuGraphInstantiateWithFlags(&exec, graph, 0);
  api().cuGraphDestroy(graph);
  check(result, "cannot make a graph of a program's launches");
  check(api().cuGraphUpload(exec, gpu.stream), "cannot bring a graph to the GPU");
}

RecordedGraph::~RecordedGraph() { api().cuGraphExecDestroy(exec); }

CudaProgram::CudaProgram(const Gpu &gpu, std::mutex &mutex, const CudaModule &module,
                         const fb::Program &program, const ProgramBuffers &buffers,
                         bool launchByLaunch)
    : BoundProgram(program), gpu(gpu), mutex(mutex), inputs(buffers.inputs),
      staging(buffers.inputs.bytes, "a program's inputs"),
      early(gpu.driverVersion() >= kEarlyLaunchInGraphs) {
  for (const fb::Launch *launch : *program.launches())
    launches.emplace_back(module.kernel(launch->kernel()), program, *launch, buffers);
  check(api().cuEventRecord(uploaded.get(), gpu.stream), "cannot bind a program");
  if (!launchByLaunch && !launches.empty())
    graph.emplace(gpu, [&] {
      for (const BoundLaunch &launch : launches)
        launch.launch(gpu.stream, early);
    });
}

CudaProgram::~CudaProgram() {
  std::lock_guard lock(mutex);
  api().cuCtxSetCurrent(gpu.handle());
  api().cuStreamSynchronize(gpu.stream); // the staging buffer may be in use
}

/// The recorded grids cover the program's bounds and no more.
void CudaProgram::checkDims(std::span<const uint8_t> block) const {
  Dims dims;
  if (block.size() < sizeof dims || block.size() > inputs.bytes)
    fail(ErrorKind::Internal, "an input block has ", block.size(), " bytes, expected ", sizeof dims,
         " to ", inputs.bytes);
  std::memcpy(dims.data(), block.data(), sizeof dims);
  const int64_t bounds[] = {1, int64_t(program.max_tokens()), int64_t(program.max_sequences()),
                            int64_t(program.max_output_rows())};
  const char *names[] = {"units", "tokens", "sequences", "output rows"};
  for (int i = 0; i < 4; ++i)
    if (dims[i] < 0 || dims[i] > bounds[i])
      fail(ErrorKind::Argument, "a program compiled for ", bounds[i], " ", names[i], " cannot run ",
           dims[i]);
}

void CudaProgram::upload(std::span<const uint8_t> block) {
  // The copy of the run before may still wait for its turn.
  check(api().cuEventSynchronize(uploaded.get()), "the run before failed");
  std::memcpy(staging.data(), block.data(), block.size());
  check(api().cuMemcpyHtoDAsync(addressOf(inputs.data), staging.data(), block.size(), gpu.stream),
        "cannot copy a program's inputs");
  check(api().cuEventRecord(uploaded.get(), gpu.stream), "cannot copy a program's inputs");
}

void CudaProgram::run(std::span<const uint8_t> block, std::vector<double> *seconds) {
  std::lock_guard lock(mutex);
  gpu.makeCurrent();
  checkDims(block);
  upload(block);
  if (!graph)
    runEach(seconds);
  else if (seconds)
    runTimed(*seconds);
  else
    graph->launch(gpu.stream);
}

/// One launch after the other, each waited for.
void CudaProgram::runEach(std::vector<double> *seconds) {
  EventHandle begin(kEventDefault), end(kEventDefault);
  gpu.wait("copying a program's inputs");
  if (seconds)
    seconds->clear();
  for (const BoundLaunch &launch : launches) {
    check(api().cuEventRecord(begin.get(), gpu.stream), launch.name());
    launch.launch(gpu.stream, /*early=*/false);
    check(api().cuEventRecord(end.get(), gpu.stream), launch.name());
    gpu.wait(launch.name());
    float milliseconds = 0;
    check(api().cuEventElapsedTime(&milliseconds, begin.get(), end.get()), launch.name());
    if (seconds)
      seconds->push_back(milliseconds * 1e-3);
  }
}

/// Launches in a graph as always, with events between them; no launch starts
/// early, so that each has its own time.
void CudaProgram::runTimed(std::vector<double> &seconds) {
  if (!timedGraph) {
    for (size_t i = 0; i <= launches.size(); ++i)
      marks.emplace_back(kEventDefault);
    auto mark = [&](size_t i) {
      check(api().cuEventRecordWithFlags(marks[i].get(), gpu.stream, kEventRecordExternal),
            "cannot time a program's launches");
    };
    timedGraph.emplace(gpu, [&] {
      mark(0);
      for (size_t i = 0; i < launches.size(); ++i) {
        launches[i].launch(gpu.stream, /*early=*/false);
        mark(i + 1);
      }
    });
  }
  timedGraph->launch(gpu.stream);
  gpu.wait("timing a program's launches");
  seconds.clear();
  for (size_t i = 0; i < launches.size(); ++i) {
    float milliseconds = 0;
    check(api().cuEventElapsedTime(&milliseconds, marks[i].get(), marks[i + 1].get()),
          "cannot time a program's launches");
    seconds.push_back(milliseconds * 1e-3);
  }
}

} // namespace moec::rt::cuda
