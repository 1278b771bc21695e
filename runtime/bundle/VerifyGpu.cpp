// How kernels of GPUs are launched: block shapes, shared memory, parameters and
// tensor maps. What the driver would refuse is refused here, by name.
#include "runtime/bundle/Format.h"
#include "runtime/bundle/VerifyContext.h"

#include <algorithm>
#include <initializer_list>

namespace moec::rt {
namespace {

constexpr unsigned kMaxRank = 5;
constexpr unsigned kMaxBox = 256;      // elements along one dimension
constexpr uint64_t kMapAlignment = 16; // of addresses, strides and the box's rows
constexpr uint64_t kMaxExtent = uint64_t(1) << 32;
constexpr uint64_t kMaxStride = uint64_t(1) << 40;

void oneOf(const VerifyContext &c, uint32_t value, std::initializer_list<uint32_t> allowed,
           const std::string &what) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
    return;
  std::string list;
  for (uint32_t a : allowed)
    list += (list.empty() ? "" : ", ") + std::to_string(a);
  c.bad(what, " is ", value, ", expected one of ", list);
}

void verifyBox(const VerifyContext &c, const fb::TensorMap &map, const std::string &what) {
  for (uint32_t extent : *map.box())
    if (extent == 0 || extent > kMaxBox)
      c.bad(what, " has a box of ", extent, " elements, expected 1 to ", kMaxBox);
  oneOf(c, map.swizzle(), {0, 32, 64, 128}, what + " swizzle");
  oneOf(c, map.l2_promotion(), {0, 64, 128, 256}, what + " l2_promotion");
  uint64_t row = uint64_t(map.box()->Get(0)) * elementSize(map.dtype());
  if (row % kMapAlignment)
    c.bad(what, " has box rows of ", row, " bytes, expected a multiple of ", kMapAlignment);
  if (map.swizzle() && row > map.swizzle())
    c.bad(what, " has box rows of ", row, " bytes, its swizzle allows ", map.swizzle());
}

void verifyTensorMap(const VerifyContext &c, const fb::Kernel &kernel, const fb::TensorMap &map,
                     const std::string &what) {
  if (map.slot() >= kernel.num_args())
    c.bad(what, " names argument ", map.slot(), " of ", kernel.num_args());
  if (map.dtype() > fb::DType::MAX)
    c.bad(what, " has dtype ", unsigned(map.dtype()));
  unsigned rank = map.sizes()->size();
  if (rank == 0 || rank > kMaxRank)
    c.bad(what, " has ", rank, " dimensions, expected 1 to ", kMaxRank);
  if (map.strides()->size() != rank - 1 || map.box()->size() != rank)
    c.bad(what, " has ", rank, " sizes, ", map.strides()->size(), " strides and a box of ",
          map.box()->size());
  for (const fb::Extent *extent : *map.sizes())
    if (extent->dim() > fb::Dim::MAX)
      c.bad(what, " has a size over dim ", unsigned(extent->dim()));
  for (uint64_t stride : *map.strides())
    if (stride == 0 || stride % kMapAlignment || stride >= kMaxStride)
      c.bad(what, " has a stride of ", stride, " bytes, expected a multiple of ", kMapAlignment,
            " below ", kMaxStride);
  verifyBox(c, map, what);
}

/// Elements along dimension `i` at the program's bounds.
uint64_t checkedExtent(const VerifyContext &c, const fb::Program &p, const fb::Extent &extent,
                       const std::string &what) {
  uint64_t scaled = checkedMul(c, extent.multiplier(), boundOf(p, extent.dim()), what + " size");
  if (scaled > kMaxExtent || extent.addend() > kMaxExtent - scaled)
    c.bad(what, " has a size of more than ", kMaxExtent, " elements");
  return scaled + extent.addend();
}

/// The bytes from element 0 that the map reaches stay within the argument. A
/// map of a cache has as many outermost elements as fit, so each must hold
/// what lies below it.
void verifyReach(const VerifyContext &c, const fb::Program &p, const fb::TensorMap &map,
                 const fb::Arg &arg, const std::string &what) {
  unsigned last = map.sizes()->size() - 1;
  bool open = isOpen(map);
  if (open != (arg.kind() == fb::ArgKind::Cache))
    c.bad(what, open ? " has no outermost size, which only a cache may leave open"
                     : " has a fixed outermost size, a cache's must be 0");
  uint64_t reach = 0;
  for (unsigned i = 0; i <= last - open; ++i) {
    uint64_t extent = checkedExtent(c, p, *map.sizes()->Get(i), what);
    if (extent == 0)
      c.bad(what, " has a size of 0");
    reach += i ? checkedMul(c, extent - 1, map.strides()->Get(i - 1), what + " size")
               : extent * elementSize(map.dtype());
    if (reach >> 60)
      c.bad(what, " size overflows 60 bits");
  }
  uint64_t limit = open ? map.strides()->Get(last - 1) : arg.bytes();
  if (!fits(map.offset(), reach, limit))
    c.bad(what, " reaches bytes [", map.offset(), ", +", reach, ") of ", limit,
          open ? " of an outermost element" : "");
}

/// Complains when a field of a kernel is out of range.
struct Within {
  const VerifyContext &c;
  const std::string &what;
  void operator()(uint64_t value, uint64_t low, uint64_t high, const char *field) const {
    if (value < low || value > high)
      c.bad(what, " has ", field, " ", value, ", expected ", low, " to ", high);
  }
};

} // namespace

void verifyHipKernel(const VerifyContext &c, const fb::Kernel &kernel, const std::string &what) {
  Within within{c, what};
  within(kernel.threads(), 1, kMaxBlockThreads, "threads");
  within(kernel.shared_bytes(), 0, kMaxGroupBytes, "shared_bytes");
  within(kernel.cluster(), 1, 1, "cluster");
  within(kernel.early_launch(), 0, 0, "early_launch");
  within(kernel.co_resident(), 0, 0, "co_resident");
  within(kernel.tensor_maps() ? kernel.tensor_maps()->size() : 0, 0, 0, "tensor maps");
  within(8 * (uint64_t(kernel.num_args()) + 1), 0, kMaxParameterBytes, "parameter bytes");
}

void verifyCudaKernel(const VerifyContext &c, const fb::Kernel &kernel, const std::string &what) {
  Within within{c, what};
  within(kernel.threads(), 1, kMaxBlockThreads, "threads");
  within(kernel.shared_bytes(), 0, kMaxSharedBytes, "shared_bytes");
  within(kernel.cluster(), 1, kMaxCluster, "cluster");
  if (kernel.max_blocks() % kernel.cluster())
    c.bad(what, " has max_blocks ", kernel.max_blocks(), ", expected a multiple of its cluster of ",
          kernel.cluster());
  if (kernel.co_resident() && !kernel.max_blocks())
    c.bad(what, " has co_resident blocks and max_blocks 0, expected how many they are");
  uint64_t maps = kernel.tensor_maps() ? kernel.tensor_maps()->size() : 0;
  within(8 * (uint64_t(kernel.num_args()) + 1) + kTensorMapBytes * maps, 0, kMaxParameterBytes,
         "parameter bytes");
  for (unsigned i = 0; i < maps; ++i)
    verifyTensorMap(c, kernel, *kernel.tensor_maps()->Get(i),
                    joined(what, " tensor_maps[", i, "]"));
}

void verifyBlockCount(const VerifyContext &c, const fb::Program &program, const fb::Launch &launch,
                      const std::string &what) {
  const fb::Kernel &kernel = *c.manifest->kernels()->Get(launch.kernel());
  const int64_t bounds[] = {1, int64_t(program.max_tokens()), int64_t(program.max_sequences()),
                            int64_t(program.max_output_rows())};
  uint64_t blocks = blockCount(kernel, tileCount(*launch.grid(), bounds));
  if (blocks > kMaxGridBlocks)
    c.bad(what, " has ", blocks, " blocks, at most ", kMaxGridBlocks, " are allowed");
}

void verifyTensorMaps(const VerifyContext &c, const fb::Program &program, const fb::Launch &launch,
                      const std::string &what) {
  const fb::Kernel &kernel = *c.manifest->kernels()->Get(launch.kernel());
  if (!kernel.tensor_maps())
    return;
  for (unsigned i = 0; i < kernel.tensor_maps()->size(); ++i) {
    const fb::TensorMap &map = *kernel.tensor_maps()->Get(i);
    const fb::Arg &arg = *launch.args()->Get(map.slot());
    std::string where =
        joined(what, " tensor_maps[", i, "] of kernel '", kernel.symbol()->str(), "'");
    if ((arg.offset() + map.offset()) % kMapAlignment)
      c.bad(where, " starts at byte ", arg.offset() + map.offset(), ", expected a multiple of ",
            kMapAlignment);
    verifyReach(c, program, map, arg, where);
  }
}

} // namespace moec::rt
