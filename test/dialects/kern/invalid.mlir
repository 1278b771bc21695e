// Every message of the dialect, one fault each.
// RUN: moec-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{grid multiplier, divisor and factor must be positive and cap not negative; got 1, 0, 1, 0}}
func.func private @f() attributes {a = #kern.grid<dim = tokens, divisor = 0>}

// -----

// expected-error @+1 {{grid multiplier, divisor and factor must be positive and cap not negative; got 1, 1, 1, -1}}
func.func private @f() attributes {a = #kern.grid<dim = tokens, cap = -1>}

// -----

// expected-error @+1 {{rows multiplier must be positive; got 0}}
func.func private @f() attributes {a = #kern.rows<tokens * 0>}

// -----

// expected-error @+1 {{bounds must be positive; got tokens 4, sequences 0, output rows 4, context 8}}
func.func private @f() attributes {kern.bounds = #kern.bounds<tokens = 4, sequences = 0, output_rows = 4, context_length = 8>}

// -----

// expected-error @+1 {{schedule sizes must be integers; got row_tile = "four"}}
func.func private @f() attributes {a = #kern.schedule<{row_tile = "four"}>}

// -----

func.func @f() {
  // expected-error @+1 {{'kern.group' op holds only moe ops; got 'func.call'}}
  kern.group {
    func.call @f() : () -> ()
  }
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'kern.group' op yields ('tensor<?x4xf32>') but has results ('tensor<?x5xf32>')}}
  %0 = kern.group {
    kern.yield %x : tensor<?x4xf32>
  } : tensor<?x5xf32>
  return
}

// -----

// expected-error @+1 {{'kern.kernel' op yields () but has results ('tensor<?x4xf32>')}}
kern.kernel @k() -> tensor<?x4xf32> attributes {hero = #kern.hero<rows>, rows = [unit], row_strides = array<i64: 4>} {
  kern.yield
}

// -----

// expected-error @+1 {{'kern.kernel' op holds only moe ops; got 'func.call'}}
kern.kernel @k() attributes {hero = #kern.hero<rows>, rows = [], row_strides = array<i64>} {
  func.call @f() : () -> ()
  kern.yield
}
func.func private @f()

// -----

// expected-error @+1 {{'kern.kernel' op needs rows and row_strides for each of its 2 arguments and results; got 1 and 2}}
kern.kernel @k(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {
    hero = #kern.hero<rows>, rows = [unit], row_strides = array<i64: 4, 4>} {
  kern.yield %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{'kern.kernel' op needs rows and row_strides for each of its 1 arguments and results; got 1 and 0}}
kern.kernel @k(%x: tensor<?x4xf32>) attributes {hero = #kern.hero<rows>, rows = [unit], row_strides = array<i64>} {
  kern.yield
}

// -----

// expected-error @+1 {{'kern.kernel' op rows must be #kern.rows or unit; got 7 : i64}}
kern.kernel @k(%x: tensor<?x4xf32>) attributes {hero = #kern.hero<rows>, rows = [7], row_strides = array<i64: 4>} {
  kern.yield
}

// -----

// expected-error @+1 {{'kern.kernel' op row stride 3 of value 0 is less than its 4 columns}}
kern.kernel @k(%x: tensor<?x4xf32>) attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>], row_strides = array<i64: 3>} {
  kern.yield
}

// -----

// expected-error @+1 {{'kern.kernel' op region #0 ('body') failed to verify constraint: region with 1 blocks}}
kern.kernel @k() attributes {hero = #kern.hero<rows>, rows = [], row_strides = array<i64>}

// -----

func.func @f() {
  // expected-error @+1 {{'kern.launch' op no kern.kernel named @k}}
  kern.launch @k() : () -> ()
  return
}

// -----

// expected-note @+1 {{kernel declared here}}
kern.kernel @k() attributes {hero = #kern.hero<rows>, rows = [], row_strides = array<i64>} {
  kern.yield
}
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'kern.launch' op type '(tensor<?x4xf32>) -> ()' differs from the kernel's '() -> ()'}}
  kern.launch @k(%x) : (tensor<?x4xf32>) -> ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'kern.yield' op expects parent op to be one of 'kern.group, kern.kernel'}}
  kern.yield
}

// -----

// expected-error @+1 {{'kern.kernel' op has no argument 1 that could be settled}}
kern.kernel @settled(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {hero = #kern.hero<pointwise>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 4, 4>, settled = array<i64: 1>} {
  kern.yield %x : tensor<?x4xf32>
}
