// DeepSeek-R1's experts. Of one token, each row streams its expert's matrix; of two, tiles have whole quantization blocks. Of a prompt: whole ones,
// whose tiles are drawn.
// RUN: sed 's/TOKENS/1/' %s | moec-opt --assign-schedules | FileCheck %s --check-prefix=TOKEN
// RUN: sed 's/TOKENS/2/' %s | moec-opt --assign-schedules | FileCheck %s --check-prefix=PAIR
// RUN: sed 's/TOKENS/4096/' %s | moec-opt --assign-schedules | FileCheck %s --check-prefix=PROMPT
// TOKEN:  buffers = 3 : i64, k_warps = 8 : i64, min_blocks = 2 : i64, row_warps = 1 : i64, rows = 16 : i64
// PAIR:   columns = 128 : i64, consumers = 1 : i64, {{.*}}parts = 1 : i64, rows = 64 : i64
// PROMPT: columns = 128 : i64, consumers = 2 : i64, counters = 2 : i64, parts = 1 : i64, rows = 128 : i64, {{.*}}tickets = 1 : i64

!x = !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
!w = !moe.qtensor<257x4096x7168xf8E4M3FN, block = [128, 128], scale = f32>
!y = !moe.qtensor<?x2048xf8E4M3FN, block = [1, 128], scale = f32>

module attributes {kern.target = "sm_90a"} {
kern.kernel @experts(%x: !x, %w: !w, %o: tensor<258xi32>, %r: tensor<?xi32>) -> !y
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 1>, unit, unit, #kern.rows<tokens * 9>, #kern.rows<tokens * 9>], row_strides = array<i64: 7168, 7168, 0, 1, 2048>} {
  %0 = moe.grouped_linear %x, %w, %o, %r {top_k = 9 : i64} : (!x, !w, tensor<258xi32>, tensor<?xi32>) -> tensor<?x4096xf32>
  %g = moe.slice %0 {offset = 0} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %u = moe.slice %0 {offset = 2048} : (tensor<?x4096xf32>) -> tensor<?x2048xf32>
  %1 = moe.swiglu %g, %u : tensor<?x2048xf32>
  %2 = moe.quantize %1 : (tensor<?x2048xf32>) -> !y
  kern.yield %2 : !y
}

func.func @step(%x: !x, %w: !w, %o: tensor<258xi32>, %r: tensor<?xi32>) -> !y
    attributes {kern.bounds = #kern.bounds<tokens = TOKENS, sequences = 1, output_rows = 1, context_length = 4096>} {
  %0 = kern.launch @experts(%x, %w, %o, %r) : (!x, !w, tensor<258xi32>, tensor<?xi32>) -> !y
  return %0 : !y
}
}
