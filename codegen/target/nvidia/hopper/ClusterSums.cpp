#include "codegen/target/nvidia/hopper/ClusterSums.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace moec::hopper;

Shared ClusterSums::getQuad(const Int &from, const Int &thread, int64_t quad) const {
  return memory + ((from - 1) * bytes + thread * 16 + quad * threads * 16);
}

void ClusterSums::send(const Int &rank, const Int &thread, mlir::ValueRange sums) const {
  for (size_t i = 0; i < sums.size(); i += 4)
    storeInCluster(getQuad(rank, thread, i / 4), Int(*rank.b, 0), sums.slice(i, 4), arrived);
}

Values ClusterSums::gather(const Int &thread, mlir::ValueRange sums) const {
  Builder &b = *thread.b;
  waitBarrier(arrived, Int(b, 0));
  Values total(sums);
  auto vector = mlir::VectorType::get(4, b.getF32Type());
  for (int64_t from = 1; from < blocks; ++from)
    for (size_t i = 0; i < total.size(); i += 4) {
      Values other = getElements(b, load(getQuad(Int(b, from), thread, i / 4), vector, 16));
      for (size_t e = 0; e < 4; ++e)
        total[i + e] = addFloat(b, total[i + e], other[e]);
    }
  return total;
}

/// Of the sums that the `from`-th other block has sent.
Shared ClusterParts::getQuad(const Int &from, const Int &thread, int64_t quad,
                             int64_t quads) const {
  return memory + (from * (quads * threads * 16) + thread * 16 + quad * threads * 16);
}

Values ClusterParts::exchange(const Int &rank, const Int &thread,
                              llvm::ArrayRef<Values> parts) const {
  Builder &b = *rank.b;
  int64_t quads = static_cast<int64_t>(parts[0].size()) / 4;
  Values total = parts[0];
  for (int64_t part = 0; part < blocks; ++part) {
    Bool isMine = rank == part;
    Int distance = rank + (blocks - 1 - part); // from the block behind `part`, around the cluster
    Int from = select(distance < blocks, distance, distance - blocks);
    ifThen(
        isMine, [] {},
        [&] {
          for (int64_t quad = 0; quad < quads; ++quad)
            storeInCluster(getQuad(from, thread, quad, quads), Int(b, part),
                           mlir::ValueRange(parts[part]).slice(4 * quad, 4), arrived);
        });
    for (size_t i = 0; part && i < total.size(); ++i)
      total[i] = select(isMine, parts[part][i], total[i]);
  }
  waitBarrier(arrived, Int(b, 0));
  auto vector = mlir::VectorType::get(4, b.getF32Type());
  for (int64_t from = 0; from + 1 < blocks; ++from)
    for (int64_t quad = 0; quad < quads; ++quad) {
      Values other = getElements(b, load(getQuad(Int(b, from), thread, quad, quads), vector, 16));
      for (int64_t e = 0; e < 4; ++e)
        total[4 * quad + e] = addFloat(b, total[4 * quad + e], other[e]);
    }
  return total;
}
