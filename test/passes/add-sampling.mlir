// RUN: moec-opt %s --add-sampling | FileCheck %s
// RUN: moec-opt %s --add-sampling --group-remaining --outline-kernels --assign-schedules --plan-programs | FileCheck %s --check-prefix=PLAN
// RUN: moec-opt %s --add-sampling --group-remaining --outline-kernels --check-numerics -o %t
// RUN: moec-opt %s --add-sampling --group-remaining --set-activation-type=type=bf16 | FileCheck %s --check-prefix=EXACT

// CHECK: func.func @decode_4
// CHECK: func.func @sample_4(%[[LOGITS:.+]]: tensor<?x300xf32> {moe.input = "logits"}, %[[SAMPLING:.+]]: tensor<?x4xi32> {moe.input = "sampling"}) -> tensor<?xi32>
// CHECK-SAME: kern.bounds = #kern.bounds<tokens = 4, sequences = 4, output_rows = 4, context_length = 32>, moe.entry = "sample"
// CHECK: %[[MAXIMA:.+]] = moe.chunk_maxima %[[LOGITS]] {chunk = 128 : i64}{{.*}} -> tensor<?x3xf32>
// CHECK: %[[MASSES:.+]] = moe.chunk_masses %[[LOGITS]], %[[MAXIMA]], %[[SAMPLING]] {chunk = 128 : i64}{{.*}} -> tensor<?x6xi32>
// CHECK: %[[IDS:.+]] = moe.sample %[[LOGITS]], %[[MAXIMA]], %[[MASSES]], %[[SAMPLING]] {chunk = 128 : i64}
// CHECK: return %[[IDS]]

// Output 0 is what it reads, output 1 what it makes.
// PLAN: plan.program @sample_4 entry "sample" tokens 4 sequences 4 output_rows 4
// PLAN-DAG: %[[LOGITS:.+]] = plan.output 0 bytes 4800
// PLAN-DAG: %[[SAMPLING:.+]] = plan.input {{.*}}sampling
// PLAN-DAG: %[[IDS:.+]] = plan.output 1 bytes 16
// PLAN: plan.launch @rows_sample_300(%[[LOGITS]], %{{.+}}, %{{.+}}, %[[SAMPLING]], %[[IDS]]) grid <dim = output_rows> {{.*}} label "sample"

// What a token is chosen by is not rounded, whatever the type of activations.
// EXACT: moe.chunk_maxima {{.*}} -> tensor<?x3xf32>
module attributes {kern.target = "cpu:x86-64-v3", moe.max_context = 32 : i64} {
  moe.weight @table : tensor<16x300xf32> = #moe.checkpoint<"t">
  func.func @decode_4(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> tensor<?x300xf32>
      attributes {kern.bounds = #kern.bounds<tokens = 4, sequences = 4, output_rows = 4, context_length = 32>, moe.entry = "decode"} {
    %table = moe.param @table : tensor<16x300xf32>
    %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<16x300xf32>) -> tensor<?x300xf32>
    return %0 : tensor<?x300xf32>
  }
}
