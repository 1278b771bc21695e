// The whole way on one dense and one MoE layer.
// RUN: moec-opt %S/Inputs/layer.mlir --moec-to-kern | FileCheck %s --check-prefix=KERN
// RUN: moec-opt %S/Inputs/layer.mlir --moec-to-kern=activations=exact --check-numerics --numerics-dims=tokens=5,sequences=2,output_rows=3 --numerics-tolerance=1e-6 -o %t
// RUN: moec-opt %S/Inputs/layer.mlir --moec-to-plan="decode-buckets=1,4 prefill-buckets=16 max-batch=4" | FileCheck %s --check-prefix=PLAN
// RUN: moec-opt %S/Inputs/layer.mlir --moec-to-kern=disable=fuse-router,merge-linears | FileCheck %s --check-prefix=DISABLED
// RUN: moec-opt %S/Inputs/layer.mlir --moec-to-plan="kv-cache=bf16 activations=exact" | FileCheck %s --check-prefix=OPTIONS

// Two layers and two entries share kernels.
// KERN-DAG: kern.kernel @rows_embedding_rms_norm
// KERN-DAG: kern.kernel @matmul_272x128_f8
// KERN-DAG: kern.kernel @rows_rms_norm_quantize_rms_norm_rope_concat_cache_append_144
// KERN-DAG: kern.kernel @attention_2x144_f32
// KERN-DAG: kern.kernel @routing_linear_gate_4_top2_shared1
// KERN-DAG: kern.kernel @grouped_matmul_swiglu_quantize_5x256x128_f8
// KERN-NOT: kern.group
// KERN: func.func @prefill_16
// KERN: kern.launch @matmul_272x128_f8({{.*}}) label "layers.0.self_attn.q_a_proj+kv_a_proj_with_mqa"
// KERN: kern.launch @matmul_272x128_f8({{.*}}) label "layers.1.self_attn.q_a_proj+kv_a_proj_with_mqa"
// KERN: func.func @decode_1
// KERN: kern.launch @matmul_272x128_f8

// PLAN: plan.weight @rope_table_0.values
// PLAN-NOT: func.func
// PLAN: plan.program @prefill_16 entry "prefill" tokens 16 sequences 4 output_rows 16
// PLAN: plan.cache 1
// PLAN: plan.output 0 bytes 4096
// PLAN: plan.program @decode_1
// PLAN: plan.program @decode_4

// DISABLED: kern.kernel @matmul_4x128_bf16
// DISABLED-NOT: @routing_linear_gate
// DISABLED: kern.kernel @routing_4_top2

// OPTIONS: activations = "exact"
// OPTIONS-SAME: kv_cache = "bf16"
// OPTIONS-NOT: moe.quantize
// OPTIONS: kern.kernel @attention_2x144_bf16
