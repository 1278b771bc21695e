// Every op, type and attribute survives printing and parsing, in both forms.
// RUN: moec-opt %s | moec-opt | FileCheck %s
// RUN: moec-opt %s --mlir-print-op-generic | moec-opt | FileCheck %s

// CHECK: moe.weight @fp8 : !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a.weight">
moe.weight @fp8 : !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32> = #moe.checkpoint<"a.weight">
// CHECK: moe.weight @stack : !moe.qtensor<4x8x8xf8E5M2, block = [8, 0], scale = bf16> = #moe.stack<"e.{}.up", 4>
moe.weight @stack : !moe.qtensor<4x8x8xf8E5M2, block = [8, 0], scale = bf16> = #moe.stack<"e.{}.up", 4>
// CHECK: moe.weight @concat : tensor<5x8xbf16> = #moe.concat<axis = 0, sizes = [2, 3], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>
moe.weight @concat : tensor<5x8xbf16> = #moe.concat<axis = 0, sizes = [2, 3], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>
// CHECK: moe.weight @table : tensor<64x4xf32> = #moe.rope_table<<dim = 4, theta = 1.000000e+04, layout = half>, 64>
moe.weight @table : tensor<64x4xf32> = #moe.rope_table<<dim = 4, theta = 1.0e4, layout = half>, 64>

// CHECK: moe.weight @four : tensor<4xf32> = #moe.checkpoint<"four">
moe.weight @four : tensor<4xf32> = #moe.checkpoint<"four">

// CHECK: #moe.quant<f8E4M3FN, block = [1, 128], scale = f32>
// CHECK-SAME: !moe.qtensor<?x128xf8E4M3FNUZ, block = [1, 64], scale = f16>
// CHECK-SAME: !moe.qtensor<8x128xi4, block = [1, 32], scale = f8E8M0FNU>
// CHECK-SAME: !moe.qtensor<8x128xi8, block = [0, 0], scale = f32>
func.func private @types() attributes {
  quant = #moe.quant<f8E4M3FN, block = [1, 128], scale = f32>,
  types = [!moe.qtensor<?x128xf8E4M3FNUZ, block = [1, 64], scale = f16>,
           !moe.qtensor<8x128xi4, block = [1, 32], scale = f8E8M0FNU>,
           !moe.qtensor<8x128xi8, block = [0, 0], scale = f32>]}

// CHECK-LABEL: func.func @rows
func.func @rows(%ids: tensor<?xi32>, %rows: tensor<?xi32>) -> tensor<?x4xf32> {
  // CHECK: moe.param @concat : tensor<5x8xbf16>
  %embedding = moe.param @concat : tensor<5x8xbf16>
  // CHECK: moe.embedding %{{.*}}, %{{.*}} : (tensor<?xi32>, tensor<5x8xbf16>) -> tensor<?x8xf32>
  %x = moe.embedding %ids, %embedding : (tensor<?xi32>, tensor<5x8xbf16>) -> tensor<?x8xf32>
  // CHECK: moe.gather_rows %{{.*}}, %{{.*}} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  %some = moe.gather_rows %x, %rows : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  // CHECK: moe.add %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %sum = moe.add %some, %some : tensor<?x8xf32>
  // CHECK: moe.add %{{.*}}, %{{.*}} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xbf16>
  %rounded = moe.add %some, %some : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xbf16>
  // CHECK: moe.swiglu %{{.*}}, %{{.*}} : (tensor<?x8xbf16>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %mixed = moe.swiglu %rounded, %some : (tensor<?x8xbf16>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: moe.swiglu %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %act = moe.swiglu %sum, %some : tensor<?x8xf32>
  // CHECK: moe.slice %{{.*}} {offset = 2 : i64} : (tensor<?x8xf32>) -> tensor<?x3xf32>
  %slice = moe.slice %act {offset = 2 : i64} : (tensor<?x8xf32>) -> tensor<?x3xf32>
  // CHECK: moe.deinterleave %{{.*}} {block = 3 : i64} : (tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
  %half:2 = moe.deinterleave %act {block = 3 : i64} : (tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
  // CHECK: moe.slice {{.*}} -> tensor<?x1xf32>
  %one = moe.slice %act {offset = 7 : i64} : (tensor<?x8xf32>) -> tensor<?x1xf32>
  // CHECK: moe.concat %{{.*}}, %{{.*}} : (tensor<?x3xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %both = moe.concat %slice, %one : (tensor<?x3xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %both : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @norm_and_rope
func.func @norm_and_rope(%x: tensor<?x8xf32>, %weight: tensor<8xbf16>, %positions: tensor<?xi32>) -> tensor<?x8xf32> {
  // CHECK: moe.rms_norm %{{.*}}, %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : (tensor<?x8xf32>, tensor<8xbf16>) -> tensor<?x8xf32>
  %0 = moe.rms_norm %x, %weight {epsilon = 1.0e-6 : f64} : (tensor<?x8xf32>, tensor<8xbf16>) -> tensor<?x8xf32>
  // CHECK: moe.rope %{{.*}}, %{{.*}} {heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 1.000000e+04, layout = interleaved, scaling = #moe.yarn<factor = 4.000000e+01, original_context = 4096, beta_fast = 3.200000e+01, beta_slow = 1.000000e+00, attention_factor = 1.000000e+00>>} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  %1 = moe.rope %0, %positions {heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = interleaved,
      scaling = #moe.yarn<factor = 40.0, original_context = 4096, beta_fast = 32.0, beta_slow = 1.0, attention_factor = 1.0>>}
      : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  %table = moe.param @table : tensor<64x4xf32>
  // CHECK: scaling = #moe.llama3<factor = 8.000000e+00, low_freq_factor = 1.000000e+00, high_freq_factor = 4.000000e+00, original_context = 8192>>
  %3 = moe.rope %1, %positions {heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 5.0e5, layout = half,
      scaling = #moe.llama3<factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_context = 8192>>}
      : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  // CHECK: moe.rms_norm %{{.*}}, %{{.*}} {epsilon = 1.000000e-01 : f64, heads = 2 : i64} : (tensor<?x8xf32>, tensor<4xf32>) -> tensor<?x8xf32>
  %four = moe.param @four : tensor<4xf32>
  %4 = moe.rms_norm %3, %four {epsilon = 0.1 : f64, heads = 2 : i64} : (tensor<?x8xf32>, tensor<4xf32>) -> tensor<?x8xf32>
  // CHECK: moe.rope %{{.*}}, %{{.*}}, %{{.*}} {heads = 1 : i64, rope = #moe.rope<dim = 4, theta = 1.000000e+04, layout = half>}
  %2 = moe.rope %1, %positions, %table {heads = 1 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>}
      : (tensor<?x8xf32>, tensor<?xi32>, tensor<64x4xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x129xf32>, %bias: tensor<160xbf16>) -> tensor<?x4xf32> {
  // CHECK: moe.quantize %{{.*}} : (tensor<?x129xf32>) -> !moe.qtensor<?x129xf8E4M3FN, block = [1, 128], scale = f32>
  %q = moe.quantize %x : (tensor<?x129xf32>) -> !moe.qtensor<?x129xf8E4M3FN, block = [1, 128], scale = f32>
  // CHECK: moe.dequantize %{{.*}} : (!moe.qtensor<?x129xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x129xf32>
  %d = moe.dequantize %q : (!moe.qtensor<?x129xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x129xf32>
  %w = moe.param @fp8 : !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32>
  // CHECK: moe.linear %{{.*}}, %{{.*}} : (!moe.qtensor<?x129x{{.*}}>, !moe.qtensor<160x129x{{.*}}>) -> tensor<?x160xf32>
  %y = moe.linear %q, %w : (!moe.qtensor<?x129xf8E4M3FN, block = [1, 128], scale = f32>,
      !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x160xf32>
  // CHECK: moe.linear %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x129xf32>, !moe.qtensor<160x129x{{.*}}>, tensor<160xbf16>) -> tensor<?x160xf32>
  %y2 = moe.linear %x, %w, %bias : (tensor<?x129xf32>, !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32>,
      tensor<160xbf16>) -> tensor<?x160xf32>
  // CHECK: moe.head_linear %{{.*}}, %{{.*}} {heads = 2 : i64, transposed = false, w_offset = 1 : i64, w_size = 2 : i64, x_offset = 1 : i64, x_size = 129 : i64}
  %z = moe.concat %d, %d : (tensor<?x129xf32>, tensor<?x129xf32>) -> tensor<?x258xf32>
  %zz = moe.concat %z, %d : (tensor<?x258xf32>, tensor<?x129xf32>) -> tensor<?x387xf32>
  %zzz = moe.slice %zz {offset = 0 : i64} : (tensor<?x387xf32>) -> tensor<?x260xf32>
  %h = moe.head_linear %zzz, %w {heads = 2 : i64, x_offset = 1 : i64, x_size = 129 : i64, w_offset = 1 : i64, w_size = 2 : i64,
      transposed = false} : (tensor<?x260xf32>, !moe.qtensor<160x129xf8E4M3FN, block = [128, 128], scale = f32>) -> tensor<?x4xf32>
  return %h : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @attention
// CHECK-SAME: !moe.cache<5xbf16, page = 64>
func.func @attention(%q: tensor<?x8xf32>, %latent: tensor<?x6xf32>, %rows: tensor<?x5xf32>, %up: tensor<8x3xf32>,
    %cache: !moe.cache<5xbf16, page = 64>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
    %table: tensor<?x?xi32>) -> (tensor<?x4xf32>, tensor<?x6xf32>) {
  // CHECK: moe.cache_append
  %c = moe.cache_append %cache, %rows, %positions, %sequences, %table
    : (!moe.cache<5xbf16, page = 64>, tensor<?x5xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<5xbf16, page = 64>
  // CHECK: moe.mla_attention {{.*}} {heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, scale = 5.000000e-01 : f64, v_dim = 2 : i64}
  %0 = moe.mla_attention %q, %up, %c, %positions, %sequences, %table
    {heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}
    : (tensor<?x8xf32>, tensor<8x3xf32>, !moe.cache<5xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4xf32>
  // CHECK: moe.attention {{.*}} {heads = 4 : i64, key_dim = 2 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f64, value_dim = 3 : i64}
  %2 = moe.attention %q, %c, %positions, %sequences, %table
    {heads = 4 : i64, kv_heads = 1 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}
    : (tensor<?x8xf32>, !moe.cache<5xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  // CHECK: moe.latent_attention {{.*}} {heads = 2 : i64, rope_dim = 2 : i64, scale = 5.000000e-01 : f64}
  %1 = moe.latent_attention %latent, %q, %c, %positions, %sequences, %table {heads = 2 : i64, rope_dim = 2 : i64, scale = 0.5 : f64}
    : (tensor<?x6xf32>, tensor<?x8xf32>, !moe.cache<5xbf16, page = 64>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x6xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x6xf32>
}

// CHECK-LABEL: func.func @routing
func.func @routing(%x: tensor<?x4xf32>, %logits: tensor<?x8xf32>, %bias: tensor<8xf32>, %up: tensor<8x3x4xf32>,
    %down: tensor<8x4x3xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK: moe.gate %{{.*}}, %{{.*}} {groups = 4 : i64, normalize = true, scale = 2.500000e+00 : f64, scoring = #moe<scoring sigmoid>, top_groups = 2 : i64, top_k = 2 : i64}
  %ids, %w = moe.gate %logits, %bias {scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 4 : i64, top_groups = 2 : i64,
      normalize = true, scale = 2.5 : f64} : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // CHECK: moe.gate %{{.*}} {epsilon = 0.000000e+00 : f64, group_score = #moe<group_score max>, scoring = #moe<scoring softmax>, top_k = 2 : i64}
  %ids2, %w2 = moe.gate %logits {scoring = #moe<scoring softmax>, top_k = 2 : i64, group_score = #moe<group_score max>, epsilon = 0.0 : f64}
      : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // CHECK: moe.gate %{{.*}} {scoring = #moe<scoring softmax>, shared = 1 : i64, top_k = 2 : i64}
  %ids3, %w3 = moe.gate %logits {scoring = #moe<scoring softmax>, top_k = 2 : i64, shared = 1 : i64}
      : (tensor<?x8xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  // CHECK: moe.experts
  %0 = moe.experts %x, %ids, %w2, %up, %up, %down : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x3x4xf32>,
      tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x4xf32>
  // CHECK: moe.permute %{{.*}} : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  %rows, %slots, %offsets = moe.permute %ids : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  // CHECK: moe.grouped_linear %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {top_k = 2 : i64}
  %u = moe.grouped_linear %x, %up, %offsets, %rows {top_k = 2 : i64}
    : (tensor<?x4xf32>, tensor<8x3x4xf32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x3xf32>
  // CHECK: moe.grouped_linear %{{.*}}, %{{.*}}, %{{[a-z0-9#]*}} :
  %y = moe.grouped_linear %u, %down, %offsets : (tensor<?x3xf32>, tensor<8x4x3xf32>, tensor<9xi32>) -> tensor<?x4xf32>
  // CHECK: moe.combine
  %1 = moe.combine %y, %slots, %w : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func @sampling
func.func @sampling(%logits: tensor<?x300xf32>, %sampling: tensor<?x4xi32>) -> tensor<?xi32> {
  // CHECK: moe.chunk_maxima %{{.*}} {chunk = 128 : i64}
  %maxima = moe.chunk_maxima %logits {chunk = 128 : i64} : (tensor<?x300xf32>) -> tensor<?x3xf32>
  // CHECK: moe.chunk_masses
  %masses = moe.chunk_masses %logits, %maxima, %sampling {chunk = 128 : i64}
    : (tensor<?x300xf32>, tensor<?x3xf32>, tensor<?x4xi32>) -> tensor<?x6xi32>
  // CHECK: moe.sample
  %ids = moe.sample %logits, %maxima, %masses, %sampling {chunk = 128 : i64}
    : (tensor<?x300xf32>, tensor<?x3xf32>, tensor<?x6xi32>, tensor<?x4xi32>) -> tensor<?xi32>
  return %ids : tensor<?xi32>
}

// CHECK-LABEL: func.func private @quantized_cache
// CHECK-SAME: !moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>
func.func private @quantized_cache(!moe.cache<576x!moe.qtensor<1x512xf8E4M3FN, block = [1, 128], scale = f32>, page = 64>)
