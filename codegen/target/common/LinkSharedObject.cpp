// LLD has global state: calls are serialised. It reads and writes files, which
// live in the temporary folder until the call ends.
#include "codegen/target/common/LinkSharedObject.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace llvm;

/// Fails when `object` refers to a symbol that the serving machine may lack.
static Error checkUndefined(StringRef object, ArrayRef<StringRef> promised) {
  auto file = object::ObjectFile::createObjectFile(MemoryBufferRef(object, "kernels.o"));
  if (!file)
    return file.takeError();
  for (const object::SymbolRef &symbol : (*file)->symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    Expected<StringRef> name = symbol.getName();
    if (!flags || !name)
      return joinErrors(flags.takeError(), name.takeError());
    if ((*flags & object::SymbolRef::SF_Undefined) && !name->empty() &&
        !is_contained(promised, *name))
      return createStringError("kernels call '" + *name +
                               "', which no library of the serving machine promises; expand it "
                               "where codegen/target lowers tile functions");
  }
  return Error::success();
}

/// A new temporary file, removed at the end of `remover`'s life.
static Error createTemporary(StringRef suffix, SmallString<128> &path, FileRemover &remover,
                             int &descriptor) {
  if (std::error_code code = sys::fs::createTemporaryFile("moec", suffix, descriptor, path))
    return createStringError(code, "cannot create a temporary file for linking (set TMPDIR): " +
                                       code.message());
  remover.setFile(path);
  return Error::success();
}

Expected<std::string> moec::codegen::linkSharedObject(StringRef object,
                                                      ArrayRef<StringRef> promised) {
  if (Error error = checkUndefined(object, promised))
    return error;
  SmallString<128> input, output;
  FileRemover removeInput, removeOutput;
  int inputFile, outputFile;
  if (Error error = createTemporary("o", input, removeInput, inputFile))
    return error;
  raw_fd_ostream stream(inputFile, /*shouldClose=*/true);
  stream << object;
  stream.close();
  if (std::error_code code = stream.error()) {
    stream.clear_error();
    return createStringError(code, "cannot write " + input + ": " + code.message());
  }
  if (Error error = createTemporary("so", output, removeOutput, outputFile))
    return error;
  (void)sys::fs::closeFile(outputFile); // the linker opens it by its name

  static std::mutex mutex;
  std::lock_guard lock(mutex);
  std::string messages;
  raw_string_ostream log(messages);
  const char *arguments[] = {"ld.lld",      "-shared",     "--strip-all", "--build-id=none",
                             "--threads=1", "-z",          "noexecstack", input.c_str(),
                             "-o",          output.c_str()};
  if (lld::lldMain(arguments, log, log, {{lld::Gnu, &lld::elf::link}}).retCode != 0)
    return createStringError("the linker failed: " + messages);
  auto linked = MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!linked)
    return createStringError(linked.getError(), "cannot read " + output);
  return (*linked)->getBuffer().str();
}
