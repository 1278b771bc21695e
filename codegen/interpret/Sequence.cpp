// Fills an entry's arguments by their `moe.input` attributes.
#include "codegen/interpret/Sequence.h"

#include <numeric>

using namespace moec;
using namespace moec::interpret;
using namespace moec::reference;

llvm::Expected<Sequence> Sequence::create(mlir::ModuleOp module, WeightStore &weights,
                                          llvm::StringRef entry, int64_t capacity) {
  auto function = module.lookupSymbol<mlir::FunctionOpInterface>(entry);
  if (!function)
    return llvm::createStringError("the model has no function '" + entry + "'");
  Sequence sequence(module, weights, function, capacity);
  if (auto error = sequence.addCaches())
    return error;
  return sequence;
}

static llvm::StringRef getInputName(mlir::FunctionOpInterface entry, unsigned argument) {
  auto name = entry.getArgAttrOfType<mlir::StringAttr>(argument, "moe.input");
  return name ? name.getValue() : "";
}

llvm::Error Sequence::addCaches() {
  for (mlir::BlockArgument argument : entry.getArguments()) {
    if (getInputName(entry, argument.getArgNumber()) != "cache")
      continue;
    auto type = llvm::dyn_cast<moe::CacheType>(argument.getType());
    if (!type)
      return llvm::createStringError("argument " + llvm::Twine(argument.getArgNumber()) + " of '" +
                                     entry.getName() + "' is marked as a cache but is none");
    int64_t needed = (capacity + type.getPage() - 1) / type.getPage();
    pages = std::max(pages, needed);
    Tensor rows({needed * type.getPage(), type.getWidth()});
    caches.push_back(share(Cache{std::move(rows), type.getPage()}));
  }
  return llvm::Error::success();
}

static Ints countFrom(int64_t first, const Shape &shape) {
  Ints result(shape);
  std::iota(result.data.begin(), result.data.end(), int32_t(first));
  return result;
}

llvm::Expected<ValuePtr> Sequence::makeInput(unsigned argument, llvm::ArrayRef<int32_t> tokens,
                                             const Tensor *hidden) {
  llvm::StringRef name = getInputName(entry, argument);
  int64_t count = int64_t(tokens.size());
  if (name == "token_ids")
    return share(Ints({count}, tokens.vec()));
  if (name == "positions")
    return share(countFrom(length, {count}));
  if (name == "sequence_ids")
    return share(Ints({count}));
  if (name == "block_table")
    return share(countFrom(0, {1, pages}));
  if (name == "output_rows")
    return share(countFrom(0, {count}));
  if (name == "hidden" && hidden)
    return share(*hidden);
  return llvm::createStringError("argument " + llvm::Twine(argument) + " of '" + entry.getName() +
                                 "' has an unknown or missing input '" + name + "'");
}

llvm::Expected<Tensor> Sequence::step(llvm::ArrayRef<int32_t> tokens, const Tensor *hidden) {
  if (tokens.empty() || length + int64_t(tokens.size()) > capacity)
    return llvm::createStringError("a step of " + llvm::Twine(tokens.size()) + " tokens after " +
                                   llvm::Twine(length) + " does not fit the " +
                                   llvm::Twine(capacity) + " that the sequence has room for");
  Values arguments;
  size_t cache = 0;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    if (getInputName(entry, i) == "cache") {
      arguments.push_back(caches[cache++]);
      continue;
    }
    auto input = makeInput(i, tokens, hidden);
    if (!input)
      return input.takeError();
    arguments.push_back(*input);
  }
  Interpreter interpreter(module, weights);
  interpreter.observer = observer;
  auto results = interpreter.run(entry, arguments);
  if (!results)
    return results.takeError();
  if (results->size() != 1 + caches.size() || !std::holds_alternative<Tensor>(*results->front()))
    return llvm::createStringError("'" + entry.getName() +
                                   "' must return logits, then a cache for each that it takes");
  caches.assign(results->begin() + 1, results->end());
  length += int64_t(tokens.size());
  return std::get<Tensor>(*results->front());
}
