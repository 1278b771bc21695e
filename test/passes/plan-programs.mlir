// RUN: moec-opt %s --plan-programs | FileCheck %s

!w = !moe.qtensor<16x16xf8E4M3FN, block = [128, 128], scale = f32>
!q = !moe.qtensor<?x16xf8E4M3FN, block = [1, 128], scale = f32>
!cache = !moe.cache<8xf32, page = 4>
#t = #kern.rows<tokens * 1>

module attributes {kern.target = "test", moe.max_context = 32 : i64} {
  // CHECK: moe.weight @w
  // CHECK-DAG: plan.weight @w.values : tensor<16x16xf8E4M3FN> of @w values
  // CHECK-DAG: plan.weight @w.scale : tensor<1x1xf32> of @w scales
  moe.weight @w : !w = #moe.checkpoint<"w">
  moe.weight @table : tensor<64x16xf32> = #moe.checkpoint<"t">

  kern.kernel @embed(%ids: tensor<?xi32>, %table: tensor<64x16xf32>) -> tensor<?x16xf32> attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [#t, unit, #t], row_strides = array<i64: 1, 0, 16>} {
    %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<64x16xf32>) -> tensor<?x16xf32>
    kern.yield %0 : tensor<?x16xf32>
  }
  kern.kernel @quantize(%x: tensor<?x16xf32>) -> !q attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [#t, #t], row_strides = array<i64: 16, 16>} {
    %0 = moe.quantize %x : (tensor<?x16xf32>) -> !q
    kern.yield %0 : !q
  }
  kern.kernel @matmul(%x: !q, %w: !w) -> tensor<?x16xf32> attributes {hero = #kern.hero<matmul>, schedule = #kern.schedule<{}>, rows = [#t, unit, #t], row_strides = array<i64: 16, 0, 16>} {
    %0 = moe.linear %x, %w : (!q, !w) -> tensor<?x16xf32>
    kern.yield %0 : tensor<?x16xf32>
  }
  kern.kernel @append(%cache: !cache, %x: tensor<?x8xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %blocks: tensor<?x?xi32>) -> !cache attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [unit, #t, #t, #t, #kern.rows<sequences * 1>, unit], row_strides = array<i64: 0, 16, 1, 1, 0, 0>} {
    %0 = moe.cache_append %cache, %x, %positions, %sequences, %blocks : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    kern.yield %0 : !cache
  }
  kern.kernel @gather(%x: tensor<?x16xf32>, %rows: tensor<?xi32>) -> tensor<?x16xf32> attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [#t, #kern.rows<output_rows * 1>, #kern.rows<output_rows * 1>], row_strides = array<i64: 16, 1, 16>} {
    %0 = moe.gather_rows %x, %rows : (tensor<?x16xf32>, tensor<?xi32>) -> tensor<?x16xf32>
    kern.yield %0 : tensor<?x16xf32>
  }
  kern.kernel @share(%x: tensor<?x16xf32>) -> tensor<?x16xf32> attributes {hero = #kern.hero<pointwise>, schedule = #kern.schedule<{counters = 2 : i64, scratch = 512 : i64}>, rows = [#t, #t], row_strides = array<i64: 16, 16>} {
    %0 = moe.add %x, %x : tensor<?x16xf32>
    kern.yield %0 : tensor<?x16xf32>
  }

  func.func @prefill_16(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> tensor<?x16xf32> attributes {moe.entry = "prefill", kern.bounds = #kern.bounds<tokens = 16, sequences = 4, output_rows = 16, context_length = 32>} {
    %table = moe.param @table : tensor<64x16xf32>
    %x = kern.launch @embed(%ids, %table) : (tensor<?xi32>, tensor<64x16xf32>) -> tensor<?x16xf32>
    return %x : tensor<?x16xf32>
  }

  func.func @decode_2(%ids: tensor<?xi32> {moe.input = "token_ids"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %blocks: tensor<?x?xi32> {moe.input = "block_table"}, %rows: tensor<?xi32> {moe.input = "output_rows"}, %cache: !cache {moe.input = "cache"}) -> (tensor<?x16xf32>, !cache) attributes {moe.entry = "decode", kern.bounds = #kern.bounds<tokens = 2, sequences = 2, output_rows = 2, context_length = 32>} {
    %table = moe.param @table : tensor<64x16xf32>
    %w = moe.param @w : !w
    %x = kern.launch @embed(%ids, %table) label "embed_tokens" : (tensor<?xi32>, tensor<64x16xf32>) -> tensor<?x16xf32>
    %q = kern.launch @quantize(%x) : (tensor<?x16xf32>) -> !q
    %y = kern.launch @matmul(%q, %w) : (!q, !w) -> tensor<?x16xf32>
    %view = moe.slice %y {offset = 8 : i64} : (tensor<?x16xf32>) -> tensor<?x8xf32>
    %new = kern.launch @append(%cache, %view, %positions, %sequences, %blocks) : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    %z = kern.launch @gather(%y, %rows) : (tensor<?x16xf32>, tensor<?xi32>) -> tensor<?x16xf32>
    return %z, %new : tensor<?x16xf32>, !cache
  }

  func.func @prefill_4(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> tensor<?x16xf32> attributes {moe.entry = "prefill", kern.bounds = #kern.bounds<tokens = 4, sequences = 4, output_rows = 4, context_length = 32>} {
    %table = moe.param @table : tensor<64x16xf32>
    %x = kern.launch @embed(%ids, %table) : (tensor<?xi32>, tensor<64x16xf32>) -> tensor<?x16xf32>
    %y = kern.launch @share(%x) : (tensor<?x16xf32>) -> tensor<?x16xf32>
    %z = kern.launch @share(%y) : (tensor<?x16xf32>) -> tensor<?x16xf32>
    return %z : tensor<?x16xf32>
  }
}
// The entries are gone, the kernels stay.
// CHECK-NOT: func.func
// CHECK: kern.kernel @gather

// CHECK: plan.program @prefill_16 entry "prefill" tokens 16 sequences 4 output_rows 16 arena 0
// CHECK: plan.output 0 bytes 1024

// CHECK: plan.program @decode_2 entry "decode" tokens 2 sequences 2 output_rows 2 arena 256
// CHECK: %[[IDS:.+]] = plan.input token_ids
// CHECK: %[[TABLE:.+]] = plan.weight_ref @table.values
// CHECK: %[[X:.+]] = plan.arena [[#XAT:]] bytes 128
// Of the table only the rows wanted are moved: 2 * 4 + 2 * 64 + 2 * 64.
// CHECK: plan.launch @embed(%[[IDS]], %[[TABLE]], %[[X]]) grid <dim = tokens> bytes 264 flops 0 label "embed_tokens"
// Codes, then scales.
// CHECK: %[[CODES:.+]] = plan.arena {{[0-9]+}} bytes 32
// CHECK: %[[SCALES:.+]] = plan.arena {{[0-9]+}} bytes 8
// CHECK: plan.launch @quantize(%[[X]], %[[CODES]], %[[SCALES]])
// CHECK: %[[V:.+]] = plan.weight_ref @w.values
// CHECK: %[[S:.+]] = plan.weight_ref @w.scale
// The embedding is dead: its place is used again.
// CHECK: plan.launch @matmul(%[[CODES]], %[[SCALES]], %[[V]], %[[S]], %[[X]]) {{.*}} bytes 428 flops 1024
// The view begins 8 columns in and ends with the last row.
// CHECK: %[[CACHE:.+]] = plan.cache 0
// CHECK: %[[VIEW:.+]] = plan.arena [[#XAT + 32]] bytes 96
// The cache result has no buffer of its own.
// CHECK: plan.launch @append(%[[CACHE]], %[[VIEW]], %{{[0-9]+}}, %{{[0-9]+}}, %{{[0-9]+}}) grid
// CHECK: %[[LOGITS:.+]] = plan.output 0 bytes 128
// CHECK: plan.launch @gather(%[[X]], %{{.+}}, %[[LOGITS]])

// Scratch is a range of the arena for one launch, behind the counters; another launch may have the same.
// CHECK: plan.program @prefill_4 entry "prefill" tokens 4 sequences 4 output_rows 4 arena 1024
// CHECK: %[[X:.+]] = plan.arena [[#XAT:]] bytes 256
// CHECK: plan.launch @embed
// CHECK: %[[Y:.+]] = plan.arena [[#YAT:]] bytes 256
// CHECK: %[[COUNTERS:.+]] = plan.counters bytes 8
// CHECK: %[[SCRATCH:.+]] = plan.arena [[#SAT:]] bytes 512
// CHECK: plan.launch @share(%[[X]], %[[Y]], %[[COUNTERS]], %[[SCRATCH]]) grid
// CHECK: plan.launch @share(%[[Y]], %{{.+}}, %[[COUNTERS]], %[[SCRATCH]]) grid
