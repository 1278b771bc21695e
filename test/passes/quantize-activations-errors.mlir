// RUN: moec-opt %s --quantize-activations=mode=quantized --split-input-file --verify-diagnostics
// RUN: not moec-opt %s --quantize-activations=mode=maybe 2>&1 | FileCheck %s

// CHECK: activations must be quantized or exact; got 'maybe'

func.func @early(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %g: tensor<4x6x8xf32>, %d: tensor<4x8x6xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{quantize-activations needs expanded experts; run expand-experts first}}
  %y = moe.experts %x, %ids, %w, %g, %g, %d : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
