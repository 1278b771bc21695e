// RUN: moec-opt %s --split-entries | FileCheck %s
// RUN: moec-opt %s --split-entries=keep-mtp | FileCheck %s --check-prefix=KEEP
// RUN: moec-opt %s --split-entries --check-numerics -o %t

// CHECK-NOT: @forward
// CHECK: func.func @prefill(%{{.+}}: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> attributes {moe.entry_of = "forward"}
// CHECK: moe.add
// CHECK: func.func @decode(%{{.+}}: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> attributes {moe.entry_of = "forward"}
// CHECK: moe.add
// CHECK-NOT: @mtp
// KEEP: func.func @mtp
func.func @forward(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
  %0 = moe.add %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
func.func @mtp(%x: tensor<?x8xf32> {moe.input = "hidden"}) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
