// RUN: moec-opt %s --split-entries="max-context=32 decode-buckets=2 prefill-buckets=16" | FileCheck %s
// RUN: moec-opt %s --split-entries="max-context=32 decode-buckets=2 prefill-buckets=16 keep-mtp" | FileCheck %s --check-prefix=KEEP
// RUN: moec-opt %s --split-entries=max-context=32 --check-numerics -o %t
// RUN: moec-opt %s --split-entries="max-context=32 max-sequences=3" | FileCheck %s --check-prefix=BUCKETS
// RUN: moec-opt %s --split-entries="max-context=9999 max-sequences=3 prefill-chunk=3000" | FileCheck %s --check-prefix=CHUNK

// CHECK-NOT: @forward
// CHECK: func.func @prefill_16(%{{.+}}: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> attributes {kern.bounds = #kern.bounds<tokens = 16, sequences = 16, output_rows = 16, context_length = 32>, moe.entry = "prefill", moe.entry_of = "forward"}
// CHECK: moe.add
// CHECK: func.func @decode_2(%{{.+}}: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> attributes {kern.bounds = #kern.bounds<tokens = 2, sequences = 2, output_rows = 2, context_length = 32>, moe.entry = "decode", moe.entry_of = "forward"}
// CHECK: moe.add
// CHECK-NOT: @mtp
// KEEP: func.func @mtp

// Buckets: powers of two up to the batch, and the batch; chunks up to the context.
// BUCKETS: @prefill_16{{.*}}tokens = 16, sequences = 3, output_rows = 16
// BUCKETS: @prefill_32{{.*}}tokens = 32, sequences = 3, output_rows = 32
// BUCKETS: @decode_1{{.*}}tokens = 1, sequences = 1, output_rows = 1
// BUCKETS: @decode_2
// BUCKETS: @decode_3
// BUCKETS-NOT: func.func @{{prefill|decode}}

// Powers of four up to the longest chunk, and that one; at most 256 rows of logits.
// CHUNK: @prefill_16{{.*}}output_rows = 16
// CHUNK: @prefill_64{{.*}}output_rows = 64
// CHUNK: @prefill_256{{.*}}output_rows = 256
// CHUNK: @prefill_1024{{.*}}tokens = 1024, sequences = 3, output_rows = 256
// CHUNK: @prefill_3000{{.*}}tokens = 3000, sequences = 3, output_rows = 256
// CHUNK-NOT: func.func @prefill
func.func @forward(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
  %0 = moe.add %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
func.func @mtp(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
