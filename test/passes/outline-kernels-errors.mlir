// RUN: moec-opt %s --outline-kernels --split-input-file --verify-diagnostics

func.func @no_hero(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
  // expected-error @below {{outline-kernels needs groups with a hero; this one has none}}
  %0 = kern.group {
    %r = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %r : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// expected-error @below {{row count of argument #0 is not known: its moe.input is '', which must be token_ids, positions, sequence_ids, block_table, output_rows, logits, sampling or hidden}}
func.func @no_role(%x: tensor<?x8xf32>) {
  return
}
