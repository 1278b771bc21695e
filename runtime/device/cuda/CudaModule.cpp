#include "runtime/device/cuda/CudaModule.h"

#include <charconv>

namespace moec::rt::cuda {
namespace {

/// "sm_90a" as 90 and 'a'; number 0 when it is no such name.
struct Architecture {
  int number = 0;
  char suffix = 0; // 'a': this chip only; 'f': its family; 0: and later ones

  explicit Architecture(std::string_view name) {
    if (!name.starts_with("sm_"))
      return;
    name.remove_prefix(3);
    int value = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    std::string_view rest(end, name.data() + name.size() - end);
    if (error != std::errc() || (!rest.empty() && rest != "a" && rest != "f"))
      return;
    number = value;
    suffix = rest.empty() ? 0 : rest[0];
  }

  /// Machine code runs on its major version, from its minor version on.
  bool runsCubin(int gpu) const {
    return suffix == 'a' ? gpu == number : gpu / 10 == number / 10 && gpu >= number;
  }
  /// PTX is compiled for any later GPU, unless it is for one chip or family.
  bool runsPtx(int gpu) const { return suffix ? runsCubin(gpu) : gpu >= number; }
};

bool runs(const Architecture &architecture, std::string_view format, int gpu) {
  return format == "ptx" ? architecture.runsPtx(gpu) : architecture.runsCubin(gpu);
}

} // namespace

void checkCudaTarget(const fb::Target &target, int gpu, const std::string &bundle,
                     const std::string &gpuName) {
  Architecture architecture(target.arch()->string_view());
  if (!architecture.number)
    fail(ErrorKind::Target, "bundle '", bundle, "' is compiled for '", target.arch()->str(),
         "', expected a GPU architecture such as sm_", gpu, "; compile it with --target sm_", gpu);
  if (!architecture.runsCubin(gpu) && !architecture.runsPtx(gpu))
    fail(ErrorKind::Target, "bundle '", bundle, "' is compiled for ", target.arch()->str(), ", ",
         gpuName, " cannot run that; compile it with --target sm_", gpu);
}

CudaModule::CudaModule(const BundleFile &bundle, const Gpu &gpu) : bundle(bundle), gpu(gpu) {
  const fb::Manifest &m = bundle.manifest();
  checkCudaTarget(*m.target(), gpu.architecture(), bundle.path(), gpu.name());
  try {
    for (const fb::Kernel *info : *m.kernels())
      prepare(*info);
  } catch (...) {
    for (auto [index, module] : modules)
      api().cuModuleUnload(module);
    throw;
  }
}

CudaModule::~CudaModule() {
  for (auto [index, module] : modules)
    api().cuModuleUnload(module);
}

/// The module for an image or, when that does not load, for its alternative.
Module CudaModule::image(uint32_t index) {
  auto known = modules.find(index);
  if (known != modules.end())
    return known->second;
  const auto &images = *bundle.manifest().images();
  std::string complaints;
  for (int64_t i = index; i >= 0; i = images.Get(uint32_t(i))->alternative())
    if (Module module = loadImage(uint32_t(i), complaints))
      return modules[index] = module;
  fail(ErrorKind::Target, "bundle '", bundle.path(), "': its code does not load on ", gpu.name(),
       ": ", complaints, "; the driver supports CUDA ", versionText(gpu.driverVersion()),
       ": install a newer driver, or compile the bundle with an older CUDA toolkit");
}

/// Null, and the reason appended to `complaints`, when the image does not load.
Module CudaModule::loadImage(uint32_t index, std::string &complaints) {
  const fb::Image &image = *bundle.manifest().images()->Get(index);
  std::string format = image.format()->str();
  auto complain = [&](const std::string &why) {
    complaints +=
        joined(complaints.empty() ? "" : "; ", "images[", index, "] (", format, "): ", why);
    return nullptr;
  };
  std::string arch = bundle.manifest().target()->arch()->str();
  if (!runs(Architecture(arch), format, gpu.architecture()))
    return complain(joined("is for ", arch));
  std::span<const uint8_t> bytes = bundle.segment(image.segment());
  std::string text; // PTX must end with a zero
  if (format == "ptx")
    text.assign(bytes.begin(), bytes.end());
  char log[2048] = "";
  int names[] = {kJitErrorLog, kJitErrorLogBytes};
  void *values[] = {log, pointerTo(sizeof log)};
  Module module = nullptr;
  const void *data = text.empty() ? static_cast<const void *>(bytes.data()) : text.c_str();
  Result result = api().cuModuleLoadDataEx(&module, data, 2, names, values);
  if (result == kSuccess)
    return module;
  std::string why = errorText(result);
  if (*log)
    why += joined(", ", std::string(log).substr(0, std::string_view(log).find('\n')));
  return complain(why);
}

/// Finds a kernel's function and raises its limits to what its launches need.
void CudaModule::prepare(const fb::Kernel &info) {
  Module module = image(info.image());
  std::string what = joined("bundle '", bundle.path(), "': kernel '", info.symbol()->str(), "'");
  KernelCode code{nullptr, &info};
  if (api().cuModuleGetFunction(&code.function, module, info.symbol()->c_str()) != kSuccess)
    fail(ErrorKind::Bundle, what, " is not in images[", info.image(),
         "]; compile the bundle again");
  int threads = 0;
  check(api().cuFuncGetAttribute(&threads, kFunctionMaxThreads, code.function), what);
  if (info.threads() > unsigned(threads))
    fail(ErrorKind::Target, what, " is launched with ", info.threads(),
         " threads, its code allows ", threads, " on ", gpu.name(), "; compile the bundle again");
  int shared = gpu.attribute(kMaxSharedBytesOptin);
  if (info.shared_bytes() > unsigned(shared))
    fail(ErrorKind::Target, what, " needs ", info.shared_bytes(), " bytes of shared memory, ",
         gpu.name(), " has ", shared, " for a block; compile it for this GPU");
  check(
      api().cuFuncSetAttribute(code.function, kFunctionMaxDynamicShared, int(info.shared_bytes())),
      what, " does not get its ", info.shared_bytes(), " bytes of shared memory");
  if (info.cluster() > 8) // what every GPU with clusters has
    check(api().cuFuncSetAttribute(code.function, kFunctionNonPortableCluster, 1), what,
          " does not get its clusters of ", info.cluster(), " blocks");
  if (info.co_resident())
    checkResidence(code, what);
  kernels.push_back(code);
}

/// Blocks that wait for one that cannot begin would wait for ever.
void CudaModule::checkResidence(const KernelCode &code, const std::string &what) const {
  const fb::Kernel &info = *code.info;
  int each = 0;
  check(api().cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, code.function, int(info.threads()),
                                                          info.shared_bytes()),
        what, ": cannot ask how many blocks fit");
  int multiprocessors = gpu.attribute(kMultiprocessors);
  if (int64_t(each) * multiprocessors >= int64_t(info.max_blocks()))
    return;
  fail(ErrorKind::Target, what, " has ", info.max_blocks(),
       " blocks that wait for each other, so all must run at once; ", gpu.name(), " runs ", each,
       " on each of its ", multiprocessors,
       " multiprocessors: use a GPU, or a part of one, with more of them");
}

} // namespace moec::rt::cuda
