// RUN: moec-opt %s --quantize-activations | FileCheck %s
// RUN: moec-opt %s --quantize-activations=mode=exact | FileCheck %s --check-prefix=EXACT
// RUN: moec-opt %s --quantize-activations --check-numerics --numerics-tolerance=0.06 -o %t

!fp8 = !moe.qtensor<128x200xf8E4M3FN, block = [128, 128], scale = f32>
!up = !moe.qtensor<96x64xf8E4M3FN, block = [128, 128], scale = f32>

// EXACT: moe.numerics = {activations = "exact", rope = "half"}
// EXACT-NOT: moe.quantize
module attributes {moe.numerics = {activations = "quantized", rope = "half"}} {
  moe.weight @a : !fp8 = #moe.checkpoint<"a">
  moe.weight @b : tensor<4x200xf32> = #moe.checkpoint<"b">
  moe.weight @up : !up = #moe.checkpoint<"up">

  // The input is quantized once for both products that read FP8 weights.
  // CHECK-LABEL: @once
  // CHECK-SAME: %[[X:.+]]: tensor<?x200xf32>
  func.func @once(%x: tensor<?x200xf32>) -> (tensor<?x128xf32>, tensor<?x128xf32>, tensor<?x4xf32>) {
    // CHECK: %[[Q:.+]] = moe.quantize %[[X]] : {{.*}} -> !moe.qtensor<?x200xf8E4M3FN, block = [1, 128], scale = f32>
    // CHECK-NOT: moe.quantize
    %a = moe.param @a : !fp8
    %b = moe.param @b : tensor<4x200xf32>
    // CHECK: moe.linear %[[Q]]
    %0 = moe.linear %x, %a : (tensor<?x200xf32>, !fp8) -> tensor<?x128xf32>
    // CHECK: moe.linear %[[Q]]
    %1 = moe.linear %x, %a : (tensor<?x200xf32>, !fp8) -> tensor<?x128xf32>
    // A plain weight reads the exact input.
    // CHECK: moe.linear %[[X]]
    %2 = moe.linear %x, %b : (tensor<?x200xf32>, tensor<4x200xf32>) -> tensor<?x4xf32>
    return %0, %1, %2 : tensor<?x128xf32>, tensor<?x128xf32>, tensor<?x4xf32>
  }

  // The latent up-projection's input stays exact, so that absorbed and
  // unabsorbed attention agree.
  // CHECK-LABEL: @head_linear_stays_exact
  // CHECK-NOT: moe.quantize
  // CHECK: return
  func.func @head_linear_stays_exact(%x: tensor<?x64xf32>) -> tensor<?x128xf32> {
    %up = moe.param @up : !up
    %0 = moe.head_linear %x, %up {heads = 2 : i64, x_offset = 0 : i64, x_size = 16 : i64, w_offset = 0 : i64, w_size = 16 : i64, transposed = true} : (tensor<?x64xf32>, !up) -> tensor<?x128xf32>
    return %0 : tensor<?x128xf32>
  }
}
