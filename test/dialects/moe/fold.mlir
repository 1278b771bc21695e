// RUN: moec-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @whole_slice_is_its_operand
// CHECK-NEXT: return %arg0
func.func @whole_slice_is_its_operand(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = moe.slice %x {offset = 0 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: @partial_slice_stays
// CHECK: moe.slice
func.func @partial_slice_stays(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  %0 = moe.slice %x {offset = 0 : i64} : (tensor<?x4xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// CHECK-LABEL: @unused_ops_vanish
// CHECK-NEXT: return
func.func @unused_ops_vanish(%x: tensor<?x4xf32>) {
  %0 = moe.add %x, %x : tensor<?x4xf32>
  return
}
