// RUN: moec-opt %s --fuse-sibling-rows --remarks-filter=fuse-sibling-rows --verify-diagnostics | FileCheck %s

!cache = !moe.cache<8xf32, page = 4>

module attributes {kern.target = "test:swiglu"} {
  // CHECK-LABEL: @target_refuses
  // CHECK-COUNT-3: kern.group
  func.func @target_refuses(%x0: tensor<?x8xf32> {moe.input = "hidden"}) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %x = kern.group hero <matmul> {
      %0 = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %0 = kern.group hero <rows> {
      %s = moe.add %x, %x0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %1 = kern.group hero <rows> {
      // expected-remark @below {{the test target does not fuse moe.swiglu into rows kernels}}
      %s = moe.swiglu %x, %x : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
  }

  // CHECK-LABEL: @reads_the_sibling
  // CHECK-COUNT-3: kern.group
  func.func @reads_the_sibling(%x0: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
    %x = kern.group hero <matmul> {
      %0 = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %0 = kern.group hero <rows> {
      %s = moe.add %x, %x0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{it reads what its sibling computes}}
    %1 = kern.group hero <rows> {
      %s = moe.add %x, %0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %1 : tensor<?x8xf32>
  }

  // CHECK-LABEL: @depends_through_another
  // CHECK-COUNT-4: kern.group
  func.func @depends_through_another(%x0: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
    %x = kern.group hero <matmul> {
      %0 = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %0 = kern.group hero <rows> {
      %s = moe.add %x, %x0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %1 = kern.group hero <matmul> {
      %s = moe.add %0, %0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @below {{it depends on what is computed from its sibling}}
    %2 = kern.group hero <rows> {
      %s = moe.add %x, %1 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    return %2 : tensor<?x8xf32>
  }

  // CHECK-LABEL: @old_cache_is_read
  // CHECK-COUNT-3: kern.group
  func.func @old_cache_is_read(%x0: tensor<?x8xf32> {moe.input = "hidden"}, %cache: !cache {moe.input = "cache"}, %positions: tensor<?xi32> {moe.input = "positions"}, %sequences: tensor<?xi32> {moe.input = "sequence_ids"}, %table: tensor<?x?xi32> {moe.input = "block_table"}) -> (tensor<?x8xf32>, !cache, !cache) {
    %x = kern.group hero <matmul> {
      %0 = moe.add %x0, %x0 : tensor<?x8xf32>
      kern.yield %0 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %0 = kern.group hero <rows> {
      %s = moe.add %x, %x0 : tensor<?x8xf32>
      kern.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %1 = kern.group hero <rows> {
      // expected-remark @below {{the cache's old contents are read too}}
      %c = moe.cache_append %cache, %x, %positions, %sequences, %table : (!cache, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> !cache
      kern.yield %c : !cache
    } : !cache
    return %0, %1, %cache : tensor<?x8xf32>, !cache, !cache
  }
}
