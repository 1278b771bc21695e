// RUN: moec-opt %s --fuse-matmul-residual | FileCheck %s
// RUN: moec-opt %s --fuse-matmul-residual --check-numerics -o %t
// RUN: moec-opt %s --fuse-matmul-residual --fuse-residual-norm --fuse-norm-quantize --group-remaining | FileCheck %s --check-prefix=LAUNCHES
// RUN: moec-opt %s --fuse-residual-norm --fuse-norm-quantize --group-remaining | FileCheck %s --check-prefix=WITHOUT

!quantized = !moe.qtensor<?x4xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "test"} {
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
  moe.weight @norm : tensor<4xf32> = #moe.checkpoint<"norm">

  // CHECK-LABEL: @fires
  // CHECK-SAME: %[[X:.+]]: tensor<?x8xf32>, %[[R:.+]]: tensor
  // CHECK: %[[S:.+]] = kern.group hero <matmul> {
  // CHECK: %[[L:.+]] = moe.linear %[[X]]
  // CHECK: %[[A:.+]] = moe.add %[[R]], %[[L]]
  // CHECK: kern.yield %[[A]]
  // CHECK: return %[[S]]
  func.func @fires(%x: tensor<?x8xf32>, %residual: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %1 = moe.add %residual, %0 : tensor<?x4xf32>
    return %1 : tensor<?x4xf32>
  }

  // The norm keeps its quantization and loses nothing but the sum: two groups, with or without.
  // CHECK-LABEL: @before_norm
  // CHECK: kern.group hero <matmul>
  // CHECK: moe.add
  // CHECK: }
  // CHECK-NOT: kern.group
  // CHECK: moe.rms_norm
  // LAUNCHES-LABEL: @before_norm
  // LAUNCHES-COUNT-2: kern.group hero
  // LAUNCHES-NOT: kern.group
  // LAUNCHES: return
  // WITHOUT-LABEL: @before_norm
  // WITHOUT-COUNT-2: kern.group hero
  // WITHOUT-NOT: kern.group
  // WITHOUT: return
  func.func @before_norm(%x: tensor<?x8xf32>, %residual: tensor<?x4xf32>) -> (tensor<?x4xf32>, !quantized) {
    %w = moe.param @w : tensor<4x8xf32>
    %norm = moe.param @norm : tensor<4xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %1 = moe.add %residual, %0 : tensor<?x4xf32>
    %2 = moe.rms_norm %1, %norm {epsilon = 1.0e-6 : f64} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %3 = moe.quantize %2 : (tensor<?x4xf32>) -> !quantized
    return %1, %3 : tensor<?x4xf32>, !quantized
  }

  // CHECK-LABEL: @two_sums
  // CHECK-SAME: %{{.+}}: tensor<?x8xf32>, %[[E:.+]]: tensor<?x4xf32>, %[[R:.+]]: tensor
  // CHECK: %[[L:.+]] = moe.linear
  // CHECK: %[[A:.+]] = moe.add %[[E]], %[[L]]
  // CHECK: %[[B:.+]] = moe.add %[[R]], %[[A]]
  // CHECK: kern.yield %[[B]]
  func.func @two_sums(%x: tensor<?x8xf32>, %experts: tensor<?x4xf32>, %residual: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %1 = moe.add %experts, %0 : tensor<?x4xf32>
    %2 = moe.add %residual, %1 : tensor<?x4xf32>
    return %2 : tensor<?x4xf32>
  }

  // A sum that is read twice ends the chain.
  // CHECK-LABEL: @sum_read_twice
  // CHECK: kern.group hero <matmul>
  // CHECK: kern.yield
  // CHECK: }
  // CHECK: moe.add
  // CHECK: return
  func.func @sum_read_twice(%x: tensor<?x8xf32>, %residual: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %1 = moe.add %residual, %0 : tensor<?x4xf32>
    %2 = moe.add %residual, %1 : tensor<?x4xf32>
    return %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>
  }

  // CHECK-LABEL: @no_sum
  // CHECK-NOT: kern.group
  // CHECK: return
  func.func @no_sum(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    return %0 : tensor<?x4xf32>
  }
}
