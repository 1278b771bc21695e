// RUN: moec-opt %s --split-entries="max-context=8 decode-buckets=1 prefill-buckets=8" --expand-experts --check-numerics -o /dev/null 2>&1 | FileCheck %s --implicit-check-not=error:
// RUN: moec-opt %s --split-entries="max-context=8 decode-buckets=1 prefill-buckets=8" --check-numerics --numerics-dims=tokens=1,sequences=1,output_rows=1 -o %t.mlir
// RUN: moec-opt %s --split-entries="max-context=8 decode-buckets=1 prefill-buckets=8" -o - | diff - %t.mlir
// RUN: not moec-opt %s --expand-experts --quantize-activations=mode=quantized --check-numerics -o %t.none 2>&1 | FileCheck %s --check-prefix=WORSE
// RUN: not test -e %t.none
// RUN: moec-opt %s --expand-experts --quantize-activations=mode=quantized --check-numerics --numerics-tolerance=0.1 -o /dev/null
// RUN: moec-opt %s --expand-experts --quantize-activations=mode=quantized --check-numerics --numerics-tolerance=1e-12,quantize-activations=0.1 -o /dev/null
// RUN: moec-opt %s --canonicalize --check-numerics --numerics-strict -o /dev/null 2>&1 | FileCheck %s --check-prefix=STRICT
// RUN: moec-opt %s --symbol-dce --check-numerics -o /dev/null 2>&1 | FileCheck %s --check-prefix=DROPPED
// RUN: moec-opt %s --canonicalize --check-numerics -o /dev/null 2>&1 | count 0

// CHECK: numerics: split-entries: @prefill_8 result 0: max abs error 0, relative L2 error 0
// CHECK: numerics: split-entries: @decode_1 result 0: max abs error 0, relative L2 error 0
// CHECK: numerics: split-entries: @unused result 0
// CHECK: numerics: expand-experts: @prefill_8 result 0: max abs error {{.*}}, relative L2 error {{[0-9.]+e-1[5-9]|0$}}

// WORSE: numerics: quantize-activations: @forward result 0: {{.*}} exceeds the tolerance of 1e-09
// STRICT: numerics: canonicalize: changed nothing
// DROPPED: numerics: symbol-dce: @unused was dropped

module attributes {moe.numerics = {activations = "exact"}} {
  moe.weight @w : !moe.qtensor<128x128xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"w">
  moe.weight @gate : tensor<4x8x128xf32> = #moe.stack<"gate.{}", 4>
  moe.weight @down : tensor<4x128x8xf32> = #moe.stack<"down.{}", 4>

  func.func @forward(%x: tensor<?x128xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>) -> tensor<?x128xf32> {
    %w = moe.param @w : !moe.qtensor<128x128xf8E4M3FN, block = [128, 128], scale = f32>
    %gate = moe.param @gate : tensor<4x8x128xf32>
    %down = moe.param @down : tensor<4x128x8xf32>
    %0 = moe.linear %x, %w : (tensor<?x128xf32>, !moe.qtensor<128x128xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x128xf32>
    %1 = moe.experts %0, %ids, %weights, %gate, %gate, %down : (tensor<?x128xf32>, tensor<?x2xi32>, tensor<?x2xf32>,
        tensor<4x8x128xf32>, tensor<4x8x128xf32>, tensor<4x128x8xf32>) -> tensor<?x128xf32>
    return %1 : tensor<?x128xf32>
  }

  func.func private @unused(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  }
}
