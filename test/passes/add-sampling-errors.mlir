// RUN: moec-opt %s --add-sampling --split-input-file --verify-diagnostics

// expected-error @below {{add-sampling found no function of entry 'decode'; run split-entries first}}
module {
}

// -----

// expected-error @below {{add-sampling needs kern.bounds and f32 logits as the first result of @decode_1}}
func.func @decode_1(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {moe.entry = "decode"} {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error @below {{add-sampling needs kern.bounds and f32 logits as the first result of @decode_1}}
func.func @decode_1(%x: tensor<?x8xbf16>) -> tensor<?x8xbf16>
    attributes {moe.entry = "decode", kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 8>} {
  return %x : tensor<?x8xbf16>
}

// -----

func.func @decode_1(%x: tensor<?x8xf32>) -> tensor<?x8xf32>
    attributes {moe.entry = "decode", kern.bounds = #kern.bounds<tokens = 1, sequences = 1, output_rows = 1, context_length = 8>} {
  return %x : tensor<?x8xf32>
}
// expected-error @below {{add-sampling cannot make @sample_1: the name is taken}}
func.func @sample_1() {
  return
}
