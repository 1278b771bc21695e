// RUN: moec-opt %s --set-activation-type=type=bf16 | FileCheck %s
// RUN: moec-opt %s --set-activation-type | FileCheck %s --check-prefix=F32
// RUN: moec-opt %s --set-activation-type=type=bf16 --check-numerics --numerics-tolerance=2e-2 -o %t

// Two of the results are E4M3: roundings before it turn some codes, each by one part in 8 to 16.
// What travels is bf16, what stays in the kernel is f32; the test target keeps f32.
// F32: activation_type = "f32"
// F32-NOT: bf16>
// CHECK: moe.numerics = {activation_type = "bf16"}
!codes = !moe.qtensor<?x128xf8E4M3FN, block = [1, 128], scale = f32>
module attributes {kern.target = "test", moe.numerics = {}} {
  moe.weight @norm : tensor<128xf32> = #moe.checkpoint<"norm">
  moe.weight @table : tensor<9x256xf32> = #moe.checkpoint<"table">
  moe.weight @router : tensor<4x128xf32> = #moe.checkpoint<"router">
  moe.weight @head : tensor<9x128xf32> = #moe.checkpoint<"head">

  // CHECK-LABEL: func.func @norm_of_sum
  func.func @norm_of_sum(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> !codes {
    %table = moe.param @table : tensor<9x256xf32>
    %norm = moe.param @norm : tensor<128xf32>
    // CHECK: kern.group
    // CHECK: moe.embedding {{.*}} -> tensor<?x256xbf16>
    // CHECK: } : tensor<?x256xbf16>
    %e = kern.group hero <rows> {
      %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<9x256xf32>) -> tensor<?x256xf32>
      kern.yield %0 : tensor<?x256xf32>
    } : tensor<?x256xf32>
    // A view has the type of its buffer.
    // CHECK: %[[X:.+]] = moe.slice {{.*}} : (tensor<?x256xbf16>) -> tensor<?x128xbf16>
    %x = moe.slice %e {offset = 0} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    // CHECK: moe.add %[[X]], %[[X]] : tensor<?x128xbf16>
    // CHECK: moe.rms_norm {{.*}} : (tensor<?x128xbf16>, tensor<128xf32>) -> tensor<?x128xf32>
    // CHECK: moe.quantize {{.*}} : (tensor<?x128xf32>)
    %r:2 = kern.group hero <rows> {
      %0 = moe.add %x, %x : tensor<?x128xf32>
      %1 = moe.rms_norm %0, %norm {epsilon = 1.0e-6} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
      %2 = moe.quantize %1 : (tensor<?x128xf32>) -> !codes
      kern.yield %0, %2 : tensor<?x128xf32>, !codes
    } : tensor<?x128xf32>, !codes
    // CHECK: moe.add %{{.*}}, %[[X]] : (tensor<?x128xbf16>, tensor<?x128xbf16>) -> tensor<?x128xf32>
    // CHECK: moe.quantize
    %s = kern.group hero <pointwise> {
      %0 = moe.add %r#0, %x : tensor<?x128xf32>
      %1 = moe.quantize %0 : (tensor<?x128xf32>) -> !codes
      kern.yield %1 : !codes
    } : !codes
    return %s : !codes
  }

  // What decides on experts, and what the caller gets.
  // CHECK-LABEL: func.func @kept
  func.func @kept(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> (tensor<?x9xf32>, tensor<?x1xi32>, tensor<?x1xf32>) {
    %table = moe.param @table : tensor<9x256xf32>
    %router = moe.param @router : tensor<4x128xf32>
    %head = moe.param @head : tensor<9x128xf32>
    %e = kern.group hero <rows> {
      %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<9x256xf32>) -> tensor<?x256xf32>
      kern.yield %0 : tensor<?x256xf32>
    } : tensor<?x256xf32>
    %x = moe.slice %e {offset = 128} : (tensor<?x256xf32>) -> tensor<?x128xf32>
    // CHECK: moe.linear {{.*}} : (tensor<?x128xbf16>, tensor<4x128xf32>) -> tensor<?x4xf32>
    %l = kern.group hero <matmul> {
      %0 = moe.linear %x, %router : (tensor<?x128xf32>, tensor<4x128xf32>) -> tensor<?x4xf32>
      kern.yield %0 : tensor<?x4xf32>
    } : tensor<?x4xf32>
    // CHECK: moe.gate {{.*}} : (tensor<?x4xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
    %g:2 = kern.group hero <routing> {
      %0, %1 = moe.gate %l {scoring = #moe<scoring sigmoid>, top_k = 1 : i64} : (tensor<?x4xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
      kern.yield %0, %1 : tensor<?x1xi32>, tensor<?x1xf32>
    } : tensor<?x1xi32>, tensor<?x1xf32>
    // CHECK: moe.linear {{.*}} : (tensor<?x128xbf16>, tensor<9x128xf32>) -> tensor<?x9xf32>
    %y = kern.group hero <matmul> {
      %0 = moe.linear %x, %head : (tensor<?x128xf32>, tensor<9x128xf32>) -> tensor<?x9xf32>
      kern.yield %0 : tensor<?x9xf32>
    } : tensor<?x9xf32>
    return %y, %g#0, %g#1 : tensor<?x9xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  }

  // A slice that leaves takes what it is a view of along, and no more.
  // CHECK-LABEL: func.func @slice_yielded
  func.func @slice_yielded(%ids: tensor<?xi32> {moe.input = "token_ids"}) -> !codes {
    %table = moe.param @table : tensor<9x256xf32>
    %norm = moe.param @norm : tensor<128xf32>
    // CHECK: moe.embedding {{.*}} -> tensor<?x256xbf16>
    // CHECK: moe.slice {{.*}} : (tensor<?x256xbf16>) -> tensor<?x128xbf16>
    // CHECK: moe.rms_norm {{.*}} : (tensor<?x128xbf16>, tensor<128xf32>) -> tensor<?x128xf32>
    %r:2 = kern.group hero <rows> {
      %0 = moe.embedding %ids, %table : (tensor<?xi32>, tensor<9x256xf32>) -> tensor<?x256xf32>
      %1 = moe.slice %0 {offset = 128} : (tensor<?x256xf32>) -> tensor<?x128xf32>
      %2 = moe.rms_norm %1, %norm {epsilon = 1.0e-6} : (tensor<?x128xf32>, tensor<128xf32>) -> tensor<?x128xf32>
      %3 = moe.quantize %2 : (tensor<?x128xf32>) -> !codes
      kern.yield %1, %3 : tensor<?x128xf32>, !codes
    } : tensor<?x128xf32>, !codes
    // CHECK: moe.quantize {{.*}} : (tensor<?x128xbf16>)
    %q = kern.group hero <rows> {
      %0 = moe.quantize %r#0 : (tensor<?x128xf32>) -> !codes
      kern.yield %0 : !codes
    } : !codes
    return %q : !codes
  }
}
