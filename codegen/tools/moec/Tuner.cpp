#include "codegen/tools/moec/Tuner.h"

#include "codegen/tools/moec/Diagnostics.h"
#include "frontend/Errors.h"
#include "frontend/Files.h"
#include "passes/Schedules.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;
namespace fb = moec::rt::fb;

//===----------------------------------------------------------------------===//
// The bundle
//===----------------------------------------------------------------------===//

static mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, moe::MoeDialect, kern::KernDialect>();
  registerTargets(registry);
  return registry;
}

static rt::VerifyOptions withoutWeights() {
  rt::VerifyOptions quick;
  quick.weightChecksums = false;
  return quick;
}

Tuner::Tuner(const TuneOptions &options, std::unique_ptr<Backend> backend)
    : options(options), backend(std::move(backend)), bundle(options.bundle, withoutWeights()),
      context(makeRegistry()) {
  context.loadAllAvailableDialects();
  printDiagnostics(context);
  file.target = this->backend->getModel().getName().str();
}

/// The name that `moec compile --target` takes for what a bundle is for.
static std::string getTargetName(const fb::Target &target) {
  return target.kind()->str() == "cpu" ? "cpu" : target.arch()->str();
}

Expected<std::unique_ptr<Tuner>> Tuner::create(const TuneOptions &options) {
  try {
    rt::BundleFile bundle(options.bundle, withoutWeights());
    auto backend = findBackend(getTargetName(*bundle.manifest().target()), {options.ptxas});
    if (!backend)
      return backend.takeError();
    return std::unique_ptr<Tuner>(new Tuner(options, std::move(*backend)));
  } catch (const std::exception &error) {
    return makeError("{0}", error.what());
  }
}

Error Tuner::readKernels() {
  const fb::Manifest &manifest = bundle.manifest();
  std::vector<kern::BoundsAttr> bounds(manifest.kernels()->size());
  for (const fb::Entry *entry : *manifest.entries())
    for (const fb::Program *program : *entry->programs())
      for (const fb::Launch *launch : *program->launches()) {
        kern::BoundsAttr &most = bounds[launch->kernel()];
        if (!most || most.getTokens() < int64_t(program->max_tokens()))
          most = kern::BoundsAttr::get(&context, program->max_tokens(), program->max_sequences(),
                                       program->max_output_rows(), manifest.max_context());
      }
  for (auto [i, kernel] : enumerate(*manifest.kernels())) {
    std::string symbol = kernel->symbol()->str();
    if (!bounds[i] || !StringRef(symbol).contains(options.filter))
      continue;
    if (!kernel->spec())
      return makeError("'{0}' has no text of kernel '{1}'; compile it again", bundle.path(),
                       symbol);
    kernels.push_back({symbol, kernel->spec()->str(), bounds[i]});
  }
  if (kernels.empty())
    return makeError("'{0}' has no kernel whose name contains '{1}'", bundle.path(),
                     options.filter);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Packages and measurements
//===----------------------------------------------------------------------===//

static Expected<std::string> readFile(StringRef path) {
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return makeError("'{0}' cannot be read: {1}", path, text.getError().message());
  return (*text)->getBuffer().str();
}

Expected<std::string> Tuner::pack(const Kernel &kernel) {
  auto package = backend->packCandidates(kernel.text, kernel.bounds);
  if (!package)
    return makeError("kernel '{0}': {1}", kernel.symbol, toString(package.takeError()));
  if (package->empty())
    return std::string();
  SmallString<128> path(options.pack);
  if (options.pack.empty()) {
    if (auto error = sys::fs::createTemporaryFile("moec-tune", "moeb", path))
      return makeError("no temporary file: {0}", error.message());
  } else {
    if (auto error = sys::fs::create_directories(path))
      return makeError("--pack '{0}': {1}; give a folder that can be written", path,
                       error.message());
    sys::path::append(path, kernel.symbol + ".moeb");
  }
  if (Error failed = frontend::writeFile(path, toStringRef(*package)))
    return failed;
  return path.str().str();
}

static Expected<std::string> findKernelTest(StringRef given) {
  if (!given.empty())
    return given.str();
  std::string self = sys::fs::getMainExecutable(nullptr, nullptr);
  for (auto &folders : {std::vector<StringRef>{sys::path::parent_path(self)}, {}})
    if (auto found = sys::findProgramByName("moec-kernel-test", folders))
      return *found;
  return makeError("moec-kernel-test is neither beside moec nor on PATH; give --kernel-test, or "
                   "--pack the kernels and measure them elsewhere");
}

/// What moec-kernel-test, here `program`, prints of a package.
static Expected<std::string> measure(const std::string &program, const std::string &package) {
  SmallString<128> out, err;
  if (auto error = sys::fs::createTemporaryFile("moec-tune", "json", out))
    return makeError("no temporary file: {0}", error.message());
  FileRemover removeOut(out);
  if (auto error = sys::fs::createTemporaryFile("moec-tune", "txt", err))
    return makeError("no temporary file: {0}", error.message());
  FileRemover removeErr(err);
  std::string message;
  int status = sys::ExecuteAndWait(program, {program, package, "--json"}, std::nullopt,
                                   {StringRef(""), StringRef(out), StringRef(err)}, 0, 0, &message);
  auto report = readFile(out);
  if (!report)
    return report.takeError();
  if (!report->empty() && (status == 0 || status == 1)) // 1: a case is wrong, which its line says
    return report;
  if (auto text = readFile(err); text && !text->empty())
    message = StringRef(*text).trim().str();
  else
    consumeError(text.takeError());
  return makeError("'{0}' failed: {1}", program, message);
}

namespace {
struct Measured {
  kern::ScheduleAttr schedule;
  double microseconds;
};
} // namespace

/// The cases that are right, in order. Errors go on "the report ".
static Expected<std::vector<Measured>> readReport(StringRef report, mlir::MLIRContext &context,
                                                  StringRef kernel) {
  auto value = json::parse(report);
  if (!value)
    return makeError("is no JSON: {0}", toString(value.takeError()));
  const json::Array *cases = value->getAsArray();
  if (!cases)
    return makeError("is no JSON array of cases");
  std::vector<Measured> measured;
  for (const json::Value &entry : *cases) {
    const json::Object *one = entry.getAsObject();
    auto name = one ? one->getString("name") : std::nullopt;
    auto microseconds = one ? one->getNumber("microseconds") : std::nullopt;
    auto schedule =
        name ? dyn_cast_if_present<kern::ScheduleAttr>(mlir::parseAttribute(*name, &context))
             : nullptr;
    if (!schedule || !microseconds || *microseconds <= 0)
      return makeError("has a case without a schedule as its name or without its time");
    if (one->getBoolean("pass").value_or(false))
      measured.push_back({schedule, *microseconds});
    else
      errs() << "warning: kernel '" << kernel << "' with " << *name
             << " computes something else; it is left out\n";
  }
  if (measured.empty())
    return makeError("has no case that is right");
  return measured;
}

Error Tuner::keepFastest(const Kernel &kernel, StringRef report, StringRef from) {
  auto measured = readReport(report, context, kernel.symbol);
  if (!measured)
    return makeError("kernel '{0}': the report from '{1}' {2}; it must be what moec-kernel-test "
                     "--json prints of the kernel's package",
                     kernel.symbol, from, toString(measured.takeError()));
  auto module = mlir::parseSourceString<mlir::ModuleOp>(kernel.text, &context);
  if (!module || module->getOps<kern::KernelOp>().empty())
    return makeError("the bundle's text of kernel '{0}' cannot be read", kernel.symbol);
  kern::KernelOp op = *module->getOps<kern::KernelOp>().begin();
  const Measured &best = *llvm::min_element(
      *measured, [](auto &a, auto &b) { return a.microseconds < b.microseconds; });
  TunedKernel &tuned = file.kernels.emplace_back();
  tuned.kernel = kernel.symbol;
  tuned.fingerprint = passes::getFingerprint(op);
  tuned.microseconds = best.microseconds;
  for (const Measured &one : *measured)
    if (one.schedule == op.getSchedule())
      tuned.chosenMicroseconds = one.microseconds;
  for (mlir::NamedAttribute size : best.schedule.getSizes())
    tuned.schedule.emplace_back(size.getName().str(),
                                cast<mlir::IntegerAttr>(size.getValue()).getInt());
  outs() << formatv("{0}: {1:f2} us, the best of {2}; the compiler's choice {3:f2} us\n",
                    kernel.symbol, best.microseconds, measured->size(), tuned.chosenMicroseconds);
  outs().flush();
  return writeScheduleFile(options.output, file);
}

Error Tuner::tune(const Kernel &kernel) {
  if (!options.measured.empty()) {
    std::string path = options.measured + "/" + kernel.symbol + ".json";
    if (!sys::fs::exists(path))
      return Error::success(); // not measured, or without a choice
    auto report = readFile(path);
    return report ? keepFastest(kernel, *report, path) : report.takeError();
  }
  auto package = pack(kernel);
  if (!package || package->empty() || !options.pack.empty())
    return package.takeError();
  FileRemover remove(*package);
  auto program = findKernelTest(options.kernelTest);
  if (!program)
    return program.takeError();
  auto report = measure(*program, *package);
  return report ? keepFastest(kernel, *report, *program) : report.takeError();
}

Error Tuner::run() {
  if (Error error = readKernels())
    return error;
  for (const Kernel &kernel : kernels)
    if (Error error = tune(kernel))
      return error;
  return options.output.empty() ? Error::success() : writeScheduleFile(options.output, file);
}
