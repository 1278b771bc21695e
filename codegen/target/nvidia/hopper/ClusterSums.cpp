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
