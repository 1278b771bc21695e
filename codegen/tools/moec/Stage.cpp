#include "codegen/tools/moec/Stage.h"

#include "frontend/Errors.h"

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace moec;
using frontend::makeError;

static constexpr StringLiteral kStages[] = {"moe", "kern", "plan", "tile", "llvm", "asm", "ptx"};

bool moec::namesPass(StringRef emit) {
  return emit.starts_with("before:") || emit.starts_with("after:");
}

Error moec::checkStage(StringRef emit) {
  if (is_contained(kStages, emit) || namesPass(emit))
    return Error::success();
  return makeError(
      "--emit {0}: there is no such stage; there are: {1}, before:<pass>, after:<pass>", emit,
      join(ArrayRef(kStages), ", "));
}

Expected<std::string> moec::getPassesUpTo(StringRef emit, mlir::OpPassManager &whole) {
  auto [point, name] = emit.split(':');
  std::vector<std::string> texts; // of all passes
  SetVector<StringRef> names;
  std::optional<size_t> first, last;
  for (mlir::Pass &pass : whole.getPasses()) {
    if (pass.getArgument() == name) {
      last = texts.size();
      first = first.value_or(*last);
    }
    names.insert(pass.getArgument());
    raw_string_ostream text(texts.emplace_back());
    pass.printAsTextualPipeline(text);
  }
  if (!first)
    return makeError("--emit {0}: no pass of the pipeline has this name; there are: {1}", emit,
                     join(names.getArrayRef(), ", "));
  texts.resize(point == "before" ? *first : *last + 1);
  return join(texts, ",");
}
