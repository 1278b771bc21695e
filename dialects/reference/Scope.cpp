// Lookup of values, and errors.
#include "dialects/reference/Scope.h"

#include "mlir/IR/Location.h"

using namespace moec::reference;

llvm::Error moec::reference::makeError(mlir::Operation *op, const llvm::Twine &text) {
  std::string place;
  if (auto name = llvm::dyn_cast<mlir::NameLoc>(op->getLoc()))
    place = " (" + name.getName().str() + ")";
  return llvm::createStringError("'" + op->getName().getStringRef() + "'" + place + ": " + text);
}

llvm::Error moec::reference::checkIndex(mlir::Operation *op, llvm::StringRef what, int64_t index,
                                        int64_t size) {
  if (index >= 0 && index < size)
    return llvm::Error::success();
  return makeError(op,
                   what + " " + llvm::Twine(index) + " is outside 0 .. " + llvm::Twine(size - 1));
}

const Tensor &Scope::tensor(mlir::Value name) {
  const Value &value = *values.lookup(name);
  if (auto *plain = std::get_if<Tensor>(&value))
    return *plain;
  std::shared_ptr<const Tensor> &plain = dequantized[name];
  if (!plain)
    plain = std::make_shared<const Tensor>(std::get<Quantized>(value).dequantize());
  return *plain;
}

llvm::Error moec::reference::checkSameRows(mlir::Operation *op, const Scope &in,
                                           mlir::ValueRange values) {
  int64_t expected = getShape(*in.get(values[0]))[0];
  for (mlir::Value value : values)
    if (int64_t rows = getShape(*in.get(value))[0]; rows != expected)
      return makeError(op, "operands have " + llvm::Twine(expected) + " and " + llvm::Twine(rows) +
                               " rows");
  return llvm::Error::success();
}
