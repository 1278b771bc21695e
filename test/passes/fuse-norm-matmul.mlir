// RUN: moec-opt %s --fuse-norm-matmul | FileCheck %s
// RUN: moec-opt %s --fuse-norm-matmul --outline-kernels --assign-schedules | FileCheck %s --check-prefix=KERNEL
// RUN: moec-opt %s --fuse-norm-matmul --check-numerics -o %t

// A step of few tokens: every tile of the product normalises the rows, and the sum behind it stays where it is.
module attributes {kern.target = "sm_90a"} {
moe.weight @g : tensor<256xbf16> = #moe.checkpoint<"g">
moe.weight @w : tensor<128x256xbf16> = #moe.checkpoint<"w">

// CHECK-LABEL: func.func @step
// CHECK-NOT:   hero <rows>
// CHECK:       kern.group hero <matmul>
// CHECK-NEXT:    %[[N:.+]] = moe.rms_norm %{{.+}} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
// CHECK-NEXT:    moe.linear %[[N]]
// CHECK-NEXT:    moe.add
// KERNEL:      kern.kernel @matmul
// KERNEL-SAME:   stages = {{[0-9]+}} : i64, tokens = 8 : i64
func.func @step(%x: tensor<?x256xbf16> {moe.input = "hidden"}, %r: tensor<?x128xbf16> {moe.input = "hidden"}) -> tensor<?x128xbf16>
    attributes {kern.bounds = #kern.bounds<tokens = 4, sequences = 4, output_rows = 4, context_length = 64>} {
  %g = moe.param @g : tensor<256xbf16>
  %w = moe.param @w : tensor<128x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
    kern.yield %n : tensor<?x256xbf16>
  } : tensor<?x256xbf16>
  %1 = kern.group hero <matmul> {
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    %z = moe.add %r, %y : (tensor<?x128xbf16>, tensor<?x128xf32>) -> tensor<?x128xbf16>
    kern.yield %z : tensor<?x128xbf16>
  } : tensor<?x128xbf16>
  return %1 : tensor<?x128xbf16>
}
}
