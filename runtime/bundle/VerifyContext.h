// What the parts of the verifier share: the manifest, its file and the way to
// complain. Private to this folder.
#pragma once

#include "runtime/bundle/Error.h"
#include "runtime/bundle/Verify.h"

namespace moec::rt {

struct VerifyContext {
  std::span<const uint8_t> file;
  const std::string &name;
  const BundleHeader &header;
  const fb::Manifest *manifest = nullptr;

  template <typename... Ts> [[noreturn]] void bad(const Ts &...parts) const {
    fail(ErrorKind::Bundle, "bundle '", name, "': ", joined(parts...),
         "; compile the bundle again");
  }
};

/// a * b, complaining with `what` when it does not fit 63 bits.
inline uint64_t checkedMul(const VerifyContext &c, uint64_t a, uint64_t b,
                           const std::string &what) {
  uint64_t product;
  if (__builtin_mul_overflow(a, b, &product) || product >> 63)
    c.bad(what, " overflows 63 bits");
  return product;
}

/// offset + bytes <= limit without overflow.
inline bool fits(uint64_t offset, uint64_t bytes, uint64_t limit) {
  return offset <= limit && bytes <= limit - offset;
}

/// Images, kernels and entries (VerifyPrograms.cpp).
void verifyPrograms(const VerifyContext &c);

/// What a GPU's kernel says about its launch (VerifyGpu.cpp).
void verifyCudaKernel(const VerifyContext &c, const fb::Kernel &kernel, const std::string &what);
void verifyHipKernel(const VerifyContext &c, const fb::Kernel &kernel, const std::string &what);
/// A launch's blocks, and its tensor maps; its arguments and grid are right.
void verifyBlockCount(const VerifyContext &c, const fb::Program &program, const fb::Launch &launch,
                      const std::string &what);
void verifyTensorMaps(const VerifyContext &c, const fb::Program &program, const fb::Launch &launch,
                      const std::string &what);

} // namespace moec::rt
