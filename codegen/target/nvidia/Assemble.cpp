#include "codegen/target/nvidia/Assemble.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace llvm;
using namespace moec::codegen;

Expected<std::optional<std::string>> moec::codegen::findAssembler(StringRef given) {
  if (!given.empty()) {
    auto found = sys::findProgramByName(given);
    if (!found || !sys::fs::can_execute(*found))
      return createStringError("--ptxas '" + given.str() + "' is no program that can be run");
    return *found;
  }
  if (auto found = sys::findProgramByName("ptxas"))
    return *found;
  for (const char *folder : std::initializer_list<const char *>{
           std::getenv("CUDA_HOME"), std::getenv("CUDA_PATH"), "/usr/local/cuda"}) {
    if (!folder)
      continue;
    SmallString<128> path(folder);
    sys::path::append(path, "bin", "ptxas");
    if (sys::fs::can_execute(path))
      return path.str().str();
  }
  return std::nullopt;
}

/// The number before `unit` in `line`: 32 for "Used 32 registers" and " registers".
static unsigned readNumber(StringRef line, StringRef unit) {
  StringRef before = line.substr(0, line.find(unit));
  if (before.size() == line.size())
    return 0;
  unsigned value = 0;
  before.substr(before.find_last_not_of("0123456789") + 1).getAsInteger(10, value);
  return value;
}

StringMap<KernelReport> moec::codegen::readReports(StringRef output) {
  StringMap<KernelReport> reports;
  KernelReport *current = nullptr;
  for (StringRef line : split(output, '\n')) {
    if (size_t at = line.find("Compiling entry function '"); at != StringRef::npos)
      current = &reports[line.substr(at).split('\'').second.split('\'').first];
    if (!current)
      continue;
    if (line.contains("bytes stack frame")) {
      current->stackBytes = readNumber(line, " bytes stack frame");
      current->spillBytes = readNumber(line, " bytes spill stores");
    }
    if (line.contains("Used "))
      current->registers = readNumber(line, " registers");
  }
  return reports;
}

namespace {
/// A temporary file that goes when its owner does.
struct TemporaryFile {
  SmallString<128> path;
  ~TemporaryFile() {
    if (!path.empty())
      (void)sys::fs::remove(path);
  }
  Error create(StringRef suffix) {
    if (std::error_code error = sys::fs::createTemporaryFile("moec", suffix, path))
      return createStringError(error, "no temporary file can be made for the assembler");
    return Error::success();
  }
  Expected<std::string> read() const {
    auto buffer = MemoryBuffer::getFile(path);
    if (!buffer)
      return createStringError(buffer.getError(), "the assembler's output cannot be read");
    return (*buffer)->getBuffer().str();
  }
};
} // namespace

Expected<Assembled> moec::codegen::assemble(StringRef program, StringRef ptx, StringRef arch) {
  TemporaryFile source, object, log;
  for (auto [file, suffix] : {std::pair(&source, "ptx"), {&object, "cubin"}, {&log, "log"}})
    if (Error error = file->create(suffix))
      return error;
  std::error_code failure;
  raw_fd_ostream stream(source.path, failure);
  stream << ptx;
  stream.close();
  if (failure || stream.has_error())
    return createStringError("'" + source.path.str() + "' cannot be written");

  std::string archOption = ("-arch=" + arch).str();
  std::string threads = "--split-compile=0";
  StringRef arguments[] = {program, archOption, "-v", threads, "-o", object.path, source.path};
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(log.path), StringRef(log.path)};
  std::string message;
  int code = sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, /*SecondsToWait=*/0,
                                 /*MemoryLimit=*/0, &message);
  auto text = log.read();
  if (!text)
    return text.takeError();
  if (code != 0)
    return createStringError("'" + program.str() + "' refuses the kernels for " + arch.str() +
                             ": " + message + *text);
  auto cubin = object.read();
  if (!cubin)
    return cubin.takeError();
  return Assembled{std::move(*cubin), readReports(*text)};
}
