#include "codegen/tools/moec/ScheduleFile.h"

#include "codegen/kernels/Emitter.h"
#include "frontend/Errors.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

static constexpr int64_t kFormat = 1;
static constexpr StringLiteral kCompiler = "moec " MOEC_VERSION;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Error readKernel(const json::Value &value, TunedKernel &kernel) {
  const json::Object *object = value.getAsObject();
  auto name = object ? object->getString("kernel") : std::nullopt;
  if (!name)
    return makeError("a line is no object with a \"kernel\"");
  kernel.kernel = name->str();
  auto fingerprint = object->getString("fingerprint");
  const json::Object *schedule = object->getObject("schedule");
  if (!fingerprint || !schedule)
    return makeError("kernel '{0}' must have a \"fingerprint\" (a string) and a \"schedule\" (an "
                     "object)",
                     *name);
  kernel.fingerprint = fingerprint->str();
  for (const auto &[size, number] : *schedule) {
    std::optional<int64_t> integer = number.getAsInteger();
    if (!integer)
      return makeError("kernel '{0}': its schedule's \"{1}\" is no integer", *name, size.str());
    kernel.schedule.emplace_back(size.str(), *integer);
  }
  llvm::sort(kernel.schedule);
  kernel.microseconds = object->getNumber("microseconds").value_or(0);
  kernel.chosenMicroseconds = object->getNumber("chosen_microseconds").value_or(0);
  return Error::success();
}

static Error readHead(const json::Object &root, StringRef target) {
  auto format = root.getInteger("format");
  if (format != kFormat)
    return makeError("it has format {0}; this compiler reads {1}: tune again",
                     format ? std::to_string(*format) : "none", kFormat);
  auto compiler = root.getString("compiler"), madeFor = root.getString("target");
  if (compiler != kCompiler)
    return makeError("it was made by '{0}', this is '{1}': tune again", compiler.value_or("?"),
                     kCompiler);
  if (madeFor != target)
    return makeError("it was measured for target '{0}', the bundle is for '{1}': tune on that",
                     madeFor.value_or("?"), target);
  if (!root.getArray("kernels"))
    return makeError("it has no \"kernels\"");
  return Error::success();
}

static Expected<ScheduleFile> parseScheduleFile(StringRef text, StringRef target) {
  auto value = json::parse(text);
  if (!value)
    return value.takeError();
  const json::Object *root = value->getAsObject();
  if (!root)
    return makeError("it is no JSON object");
  if (Error error = readHead(*root, target))
    return error;
  ScheduleFile file{target.str(), {}};
  StringMap<bool> seen;
  for (const json::Value &line : *root->getArray("kernels")) {
    if (Error error = readKernel(line, file.kernels.emplace_back()))
      return error;
    if (!seen.try_emplace(file.kernels.back().kernel, true).second)
      return makeError("kernel '{0}' is there twice", file.kernels.back().kernel);
  }
  return file;
}

Expected<ScheduleFile> moec::readScheduleFile(StringRef path, StringRef target) {
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return makeError("schedules '{0}' cannot be read: {1}", path, text.getError().message());
  auto file = parseScheduleFile((*text)->getBuffer(), target);
  if (!file)
    return makeError("schedules '{0}': {1}", path, toString(file.takeError()));
  return file;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static json::Object toJson(const TunedKernel &kernel) {
  json::Object schedule;
  for (const auto &[size, number] : kernel.schedule)
    schedule[size] = number;
  return json::Object{{"kernel", kernel.kernel},
                      {"fingerprint", kernel.fingerprint},
                      {"microseconds", kernel.microseconds},
                      {"chosen_microseconds", kernel.chosenMicroseconds},
                      {"schedule", std::move(schedule)}};
}

Error moec::writeScheduleFile(StringRef path, const ScheduleFile &file) {
  std::string temporary = (path + ".tmp").str();
  std::error_code error;
  ToolOutputFile out(temporary, error, sys::fs::OF_None);
  if (!error) {
    out.os() << formatv("{{\"format\": {0}, \"compiler\": {1}, \"target\": {2}, \"kernels\": [",
                        kFormat, json::Value(kCompiler), json::Value(file.target));
    ListSeparator comma(",");
    for (const TunedKernel &kernel : file.kernels)
      out.os() << StringRef(comma) << "\n " << json::Value(toJson(kernel));
    out.os() << "\n]}\n";
    out.os().close();
    error = out.os().error();
    out.os().clear_error();
  }
  if (!error)
    error = sys::fs::rename(temporary, path);
  if (error)
    return makeError("'{0}' cannot be written: {1}", path, error.message());
  out.keep();
  return Error::success();
}

mlir::DictionaryAttr moec::makeAttribute(const ScheduleFile &file, mlir::MLIRContext *context) {
  mlir::Builder b(context);
  mlir::NamedAttrList kernels;
  for (const TunedKernel &kernel : file.kernels) {
    SmallVector<std::pair<StringRef, int64_t>> sizes(kernel.schedule.begin(),
                                                     kernel.schedule.end());
    kernels.set(
        kernel.kernel,
        b.getDictionaryAttr({b.getNamedAttr("fingerprint", b.getStringAttr(kernel.fingerprint)),
                             b.getNamedAttr("schedule", codegen::makeSchedule(context, sizes))}));
  }
  return kernels.getDictionary(context);
}
