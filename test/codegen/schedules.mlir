// A schedule that a kernel has already stays, from a group too, though the target would choose another.
// RUN: moec-opt %s --outline-kernels --assign-schedules | FileCheck %s

// CHECK-LABEL: kern.kernel @matmul_256x128_f32
// CHECK-SAME: schedule = #kern.schedule<{columns = 64 : i64, {{.*}}vector = 8 : i64}>
// CHECK-LABEL: kern.kernel @matmul_256x128_f32_2
// CHECK-SAME: schedule = #kern.schedule<{columns = 16 : i64, {{.*}}vector = 8 : i64}>

module attributes {kern.target = "cpu:x86-64-v3"} {
  func.func @decode(%x: tensor<?x128xf32> {moe.input = "hidden"}, %w: tensor<256x128xf32>) -> (tensor<?x256xf32>, tensor<?x256xf32>) {
    %0 = kern.group hero <matmul> schedule <{columns = 64, depth = 1024, rows = 4, token_group = 2, tokens = 256, vector = 8}> {
      %y = moe.linear %x, %w : (tensor<?x128xf32>, tensor<256x128xf32>) -> tensor<?x256xf32>
      kern.yield %y : tensor<?x256xf32>
    } : tensor<?x256xf32>
    %1 = kern.group hero <matmul> {
      %y = moe.linear %x, %w : (tensor<?x128xf32>, tensor<256x128xf32>) -> tensor<?x256xf32>
      kern.yield %y : tensor<?x256xf32>
    } : tensor<?x256xf32>
    return %0, %1 : tensor<?x256xf32>, tensor<?x256xf32>
  }
}
