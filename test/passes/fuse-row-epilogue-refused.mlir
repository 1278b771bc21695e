// RUN: moec-opt %s --fuse-row-epilogue --split-input-file --remarks-filter=fuse-row-epilogue --verify-diagnostics | FileCheck %s

module attributes {kern.target = "test"} {
  // One worker would be busy for longer than a launch takes.
  // CHECK-LABEL: @does_not_pay
  // CHECK: hero <matmul>
  // CHECK: hero <rows>
  func.func @does_not_pay(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>, %n: tensor<8xf32>) -> tensor<?x8xf32> attributes {kern.bounds = #kern.bounds<tokens = 64, sequences = 1, output_rows = 1, context_length = 64>} {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{64 rows by one worker take 2.0 us, in a launch of their own 1.5 us}}
    %z = kern.group hero <rows> {
      %0 = moe.rms_norm %y, %n {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %z : tensor<?x8xf32>
  }

  // CHECK-LABEL: @other_path
  // CHECK: hero <rows>
  func.func @other_path(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %q = kern.group hero <attention> {
      %0 = moe.add %y, %y : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{it also depends on what is computed from these rows elsewhere}}
    %z = kern.group hero <rows> {
      %0 = moe.add %y, %q : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %z : tensor<?x8xf32>
  }

  // CHECK-LABEL: @other_rows
  // CHECK: hero <rows>
  func.func @other_rows(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>, %wanted: tensor<?xi32> {moe.input = "output_rows"}) -> tensor<?x8xf32> {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{it has other rows than what it reads}}
    %z = kern.group hero <rows> {
      %0 = moe.gather_rows %y, %wanted : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %z : tensor<?x8xf32>
  }
}

// -----

module attributes {kern.target = "test:rms_norm"} {
  // CHECK-LABEL: @target_refuses
  // CHECK: hero <rows>
  func.func @target_refuses(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>, %n: tensor<8xf32>) -> tensor<?x8xf32> {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{the test target does not fuse moe.rms_norm into matmul kernels}}
    %z = kern.group hero <rows> {
      %0 = moe.rms_norm %y, %n {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %z : tensor<?x8xf32>
  }
}
