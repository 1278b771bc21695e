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

// What was measured goes before the target's choice.
// RUN: moec-opt %s --assign-schedules --remarks-filter=assign-schedules 2>&1 >/dev/null | FileCheck %s --check-prefix REMARK
// REMARK: row_tile = 1; the cheapest of 2 candidates, cost 1.00; the next 1.50 with row_tile = 2
