// Every token has a row in every group: groups are as large as there are tokens, and a tile of as many rows is full.
// RUN: sed 's/TOKENS/64/' %s | moec-opt --assign-schedules | FileCheck %s --check-prefix=FEW
// RUN: sed 's/TOKENS/256/' %s | moec-opt --assign-schedules | FileCheck %s --check-prefix=MANY
// FEW:  columns = 128 : i64, consumers = 1 : i64, parts = 1 : i64, rows = 64 : i64
// MANY: columns = 128 : i64, consumers = 2 : i64, parts = 1 : i64, rows = 256 : i64

!x = !moe.qtensor<?x7168xf8E4M3FN, block = [1, 128], scale = f32>
!w = !moe.qtensor<8x4096x7168xf8E4M3FN, block = [128, 128], scale = f32>

module attributes {kern.target = "sm_90a"} {
kern.kernel @experts(%x: !x, %w: !w, %o: tensor<9xi32>) -> tensor<?x4096xbf16>
    attributes {hero = #kern.hero<grouped_matmul>, rows = [#kern.rows<tokens * 8>, unit, unit, #kern.rows<tokens * 8>], row_strides = array<i64: 7168, 7168, 0, 4096>} {
  %0 = moe.grouped_linear %x, %w, %o : (!x, !w, tensor<9xi32>) -> tensor<?x4096xbf16>
  kern.yield %0 : tensor<?x4096xbf16>
}

func.func @step(%x: !x, %w: !w, %o: tensor<9xi32>) -> tensor<?x4096xbf16>
    attributes {kern.bounds = #kern.bounds<tokens = TOKENS, sequences = 1, output_rows = 1, context_length = 4096>} {
  %0 = kern.launch @experts(%x, %w, %o) : (!x, !w, tensor<9xi32>) -> tensor<?x4096xbf16>
  return %0 : tensor<?x4096xbf16>
}
}
