// RUN: moec-opt %s --attach-rope-tables=max-context=32 | FileCheck %s
// RUN: moec-opt %s --attach-rope-tables=max-context=256 --check-numerics --numerics-tolerance=1e-6 -o %t
// RUN: not moec-opt %s --attach-rope-tables 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: attach-rope-tables needs a context length: set the option max-context or the module's moe.max_context

// One table for each distinct rope, however many ops use it.
// CHECK-DAG: moe.weight @rope_table_0 : tensor<32x4xf32> = #moe.rope_table<{{.*}}interleaved{{.*}}, 32>
// CHECK-DAG: moe.weight @rope_table_1 : tensor<32x4xf32> = #moe.rope_table<{{.*}}half{{.*}}, 32>
// CHECK-NOT: moe.weight

// CHECK-LABEL: @f
// CHECK-DAG: %[[T0:.+]] = moe.param @rope_table_0
// CHECK-DAG: %[[T1:.+]] = moe.param @rope_table_1
func.func @f(%x: tensor<?x4xf32>, %positions: tensor<?xi32> {moe.input = "positions"}) -> tensor<?x4xf32> {
  // CHECK: moe.rope %{{.+}}, %{{.+}}, %[[T0]]
  %0 = moe.rope %x, %positions {heads = 1 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  // CHECK: moe.rope %{{.+}}, %{{.+}}, %[[T1]]
  %1 = moe.rope %0, %positions {heads = 1 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  // CHECK: moe.rope %{{.+}}, %{{.+}}, %[[T0]]
  %2 = moe.rope %1, %positions {heads = 1 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}
