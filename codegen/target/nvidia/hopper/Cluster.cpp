#include "codegen/target/nvidia/hopper/Cluster.h"

using namespace moec::hopper;

void Cluster::meet(Builder &b) const {
  if (size == 1)
    return syncBlock(b);
  arriveCluster(b);
  waitCluster(b);
}

void Cluster::release(const Shared &barrier, const Int &lane) const {
  if (size == 1)
    arriveIf(barrier, lane == 0);
  else
    arriveInClusterIf(barrier, lane, lane < size);
}
