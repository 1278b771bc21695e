// Every message of the dialect, one fault each.
// RUN: moec-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{storage must be an 8-bit float, i8 or i4; got 'f32'}}
func.func private @f() attributes {a = #moe.quant<f32, block = [1, 128], scale = f32>}

// -----

// expected-error @+1 {{block must be two sizes >= 0 (rows, columns); got [128]}}
func.func private @f() attributes {a = #moe.quant<i8, block = [128], scale = f32>}

// -----

// expected-error @+1 {{block must be two sizes >= 0 (rows, columns); got [1, -1]}}
func.func private @f() attributes {a = #moe.quant<i8, block = [1, -1], scale = f32>}

// -----

// expected-error @+1 {{scale must be f32, bf16, f16 or f8E8M0FNU; got 'f64'}}
func.func private @f() attributes {a = #moe.quant<i8, block = [1, 128], scale = f64>}

// -----

// expected-error @+1 {{yarn factor must be at least 1; got}}
func.func private @f() attributes {a = #moe.yarn<factor = 0.5, original_context = 8, beta_fast = 32.0, beta_slow = 1.0, attention_factor = 1.0>}

// -----

// expected-error @+1 {{yarn original_context must be positive; got 0}}
func.func private @f() attributes {a = #moe.yarn<factor = 4.0, original_context = 0, beta_fast = 32.0, beta_slow = 1.0, attention_factor = 1.0>}

// -----

// expected-error @+1 {{yarn beta_fast must be at least beta_slow, and that above 0; got 1.000000e+00 and 2.000000e+00}}
func.func private @f() attributes {a = #moe.yarn<factor = 4.0, original_context = 8, beta_fast = 1.0, beta_slow = 2.0, attention_factor = 1.0>}

// -----

// expected-error @+1 {{yarn beta_fast must be at least beta_slow, and that above 0; got 1.000000e+00 and 0.000000e+00}}
func.func private @f() attributes {a = #moe.yarn<factor = 4.0, original_context = 8, beta_fast = 1.0, beta_slow = 0.0, attention_factor = 1.0>}

// -----

// expected-error @+1 {{yarn attention_factor must be positive; got}}
func.func private @f() attributes {a = #moe.yarn<factor = 4.0, original_context = 8, beta_fast = 32.0, beta_slow = 1.0, attention_factor = 0.0>}

// -----

// expected-error @+1 {{rope dim must be even and positive; got 3}}
func.func private @f() attributes {a = #moe.rope<dim = 3, theta = 1.0e4, layout = half>}

// -----

// expected-error @+1 {{rope dim must be even and positive; got 0}}
func.func private @f() attributes {a = #moe.rope<dim = 0, theta = 1.0e4, layout = half>}

// -----

// expected-error @+1 {{rope theta must be positive; got}}
func.func private @f() attributes {a = #moe.rope<dim = 4, theta = 0.0, layout = half>}

// -----

// expected-error @+1 {{rope scaling must be moe.yarn or moe.llama3; got unit}}
func.func private @f() attributes {a = #moe.rope<dim = 4, theta = 1.0, layout = half, scaling = unit>}

// -----

// expected-error @+1 {{llama3 factor must be at least 1; got}}
func.func private @f() attributes {a = #moe.llama3<factor = 0.5, low_freq_factor = 1.0, high_freq_factor = 4.0, original_context = 8>}

// -----

// expected-error @+1 {{llama3 high_freq_factor must exceed low_freq_factor, and that 0; got 1.000000e+00 and 1.000000e+00}}
func.func private @f() attributes {a = #moe.llama3<factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 1.0, original_context = 8>}

// -----

// expected-error @+1 {{llama3 high_freq_factor must exceed low_freq_factor, and that 0; got}}
func.func private @f() attributes {a = #moe.llama3<factor = 8.0, low_freq_factor = 0.0, high_freq_factor = 1.0, original_context = 8>}

// -----

// expected-error @+1 {{llama3 original_context must be positive; got 0}}
func.func private @f() attributes {a = #moe.llama3<factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_context = 0>}

// -----

// expected-error @+1 {{axis must not be negative; got -1}}
func.func private @f() attributes {a = #moe.interleave<axis = -1, block = 2, [unit, unit]>}

// -----

// expected-error @+1 {{interleave block must be positive; got 0}}
func.func private @f() attributes {a = #moe.interleave<axis = 0, block = 0, [unit, unit]>}

// -----

// expected-error @+1 {{interleave needs at least two parts; got 1}}
func.func private @f() attributes {a = #moe.interleave<axis = 0, block = 2, [unit]>}

// -----

// expected-error @+1 {{axis must not be negative; got -1}}
func.func private @f() attributes {a = #moe.split<axis = -1, count = 2, unit>}

// -----

// expected-error @+1 {{count must be positive; got 0}}
func.func private @f() attributes {a = #moe.split<axis = 0, count = 0, unit>}

// -----

// expected-error @+1 {{pattern must contain {} once; got "a"}}
func.func private @f() attributes {a = #moe.stack<"a", 2>}

// -----

// expected-error @+1 {{pattern must contain {} once; got "{}{}"}}
func.func private @f() attributes {a = #moe.stack<"{}{}", 2>}

// -----

// expected-error @+1 {{count must be positive; got 0}}
func.func private @f() attributes {a = #moe.stack<"{}", 0>}

// -----

// expected-error @+1 {{axis must not be negative; got -1}}
func.func private @f() attributes {a = #moe.concat<axis = -1, sizes = [1, 1], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>}

// -----

// expected-error @+1 {{concat needs at least two parts; got 1}}
func.func private @f() attributes {a = #moe.concat<axis = 0, sizes = [1], [#moe.checkpoint<"a">]>}

// -----

// expected-error @+1 {{concat needs a size for each of its 2 parts; got 1}}
func.func private @f() attributes {a = #moe.concat<axis = 0, sizes = [1], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>}

// -----

// expected-error @+1 {{concat sizes must be positive; got 0}}
func.func private @f() attributes {a = #moe.concat<axis = 0, sizes = [1, 0], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>}

// -----

// expected-error @+1 {{rope table positions must be positive; got 0}}
func.func private @f() attributes {a = #moe.rope_table<<dim = 4, theta = 1.0e4, layout = half>, 0>}

// -----

// expected-error @+1 {{quantized tensor needs at least two axes; got 1}}
func.func private @f(!moe.qtensor<128xf8E4M3FN, block = [128, 128], scale = f32>)

// -----

// expected-error @+1 {{only axis 0 of a quantized tensor may be dynamic}}
func.func private @f(!moe.qtensor<4x?xf8E4M3FN, block = [1, 128], scale = f32>)

// -----

// expected-error @+1 {{a dynamic axis 0 needs one scale row for each row (block [1, ...]); got block rows 128}}
func.func private @f(!moe.qtensor<?x128xf8E4M3FN, block = [128, 128], scale = f32>)

// -----

// expected-error @+1 {{storage must be an 8-bit float, i8 or i4; got 'f32'}}
func.func private @f(!moe.qtensor<4x4xf32, block = [1, 128], scale = f32>)

// -----

// expected-error @+1 {{cache type takes one size, the row width; got 2}}
func.func private @f(!moe.cache<4x4xf32, page = 64>)

// -----

// expected-error @+1 {{cache width must be positive; got 0}}
func.func private @f(!moe.cache<0xf32, page = 64>)

// -----

// expected-error @+1 {{cache page must be positive; got 0}}
func.func private @f(!moe.cache<4xf32, page = 0>)

// -----

// expected-error @+1 {{cache elements must be f32, bf16, f16 or a quantized row; got 'f64'}}
func.func private @f(!moe.cache<4xf64, page = 64>)

// -----

// expected-error @+1 {{the quantized part of a cache row of 8 columns must be 1 x at most as many f8E4M3FN with f32 scales, block [1, n]; got}}
func.func private @f(!moe.cache<8x!moe.qtensor<1x12xf8E4M3FN, block = [1, 4], scale = f32>, page = 64>)

// -----

// expected-error @+1 {{a quantized cache row must have codes by fours and an even number of columns behind them, so that scales and rows are aligned; got 6 and 2}}
func.func private @f(!moe.cache<8x!moe.qtensor<1x6xf8E4M3FN, block = [1, 4], scale = f32>, page = 64>)

// -----

// expected-error @+1 {{'moe.weight' op recipe must be made of moe.checkpoint, moe.stack, moe.concat, moe.interleave, moe.split or moe.rope_table; got 1 : i64}}
moe.weight @w : tensor<4xf32> = 1 : i64

// -----

// expected-error @+1 {{recipe must be made of moe.checkpoint, moe.stack, moe.concat, moe.interleave, moe.split or moe.rope_table; got}}
moe.weight @w : tensor<4xf32> = #moe.concat<axis = 0, sizes = [2, 2], [#moe.checkpoint<"a">, unit]>

// -----

// expected-error @+1 {{type must be a tensor or quantized tensor; got 'i32'}}
moe.weight @w : i32 = #moe.checkpoint<"a">

// -----

// expected-error @+1 {{type must be static; got}}
moe.weight @w : tensor<?x4xf32> = #moe.checkpoint<"a">

// -----

// expected-error @+1 {{weight 'w': concat sizes add up to 4, axis 0 of shape [2, 3] has 2}}
moe.weight @w : tensor<2x3xf32> = #moe.concat<axis = 0, sizes = [2, 2], [#moe.checkpoint<"a">, #moe.checkpoint<"b">]>

// -----

// expected-error @+1 {{weight 'w': a stack of 4 tensors cannot have shape [3, 2]; its axis 0 counts the tensors}}
moe.weight @w : tensor<3x2xf32> = #moe.stack<"{}", 4>

// -----

// expected-error @+1 {{weight 'w': its rope table has 8 positions and 4 columns of f32; got type}}
moe.weight @w : tensor<8x6xf32> = #moe.rope_table<<dim = 4, theta = 1.0e4, layout = half>, 8>

// -----

func.func @f() {
  // expected-error @+1 {{'moe.param' op no moe.weight named @w}}
  %0 = moe.param @w : tensor<4xf32>
  return
}

// -----

// expected-note @+1 {{weight declared here}}
moe.weight @w : tensor<4xf32> = #moe.checkpoint<"a">
func.func @f() {
  // expected-error @+1 {{type 'tensor<5xf32>' differs from the weight's 'tensor<4xf32>'}}
  %0 = moe.param @w : tensor<5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x?xf32>, %a1: tensor<?x?xf32>) {
  // expected-error @+1 {{operand #0 must be float tensor [rows, static columns]}}
  %0 = "moe.add"(%a0, %a1) : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%a0: tensor<4xf32>, %a1: tensor<4xf32>) {
  // expected-error @+1 {{operand #0 must be float tensor [rows, static columns]}}
  %0 = "moe.swiglu"(%a0, %a1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x2xi32>, %a1: tensor<8x4xf32>) {
  // expected-error @+1 {{operand #0 must be i32 tensor with one axis}}
  %0 = "moe.embedding"(%a0, %a1) : (tensor<?x2xi32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?xi32>, %a1: tensor<?x4xf32>) {
  // expected-error @+1 {{operand #1 must be static float tensor with two axes}}
  %0 = "moe.embedding"(%a0, %a1) : (tensor<?xi32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<1x4xf32>) {
  // expected-error @+1 {{operand #1 must be static float tensor with one axis}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64}> : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<2x4x4xf32>) {
  // expected-error @+1 {{operand #1 must be static float or quantized tensor with two axes}}
  %0 = "moe.linear"(%a0, %a1) : (tensor<?x4xf32>, tensor<2x4x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf64>, %a1: tensor<4x4xf32>) {
  // expected-error @+1 {{operand #0 must be float or quantized tensor [rows, static columns]}}
  %0 = "moe.linear"(%a0, %a1) : (tensor<?x4xf64>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x4xf32>) {
  // expected-error @+1 {{expected one type for all, or the types of two operands and a result; got '(tensor<?x4xf32>) -> tensor<?x4xf32>'}}
  %0 = moe.add %a0, %a1 : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x5xf32>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = "moe.add"(%a0, %a1) : (tensor<?x4xf32>, tensor<?x5xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<4x8xf32>, %a1: tensor<3x8xf32>) {
  // expected-error @+1 {{'moe.linear' op result 0 has 5 rows; expected 1 for each of the 4 in 'tensor<4x8xf32>'}}
  %0 = "moe.linear"(%a0, %a1) : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<4x2xi32>) {
  // expected-error @+1 {{'moe.permute' op result 0 has 6 rows; expected 2 for each of the 4 in}}
  %0:3 = "moe.permute"(%a0) : (tensor<4x2xi32>) -> (tensor<6xi32>, tensor<4x2xi32>, tensor<9xi32>)
  return
}

// -----

func.func @f(%a0: tensor<?xi32>, %a1: tensor<8x4xf32>) {
  // expected-error @+1 {{'moe.embedding' op table columns (4) and result columns (5) must be equal}}
  %0 = "moe.embedding"(%a0, %a1) : (tensor<?xi32>, tensor<8x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?xi32>) {
  // expected-error @+1 {{'moe.gather_rows' op x columns (4) and result columns (5) must be equal}}
  %0 = "moe.gather_rows"(%a0, %a1) : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<4xf32>) {
  // expected-error @+1 {{'moe.rms_norm' op x 'tensor<?x4xf32>' and result 'tensor<?x5xf32>' must have one shape}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64}> : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<4xf32>) {
  // expected-error @+1 {{'moe.rms_norm' op x columns (4) must be a multiple of heads (3)}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64, heads = 3 : i64}> : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<4xf32>) {
  // expected-error @+1 {{'moe.rms_norm' op x columns (4) must be a multiple of heads (0)}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64, heads = 0 : i64}> : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<4xf32>) {
  // expected-error @+1 {{'moe.rms_norm' op weight size (4) and columns of a head (2) must be equal}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64, heads = 2 : i64}> : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<5xf32>) {
  // expected-error @+1 {{'moe.rms_norm' op weight size (5) and x columns (4) must be equal}}
  %0 = "moe.rms_norm"(%a0, %a1) <{epsilon = 0.1 : f64}> : (tensor<?x4xf32>, tensor<5xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>) {
  // expected-error @+1 {{'moe.slice' op columns 2 .. 5 are outside x with 4 columns}}
  %0 = "moe.slice"(%a0) <{offset = 2 : i64}> : (tensor<?x4xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>) {
  // expected-error @+1 {{'moe.slice' op columns -1 .. 2 are outside x with 4 columns}}
  %0 = "moe.slice"(%a0) <{offset = -1 : i64}> : (tensor<?x4xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'moe.concat' op needs at least one part}}
  %0 = "moe.concat"() : () -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x4xf32>) {
  // expected-error @+1 {{'moe.concat' op sum of part columns (8) and result columns (9) must be equal}}
  %0 = "moe.concat"(%a0, %a1) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>) {
  // expected-error @+1 {{'moe.quantize' op quantizes to f8E4M3FN only; got 'f8E5M2'}}
  %0 = "moe.quantize"(%a0) : (tensor<?x4xf32>) -> !moe.qtensor<?x4xf8E5M2, block = [1, 128], scale = f32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>) {
  // expected-error @+1 {{'moe.quantize' op shapes of 'tensor<?x4xf32>' and '!moe.qtensor<?x5xf8E4M3FN, block = [1, 128], scale = f32>' must be equal}}
  %0 = "moe.quantize"(%a0) : (tensor<?x4xf32>) -> !moe.qtensor<?x5xf8E4M3FN, block = [1, 128], scale = f32>
  return
}

// -----

func.func @f(%a0: tensor<4x4xf32>) {
  // expected-error @+1 {{'moe.quantize' op activations need a scale for each row (block [1, ...]); got block [2, 128]}}
  %0 = "moe.quantize"(%a0) : (tensor<4x4xf32>) -> !moe.qtensor<4x4xf8E4M3FN, block = [2, 128], scale = f32>
  return
}

// -----

func.func @f(%a0: !moe.qtensor<?x4xf8E4M3FN, block = [1, 128], scale = f32>) {
  // expected-error @+1 {{'moe.dequantize' op shapes of}}
  %0 = "moe.dequantize"(%a0) : (!moe.qtensor<?x4xf8E4M3FN, block = [1, 128], scale = f32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<?xi32>) {
  // expected-error @+1 {{'moe.rope' op x columns (8) must be a multiple of heads (3)}}
  %0 = "moe.rope"(%a0, %a1) <{heads = 3 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>, operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<?xi32>) {
  // expected-error @+1 {{'moe.rope' op x columns (8) must be a multiple of heads (0)}}
  %0 = "moe.rope"(%a0, %a1) <{heads = 0 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>, operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<?xi32>) {
  // expected-error @+1 {{'moe.rope' op rope dim (4) exceeds the head's columns (2)}}
  %0 = "moe.rope"(%a0, %a1) <{heads = 4 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>, operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<?xi32>, %a2: tensor<9x6xf32>) {
  // expected-error @+1 {{'moe.rope' op table columns (6) and rope dim (4) must be equal}}
  %0 = "moe.rope"(%a0, %a1, %a2) <{heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>, operandSegmentSizes = array<i32: 1, 1, 1>}> : (tensor<?x8xf32>, tensor<?xi32>, tensor<9x6xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<?xi32>) {
  // expected-error @+1 {{'moe.rope' op x 'tensor<?x8xf32>' and result 'tensor<?x9xf32>' must have one shape}}
  %0 = "moe.rope"(%a0, %a1) <{heads = 2 : i64, rope = #moe.rope<dim = 4, theta = 1.0e4, layout = half>, operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<3x5xf32>) {
  // expected-error @+1 {{'moe.linear' op x columns (4) and weight columns (5) must be equal}}
  %0 = "moe.linear"(%a0, %a1) : (tensor<?x4xf32>, tensor<3x5xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<3x4xf32>) {
  // expected-error @+1 {{'moe.linear' op weight rows (3) and result columns (4) must be equal}}
  %0 = "moe.linear"(%a0, %a1) : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<3x4xf32>, %a2: tensor<4xf32>) {
  // expected-error @+1 {{'moe.linear' op bias size (4) and weight rows (3) must be equal}}
  %0 = "moe.linear"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op x columns (10) and weight rows (8) must be multiples of heads (4)}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 4 : i64, x_offset = 0 : i64, x_size = 3 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op x columns (10) and weight rows (8) must be multiples of heads (0)}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 0 : i64, x_offset = 0 : i64, x_size = 3 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op columns 3 .. 6 are outside a head of x with 5 columns}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 2 : i64, x_offset = 3 : i64, x_size = 3 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op rows 3 .. 5 are outside a head of the weight with 4 rows}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 2 : i64, x_offset = 0 : i64, x_size = 3 : i64, w_offset = 3 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op x_size (2) and the contracted size of the weight (3) must be equal}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 2 : i64, x_offset = 0 : i64, x_size = 2 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op x_size (3) and the contracted size of the weight (2) must be equal}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 2 : i64, x_offset = 0 : i64, x_size = 3 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = true}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x10xf32>, %a1: tensor<8x3xf32>) {
  // expected-error @+1 {{'moe.head_linear' op result columns (5) and heads times output size (4) must be equal}}
  %0 = "moe.head_linear"(%a0, %a1) <{heads = 2 : i64, x_offset = 0 : i64, x_size = 3 : i64, w_offset = 0 : i64, w_size = 2 : i64, transposed = false}> : (tensor<?x10xf32>, tensor<8x3xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: !moe.cache<5xf32, page = 2>, %a1: tensor<?x5xf32>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.cache_append' op cache '!moe.cache<5xf32, page = 2>' and result '!moe.cache<5xbf16, page = 2>' must have one type}}
  %0 = "moe.cache_append"(%a0, %a1, %a2, %a3, %a4) : (!moe.cache<5xf32, page = 2>, tensor<?x5xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<5xbf16, page = 2>
  return
}

// -----

func.func @f(%a0: !moe.cache<5xf32, page = 2>, %a1: tensor<?x4xf32>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.cache_append' op rows have 4 columns, the cache is 5 wide}}
  %0 = "moe.cache_append"(%a0, %a1, %a2, %a3, %a4) : (!moe.cache<5xf32, page = 2>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !moe.cache<5xf32, page = 2>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<8x3xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.mla_attention' op heads (0) and v_dim (2) must be positive, nope_dim (2) and rope_dim (2) not negative}}
  %0 = "moe.mla_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 0 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, tensor<8x3xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<9x3xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.mla_attention' op up_weight must be [heads * (nope + v) = 8, latent]; got 'tensor<9x3xf32>'}}
  %0 = "moe.mla_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, tensor<9x3xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<8x4xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.mla_attention' op cache width (5) must be latent + rope (4 + 2)}}
  %0 = "moe.mla_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, tensor<8x4xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x9xf32>, %a1: tensor<8x3xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.mla_attention' op q columns (9) must be heads * (nope + rope) = 8}}
  %0 = "moe.mla_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x9xf32>, tensor<8x3xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<8x3xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.mla_attention' op result columns (5) must be heads * v = 4}}
  %0 = "moe.mla_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, nope_dim = 2 : i64, rope_dim = 2 : i64, v_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, tensor<8x3xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op heads (4), kv_heads (0), key_dim (2) and value_dim (3) must be positive}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 0 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op heads (4), kv_heads (1), key_dim (2) and value_dim (0) must be positive}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 1 : i64, key_dim = 2 : i64, value_dim = 0 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op heads (4) must be a multiple of kv_heads (3)}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 3 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op cache width (5) must be kv_heads * (key_dim + value_dim) = 10}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 2 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x9xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op q columns (9) must be heads * key_dim = 8}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 1 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}> : (tensor<?x9xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x12xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: !moe.cache<5xf32, page = 2>, %a2: tensor<?xi32>, %a3: tensor<?xi32>, %a4: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.attention' op result columns (8) must be heads * value_dim = 12}}
  %0 = "moe.attention"(%a0, %a1, %a2, %a3, %a4) <{heads = 4 : i64, kv_heads = 1 : i64, key_dim = 2 : i64, value_dim = 3 : i64, scale = 0.5 : f64}> : (tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x6xf32>, %a1: tensor<?x8xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.latent_attention' op rope_dim (5) must leave a latent part of the cache width (5)}}
  %0 = "moe.latent_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, rope_dim = 5 : i64, scale = 0.5 : f64}> : (tensor<?x6xf32>, tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x7xf32>, %a1: tensor<?x8xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.latent_attention' op q_latent columns (7) must be heads * latent = 6}}
  %0 = "moe.latent_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, rope_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x7xf32>, tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x6xf32>, %a1: tensor<?x8xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.latent_attention' op result columns (7) must be heads * latent = 6}}
  %0 = "moe.latent_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, rope_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x6xf32>, tensor<?x8xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x6xf32>, %a1: tensor<?x9xf32>, %a2: !moe.cache<5xf32, page = 2>, %a3: tensor<?xi32>, %a4: tensor<?xi32>, %a5: tensor<?x?xi32>) {
  // expected-error @+1 {{'moe.latent_attention' op q columns (9) must be heads (2) times at least rope_dim (2)}}
  %0 = "moe.latent_attention"(%a0, %a1, %a2, %a3, %a4, %a5) <{heads = 2 : i64, rope_dim = 2 : i64, scale = 0.5 : f64}> : (tensor<?x6xf32>, tensor<?x9xf32>, !moe.cache<5xf32, page = 2>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op top_k = 9 must be in 1 .. 8, the experts of its logits}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 9 : i64, groups = 1 : i64, top_groups = 1 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op top_k = 0 must be in 1 .. 8, the experts of its logits}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 0 : i64, groups = 1 : i64, top_groups = 1 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op groups = 3 must divide the 8 experts}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 3 : i64, top_groups = 1 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op top_groups = 5 must be in 1 .. groups = 4}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 4 : i64, top_groups = 5 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op top_k = 5 exceeds the 4 experts of the best 2 groups}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 5 : i64, groups = 4 : i64, top_groups = 2 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op group_score top2_sum needs at least 2 experts a group; got 1}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 8 : i64, top_groups = 8 : i64}> : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>, %a1: tensor<7xf32>) {
  // expected-error @+1 {{'moe.gate' op bias must have one element for each of the 8 experts; got 'tensor<7xf32>'}}
  %0:2 = "moe.gate"(%a0, %a1) <{scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 1 : i64, top_groups = 1 : i64}> : (tensor<?x8xf32>, tensor<7xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op ids must have top_k = 2 columns; got 'tensor<?x3xi32>'}}
  %0:2 = "moe.gate"(%a0) <{scoring = #moe<scoring sigmoid>, top_k = 2 : i64, groups = 1 : i64, top_groups = 1 : i64}> : (tensor<?x8xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op ids must have top_k = 2 and shared = 1 columns; got 'tensor<?x2xi32>'}}
  %0:2 = moe.gate %a0 {scoring = #moe<scoring sigmoid>, top_k = 2 : i64, shared = 1 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.gate' op shared must not be negative; got -1}}
  %0:2 = moe.gate %a0 {scoring = #moe<scoring sigmoid>, top_k = 2 : i64, shared = -1 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.deinterleave' op block must be positive; got 0}}
  %0:2 = moe.deinterleave %a0 {block = 0 : i64} : (tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.deinterleave' op needs at least two results; got 1}}
  %0 = moe.deinterleave %a0 {block = 2 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.deinterleave' op results must have one type; got 'tensor<?x4xf32>' and 'tensor<?x3xf32>'}}
  %0:2 = moe.deinterleave %a0 {block = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x3xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x8xf32>) {
  // expected-error @+1 {{'moe.deinterleave' op sum of result columns (6) and x columns (8) must be equal}}
  %0:2 = moe.deinterleave %a0 {block = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>)
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x2xf32>, %a3: tensor<8x3x5xf32>, %a4: tensor<8x3x4xf32>, %a5: tensor<8x4x3xf32>) {
  // expected-error @+1 {{'moe.experts' op gate must be [experts, intermediate, 4]; got 'tensor<8x3x5xf32>'}}
  %0 = "moe.experts"(%a0, %a1, %a2, %a3, %a4, %a5) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x3x5xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x2xf32>, %a3: tensor<8x3x4xf32>, %a4: tensor<8x2x4xf32>, %a5: tensor<8x4x3xf32>) {
  // expected-error @+1 {{'moe.experts' op gate 'tensor<8x3x4xf32>' and up 'tensor<8x2x4xf32>' must have one shape}}
  %0 = "moe.experts"(%a0, %a1, %a2, %a3, %a4, %a5) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x3x4xf32>, tensor<8x2x4xf32>, tensor<8x4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x2xf32>, %a3: tensor<8x3x4xf32>, %a4: tensor<8x3x4xf32>, %a5: tensor<8x4x4xf32>) {
  // expected-error @+1 {{'moe.experts' op down must be [8, 4, 3]; got 'tensor<8x4x4xf32>'}}
  %0 = "moe.experts"(%a0, %a1, %a2, %a3, %a4, %a5) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x3xf32>, %a3: tensor<8x3x4xf32>, %a4: tensor<8x3x4xf32>, %a5: tensor<8x4x3xf32>) {
  // expected-error @+1 {{'moe.experts' op ids 'tensor<?x2xi32>' and weights 'tensor<?x3xf32>' must have one shape}}
  %0 = "moe.experts"(%a0, %a1, %a2, %a3, %a4, %a5) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x3xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x2xf32>, %a3: tensor<8x3x4xf32>, %a4: tensor<8x3x4xf32>, %a5: tensor<8x4x3xf32>) {
  // expected-error @+1 {{'moe.experts' op x 'tensor<?x4xf32>' and result 'tensor<?x5xf32>' must have one type}}
  %0 = "moe.experts"(%a0, %a1, %a2, %a3, %a4, %a5) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x3x4xf32>, tensor<8x3x4xf32>, tensor<8x4x3xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x2xi32>) {
  // expected-error @+1 {{'moe.permute' op ids 'tensor<?x2xi32>' and slots 'tensor<?x3xi32>' must have one type}}
  %0:3 = "moe.permute"(%a0) : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x3xi32>, tensor<9xi32>)
  return
}

// -----

func.func @f(%a0: tensor<?x2xi32>) {
  // expected-error @+1 {{'moe.permute' op offsets must have experts + 1 elements, at least 2; got 'tensor<1xi32>'}}
  %0:3 = "moe.permute"(%a0) : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<1xi32>)
  return
}

// -----

func.func @f(%a0: tensor<?x2xi32>) {
  // expected-error @+1 {{result #2 must be static i32 tensor with one axis}}
  %0:3 = "moe.permute"(%a0) : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<?xi32>)
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<3x4xf32>, %a2: tensor<9xi32>) {
  // expected-error @+1 {{operand #1 must be static float or quantized tensor with three axes}}
  %0 = "moe.grouped_linear"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<3x4xf32>, tensor<9xi32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<8x3x4xf32>, %a2: tensor<8xi32>) {
  // expected-error @+1 {{'moe.grouped_linear' op offsets (8) must be one more than the weight's 8 experts}}
  %0 = "moe.grouped_linear"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<8x3x4xf32>, tensor<8xi32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x5xf32>, %a1: tensor<8x3x4xf32>, %a2: tensor<9xi32>) {
  // expected-error @+1 {{'moe.grouped_linear' op x columns (5) and weight columns (4) must be equal}}
  %0 = "moe.grouped_linear"(%a0, %a1, %a2) : (tensor<?x5xf32>, tensor<8x3x4xf32>, tensor<9xi32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<8x3x4xf32>, %a2: tensor<9xi32>) {
  // expected-error @+1 {{'moe.grouped_linear' op weight rows (3) and result columns (4) must be equal}}
  %0 = "moe.grouped_linear"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<8x3x4xf32>, tensor<9xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<8x3x4xf32>, %a2: tensor<9xi32>, %a3: tensor<?xi32>) {
  // expected-error @+1 {{'moe.grouped_linear' op top_k must be positive; got 0}}
  %0 = "moe.grouped_linear"(%a0, %a1, %a2, %a3) <{top_k = 0 : i64}> : (tensor<?x4xf32>, tensor<8x3x4xf32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x3xf32>) {
  // expected-error @+1 {{'moe.combine' op slots 'tensor<?x2xi32>' and weights 'tensor<?x3xf32>' must have one shape}}
  %0 = "moe.combine"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x4xf32>, %a1: tensor<?x2xi32>, %a2: tensor<?x2xf32>) {
  // expected-error @+1 {{'moe.combine' op y columns (4) and result columns (5) must be equal}}
  %0 = "moe.combine"(%a0, %a1, %a2) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x300xf32>) {
  // expected-error @+1 {{'moe.chunk_maxima' op maxima have 2 columns; expected 3, one for each 128 of the 300 logits}}
  %0 = "moe.chunk_maxima"(%a0) <{chunk = 128 : i64}> : (tensor<?x300xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x300xf32>) {
  // expected-error @+1 {{'moe.chunk_maxima' op chunk must be in 1 .. 1024; got 0}}
  %0 = "moe.chunk_maxima"(%a0) <{chunk = 0 : i64}> : (tensor<?x300xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x262145xf32>) {
  // expected-error @+1 {{'moe.chunk_maxima' op logits have 262145 columns, at most 262144 can be summed}}
  %0 = "moe.chunk_maxima"(%a0) <{chunk = 1024 : i64}> : (tensor<?x262145xf32>) -> tensor<?x257xf32>
  return
}

// -----

func.func @f(%a0: tensor<?x300xf32>, %a1: tensor<?x3xf32>, %a2: tensor<?x3xi32>) {
  // expected-error @+1 {{'moe.chunk_masses' op sampling has 3 columns; expected 4: the factor, top_k, top_p, a random number}}
  %0 = "moe.chunk_masses"(%a0, %a1, %a2) <{chunk = 128 : i64}> : (tensor<?x300xf32>, tensor<?x3xf32>, tensor<?x3xi32>) -> tensor<?x6xi32>
  return
}

// -----

func.func @f(%a0: tensor<?x300xf32>, %a1: tensor<?x3xf32>, %a2: tensor<?x3xi32>, %a3: tensor<?x4xi32>) {
  // expected-error @+1 {{'moe.sample' op masses have 3 columns; expected 6, two for each of the maxima}}
  %0 = "moe.sample"(%a0, %a1, %a2, %a3) <{chunk = 128 : i64}> : (tensor<?x300xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<?x4xi32>) -> tensor<?xi32>
  return
}
