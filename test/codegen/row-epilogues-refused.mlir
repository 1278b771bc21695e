// What the host's kernels leave to a launch of its own behind their rows.
// RUN: moec-opt %s --fuse-row-epilogue --remarks-filter=fuse-row-epilogue --verify-diagnostics -o %t

module attributes {kern.target = "cpu:x86-64-v3"} {
  func.func @swiglu(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<16x8xf32>) -> tensor<?x8xf32> {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
      kern.yield %0 : tensor<?x16xf32>
    } : tensor<?x16xf32>
    %a = moe.slice %y {offset = 0 : i64} : (tensor<?x16xf32>) -> tensor<?x8xf32>
    %b = moe.slice %y {offset = 8 : i64} : (tensor<?x16xf32>) -> tensor<?x8xf32>
    // expected-remark @below {{moe.swiglu is nothing that the last tile of a row block computes}}
    %z = kern.group hero <pointwise> {
      %0 = moe.swiglu %a, %b : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %z : tensor<?x8xf32>
  }

  func.func @many_rows(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<8x8xf32>, %n: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?xi32>) attributes {kern.bounds = #kern.bounds<tokens = 16385, sequences = 1, output_rows = 1, context_length = 16385>} {
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{the host's kernels count at most 16384 rows}}
    %z = kern.group hero <rows> {
      %0 = moe.rms_norm %y, %n {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %c:2 = kern.group hero <matmul> {
      %0 = moe.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      %1, %2 = moe.gate %0 {scoring = #moe<scoring softmax>, top_k = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
      kern.yield %0, %1 : tensor<?x8xf32>, tensor<?x2xi32>
    } : tensor<?x8xf32>, tensor<?x2xi32>
    // expected-remark @below {{the last tile of a row block sees 256 rows, a permutation needs all}}
    %p = kern.group hero <permutation> {
      %0, %1, %2 = moe.permute %c#1 : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
      kern.yield %0 : tensor<?xi32>
    } : tensor<?xi32>
    return %z, %p : tensor<?x8xf32>, tensor<?xi32>
  }

  func.func @slots(%x: tensor<?x8xf32> {moe.input = "hidden"}, %w: tensor<4x8x8xf32>, %offsets: tensor<5xi32>) -> !moe.qtensor<?x8xf8E4M3FN, block = [1, 128], scale = f32> {
    %y = kern.group hero <grouped_matmul> {
      %0 = moe.grouped_linear %x, %w, %offsets : (tensor<?x8xf32>, tensor<4x8x8xf32>, tensor<5xi32>) -> tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{the host's grouped kernels end with sums, norms and the quantization of these}}
    %z = kern.group hero <rows> {
      %0 = moe.quantize %y : (tensor<?x8xf32>) -> !moe.qtensor<?x8xf8E4M3FN, block = [1, 128], scale = f32>
      kern.yield %0 : !moe.qtensor<?x8xf8E4M3FN, block = [1, 128], scale = f32>
    } : !moe.qtensor<?x8xf8E4M3FN, block = [1, 128], scale = f32>
    return %z : !moe.qtensor<?x8xf8E4M3FN, block = [1, 128], scale = f32>
  }
}
