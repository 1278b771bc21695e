// RUN: moec-opt %s --fuse-norm-matmul --remarks-filter=fuse-norm-matmul --verify-diagnostics | FileCheck %s

module attributes {kern.target = "sm_90a"} {
moe.weight @g : tensor<256xbf16> = #moe.checkpoint<"g">
moe.weight @h : tensor<128xbf16> = #moe.checkpoint<"h">
moe.weight @w : tensor<128x256xbf16> = #moe.checkpoint<"w">
moe.weight @odd : tensor<72x256xbf16> = #moe.checkpoint<"odd">

// CHECK-LABEL: func.func @many_rows
// CHECK:       kern.group hero <rows>
func.func @many_rows(%x: tensor<?x256xbf16> {moe.input = "hidden"}) -> tensor<?x128xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 8, sequences = 8, output_rows = 8, context_length = 64>} {
  %g = moe.param @g : tensor<256xbf16>
  %w = moe.param @w : tensor<128x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
    kern.yield %n : tensor<?x256xbf16>
  } : tensor<?x256xbf16>
  %1 = kern.group hero <matmul> {
    // expected-remark @below {{more than 4 rows would be normalised again by every tile}}
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    kern.yield %y : tensor<?x128xf32>
  } : tensor<?x128xf32>
  return %1 : tensor<?x128xf32>
}

// CHECK-LABEL: func.func @other_type
// CHECK:       kern.group hero <rows>
func.func @other_type(%x: tensor<?x256xf32> {moe.input = "hidden"}) -> tensor<?x128xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
  %g = moe.param @g : tensor<256xbf16>
  %w = moe.param @w : tensor<128x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xf32>, tensor<256xbf16>) -> tensor<?x256xf32>
    kern.yield %n : tensor<?x256xf32>
  } : tensor<?x256xf32>
  %1 = kern.group hero <matmul> {
    // expected-remark @below {{only products of bf16 normalise rows, in bf16}}
    %y = moe.linear %0, %w : (tensor<?x256xf32>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    kern.yield %y : tensor<?x128xf32>
  } : tensor<?x128xf32>
  return %1 : tensor<?x128xf32>
}

// CHECK-LABEL: func.func @norm_of_heads
// CHECK:       kern.group hero <rows>
func.func @norm_of_heads(%x: tensor<?x256xbf16> {moe.input = "hidden"}) -> tensor<?x128xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
  %g = moe.param @h : tensor<128xbf16>
  %w = moe.param @w : tensor<128x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64, heads = 2 : i64} : (tensor<?x256xbf16>, tensor<128xbf16>) -> tensor<?x256xbf16>
    kern.yield %n : tensor<?x256xbf16>
  } : tensor<?x256xbf16>
  %1 = kern.group hero <matmul> {
    // expected-remark @below {{products normalise whole rows, not heads}}
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    kern.yield %y : tensor<?x128xf32>
  } : tensor<?x128xf32>
  return %1 : tensor<?x128xf32>
}

// CHECK-LABEL: func.func @odd_columns
// CHECK:       kern.group hero <rows>
func.func @odd_columns(%x: tensor<?x256xbf16> {moe.input = "hidden"}) -> tensor<?x72xf32>
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
  %g = moe.param @g : tensor<256xbf16>
  %w = moe.param @odd : tensor<72x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
    kern.yield %n : tensor<?x256xbf16>
  } : tensor<?x256xbf16>
  %1 = kern.group hero <matmul> {
    // expected-remark @below {{products normalise whole rows, of multiples of 128 columns, into as many}}
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<72x256xbf16>) -> tensor<?x72xf32>
    kern.yield %y : tensor<?x72xf32>
  } : tensor<?x72xf32>
  return %1 : tensor<?x72xf32>
}

// Two products read the norm: each would compute it.
// CHECK-LABEL: func.func @two_readers
// CHECK:       kern.group hero <rows>
func.func @two_readers(%x: tensor<?x256xbf16> {moe.input = "hidden"}) -> (tensor<?x128xf32>, tensor<?x128xf32>)
    attributes {kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 64>} {
  %g = moe.param @g : tensor<256xbf16>
  %w = moe.param @w : tensor<128x256xbf16>
  %0 = kern.group hero <rows> {
    %n = moe.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
    kern.yield %n : tensor<?x256xbf16>
  } : tensor<?x256xbf16>
  %1 = kern.group hero <matmul> {
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    kern.yield %y : tensor<?x128xf32>
  } : tensor<?x128xf32>
  %2 = kern.group hero <matmul> {
    %y = moe.linear %0, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xf32>
    kern.yield %y : tensor<?x128xf32>
  } : tensor<?x128xf32>
  return %1, %2 : tensor<?x128xf32>, tensor<?x128xf32>
}
}
