// What the interpreter computes with: dense tensors of doubles, integers,
// quantized tensors and caches. All row-major.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

namespace moec::reference {

using Shape = llvm::SmallVector<int64_t, 4>;

inline int64_t getNumElements(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

template <typename T> struct Dense {
  Shape shape;
  std::vector<T> data;

  Dense() = default;
  explicit Dense(llvm::ArrayRef<int64_t> shape, T fill = 0)
      : shape(shape), data(getNumElements(shape), fill) {}
  Dense(llvm::ArrayRef<int64_t> shape, std::vector<T> data) : shape(shape), data(std::move(data)) {}

  /// Rows are the leading axis of an activation, columns the last.
  int64_t rows() const { return shape[0]; }
  int64_t columns() const { return shape.back(); }
  T &at(int64_t row, int64_t column) { return data[row * columns() + column]; }
  const T &at(int64_t row, int64_t column) const { return data[row * columns() + column]; }
  T *row(int64_t index) { return data.data() + index * columns(); }
  const T *row(int64_t index) const { return data.data() + index * columns(); }
};

using Tensor = Dense<double>;
using Ints = Dense<int32_t>;

/// value = code * scale; one scale for `block` rows and columns (the last two
/// axes; 0: the whole axis). Codes are held as the values that they stand for.
struct Quantized {
  Tensor codes;
  Tensor scales;
  int64_t block[2];

  Tensor dequantize() const;
};

/// The rows of all pages: [slots, width].
struct Cache {
  Tensor rows;
  int64_t page; // rows of a page
};

using Value = std::variant<Tensor, Ints, Quantized, Cache>;
/// Values are shared, never changed.
using ValuePtr = std::shared_ptr<const Value>;

inline ValuePtr share(Value value) { return std::make_shared<const Value>(std::move(value)); }

/// The shape of a tensor (of codes, when quantized), or of a cache's rows.
llvm::ArrayRef<int64_t> getShape(const Value &value);

} // namespace moec::reference
