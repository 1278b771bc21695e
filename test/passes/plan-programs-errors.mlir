// RUN: moec-opt %s --plan-programs --split-input-file --verify-diagnostics

module attributes {kern.target = "test"} {
  // expected-error @below {{@unbounded has no moe.entry or no kern.bounds; run split-entries first}}
  func.func @unbounded() {
    return
  }
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @survivor(%x: tensor<?xi32> {moe.input = "token_ids"}, %t: tensor<?xi32> {moe.input = "positions"}) {
    %w = moe.param @w : tensor<4x8xf32>
    // expected-error @below {{'moe.embedding' cannot be planned; group-remaining should have taken it}}
    %0 = moe.embedding %x, %w : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    return
  }
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @surviving_experts(%x: tensor<?x8xf32> {moe.input = "token_ids"}, %ids: tensor<?x2xi32> {moe.input = "positions"}, %w: tensor<?x2xf32> {moe.input = "sequence_ids"}) {
    %g = moe.param @g : tensor<4x6x8xf32>
    %d = moe.param @d : tensor<4x8x6xf32>
    // expected-error @below {{'moe.experts' cannot be planned; expand-experts should have taken it}}
    %0 = moe.experts %x, %ids, %w, %g, %g, %d : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
    return
  }
  moe.weight @g : tensor<4x6x8xf32> = #moe.checkpoint<"g">
  moe.weight @d : tensor<4x8x6xf32> = #moe.checkpoint<"d">
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @surviving_group(%x: tensor<?x8xf32> {moe.input = "token_ids"}) {
    // expected-error @below {{'kern.group' cannot be planned; outline-kernels should have taken it}}
    %0 = kern.group hero <rows> {
      %1 = moe.add %x, %x : tensor<?x8xf32>
      kern.yield %1 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return
  }
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @surviving_call() {
    // expected-error @below {{'func.call' cannot be planned; a program has launches, params and slices, and no pass makes these of it}}
    func.call @g() : () -> ()
    return
  }
  func.func private @g()
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  // expected-error @below {{@nothing has no body; plan-programs makes programs of entries only}}
  func.func private @nothing()
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  // expected-error @below {{argument #0 of @hidden (moe.input = 'hidden', 'tensor<?x8xf32>') is no input that a bundle's entry has}}
  func.func @hidden(%x: tensor<?x8xf32> {moe.input = "hidden"}) {
    return
  }
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
  func.func @view_of_weight() {
    %w = moe.param @w : tensor<4x8xf32>
    // expected-error @below {{a view of an input or weight cannot be planned; only values in the arena have views}}
    %0 = moe.slice %w {offset = 0 : i64} : (tensor<4x8xf32>) -> tensor<4x4xf32>
    return
  }
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @returns_input(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> tensor<?xi32> {
    // expected-error @below {{output 0 must be the result of a launch, not an input or a view}}
    return %ids : tensor<?xi32>
  }
}

// -----

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
  // expected-error @below {{kernel @k has no schedule; run assign-schedules}}
  kern.kernel @k(%ids: tensor<?xi32>, %w: tensor<4x8xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, unit, #kern.rows<tokens * 1>], row_strides = array<i64: 1, 0, 8>} {
    %0 = moe.embedding %ids, %w : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    kern.yield %0 : tensor<?x8xf32>
  }
  func.func @no_schedule(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> tensor<?x8xf32> {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = kern.launch @k(%ids, %w) : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    return %0 : tensor<?x8xf32>
  }
}

// -----

!cache = !moe.cache<8xf32, page = 4>
#t = #kern.rows<tokens * 1>

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
  kern.kernel @k(%ids: tensor<?xi32>, %w: tensor<4x8xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [#t, unit, #t], row_strides = array<i64: 1, 0, 8>} {
    %0 = moe.embedding %ids, %w : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    kern.yield %0 : tensor<?x8xf32>
  }
  kern.kernel @append(%cache: !cache, %x: tensor<?x8xf32>, %ids: tensor<?xi32>, %blocks: tensor<?x?xi32>) -> !cache attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [unit, #t, #t, #kern.rows<sequences * 1>, unit], row_strides = array<i64: 0, 8, 1, 0, 0>} {
    %0 = moe.cache_append %cache, %x, %ids, %ids, %blocks : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    kern.yield %0 : !cache
  }
  func.func @old_state(%ids: tensor<?xi32> {moe.input = "token_ids"}, %blocks: tensor<?x?xi32> {moe.input = "block_table"}, %cache: !cache {moe.input = "cache"}) -> !cache {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = kern.launch @k(%ids, %w) : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    %1 = kern.launch @append(%cache, %0, %ids, %blocks) : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    // expected-error @below {{reads the state of cache 0 before an append that has already happened in place}}
    %2 = kern.launch @append(%cache, %0, %ids, %blocks) : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
    return %2 : !cache
  }
}

// -----

!cache = !moe.cache<8xf32, page = 4>

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  func.func @swapped(%a: !cache {moe.input = "cache"}, %b: !cache {moe.input = "cache"}) -> (!cache, !cache) {
    // expected-error @below {{returned cache 0 is not the newest state of cache argument 0}}
    return %b, %a : !cache, !cache
  }
}

// -----

#t = #kern.rows<tokens * 1>

module attributes {kern.target = "test", moe.max_context = 8 : i64} {
  moe.weight @w : tensor<4x8xf32> = #moe.checkpoint<"w">
  kern.kernel @k(%ids: tensor<?xi32>, %w: tensor<4x8xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<rows>, schedule = #kern.schedule<{}>, rows = [#t, unit, #t], row_strides = array<i64: 1, 0, 8>} {
    %0 = moe.embedding %ids, %w : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    kern.yield %0 : tensor<?x8xf32>
  }
  func.func @one_value_twice(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %w = moe.param @w : tensor<4x8xf32>
    %0 = kern.launch @k(%ids, %w) : (tensor<?xi32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    // expected-error @below {{outputs 0 and 1 are one value; each output needs its own}}
    return %0, %0 : tensor<?x8xf32>, tensor<?x8xf32>
  }
}
