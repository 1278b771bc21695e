// Places in shared and in device memory, loads and stores.
#pragma once

#include "codegen/target/nvidia/hopper/Values.h"

namespace moec::hopper {

/// A place in the block's shared memory (`!llvm.ptr<3>`); offsets in bytes.
struct Shared {
  Builder *b = nullptr;
  Value pointer;

  Shared operator+(const Int &bytes) const;
  Shared operator+(int64_t bytes) const { return *this + Int(*b, bytes); }
  /// The 32-bit address.
  Int getAddress() const;
  static Shared at(const Int &address);
};

/// A place in device memory (`!llvm.ptr<1>`); offsets in bytes.
struct Global {
  Builder *b = nullptr;
  Value pointer;

  Global operator+(const Int &bytes) const;
  Global operator+(int64_t bytes) const { return *this + Int(*b, bytes); }
  /// `index` * `bytes`, which may pass 32 bits, further on.
  Global at(const Int &index, int64_t bytes) const;
};

/// A vector's loads and stores are one instruction; `alignment` in bytes, 0: the element's size.
Value load(const Shared &from, mlir::Type type, unsigned alignment = 0);
/// `constant`: nothing writes there while the kernel runs, nor does the kernel before it in the
/// stream.
Value load(const Global &from, mlir::Type type, unsigned alignment = 0, bool constant = false);
void store(Value value, const Shared &to, unsigned alignment = 0);
void store(Value value, const Global &to, unsigned alignment = 0);

/// A struct value with these members, or an empty one.
Value makeStruct(Builder &b, mlir::ValueRange members);
Value makeUndefined(Builder &b, mlir::Type type);
Values getMembers(Builder &b, Value structure);

/// A vector of `values`, and the elements of one.
Value makeVector(Builder &b, mlir::ValueRange values);
Values getElements(Builder &b, Value vector);

/// Assembly with operands `$0`, `$1`, ...: results first. One result is returned as it is, several
/// as members.
Values inlineAsm(Builder &b, llvm::StringRef text, llvm::StringRef constraints,
                 mlir::ValueRange operands, mlir::TypeRange results, bool hasSideEffects = true);

} // namespace moec::hopper
