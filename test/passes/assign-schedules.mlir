// RUN: moec-opt %s --assign-schedules | FileCheck %s
// RUN: moec-opt %s --assign-schedules --assign-schedules | FileCheck %s

module attributes {kern.target = "test"} {
  // CHECK: kern.kernel @k
  // CHECK-SAME: schedule = #kern.schedule<{row_tile = 1 : i64}>
  kern.kernel @k(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 8, 8>} {
    %0 = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %0 : tensor<?x8xf32>
  }
}
