// The moe dialect: attributes, types and ops.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace moec::moe {

/// A double that can be a parameter of an attribute (hashed and compared by its bits).
struct Real {
  double value = 0;
  Real(double value = 0) : value(value) {}
  operator double() const { return value; }
  friend llvm::hash_code hash_value(Real real) {
    return llvm::hash_value(llvm::bit_cast<uint64_t>(real.value));
  }
  friend bool operator==(Real lhs, Real rhs) {
    return llvm::bit_cast<uint64_t>(lhs.value) == llvm::bit_cast<uint64_t>(rhs.value);
  }
};

inline mlir::AsmPrinter &operator<<(mlir::AsmPrinter &printer, Real real) {
  printer.printFloat(llvm::APFloat(real.value));
  return printer;
}

} // namespace moec::moe

template <> struct mlir::FieldParser<moec::moe::Real> {
  static mlir::FailureOr<moec::moe::Real> parse(mlir::AsmParser &parser) {
    double value;
    if (parser.parseFloat(value))
      return mlir::failure();
    return moec::moe::Real(value);
  }
};

namespace moec::moe {

/// True for a tensor or quantized tensor with this many axes, of which those
/// from `firstStatic` on have static sizes.
bool hasAxes(mlir::Type type, int64_t axes, int64_t firstStatic);

/// Fails unless the row counts of results follow from their sources (see
/// RowsInterface), as far as they are static.
mlir::LogicalResult verifyRows(mlir::Operation *op);

} // namespace moec::moe

#include "dialects/moe/MoeDialect.h.inc"
#include "dialects/moe/MoeEnums.h.inc"
#include "dialects/moe/MoeInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/moe/MoeAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/moe/MoeTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/moe/MoeOps.h.inc"

namespace moec::moe {

/// Shape of a float, integer or quantized tensor type.
llvm::ArrayRef<int64_t> getShape(mlir::Type type);

/// The scheme of a quantized tensor type, or null.
QuantSchemeAttr getScheme(mlir::Type type);

/// The type with its axis-0 size replaced (e.g. by kDynamic).
mlir::Type withRows(mlir::Type type, int64_t rows);

/// Bytes of a value of static shape (codes and scales for quantized tensors);
/// a dynamic axis 0 counts as `rows`.
uint64_t getBytes(mlir::Type type, uint64_t rows = 0);

/// The default activation scheme: E4M3 codes, an f32 scale per row and 128 columns.
QuantSchemeAttr getActivationScheme(mlir::MLIRContext *context);

} // namespace moec::moe
