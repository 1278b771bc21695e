// Schedules that the host cannot compute: the error names kernel, size, value and what there is.
// RUN: moec-opt %s --assign-schedules --split-input-file --verify-diagnostics

#t = #kern.rows<tokens * 1>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // expected-error @below {{target 'cpu:x86-64-v3' cannot compute kernel @wide with its schedule: size 'vector' = 7 is impossible; it can be 8}}
  kern.kernel @wide(%x: tensor<?x128xf32>, %w: tensor<256x128xf32>) -> tensor<?x256xf32> attributes {hero = #kern.hero<matmul>, schedule = #kern.schedule<{columns = 16, vector = 7}>, rows = [#t, unit, #t], row_strides = array<i64: 128, 0, 256>} {
    %y = moe.linear %x, %w : (tensor<?x128xf32>, tensor<256x128xf32>) -> tensor<?x256xf32>
    kern.yield %y : tensor<?x256xf32>
  }
}

// -----

#t = #kern.rows<tokens * 1>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // expected-error @below {{target 'cpu:x86-64-v3' cannot compute kernel @none with its schedule: size 'tokens' = 0 is impossible; it can be 256}}
  kern.kernel @none(%x: tensor<?x128xf32>, %w: tensor<256x128xf32>) -> tensor<?x256xf32> attributes {hero = #kern.hero<matmul>, schedule = #kern.schedule<{tokens = 0}>, rows = [#t, unit, #t], row_strides = array<i64: 128, 0, 256>} {
    %y = moe.linear %x, %w : (tensor<?x128xf32>, tensor<256x128xf32>) -> tensor<?x256xf32>
    kern.yield %y : tensor<?x256xf32>
  }
}

// -----

#t = #kern.rows<tokens * 1>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // expected-error @below {{target 'cpu:x86-64-v3' cannot compute kernel @foreign with its schedule: size 'warps' = 4 is unknown; the sizes are row_tile}}
  kern.kernel @foreign(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<pointwise>, schedule = #kern.schedule<{warps = 4}>, rows = [#t, #t], row_strides = array<i64: 8, 8>} {
    %y = moe.add %x, %x : tensor<?x8xf32>
    kern.yield %y : tensor<?x8xf32>
  }
}

// -----

#t = #kern.rows<tokens * 1>

module attributes {kern.target = "cpu:x86-64-v3"} {
  // expected-error @below {{target 'cpu:x86-64-v3' cannot compute kernel @short with its schedule: size 'depth' is missing; it can be}}
  kern.kernel @short(%x: tensor<?x128xf32>, %w: tensor<256x128xf32>) -> tensor<?x256xf32> attributes {hero = #kern.hero<matmul>, schedule = #kern.schedule<{columns = 16, vector = 8}>, rows = [#t, unit, #t], row_strides = array<i64: 128, 0, 256>} {
    %y = moe.linear %x, %w : (tensor<?x128xf32>, tensor<256x128xf32>) -> tensor<?x256xf32>
    kern.yield %y : tensor<?x256xf32>
  }
}
