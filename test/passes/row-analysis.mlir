// RUN: moec-opt %s --test-print-rows --split-input-file --verify-diagnostics

func.func @routed(%x: tensor<?x8xf32> {moe.input = "hidden"}, %ids: tensor<?x2xi32> {moe.input = "token_ids"}, %w: tensor<?x2xf32> {moe.input = "hidden"}, %experts: tensor<4x8x8xf32>, %wanted: tensor<?xi32> {moe.input = "output_rows"}) -> tensor<?x8xf32> {
  // expected-remark @below {{rows #0: #kern.rows<tokens * 2>, stride 1}}
  // expected-remark @below {{rows #1: #kern.rows<tokens * 1>, stride 2}}
  // expected-remark @below {{rows #2: unit, stride 0}}
  %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // expected-remark @below {{rows #0: #kern.rows<tokens * 2>, stride 8}}
  %0 = moe.grouped_linear %x, %experts, %offsets, %rows {top_k = 2 : i64} : (tensor<?x8xf32>, tensor<4x8x8xf32>, tensor<5xi32>, tensor<?xi32>) -> tensor<?x8xf32>
  // A view has the stride of its buffer, what is computed from it its own.
  // expected-remark @below {{rows #0: #kern.rows<tokens * 2>, stride 8}}
  %1 = moe.slice %0 {offset = 4 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{rows #0: #kern.rows<tokens * 2>, stride 4}}
  %2 = moe.add %1, %1 : tensor<?x4xf32>
  // expected-remark @below {{rows #0: #kern.rows<tokens * 1>, stride 4}}
  %3 = moe.combine %2, %slots, %w : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{rows #0: #kern.rows<output_rows * 1>, stride 8}}
  %4 = moe.gather_rows %x, %wanted : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return %4 : tensor<?x8xf32>
}

// -----

// Inside a group a slice is computed: its result is contiguous.
func.func @in_group(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x4xf32> {
  // expected-remark @below {{rows #0: #kern.rows<tokens * 1>, stride 4}}
  %0 = kern.group hero <pointwise> {
    // expected-remark @below {{rows #0: #kern.rows<tokens * 1>, stride 4}}
    %1 = moe.slice %x {offset = 4 : i64} : (tensor<?x8xf32>) -> tensor<?x4xf32>
    kern.yield %1 : tensor<?x4xf32>
  } : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
